from __future__ import annotations

import itertools
import wave
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import StatusReason
from parvis_edge.capture.container import Tally
from parvis_edge.capture.microphone import load_portaudio, read_microphone
from parvis_edge.capture.sound import Blocks, read_sound
from parvis_edge.capture.source import Kind, Source, SourceError, parse_source
from parvis_edge.perception import AudioBlock

from tests.edge.clips import write_sound

START = 1_000_000.0


def blocks(path: Path, tally: Tally | None = None) -> list[AudioBlock]:
    return list(read_sound(parse_source(str(path), "microphone"), tally or Tally(), start_s=START))


def joined(found: list[AudioBlock]) -> npt.NDArray[np.float32]:
    return np.concatenate([block.samples for block in found])


def tone(duration_s: float = 1.05, rate_hz: int = 16_000, amplitude: float = 0.5) -> npt.NDArray[np.float32]:
    return (amplitude * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * rate_hz)) / rate_hz)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "codec", "tolerance"),
    [
        ("tone.wav", "pcm_s16le", 1e-4),
        ("tone.wav", "pcm_u8", 1e-2),
        ("tone.wav", "pcm_s24le", 1e-6),
        ("tone.wav", "pcm_f32le", 1e-7),
        ("tone.wav", "pcm_f64le", 1e-7),
        ("tone.flac", "flac", 1e-4),
        ("tone.mkv", "pcm_s16le", 1e-4),
        ("tone.aiff", "pcm_s16be", 1e-4),
    ],
)
def test_samples_come_through_as_they_are(tmp_path: Path, name: str, codec: str, tolerance: float) -> None:
    found = blocks(write_sound(tmp_path / name, tone(), codec=codec))
    assert joined(found) == pytest.approx(tone(), abs=tolerance)
    assert [len(block.samples) for block in found] == [1_600] * 10 + [800]
    assert [block.time_s - START for block in found] == pytest.approx([index / 10 for index in range(11)], abs=1e-4)
    assert {block.rate_hz for block in found} == {16_000}
    assert found[0].samples.dtype == np.float32


@pytest.mark.parametrize(
    ("name", "codec"), [("click.ogg", "libvorbis"), ("click.mp3", "libmp3lame"), ("click.m4a", "aac"), ("click.opus", "libopus")]
)
def test_a_click_stays_where_it_was_through_lossy_codecs(tmp_path: Path, name: str, codec: str) -> None:
    """An onset is to be known to a few milliseconds: the codecs' own delay must not be in it."""
    samples = np.zeros(48_000, np.float32)
    samples[24_000:24_480] = tone(0.01, 48_000, 0.9)
    try:
        path = write_sound(tmp_path / name, samples, 48_000, codec=codec)
    except Exception as error:  # noqa: BLE001 - whichever way this build of ffmpeg lacks the encoder
        pytest.skip(f"no encoder {codec} to write the test's file with: {error}")
    found = blocks(path)
    rate_hz = found[0].rate_hz
    loud = np.flatnonzero(np.abs(joined(found)) > 0.4)[0] / rate_hz
    assert found[0].time_s - START + loud == pytest.approx(0.5, abs=0.003)


def test_two_channels_become_their_mean(tmp_path: Path) -> None:
    both = np.stack([tone(), np.zeros_like(tone())])
    assert joined(blocks(write_sound(tmp_path / "stereo.wav", both))) == pytest.approx(tone() / 2, abs=1e-4)
    assert joined(blocks(write_sound(tmp_path / "stereo.mkv", both, codec="flac"))) == pytest.approx(tone() / 2, abs=1e-4)


def test_what_is_no_number_is_silence(tmp_path: Path) -> None:
    samples = tone()
    samples[100:103] = [np.nan, np.inf, -np.inf]
    found = joined(blocks(write_sound(tmp_path / "odd.wav", samples, codec="pcm_f32le")))
    assert found[100:103].tolist() == [0.0, 1.0, -1.0]


def test_a_film_without_sound_and_a_cut_file(tmp_path: Path, material: Path) -> None:
    with pytest.raises(SourceError, match="holds no sound") as error:
        blocks(material / "intrusion" / "one-by-one-person-detection.mp4")
    assert error.value.reason is StatusReason.SOURCE_UNREADABLE
    path = write_sound(tmp_path / "cut.flac", tone(2.0), codec="flac")
    path.write_bytes(path.read_bytes()[:-3_000])
    assert 0.5 < len(joined(blocks(path))) / 16_000 < 2.0
    (tmp_path / "empty.wav").write_bytes(b"RIFF")
    with pytest.raises(SourceError, match="is the file whole"):
        blocks(tmp_path / "empty.wav")


def test_a_wave_file_whose_header_lies(tmp_path: Path) -> None:
    """Recorders that were switched off leave a length of zero, or of four gigabytes."""
    path = tmp_path / "long.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes((tone() * 32_767).astype("<i2").tobytes())
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert len(joined(blocks(path))) == len(tone())


@given(st.lists(st.tuples(st.integers(1, 5_000), st.sampled_from([0.0, 0.0, 0.0, 0.5])), max_size=20))
def test_no_sample_is_lost_and_every_gap_shows(parts: list[tuple[int, float]]) -> None:
    tally = Tally()
    cutter, time_s, given_samples, found, gaps = Blocks(tally), START, [], [], 0
    for index, (size, gap_s) in enumerate(parts):
        gaps += gap_s > 0 and index > 0
        time_s += gap_s
        samples = np.full(size, index / 100, np.float32)
        given_samples.append(samples)
        found.extend(cutter.add(time_s, samples, 16_000))
        time_s += size / 16_000
    found.extend(cutter.flush())
    if parts:
        assert joined(found).tolist() == np.concatenate(given_samples).tolist()
    assert tally.gaps == gaps
    jumps = [later.time_s - (earlier.time_s + len(earlier.samples) / 16_000) for earlier, later in itertools.pairwise(found)]
    assert sum(jump > 0.4 for jump in jumps) == gaps
    assert all(abs(jump) < 1e-3 or jump == pytest.approx(0.5, abs=1e-3) for jump in jumps)


class Microphone:
    """PortAudio as PyAudio shows it, with one microphone that hears what it is given; None is an overflow, an error is raised."""

    paInt16 = 8  # noqa: N815 - PyAudio's own names
    paInputOverflowed = -9981  # noqa: N815

    def __init__(self, heard: list[Any], rates: tuple[int, ...] = (44_100,)) -> None:
        self.heard: Iterator[Any] = iter(heard)
        self.rates = rates
        self.ended = self.stuck = False

    def PyAudio(self) -> Microphone:  # noqa: N802 - PyAudio's own name
        return self

    def get_device_count(self) -> int:
        return 2

    def get_device_info_by_index(self, index: int) -> dict[str, object]:
        return [{"name": "Speaker", "maxInputChannels": 0}, {"name": "USB Microphone", "maxInputChannels": 1}][index]

    def open(self, *, rate: int, **_: object) -> SimpleNamespace:
        if rate not in self.rates:
            raise OSError(-9997, "Invalid sample rate")
        return SimpleNamespace(read=self.read, get_read_available=lambda: 0 if self.stuck else rate)

    def read(self, size: int, *, exception_on_overflow: bool) -> bytes:
        assert exception_on_overflow
        item = next(self.heard)
        if isinstance(item, Exception):
            raise item
        return np.full(size, item, "<i2").tobytes()

    def terminate(self) -> None:
        self.ended = True


def test_a_microphone_is_heard_and_an_overflow_is_a_gap() -> None:
    overflow = OSError(Microphone.paInputOverflowed, "Input overflowed")
    library = Microphone([1_000, 2_000, overflow, 3_000, OSError(-9988, "Stream closed")])
    arrivals = iter([10.1, 10.22, 12.0])
    tally = Tally()
    found: list[AudioBlock] = []
    with pytest.raises(SourceError, match="is it plugged in") as error:
        found.extend(
            read_microphone(
                Source(Kind.DEVICE, "usb", recorded=False), tally, arrival=lambda: next(arrivals), offset=lambda: START, library=library
            )
        )
    assert error.value.reason is StatusReason.CONNECTION_LOST
    assert library.ended


def test_a_microphone_that_is_stuck_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_edge.capture.microphone.READ_TIMEOUT_S", 0.05)
    library = Microphone([])
    library.stuck = True
    with pytest.raises(SourceError, match="gives nothing") as caught:
        next(read_microphone(Source(Kind.DEVICE, "", recorded=False), Tally(), arrival=lambda: 0.0, offset=lambda: 0.0, library=library))
    assert caught.value.reason is StatusReason.NO_DATA
    assert library.ended


def test_a_microphones_blocks() -> None:
    overflow = OSError(Microphone.paInputOverflowed, "Input overflowed")
    library = Microphone([1_000, 2_000, overflow, 3_000])
    arrivals = iter([10.1, 10.22, 12.0])
    tally = Tally()
    source = Source(Kind.DEVICE, "1", recorded=False)
    stream = read_microphone(source, tally, arrival=lambda: next(arrivals), offset=lambda: START, library=library)
    found = [next(stream) for _ in range(3)]
    assert [block.time_s - START for block in found] == pytest.approx([10.0, 10.1, 11.9], abs=1e-3)
    assert [float(block.samples[0]) for block in found] == pytest.approx([1_000 / 32_768, 2_000 / 32_768, 3_000 / 32_768])
    assert {block.rate_hz for block in found} == {44_100}
    assert tally.gaps == 1


@pytest.mark.parametrize(
    ("address", "rates", "expected"), [("nothing", (16_000,), "there are: 1 (USB Microphone)"), ("1", (), "cannot be opened")]
)
def test_a_microphone_that_is_not_there(address: str, rates: tuple[int, ...], expected: str) -> None:
    source = Source(Kind.DEVICE, address, recorded=False)
    stream = read_microphone(source, Tally(), arrival=lambda: 0.0, offset=lambda: 0.0, library=Microphone([], rates))
    with pytest.raises(SourceError) as error:
        next(stream)
    assert expected in str(error.value)


def test_without_pyaudio_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyaudio", None)
    with pytest.raises(SourceError, match=r"portaudio19-dev.*parvis-edge\[mic\]") as error:
        load_portaudio()
    assert error.value.reason is StatusReason.SOURCE_MISSING
