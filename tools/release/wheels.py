"""Builds the wheels so that two builds of one commit give the same bytes."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

#: Distributions of the workspace, by their folders; the last is the workspace itself.
ROOMS = ("contract", "edge", "hub", "models", ".")


class ReleaseError(Exception):
    """A release cannot be made or is not what it should be; the message says what to do."""


def commit_time_s(checkout: Path, commit: str) -> int:
    """When a commit was made, in POSIX seconds: the time that every file of its release bears.

    Raises:
        ReleaseError: There is no such commit.
    """
    return int(_git(checkout, "log", "-1", "--format=%ct", commit, "--"))


def build_wheels(checkout: Path, commit: str, out: Path) -> list[Path]:
    """Builds all distributions from what is committed; what is only in the working tree is in none of them.

    Args:
        checkout: A clone of the repository.
        commit: Any name that git has for one.
        out: Where the wheels go; made if it is not there.

    Returns:
        The wheels, in the order of :data:`ROOMS`.

    Raises:
        ReleaseError: git or the build fails.
    """
    out.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(commit_time_s(checkout, commit))}
    wheels = []
    with tempfile.TemporaryDirectory() as scratch:
        archive = subprocess.run(["git", "-C", str(checkout), "archive", commit], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            # Git wrote it a moment ago; the filters of tarfile are younger than the Python of Debian 12 (3.11.2).
            tar.extractall(scratch)  # noqa: S202
        for room in ROOMS:
            command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out.absolute())]
            built = subprocess.run(
                command, cwd=Path(scratch) / room, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
            )
            if built.returncode:
                raise ReleaseError(f"{room}: the wheel cannot be built:\n{built.stdout.strip()}")
            wheels.append(out / Path(built.stdout.strip().splitlines()[-1]).name)
    return wheels


def sha256(path: Path) -> str:
    """Of a file, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def differences(one: Path, other: Path) -> list[str]:
    """What two builds of one wheel do not share.

    Returns:
        A line for each file inside that is in one alone, or differs in its bytes, time or mode; "order or compression" if it is
        none of these; nothing if the wheels are the same to the byte.
    """
    if one.read_bytes() == other.read_bytes():
        return []
    with zipfile.ZipFile(one) as left, zipfile.ZipFile(other) as right:
        first, second = ({entry.filename: entry for entry in part.infolist()} for part in (left, right))
        lines = [f"{name}: only in one of the two" for name in sorted(first.keys() ^ second.keys())]
        for name in sorted(first.keys() & second.keys()):
            was, became = first[name], second[name]
            for what, differs in (
                ("bytes", was.CRC != became.CRC),
                ("time", was.date_time != became.date_time),
                ("mode", was.external_attr != became.external_attr),
            ):
                if differs:
                    lines.append(f"{name}: {what}")
    return lines or ["order or compression"]


def _git(checkout: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout
