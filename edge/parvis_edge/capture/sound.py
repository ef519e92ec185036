"""Blocks of sound from a file, a stream, or standard input."""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from typing import Any

import numpy as np
import numpy.typing as npt
from parvis_contract import StatusReason

from parvis_edge.perception import AudioBlock

from .container import Tally, decode, find_stream, open_container
from .source import Kind, Source, SourceError
from .timeline import FileTimeline, SampleClock, TimeOf

BLOCK_S = 0.1
#: What raw samples on standard input are: signed, 16 bits, little-endian, one channel.
RAW_RATE_HZ = 16_000
#: The first bytes of what is not raw.
_MAGIC = (b"RIFF", b"RF64", b"OggS", b"fLaC", b"ID3", b"\x1aE\xdf\xa3", b"FORM", b".snd")
_FULL_SCALE = {"u8": 128.0, "s16": 32_768.0, "s32": 2_147_483_648.0, "s64": 9_223_372_036_854_775_808.0, "flt": 1.0, "dbl": 1.0}


class Blocks:
    """Cuts sound into blocks of a tenth of a second, at a gap earlier. Pure.

    Args:
        tally: Where gaps and changes of rate are counted.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._clock = SampleClock()
        self._rate_hz = 0
        self._held: list[npt.NDArray[np.float32]] = []
        self._held_samples = 0
        self._begun_s = 0.0

    def add(self, stamped_s: float, samples: npt.NDArray[np.float32], rate_hz: int) -> Iterator[AudioBlock]:
        """Takes the next samples, and gives the blocks that are full.

        Args:
            stamped_s: When, by the stamps, the first sample was taken.
            samples: ``(n,)`` float32 in [-1, 1].
            rate_hz: Samples per second.
        """
        if rate_hz != self._rate_hz:
            yield from self.flush()
            self._tally.changes += self._rate_hz != 0
            self._rate_hz, self._clock = rate_hz, SampleClock()
        gaps = self._clock.gaps
        time_s = self._clock.time_s(stamped_s, len(samples) / rate_hz)
        if self._clock.gaps > gaps:
            yield from self.flush()
            self._tally.gaps += 1
        size = max(1, round(BLOCK_S * rate_hz))
        taken = 0
        while taken < len(samples):
            if not self._held:
                self._begun_s = time_s + taken / rate_hz
            part = samples[taken : taken + size - self._held_samples]
            self._held.append(part)
            self._held_samples += len(part)
            taken += len(part)
            if self._held_samples == size:
                yield from self.flush()

    def flush(self) -> Iterator[AudioBlock]:
        """Gives what is left as a shorter block."""
        if self._held:
            block = AudioBlock(self._begun_s, np.concatenate(self._held), self._rate_hz)
            self._held, self._held_samples = [], 0
            self._tally.items += 1
            yield block


def read_sound(source: Source, tally: Tally, *, start_s: float | None = None, time_of: TimeOf | None = None) -> Iterator[AudioBlock]:
    """All the sound of a source, in order of time.

    Args:
        source: File, stream or standard input; a microphone is read by :mod:`.microphone`.
        tally: Counts what was read, and what could not be.
        start_s: Of a recording: POSIX seconds at which it begins.
        time_of: Of a live source: the time of a stretch from its stamp. One of the two is given.

    Yields:
        Blocks of one channel (the mean of all) at the source's own rate.

    Raises:
        SourceError: It cannot be opened, a live stream broke off, or nothing could be decoded.
    """
    standard_input: BufferedReader | None = None
    if source.kind is Kind.STDIN:
        standard_input = open(0, "rb", closefd=False)  # noqa: SIM115 - a descriptor, and not ours to close
        if not standard_input.peek(4).startswith(_MAGIC):
            yield from _read_raw(standard_input, source, tally, time_of or (lambda stamp_s: (start_s or 0.0) + (stamp_s or 0.0)))
            return
    blocks = Blocks(tally)
    with open_container(source, standard_input) as container:
        stream = find_stream(container, source, "audio")
        timeline = FileTimeline(start_s or 0.0, (container.start_time or 0) / 1e6, BLOCK_S)
        for frame in decode(container, stream, source, tally):
            stamp_s = None if frame.pts is None else float(frame.pts * frame.time_base)
            samples = one_channel(frame)
            if not samples.size:
                continue
            duration_s = len(samples) / frame.sample_rate
            if time_of is None:
                time_s = timeline.time_s(stamp_s)
            else:
                # Sound arrives when its last sample has been taken.
                time_s = time_of(None if stamp_s is None else stamp_s + duration_s) - duration_s
            yield from blocks.add(time_s, samples, frame.sample_rate)
    yield from blocks.flush()


def one_channel(frame: Any) -> npt.NDArray[np.float32]:
    """The mean of a decoded frame's channels.

    Args:
        frame: PyAV's, of any sample format.

    Returns:
        ``(n,)`` float32; full scale is 1, also of integer formats. Samples that are no number are silence.
    """
    name = frame.format.name
    values = frame.to_ndarray()
    channels = len(frame.layout.channels)
    if not frame.format.is_planar:
        values = values.reshape(-1, channels).T
    kind = name.removesuffix("p")
    mixed = values.mean(axis=0, dtype=np.float64)
    if kind == "u8":
        mixed -= 128.0
    samples: npt.NDArray[np.float32] = (mixed / _FULL_SCALE[kind]).astype(np.float32)
    if kind in ("flt", "dbl"):
        samples = np.clip(np.nan_to_num(samples, nan=0.0, posinf=1.0, neginf=-1.0), -1.0, 1.0)
    return samples


def _read_raw(stream: BufferedReader, source: Source, tally: Tally, time_of: TimeOf) -> Iterator[AudioBlock]:
    blocks = Blocks(tally)
    size = round(BLOCK_S * RAW_RATE_HZ) * 2
    done = 0
    while content := stream.read(size):
        samples = np.frombuffer(content[: len(content) // 2 * 2], dtype="<i2").astype(np.float32) / np.float32(32_768.0)
        done += len(samples)
        if samples.size:
            yield from blocks.add(time_of(done / RAW_RATE_HZ) - len(samples) / RAW_RATE_HZ, samples, RAW_RATE_HZ)
    if done == 0:
        raise SourceError(
            f"{source}: standard input gave no sound; pipe a WAV file or raw 16-bit samples into it", StatusReason.SOURCE_UNREADABLE
        )
    yield from blocks.flush()
