"""The bundles that are shipped: whole, described truly, and able to see and hear."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_contract import AlarmClass, ImpulseClass
from parvis_contract.card import BoxesOutput, ImageInput, LogMelInput
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.hearing.log_mel import LogMel, cut_patches
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.vision.boxes import ious
from parvis_edge.vision.detector import Detector
from parvis_models import calibration, zoo
from parvis_models.evaluate import LEAST_RATIO, MOST_LOSS
from parvis_models.photographs import read_photographs
from parvis_models.recipes import DETECTED, recipes
from parvis_models.sources import read_sources

NAMES = ["nanodet-g-416", "yamnet"]


@pytest.fixture(scope="module", params=NAMES)
def bundle(request: pytest.FixtureRequest) -> Bundle:
    return load_bundle(str(request.param))


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector(load_bundle("nanodet-g-416"))


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger(load_bundle("yamnet"))


def test_the_card_names_the_tensors_of_the_file(bundle: Bundle) -> None:
    def described(tensors: list[object]) -> dict[str, tuple[object, ...]]:
        return {one.name: tuple(one.shape) for one in tensors}  # type: ignore[attr-defined]

    card = bundle.card
    assert described(bundle.session.get_inputs()) == {card.input.name: card.input.shape}
    outputs = [card.output.scores, card.output.boxes] if isinstance(card.output, BoxesOutput) else [card.output.scores]
    assert described(bundle.session.get_outputs()) == {one.name: one.shape for one in outputs}
    assert {one.type for one in [*bundle.session.get_inputs(), *bundle.session.get_outputs()]} == {"tensor(float)"}


def test_the_card_says_what_the_sources_and_the_recipe_say(bundle: Bundle) -> None:
    sources = read_sources()
    card, source, recipe = bundle.card, sources.models[bundle.card.name], recipes()[bundle.card.name]
    assert card.version == source.version
    assert {one.path: one.sha256 for one in card.source.files}.items() <= sources.packages[source.package].files.items()
    assert (card.input, card.output, card.task) == (recipe.input, recipe.output, recipe.task)
    assert card.quantisation.calibration_method == recipe.scheme.method_text
    assert {key: one.labels for key, one in card.thresholds.items()} == dict(recipe.classes)
    assert set(source.known_failures) <= set(card.known_failures)


def test_it_was_measured_and_is_good_enough_to_ship(bundle: Bundle) -> None:
    card = bundle.card
    assert card.accuracy is not None
    assert card.speed is not None
    assert card.accuracy.ap_float - card.accuracy.ap_int8 <= MOST_LOSS
    assert card.speed.ratio >= LEAST_RATIO
    assert set(card.accuracy.classes) == set(card.thresholds)
    assert all(one.chosen_on != zoo.UNCHOSEN for one in card.thresholds.values())
    assert any(text.startswith(zoo.MEASURED) for text in card.known_failures)


def test_it_is_small_and_carries_its_licences(bundle: Bundle) -> None:
    folder = zoo.folder_of(bundle.card.name, bundle.card.version)
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "card.json", "golden.npz", "model.onnx"]
    assert bundle.card.size_bytes == (folder / "model.onnx").stat().st_size < 4_200_000
    text = (folder / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "MIT License" in text


def test_classes_are_the_contract_s(tagger: Tagger, detector: Detector) -> None:
    assert set(load_bundle("yamnet").card.thresholds) == {one.value for one in (*ImpulseClass, *AlarmClass)}
    assert set(load_bundle("nanodet-g-416").card.thresholds) == set(DETECTED)
    assert "Speech" in tagger.labels
    assert not any("speech" in label.lower() for one in load_bundle("yamnet").card.thresholds.values() for label in one.labels)
    assert detector.labels[0] == "person"


def test_class_scores_leave_in_float(bundle: Bundle) -> None:
    shape = [4 if side == "N" else int(side) for side in bundle.card.input.shape]
    low, high = (0, 255) if isinstance(bundle.card.input, ImageInput) else (-6, 2)
    feed = np.random.default_rng(0).uniform(low, high, shape).astype(np.float32)
    scores = bundle.session.run([bundle.card.output.scores.name], {bundle.card.input.name: feed})[0]
    # A row of scores in 8 bits has 256 different values at most.
    assert len(np.unique(scores)) > 600
    assert scores.min() >= 0
    assert scores.max() <= 1


def drawn_bus() -> npt.NDArray[np.uint8]:
    image = np.full((416, 416, 3), (200, 190, 180), np.uint8)
    cv2.rectangle(image, (0, 300), (416, 416), (90, 90, 90), -1)
    cv2.rectangle(image, (60, 120), (360, 320), (40, 40, 200), -1)
    for x in range(75, 345, 45):
        cv2.rectangle(image, (x, 145), (x + 36, 205), (60, 50, 40), -1)
    for x in (120, 300):
        cv2.circle(image, (x, 320), 28, (20, 20, 20), -1)
        cv2.circle(image, (x, 320), 12, (150, 150, 150), -1)
    cv2.rectangle(image, (66, 220), (354, 228), (255, 255, 255), -1)
    return np.asarray(cv2.GaussianBlur(image, (3, 3), 0), np.uint8)


def test_the_detector_finds_a_drawn_bus_where_it_is(detector: Detector) -> None:
    found = detector.detect(drawn_bus(), score_floor=load_bundle("nanodet-g-416").card.thresholds["bus"].score)
    assert [detector.labels[index] for index in found.classes] == ["bus"]
    assert ious(found.boxes_px, np.array([[60, 120, 360, 348]], np.float32))[0, 0] > 0.85


def test_the_detector_finds_nothing_in_a_grey_wall(detector: Detector) -> None:
    noise = np.random.default_rng(0).normal(128, 6, (480, 640, 3)).clip(0, 255).astype(np.uint8)
    assert len(detector.detect(noise, score_floor=0.2)) == 0


def test_the_detector_finds_most_people_who_are_large_in_real_photographs(material: Path, detector: Detector) -> None:
    photos = [one for one in read_photographs(material / "coco", detector.labels) if (one.classes == 0).any()][:12]
    hits = total = 0
    for photo in photos:
        people = photo.boxes_px[(photo.classes == 0) & (photo.boxes_px[:, 3] - photo.boxes_px[:, 1] > 150)]
        found = detector.detect(photo.image(), score_floor=0.35)
        found = found[found.classes == 0]
        total += len(people)
        if len(people) and len(found):
            hits += int((ious(found.boxes_px, people).max(axis=0) >= 0.5).sum())
    assert total >= 8
    assert hits >= 0.7 * total


def spoken_for(tagger: Tagger, sound: npt.NDArray[np.float32]) -> set[str]:
    """Classes whose threshold a sound passes."""
    parameters = tagger.parameters
    assert isinstance(parameters, LogMelInput)
    scores = tagger.scores(cut_patches(LogMel(parameters).frames(sound), 96, 48)).max(axis=0)
    thresholds = load_bundle("yamnet").card.thresholds
    return {key for key, one in thresholds.items() if max(scores[tagger.labels.index(label)] for label in one.labels) >= one.score}


def test_the_tagger_recognises_synthesised_sounds(tagger: Tagger) -> None:
    sounds = list(calibration.sounds(tagger.parameters.rate_hz))
    wail, two_tone, horn, bang = sounds[6], sounds[14], sounds[16], sounds[21]
    assert "siren" in spoken_for(tagger, wail)
    assert "siren" in spoken_for(tagger, two_tone)
    assert "vehicle_horn" in spoken_for(tagger, horn)
    assert "gunshot" in spoken_for(tagger, bang)


def test_the_tagger_takes_noise_and_silence_for_none(tagger: Tagger) -> None:
    sounds = list(calibration.sounds(tagger.parameters.rate_hz))
    for quiet in (*sounds[:6], sounds[-1]):
        assert spoken_for(tagger, quiet) == set()
