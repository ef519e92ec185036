from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest
from parvis_contract.card import Card
from parvis_models import calibration, evaluate, zoo
from parvis_models.recipes import HEARD

NAME = "yamnet"


@pytest.fixture
def eight_bits_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    """The float model is no part of a checkout: here the shipped one stands for it, so that both sides must agree."""
    card = zoo.read_card(zoo.folder_of(NAME, "1.1.0"))
    monkeypatch.setattr(zoo, "BUILD", tmp_path / "build")
    (tmp_path / "build").mkdir()
    zoo.float_path(NAME).write_bytes((zoo.folder_of(NAME, "1.1.0") / card.model_file).read_bytes())
    return card


def write_sounds(folder: Path, *, repeats: int = 1) -> None:
    """Synthesised sounds in a folder of development material: some sirens and horns, and noise."""
    sounds = list(calibration.sounds(16_000))
    chosen = {"siren": [6, 7, 10, 11], "vehicle_horn": [16], "white_noise": [1, 3, 5]}
    (folder / "audio").mkdir()
    rows = ["file\tground_truth"]
    for label, places in chosen.items():
        for repeat in range(repeats):
            for place in places:
                name = f"{label}-{place}-{repeat}.wav"
                with wave.open(str(folder / "audio" / name), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(16_000)
                    file.writeframes((sounds[place][: 16_000 * 2] * 32767).astype("<i2").tobytes())
                rows.append(f"{name}\tclass={label}")
    (folder / "audio" / "SOURCES.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_a_tagger_is_measured_through_and_through(tmp_path: Path, eight_bits_twice: Card) -> None:
    write_sounds(tmp_path, repeats=5)
    told: list[str] = []
    measured = evaluate.evaluate(NAME, "1.1.0", tmp_path, told.append)
    siren = measured.accuracy.classes["siren"]
    assert (siren.examples, siren.ap_float, siren.ap_int8) == (20, 100.0, 100.0)
    assert siren.recall_int8 == 100.0
    assert siren.false_alarms_per_hour_int8 == 0.0
    assert measured.accuracy.classes["fire_alarm"].ap_int8 is None
    # Twenty sirens are enough to choose on, five horns are not.
    assert measured.thresholds["siren"].calibration is not None
    assert measured.thresholds["vehicle_horn"].score == 0.5
    assert "with 5 examples" in measured.thresholds["vehicle_horn"].reason
    assert measured.loss == 0.0
    assert measured.speed.ratio > 0.0
    assert told

    card = measured.written_into(eight_bits_twice)
    assert Card.model_validate_json(card.model_dump_json()) == card
    assert list(card.thresholds) == list(HEARD)
    assert card.accuracy == measured.accuracy


def test_an_earlier_measurement_s_failures_go(eight_bits_twice: Card, tmp_path: Path) -> None:
    write_sounds(tmp_path)
    measured = evaluate.evaluate(NAME, "1.1.0", tmp_path)
    before = eight_bits_twice.model_copy(update={"known_failures": ("By eye.", zoo.MEASURED + "long ago.")})
    after = measured.written_into(before).known_failures
    assert after[0] == "By eye."
    assert zoo.MEASURED + "long ago." not in after


def test_without_the_float_model_it_says_what_makes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "BUILD", tmp_path)
    with pytest.raises(zoo.CardError, match="parvis-models build yamnet"):
        evaluate.evaluate(NAME, "1.1.0", tmp_path)


def test_the_float_model_scores_like_the_eight_bits_on_real_sounds(material: Path) -> None:
    if not zoo.float_path(NAME).is_file():
        pytest.skip("the float model is not here: `parvis-models build yamnet` makes it")
    card = zoo.read_card(zoo.folder_of(NAME, "1.1.0"))
    from parvis_edge.bundle import load_bundle
    from parvis_models.recordings import read_recordings, score_all

    recordings = read_recordings(material / "audio")[::60]
    floating = score_all(evaluate.float_bundle(card, zoo.float_path(NAME)), recordings)
    eight_bits = score_all(load_bundle(NAME), recordings)
    differences = [np.abs(one.scores - other.scores).mean() for one, other in zip(floating, eight_bits, strict=True)]
    assert np.mean(differences) < 0.01
