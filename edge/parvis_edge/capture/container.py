"""Opens a file, stream or device with ffmpeg's libraries and decodes one of its streams, whatever is broken in it."""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

import av
import av.container
import av.error
from parvis_contract import StatusReason

from .source import Kind, Source, SourceError

#: A camera that says nothing for so long is taken for gone: a unit tells within five seconds what is wrong.
READ_TIMEOUT_S = 3.0
#: A handshake over a poor link takes longer than a packet.
OPEN_TIMEOUT_S = 8.0
#: A live stream of which nothing can be decoded for so long is opened anew: a camera that changed its coding says how at the beginning.
UNREADABLE_S = 5.0
#: A file that fails so often in a row has nothing more to give.
_MAX_ERRORS_IN_A_ROW = 100

#: A playlist or session description can name other sources. From a recording only files may be read, and from a stream no
#: file: else a "recording" could open a live camera, behind the legal gate's back.
_FILE_PROTOCOLS = "file"
_STREAM_PROTOCOLS = "rtsp,rtsps,rtp,srtp,rtmp,http,https,tls,tcp,udp,srt,crypto,httpproxy"


@dataclass(slots=True)
class Tally:
    """What a stream has given so far. Written by the one thread that reads it.

    Attributes:
        items: Frames or blocks.
        packets: What they were in; also those that gave nothing.
        corrupt: Packets and pictures that could not be used.
        gaps: Jumps in the sound.
        changes: How often the picture's size or the sound's rate changed.
        truncated: True if a recording ended in something unreadable.
    """

    items: int = 0
    packets: int = 0
    corrupt: int = 0
    gaps: int = 0
    changes: int = 0
    truncated: bool = False


def open_container(source: Source, standard_input: BinaryIO | None = None) -> av.container.InputContainer:
    """Opens a source.

    Raises:
        SourceError: It is not there, or is nothing that can be read.
    """
    options: dict[str, str] = {}
    file: Any = source.address
    form: str | None = None
    timeout: tuple[float, float] | None = (OPEN_TIMEOUT_S, READ_TIMEOUT_S)
    if source.kind is Kind.FILE:
        # The prefix keeps a name with a colon in it from being read as a protocol.
        file, timeout = f"file:{source.address}", None
        options["protocol_whitelist"] = _FILE_PROTOCOLS
    elif source.kind is Kind.STDIN:
        file, timeout = standard_input or sys.stdin.buffer, None
    elif source.kind is Kind.DEVICE:
        form = "v4l2"
        # The driver's own times, on the monotonic clock.
        options["timestamps"] = "default"
    elif "://" in source.address:
        options["protocol_whitelist"] = _STREAM_PROTOCOLS
        # Over TCP: a lost UDP packet would be a smeared picture, which looks like change.
        options["rtsp_transport"] = "tcp"
        options["fflags"] = "nobuffer"
    else:
        options["protocol_whitelist"] = "file,pipe"
    try:
        container: av.container.InputContainer = av.open(
            file, mode="r", format=form, options=options, timeout=timeout, metadata_errors="replace"
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _explained(source, error) from None
    return container


def find_stream(container: av.container.InputContainer, source: Source, kind: Literal["video", "audio"]) -> Any:
    """The first stream of a kind; a picture that adorns a sound file is none.

    Raises:
        SourceError: There is none.
    """
    for stream in container.streams:
        if stream.type == kind and not (kind == "video" and stream.disposition & av.stream.Disposition.attached_pic):
            # One thread: a unit has few cores, and frame threads hold back as many pictures.
            stream.codec_context.thread_count = 1
            return stream
    raise SourceError(f"{source}: holds no {'pictures' if kind == 'video' else 'sound'}", StatusReason.SOURCE_UNREADABLE)


def decode(container: av.container.InputContainer, stream: Any, source: Source, tally: Tally) -> Iterator[Any]:
    """Every frame of a stream that can be decoded, in order; what cannot is counted and passed over.

    Raises:
        SourceError: A live stream broke off, or nothing at all could be decoded.
    """
    found = False
    largest, decoded_s = 0, time.monotonic()
    for packet, late in _packets(container, stream, source, tally):
        tally.packets += 1
        if not source.recorded and time.monotonic() - decoded_s > UNREADABLE_S:
            raise _undecodable(source)
        try:
            frames = packet.decode()
        except av.error.EOFError:
            # A decoder that was flushed in mid-stream (a restarted counter) takes no more.
            stream.codec_context.flush_buffers()
            continue
        except (av.error.FFmpegError, ValueError):
            tally.corrupt += 1
            if late:
                raise _undecodable(source) from None
            continue
        if late:
            # More than twice what any picture took: bytes kept coming, and none was the end of a picture.
            raise _undecodable(source) if packet.size > 2 * largest else _explained(source, TimeoutError())
        largest = max(largest, packet.size)
        tally.corrupt += bool(packet.is_corrupt)
        found = found or bool(frames)
        yield from frames
        if frames:
            decoded_s = time.monotonic()
    if not found:
        raise SourceError(f"{source}: nothing in it could be decoded; is the file whole?", StatusReason.SOURCE_UNREADABLE)
    if not source.recorded and source.kind is not Kind.STDIN:
        raise SourceError(f"{source}: the stream ended", StatusReason.SOURCE_ENDED)


def _packets(container: av.container.InputContainer, stream: Any, source: Source, tally: Tally) -> Iterator[tuple[Any, bool]]:
    """Packets, and whether each is only what a parser still held when a read of a live stream ran out of time."""
    errors = 0
    in_time = source.recorded or source.kind is Kind.STDIN
    while errors <= _MAX_ERRORS_IN_A_ROW:
        try:
            asked_s = time.monotonic()
            for packet in container.demux(stream):
                errors = 0
                yield packet, not in_time and time.monotonic() - asked_s >= READ_TIMEOUT_S
                asked_s = time.monotonic()
            return
        except av.error.EOFError:
            return
        except av.error.InvalidDataError:
            tally.corrupt += 1
            errors += 1
        except (av.error.FFmpegError, OSError) as error:
            if not source.recorded:
                raise _explained(source, error) from None
            break
    tally.truncated = True


def _undecodable(source: Source) -> SourceError:
    return SourceError(
        f"{source}: what it sends cannot be decoded; look at the coding that it is set to, and at its link", StatusReason.SOURCE_UNREADABLE
    )


def _explained(source: Source, error: Exception) -> SourceError:
    """The error in words that say what to do."""
    number = getattr(error, "errno", None)
    if source.kind is Kind.DEVICE and number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        return SourceError(f"{source}: no such camera; is it plugged in (ls /dev/video*)?", StatusReason.SOURCE_MISSING)
    if source.kind is Kind.DEVICE and number == errno.EBUSY:
        return SourceError(
            f"{source}: another program has it open; end that one, or stop the unit that runs (systemctl stop parvis-edge@UNIT)",
            StatusReason.SOURCE_UNREADABLE,
        )
    if isinstance(error, av.error.HTTPUnauthorizedError | av.error.HTTPForbiddenError | PermissionError):
        return SourceError(f"{source}: access is refused; check the user name and password, or permissions", StatusReason.SOURCE_UNREADABLE)
    if isinstance(error, av.error.TimeoutError | av.error.ExitError | TimeoutError):
        return SourceError(f"{source}: no answer in time; is it switched on, and does the network reach it?", StatusReason.NO_DATA)
    if isinstance(error, av.error.HTTPNotFoundError | FileNotFoundError):
        return SourceError(f"{source}: is not there; check the path", StatusReason.SOURCE_MISSING)
    if isinstance(error, ConnectionError | av.error.HTTPError) or (isinstance(error, OSError) and not source.recorded):
        what = getattr(error, "strerror", None) or type(error).__name__
        return SourceError(f"{source}: {what}; is it switched on, and is the address right?", StatusReason.CONNECTION_LOST)
    advice = "is the file whole?" if source.recorded else "is the address that of the stream, and its coding one that is known?"
    return SourceError(f"{source}: is no picture or sound format that can be read; {advice}", StatusReason.SOURCE_UNREADABLE)
