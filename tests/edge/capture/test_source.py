from __future__ import annotations

import os
from pathlib import Path

import pytest
from parvis_contract import StatusReason
from parvis_edge.capture.source import Kind, SenseName, Source, SourceError, parse_source

READ: dict[str, tuple[str, SenseName, Kind, bool]] = {
    "a file": ("{file}", "camera", Kind.FILE, True),
    "a file's URL": ("file://{file}", "camera", Kind.FILE, True),
    "a stream": ("rtsp://camera.local/stream", "camera", Kind.STREAM, False),
    "a film from a server may be live": ("https://example.org/film.mp4", "camera", Kind.STREAM, False),
    "a pipe may be live": ("{pipe}", "camera", Kind.STREAM, False),
    "a device": ("/dev/null", "camera", Kind.DEVICE, False),
    "a microphone": ("mic", "microphone", Kind.DEVICE, False),
    "a named microphone": ("mic:USB", "microphone", Kind.DEVICE, False),
    "a microphone's number": ("2", "microphone", Kind.DEVICE, False),
}


@pytest.mark.parametrize("case", READ)
def test_read(case: str, tmp_path: Path) -> None:
    text, sense, kind, recorded = READ[case]
    (tmp_path / "film.mp4").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe")
    source = parse_source(text.format(file=tmp_path / "film.mp4", pipe=tmp_path / "pipe"), sense)
    assert (source.kind, source.recorded) == (kind, recorded)


REFUSED: dict[str, tuple[str, SenseName, StatusReason]] = {
    "nothing there": ("/no/such/file", "camera", StatusReason.SOURCE_MISSING),
    "no such camera": ("7", "camera", StatusReason.SOURCE_MISSING),
    "a folder": ("/", "camera", StatusReason.SOURCE_UNREADABLE),
    "pictures on standard input": ("-", "camera", StatusReason.SOURCE_MISSING),
    "a protocol that reads files": ("subfile,,start,0,end,9,,:/etc/passwd", "camera", StatusReason.SOURCE_MISSING),
    "a filter": ("lavfi://testsrc", "camera", StatusReason.SOURCE_MISSING),
    "a sound card's file": ("/dev/null", "microphone", StatusReason.SOURCE_UNREADABLE),
    "a name with a zero": ("a\0b", "camera", StatusReason.SOURCE_MISSING),
    "empty": ("", "camera", StatusReason.SOURCE_MISSING),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    text, sense, reason = REFUSED[case]
    with pytest.raises(SourceError) as error:
        parse_source(text, sense)
    assert error.value.reason is reason


def test_a_password_is_never_shown() -> None:
    source = Source(Kind.STREAM, "rtsp://user:secret@camera.local:554/live?token=secret", recorded=False)
    assert str(source) == "rtsp://camera.local:554/live"


def test_a_fingerprint_tells_recordings_apart(tmp_path: Path) -> None:
    def fingerprint(content: bytes) -> str | None:
        file = tmp_path / "file"
        file.write_bytes(content)
        return Source(Kind.FILE, str(file), recorded=True).fingerprint()

    large = bytes(3 << 20)
    prints = [fingerprint(content) for content in (b"", b"a", b"b", large, large + b"\0", large[:-1] + b"a")]
    assert len(set(prints)) == len(prints)
    assert fingerprint(b"a") == prints[1]
    assert Source(Kind.STREAM, "rtsp://x/y", recorded=False).fingerprint() is None
