"""What a command line names as a source of pictures or sound, and whether it is a recording or live.

The legal gate asks that question before anything is opened, so it is answered here without opening anything. What cannot be
shown to be a recording counts as live.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Literal

from parvis_contract import StatusReason

SenseName = Literal["camera", "microphone"]

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*)://", re.IGNORECASE)
#: What a unit on the street is fed from. ffmpeg knows more, some of which read files or run filters; they are not opened.
STREAM_SCHEMES = frozenset({"rtsp", "rtsps", "rtmp", "http", "https", "tcp", "udp", "rtp", "srt"})
_CREDENTIALS = re.compile(r"(?<=://)[^/@]*@")
_QUERY = re.compile(r"\?.*$")
#: How much of each end of a recording tells it from another.
_FINGERPRINT_BYTES = 1 << 20


class Kind(StrEnum):
    """What a source is."""

    FILE = "file"
    STREAM = "stream"
    DEVICE = "device"
    STDIN = "stdin"


class SourceError(Exception):
    """A source cannot be read. The message says which, why, and what to do.

    Attributes:
        reason: The same for a status message.
    """

    def __init__(self, message: str, reason: StatusReason) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Source:
    """Where pictures or sound come from.

    Attributes:
        kind: What it is.
        address: Path, URL, or name of a device; may hold a password, so it is shown as ``str(source)`` only.
        recorded: True if it is a recording: a regular file, also as standard input.
    """

    kind: Kind
    address: str
    recorded: bool

    def __str__(self) -> str:
        if self.kind is not Kind.STREAM:
            return self.address
        return _QUERY.sub("", _CREDENTIALS.sub("", self.address))

    def fingerprint(self) -> str | None:
        """Tells one recording from another: a hash of its size and its two ends. None for what is live."""
        if self.kind is not Kind.FILE:
            return None
        digest = hashlib.sha256()
        with Path(self.address).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            digest.update(str(size).encode())
            for start in (0, max(0, size - _FINGERPRINT_BYTES)):
                file.seek(start)
                digest.update(file.read(_FINGERPRINT_BYTES))
        return digest.hexdigest()


def parse_source(text: str, sense: SenseName) -> Source:
    """Reads what stands after ``--video`` or ``--audio``.

    Args:
        text: A path, a URL (``rtsp://…``), a device (``/dev/video0``, its number, ``mic``, ``mic:2``, ``mic:NAME``), or ``-``.
        sense: What it is for.

    Raises:
        SourceError: It is none of these, or a file that is not there.
    """
    scheme = _SCHEME.match(text)
    if scheme and scheme[1].lower() == "file":
        return _path(text[len(scheme[0]) :], sense)
    if scheme and scheme[1].lower() in STREAM_SCHEMES:
        return Source(Kind.STREAM, text, recorded=False)
    if scheme:
        known = ", ".join(sorted(STREAM_SCHEMES))
        raise SourceError(
            f"{text}: no stream is read by {scheme[1]}://; give one of {known}, a file or a device", StatusReason.SOURCE_MISSING
        )
    if text == "-":
        if sense == "camera":
            raise SourceError(
                "-: standard input carries sound only; give --video a file, a stream or a device", StatusReason.SOURCE_MISSING
            )
        return Source(Kind.STDIN, "-", recorded=_standard_input_is_a_file())
    if sense == "microphone" and (text == "mic" or text.startswith("mic:") or (text.isascii() and text.isdigit())):
        return Source(Kind.DEVICE, text.removeprefix("mic").removeprefix(":"), recorded=False)
    if sense == "camera" and text.isascii() and text.isdigit():
        return _path(f"/dev/video{text}", sense)
    return _path(text, sense)


def _path(text: str, sense: SenseName) -> Source:
    path = Path(text)
    if not text:
        raise SourceError("an empty name: give a file, a stream or a device", StatusReason.SOURCE_MISSING)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "not a path"
        others = "rtsp://… or /dev/video0" if sense == "camera" else "rtsp://…, mic, or - for standard input"
        raise SourceError(f"{text}: {why}; give an existing file, {others}", StatusReason.SOURCE_MISSING) from None
    if stat.S_ISDIR(mode):
        raise SourceError(f"{text}: is a folder; give one file", StatusReason.SOURCE_UNREADABLE)
    if stat.S_ISREG(mode):
        if not os.access(path, os.R_OK):
            raise SourceError(f"{text}: may not be read by this user; change its permissions", StatusReason.SOURCE_UNREADABLE)
        return Source(Kind.FILE, text, recorded=True)
    if stat.S_ISCHR(mode) and sense == "microphone":
        raise SourceError(f"{text}: a microphone is named mic, mic:2 or mic:NAME", StatusReason.SOURCE_UNREADABLE)
    # A pipe may carry a recording or a live microphone: nobody can tell, so it is live.
    return Source(Kind.DEVICE if stat.S_ISCHR(mode) else Kind.STREAM, text, recorded=False)


def _standard_input_is_a_file() -> bool:
    try:
        return stat.S_ISREG(os.fstat(0).st_mode)
    except OSError:
        return False
