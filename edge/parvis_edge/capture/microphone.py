"""Blocks of sound from a microphone, through PortAudio (the extra ``parvis-edge[mic]``)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from parvis_contract import StatusReason

from parvis_edge.perception import AudioBlock

from .container import READ_TIMEOUT_S, Tally
from .sound import BLOCK_S, Blocks
from .source import Source, SourceError
from .timeline import LiveTimeline

#: What the tagger wants first, then what sound cards have.
_RATES_HZ = (48_000, 44_100, 32_000, 16_000)
#: The time of a block is that of its arrival, by the least delay of a minute: this adds nothing to it, and costs nothing.
_POLL_S = 0.004
_INSTALL = (
    "a microphone needs PyAudio: apt install portaudio19-dev gcc python3-dev, then pip install 'parvis-edge[mic]'; "
    "without it, sound from a file, an RTSP stream or standard input still works"
)


def load_portaudio() -> Any:
    """PyAudio's module, imported only where a microphone is asked for.

    Raises:
        SourceError: It is not installed; the message says how to.
    """
    try:
        import pyaudio
    except ImportError:
        raise SourceError(_INSTALL, StatusReason.SOURCE_MISSING) from None
    return pyaudio


def read_microphone(
    source: Source, tally: Tally, *, arrival: Callable[[], float], offset: Callable[[], float], library: Any = None
) -> Iterator[AudioBlock]:
    """Sound as it is heard, without end.

    Args:
        source: Its address is an index, a part of the device's name, or empty for the system's default.
        tally: Counts blocks and gaps.
        arrival: Reads the monotonic clock.
        offset: What to add to it for UTC.
        library: PyAudio's module; None imports it.

    Raises:
        SourceError: There is no such microphone, or it was unplugged.
    """
    portaudio = library or load_portaudio()
    system = portaudio.PyAudio()
    try:
        device = _find(system, source)
        stream, rate_hz = _open(system, portaudio, device, source)
        size = round(BLOCK_S * rate_hz)
        blocks, timeline, done = Blocks(tally), LiveTimeline(), 0
        while True:
            _await(stream, source)
            try:
                content = stream.read(size, exception_on_overflow=True)
            except OSError as error:
                if getattr(error, "errno", None) != portaudio.paInputOverflowed:
                    raise SourceError(f"{_name(source)}: stopped ({error}); is it plugged in?", StatusReason.CONNECTION_LOST) from None
                # Nobody knows how many samples were lost; the next block's arrival says where it belongs.
                timeline.restart()
                continue
            samples = np.frombuffer(content, dtype="<i2").astype(np.float32) / np.float32(32_768.0)
            done += len(samples)
            ended_s = timeline.time_s(done / rate_hz, arrival()) + offset()
            yield from blocks.add(ended_s - len(samples) / rate_hz, samples, rate_hz)
    finally:
        system.terminate()


def _await(stream: Any, source: Source) -> None:
    """Returns when there is something to read, or the reading will tell what is wrong: PortAudio's read of a stuck device never ends.

    Raises:
        SourceError: It gives nothing.
    """
    until_s = time.monotonic() + READ_TIMEOUT_S
    while stream.get_read_available() == 0:
        if time.monotonic() > until_s:
            raise SourceError(f"{_name(source)}: gives nothing; is it plugged in?", StatusReason.NO_DATA)
        time.sleep(_POLL_S)


def _name(source: Source) -> str:
    return f"mic:{source.address}" if source.address else "mic"


def _find(system: Any, source: Source) -> int | None:
    """The index of the device that the source names; None for the default."""
    if not source.address:
        return None
    names = {}
    for index in range(system.get_device_count()):
        info = system.get_device_info_by_index(index)
        if int(info["maxInputChannels"]) > 0:
            names[index] = str(info["name"])
    if source.address.isdigit() and int(source.address) in names:
        return int(source.address)
    for index, name in names.items():
        if source.address.lower() in name.lower():
            return index
    listed = ", ".join(f"{index} ({name})" for index, name in names.items()) or "none"
    raise SourceError(f"mic:{source.address}: no such microphone; there are: {listed}", StatusReason.SOURCE_MISSING)


def _open(system: Any, portaudio: Any, device: int | None, source: Source) -> tuple[Any, int]:
    """Opens it at the first rate that it takes, one channel, 16 bits."""
    problem: Exception | None = None
    for rate_hz in _RATES_HZ:
        try:
            stream = system.open(
                format=portaudio.paInt16,
                channels=1,
                rate=rate_hz,
                input=True,
                input_device_index=device,
                frames_per_buffer=round(BLOCK_S * rate_hz),
            )
            return stream, rate_hz
        except (OSError, ValueError) as error:
            problem = error
    raise SourceError(
        f"{_name(source)}: cannot be opened ({problem}); is it plugged in, and may this user use it?", StatusReason.SOURCE_MISSING
    )
