"""Measures float and 8 bits side by side with the unit's own code, chooses thresholds, and writes both into a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime
from parvis_contract.card import Accuracy, Card, ClassAccuracy, ImageInput, Speed, Threshold
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.vision.detector import Detector

from . import choose, photographs, recordings, zoo
from .fetch import Tell
from .recipes import DETECTED
from .speed import measure_speed

#: Most that 8 bits may cost, in points of mean average precision, and least that they must gain in speed.
MOST_LOSS, LEAST_RATIO = 1.0, 1.8
#: A class with few examples shares its threshold with those that are like it.
GROUPS = (("person",), ("bicycle", "car", "motorcycle", "bus", "truck"), ("backpack", "handbag", "suitcase"))
#: Boxes below do not reach a unit's judgement, so a calibration need not fit them.
CALIBRATED_FROM = 0.05
#: COCO's small, medium and large, as heights of a square of that area.
SIZES_PX = ((0.0, 32.0, "under 32 pixels high"), (32.0, 96.0, "of 32 to 96 pixels"), (96.0, np.inf, "over 96 pixels high"))


@dataclass(frozen=True, slots=True)
class Measured:
    """What was measured of a model, and chosen on it."""

    accuracy: Accuracy
    thresholds: dict[str, Threshold]
    failures: tuple[str, ...]
    speed: Speed

    @property
    def loss(self) -> float:
        """Points of mean average precision that 8 bits cost; negative where they gain."""
        return self.accuracy.ap_float - self.accuracy.ap_int8

    @property
    def good_enough(self) -> bool:
        """Whether it may be shipped."""
        return self.loss <= MOST_LOSS and self.speed.ratio >= LEAST_RATIO

    def written_into(self, card: Card) -> Card:
        """The card with what was measured; what an earlier measurement wrote goes."""
        told = tuple(text for text in card.known_failures if not text.startswith(zoo.MEASURED))
        return card.model_copy(
            update={
                "accuracy": self.accuracy,
                "speed": self.speed,
                "thresholds": self.thresholds,
                "known_failures": (*told, *(zoo.MEASURED + text for text in self.failures)),
            }
        )


def evaluate(name: str, version: str, data: Path, tell: Tell = lambda _: None) -> Measured:
    """Measures one model.

    Args:
        name: Of the model.
        version: Of its bundle.
        data: Folder with `coco/` (a detector) or `audio/` (a tagger).
        tell: Called with what is being done, for people.

    Raises:
        BundleError: The bundle cannot be used.
        CardError: The float model is not there.
        DataError: The data cannot be used.
    """
    int8 = load_bundle(name, version, zoo=zoo.ZOO)
    floating = float_bundle(int8.card, zoo.float_path(name))
    if isinstance(int8.card.input, ImageInput):
        measured = _detector(floating, int8, data / "coco", tell)
        feed = np.random.default_rng(0).uniform(0, 255, tuple(int(side) for side in int8.card.input.shape)).astype(np.float32)
    else:
        measured = _tagger(floating, int8, data / "audio", tell)
        patch = tuple(int(side) for side in int8.card.input.shape[1:])
        feed = np.random.default_rng(0).normal(-3.0, 2.0, (1, *patch)).astype(np.float32)
    tell("timing both, in turns")
    accuracy, thresholds, failures = measured
    return Measured(accuracy, thresholds, failures, measure_speed(floating.session, int8.session, feed))


def float_bundle(card: Card, path: Path) -> Bundle:
    """The float model behind the same card, run in the same way as :func:`load_bundle` runs the bundle's own.

    Raises:
        CardError: It is not there.
    """
    if not path.is_file():
        raise zoo.CardError(f"{path}: not here; `parvis-models build {card.name}` makes it")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return Bundle(card, onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]))


# --- the detector -------------------------------------------------------------------------------------------------------------

Parts = tuple[Accuracy, dict[str, Threshold], tuple[str, ...]]


def _detector(floating: Bundle, int8: Bundle, folder: Path, tell: Tell) -> Parts:
    labels = int8.card.labels
    photos = photographs.read_photographs(folder, labels)
    classes = {name: labels.index(name) for name in DETECTED}
    tell(f"detecting in {len(photos)} photographs, in float")
    aps_float = photographs.average_precisions(photos, photographs.detect_all(Detector(floating), photos), classes)
    tell(f"detecting in {len(photos)} photographs, in 8 bits")
    found = photographs.detect_all(Detector(int8), photos)
    aps_int8 = photographs.average_precisions(photos, found, classes)
    matches = {name: photographs.match(photos, found, index) for name, index in classes.items()}
    chosen_on = f"{len(photos)} development photographs"
    thresholds = {name: threshold for group in GROUPS for name, threshold in _group_thresholds(group, matches, chosen_on).items()}
    accuracies = {}
    for name, one in matches.items():
        at = choose.at_threshold(one.scores, one.true, one.examples, thresholds[name].score)
        accuracies[name] = ClassAccuracy(
            examples=one.examples,
            ap_float=_rounded(aps_float[name]),
            ap_int8=_rounded(aps_int8[name]),
            precision_int8=_rounded(at.precision),
            recall_int8=_rounded(at.recall),
            false_alarms_per_hour_int8=None,
        )
    accuracy = _accuracy(
        "Average precision by COCO's protocol: mean over overlaps of 0.50 to 0.95. Precision and recall at overlap 0.5.",
        f"{len(photos)} photographs of COCO val2017 with {sum(one.examples for one in matches.values())} examples, whole in the input",
        accuracies,
    )
    return accuracy, {name: thresholds[name] for name in DETECTED}, _detector_failures(matches, thresholds)


def _group_thresholds(group: Sequence[str], matches: Mapping[str, photographs.Matches], chosen_on: str) -> dict[str, Threshold]:
    together = photographs.Matches.joined([matches[name] for name in group])
    among = f"among {together.examples} examples of {', '.join(group)}" + (" together" if len(group) > 1 else "")
    if not together.true.any():
        threshold, reason = 0.5, f"No example was found {among}; the model's own even odds."
    else:
        threshold = choose.best_f1(together.scores, together.true, together.examples)
        reason = f"Largest harmonic mean of precision and recall {among}, at overlap 0.5."
    usable = together.scores >= CALIBRATED_FROM
    true = together.true[usable]
    fits = int(true.sum()) >= choose.LEAST_EXAMPLES and not true.all()
    calibration = choose.platt(together.scores[usable], true) if fits else None
    return {name: Threshold(labels=(name,), score=threshold, calibration=calibration, chosen_on=chosen_on, reason=reason) for name in group}


def _detector_failures(matches: Mapping[str, photographs.Matches], thresholds: Mapping[str, Threshold]) -> tuple[str, ...]:
    person, least = matches["person"], thresholds["person"].score
    shares = []
    for low, high, text in SIZES_PX:
        of_size = (person.heights_px >= low) & (person.heights_px < high)
        if of_size.any():
            shares.append(f"{int((person.found_at[of_size] >= least).sum())} of {int(of_size.sum())} {text}")
    texts = [f"people found at the threshold, by size in the photograph: {', '.join(shares)}."] if shares else []
    missed = [
        f"{name} {int((one.found_at >= thresholds[name].score).sum())} of {one.examples}"
        for name, one in matches.items()
        if name != "person" and one.examples
    ]
    return (*texts, f"found at their thresholds: {', '.join(missed)}; so few examples say little.") if missed else tuple(texts)


# --- the tagger ---------------------------------------------------------------------------------------------------------------


def _tagger(floating: Bundle, int8: Bundle, folder: Path, tell: Tell) -> Parts:
    card = int8.card
    sounds = recordings.read_recordings(folder)
    tell(f"listening to {len(sounds)} sounds, in float")
    in_float = recordings.score_all(floating, sounds)
    tell(f"listening to {len(sounds)} sounds, in 8 bits")
    in_int8 = recordings.score_all(int8, sounds)
    tell(f"asking a unit what it reports of {len(sounds)} sounds")
    reported = recordings.reported_all(int8, sounds)
    thresholds, accuracies, failures = {}, {}, []
    for key, before in card.thresholds.items():
        columns = [card.labels.index(label) for label in before.labels]
        sure = np.array([key not in sound.unsure for sound in sounds])
        true = np.array([sound.sound_class == key for sound in sounds])
        tops = {
            precision: np.array([one.scores[:, columns].max() for one in scored], np.float64)
            for precision, scored in (("float", in_float), ("int8", in_int8))
        }
        scores, examples = tops["int8"], int(true.sum())
        threshold = _sound_threshold(before.labels, scores[sure], true[sure], f"{len(sounds)} development sounds")
        told = np.array([one[key] for one in reported])
        found, wrong = int((told[true] > 0).sum()), int((told[sure & ~true] > 0).sum())
        others = [place for place in range(len(sounds)) if sure[place] and not true[place]]
        raised = [int(told[place]) for place in others]
        hours = sum(in_int8[place].duration_s for place in others) / 3600
        thresholds[key] = threshold
        accuracies[key] = ClassAccuracy(
            examples=examples,
            ap_float=_rounded(choose.average_precision(tops["float"][sure], true[sure])),
            ap_int8=_rounded(choose.average_precision(scores[sure], true[sure])),
            precision_int8=_rounded(100 * found / (found + wrong)) if examples and found + wrong else None,
            recall_int8=_rounded(100 * found / examples) if examples else None,
            false_alarms_per_hour_int8=_rounded(sum(raised) / hours) if hours else None,
        )
        failures += _confusions(key, [sounds[place].label for place in others], raised)
    duration_s = sum(one.duration_s for one in in_int8)
    accuracy = _accuracy(
        "Average precision of the tagger's scores over sounds, each by its highest patch. Precision, recall and false alarms are of what "
        "a unit reports of them, a sound counted once; false alarms per hour of the other sounds, which are short and chosen to be "
        "eventful: a street has far fewer such sounds in an hour.",
        f"{len(sounds)} recorded sounds, {duration_s / 60:.0f} minutes, of seven collections; the whole mix is eventful",
        accuracies,
    )
    return accuracy, thresholds, tuple(failures)


def _sound_threshold(labels: tuple[str, ...], scores: npt.NDArray[np.float64], true: npt.NDArray[np.bool_], chosen_on: str) -> Threshold:
    examples = int(true.sum())
    if examples < choose.LEAST_EXAMPLES:
        reason = (
            f"The model's own even odds: with {examples or 'no'} examples, fewer than {choose.LEAST_EXAMPLES}, a choice would be chance."
        )
        return Threshold(labels=labels, score=0.5, calibration=None, chosen_on=chosen_on, reason=reason)
    return Threshold(
        labels=labels,
        score=choose.best_f1(scores, true, examples),
        calibration=choose.platt(scores, true) if not true.all() else None,
        chosen_on=chosen_on,
        reason=f"Largest harmonic mean of precision and recall among {examples} examples and {int((~true).sum())} other sounds.",
    )


def _confusions(key: str, labels: Sequence[str], raised: Sequence[int]) -> list[str]:
    """What the class's false alarms come from."""
    wrong = Counter(label for label, count in zip(labels, raised, strict=True) if count)
    if not wrong:
        return []
    all_of = Counter(labels)
    parts = [f"{count} of {all_of[label]} {label.replace('_', ' ')}" for label, count in wrong.most_common(6)]
    return [f"{key} is also heard in {', '.join(parts)}."]


def _accuracy(metric: str, data: str, classes: dict[str, ClassAccuracy]) -> Accuracy:
    def mean(values: Sequence[float | None]) -> float:
        known = [value for value in values if value is not None]
        return round(sum(known) / len(known), 2) if known else 0.0

    return Accuracy(
        metric=metric,
        data=data,
        ap_float=mean([one.ap_float for one in classes.values()]),
        ap_int8=mean([one.ap_int8 for one in classes.values()]),
        classes=classes,
    )


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
