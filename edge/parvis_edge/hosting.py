"""The models that a running unit uses, and their exchange between two frames."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

from parvis_contract import ModelRef

from .perceive import Exchange, Perceiver
from .perception import Sense
from .update.health import Vitals

if TYPE_CHECKING:
    # onnxruntime takes half a second to import: a refusal should not wait for it.
    from .bundle import Bundle


class Models:
    """The models in use, each loaded once, when first needed.

    Args:
        load: Loads one by its name; None takes what the program was shipped with.
    """

    def __init__(self, load: Callable[[str], Bundle] | None = None) -> None:
        self._load = load
        self._bundles: dict[str, Bundle] = {}

    def bundle(self, name: str) -> Bundle:
        """The version that is in use.

        Raises:
            BundleError: It cannot be loaded.
        """
        if name not in self._bundles:
            if self._load is None:
                from .bundle import load_bundle

                self._load = load_bundle
            self._bundles[name] = self._load(name)
        return self._bundles[name]

    def put(self, bundle: Bundle) -> None:
        """This version is in use from now on."""
        self._bundles[bundle.card.name] = bundle


class ModelHost:
    """Exchanges the models of a running unit's senses, and says how each does.

    Args:
        perceivers: Whose senses run them.
        models: Those in use.
        told: Called, in the perceiver's thread, with what has been put in.
    """

    def __init__(self, perceivers: Sequence[Perceiver], models: Models, told: Callable[[ModelRef], None]) -> None:
        self._perceivers = perceivers
        self._models = models
        self._told = told
        self._begun_s = time.monotonic()

    def names(self) -> Collection[str]:
        """The models that its senses run."""
        return {each.model.name for each in self._perceivers}

    def exchange(self, bundle: Bundle, *, on_trial: bool) -> None:
        """Puts a model in, between two frames; does not wait for it.

        Args:
            bundle: Of a model that is in use.
            on_trial: True if the one before goes back in by itself where this one fails.
        """
        back = self._putting_in(self._models.bundle(bundle.card.name)) if on_trial else None
        for perceiver in self._perceivers:
            if perceiver.model.name == bundle.card.name:
                perceiver.exchange(self._putting_in(bundle), back)

    def _putting_in(self, bundle: Bundle) -> Exchange:
        def put_in(sense: Sense[Any]) -> bool:
            self._models.put(bundle)
            exchange: Callable[[Bundle], bool] | None = getattr(sense, "exchange", None)
            fits = exchange is not None and exchange(bundle)
            self._told(bundle.ref)
            return fits

        return put_in

    def vitals(self, name: str) -> Vitals:
        """Of the senses that run a model, since the unit started."""
        those = [each for each in self._perceivers if each.model.name == name]
        times_ms = [each.inference_ms for each in those if each.inference_ms is not None]
        broken = ["the sense broke down" for each in those if each.failed]
        return Vitals(
            time_s=time.monotonic() - self._begun_s,
            runs=sum(each.analysed for each in those),
            events=sum(each.begun for each in those),
            items=sum(each.feed.tally.items for each in those),
            dropped=sum(each.queue.dropped for each in those),
            inference_ms=max(times_ms, default=None),
            failure=next((each.model_fault for each in those if each.model_fault), next(iter(broken), None)),
        )
