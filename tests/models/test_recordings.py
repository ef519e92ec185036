from __future__ import annotations

import wave
from collections import Counter
from pathlib import Path

import pytest
from parvis_edge.bundle import load_bundle
from parvis_models import calibration
from parvis_models.photographs import DataError
from parvis_models.recordings import read_recordings, reported_all, score_all

HEADER = "file\tground_truth\n"


def make(folder: Path, rows: str, *files: str) -> Path:
    (folder / "SOURCES.tsv").write_text(HEADER + rows, encoding="utf-8")
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    return folder


def test_classes_are_read_from_the_list(tmp_path: Path) -> None:
    rows = "a.wav\tclass=gun_shot; from a range\nb.wav\tclass=dog_bark\nc.wav\tclass=alarm_siren\nrain/d.wav\tclass; fold 1\n"
    gun, dog, alarm, rain = read_recordings(make(tmp_path, rows, "a.wav", "b.wav", "c.wav", "rain/d.wav"))
    assert (gun.sound_class, gun.unsure) == ("gunshot", frozenset())
    assert (dog.sound_class, dog.label) == (None, "dog_bark")
    assert alarm.unsure == {"siren", "fire_alarm", "vehicle_horn"}
    assert rain.label == "rain"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("a.wav\tloud\n", r"SOURCES\.tsv:2: ground_truth 'loud' names no class; write class=NAME"),
        ("b.wav\tclass=siren\n", r"SOURCES\.tsv:2: .*b\.wav is not here"),
        ("", "lists no sound"),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_recordings(make(tmp_path, rows, "a.wav"))


def test_a_list_without_the_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "SOURCES.tsv").write_text("name\n", encoding="utf-8")
    with pytest.raises(DataError, match="needs the columns file and ground_truth, has name"):
        read_recordings(tmp_path)


def test_a_missing_list_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"SOURCES\.tsv: not here; --data"):
        read_recordings(tmp_path)


def write_siren(folder: Path) -> None:
    rate_hz = 16_000
    siren = list(calibration.sounds(rate_hz))[6]
    with wave.open(str(folder / "siren.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes((siren * 32767).astype("<i2").tobytes())
    make(folder, "siren.wav\tclass=siren\n")


def test_a_file_is_scored_through_the_ear(tmp_path: Path) -> None:
    write_siren(tmp_path)
    bundle = load_bundle("yamnet")
    (scored,) = score_all(bundle, read_recordings(tmp_path))
    assert scored.duration_s == pytest.approx(4.0)
    # A patch of 0.96 s every 0.48 s, and one that ends with the sound.
    assert scored.scores.shape == (8, len(bundle.card.labels))
    assert scored.scores[:, bundle.card.labels.index("Siren")].max() > 0.5


def test_what_a_unit_reports_of_a_file_is_counted_by_class(tmp_path: Path) -> None:
    write_siren(tmp_path)
    assert reported_all(load_bundle("yamnet"), read_recordings(tmp_path)) == [Counter(siren=1)]


def test_what_cannot_be_decoded_is_named(tmp_path: Path) -> None:
    recordings = read_recordings(make(tmp_path, "a.wav\tclass=siren\n", "a.wav"))
    with pytest.raises(DataError, match=r"a\.wav"):
        score_all(load_bundle("yamnet"), recordings)
