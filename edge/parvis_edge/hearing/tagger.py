"""The sound tagger: from patches of log-mel features to scores, one independent probability per label."""

from __future__ import annotations

import time

import numpy as np
import numpy.typing as npt
from parvis_contract.card import LogMelInput, ScoresOutput

from parvis_edge.bundle import Bundle, BundleError

Floats = npt.NDArray[np.float32]

#: Labels of the heads, by what each is told from: classes of Parvis, told on the tagger's own features by what was learnt from synthesised
#: sounds. A head's log odds are of a world in which its class and all others are as frequent; beyond `HEAD_MOST` they say nothing more.
HEADS = {
    "siren": "Parvis: siren", "fire_alarm": "Parvis: fire alarm", "vehicle_horn": "Parvis: vehicle horn",
    "shot": "Parvis: blast", "pane": "Parvis: breaking glass",
}  # fmt: skip
HEAD_MOST = 6.0
#: Nothing that is heard is surer than this: a hundred events without a false one say no more.
MOST_SURE = 0.99

#: Weight of the newest run in the smoothed inference time: about the last twenty count.
_SMOOTHING = 0.05


class Tagger:
    """Runs the model.

    Args:
        bundle: A model that takes log-mel patches and gives scores.

    Attributes:
        parameters: Of the features that the model takes.
        labels: In the order of the scores.
        analysed: How many patches it has been run for.
        inference_ms: A smoothed time of one patch; None before the first.

    Raises:
        BundleError: The bundle is of another kind.
    """

    def __init__(self, bundle: Bundle) -> None:
        card = bundle.card
        if not isinstance(card.input, LogMelInput) or not isinstance(card.output, ScoresOutput):
            raise BundleError(f"{card.name}: takes {card.input.kind} and gives {card.output.kind}; hearing needs log_mel and scores")
        self.parameters = card.input
        self.labels = card.labels
        self.analysed = 0
        self._put_in(bundle, card.input.name, card.output.scores.name)

    def _put_in(self, bundle: Bundle, takes: str, gives: str) -> None:
        self.inference_ms: float | None = None
        self._session = bundle.session
        self._input, self._output = takes, gives

    def exchange(self, bundle: Bundle) -> bool:
        """Tags with another model from the next patch on.

        Returns:
            False if it hears in another way (its features or its labels differ); then nothing has changed, and what listens through this
            tagger has to begin anew.

        Raises:
            BundleError: It is of another kind.
        """
        other = Tagger(bundle)
        if (other.parameters, other.labels) != (self.parameters, self.labels):
            return False
        self._put_in(bundle, other._input, other._output)
        return True

    def scores(self, patches: Floats) -> Floats:
        """Scores of each patch.

        Args:
            patches: ``(N, frames, bands)`` float32, as the card's input says.

        Returns:
            ``(N, labels)`` float32 in [0, 1].
        """
        if not len(patches):
            return np.empty((0, len(self.labels)), np.float32)
        begun = time.perf_counter()
        scores = np.asarray(self._session.run([self._output], {self._input: patches})[0], np.float32)
        took_ms = (time.perf_counter() - begun) * 1000.0 / len(patches)
        before_ms = took_ms if self.inference_ms is None else self.inference_ms
        self.inference_ms = before_ms + _SMOOTHING * (took_ms - before_ms)
        self.analysed += len(patches)
        return scores


def label_indices(labels: tuple[str, ...], names: tuple[str, ...]) -> npt.NDArray[np.intp]:
    """Columns of the scores that belong to these labels.

    Args:
        labels: The model's, in the order of its scores.
        names: Those sought.

    Raises:
        BundleError: The model has no such label.
    """
    unknown = [name for name in names if name not in labels]
    if unknown:
        raise BundleError(f"the model has no label {', '.join(map(repr, unknown))}; its card lists those that it has")
    return np.array([labels.index(name) for name in names], np.intp)
