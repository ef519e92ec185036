"""The Python packages of a card: what the unit needs of ``requirements.lock``, for the card's processor, and our own."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

#: Debian 12 has glibc 2.36: every wheel for an older one runs there.
_PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in range(36, 16, -1)] + ["manylinux2014_aarch64"]
OURS = ("parvis-contract", "parvis-edge")


def needed(roots: Iterable[str]) -> set[str]:
    """The names of all packages that these need on a card; the packages themselves must be installed here."""
    card: dict[str, str] = {
        "python_version": "3.11",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "sys_platform": "linux",
    }
    names: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in names:
            continue
        names.add(name)
        waiting += needs(name, card)
    return names


def needs(name: str, environment: Mapping[str, str]) -> Iterator[str]:
    """The canonical names of what a package that is installed here needs by itself, with the extras that it asks for.

    Args:
        name: Of the package.
        environment: Where it is to run, as markers (PEP 508) name it; what is left out is as it is here.
    """
    # What an extra brings, an installer adds by hand.
    for requirement in _required(name, {**environment, "extra": ""}):
        yield canonicalize_name(requirement.name)
        for extra in requirement.extras:
            for brought in _required(requirement.name, {**environment, "extra": extra}):
                if "extra" in str(brought.marker):
                    yield canonicalize_name(brought.name)


def _required(name: str, environment: dict[str, str]) -> Iterator[Requirement]:
    found = map(Requirement, requires(name) or ())
    return (each for each in found if each.marker is None or each.marker.evaluate({**environment}))


def lock_of(names: set[str], lock: str) -> str:
    """The part of a lock file that pins these packages, with its hashes."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if (found := re.match(r"[A-Za-z0-9._-]+", block)) and canonicalize_name(found[0]) in names)


def install(repository: Path, work: Path, into: Path) -> None:
    """Fetches the wheels (hashes checked), builds our own, and lays all of them out in a folder.

    Args:
        repository: The checkout.
        work: Where wheels are kept from one build to the next.
        into: The folder that Python will look into.
    """
    wheels, own = work / "wheels", work / "own"
    wheels.mkdir(parents=True, exist_ok=True)
    lock = work / "card.lock"
    lock.write_text(lock_of(needed(OURS) - set(OURS), (repository / "requirements.lock").read_text()))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    card = [
        "--only-binary=:all:",
        "--no-deps",
        "--implementation=cp",
        "--python-version=3.11",
        *(f"--platform={each}" for each in _PLATFORMS),
    ]
    subprocess.run([*pip, "download", "--require-hashes", f"--dest={wheels}", *card, "--requirement", lock], check=True)
    for old in own.glob("*.whl"):
        old.unlink()
    for room in ("contract", "edge"):
        subprocess.run([*pip, "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={own}", repository / room], check=True)
    laid = [*pip, "install", f"--target={into}", "--no-compile", "--no-index", *card]
    subprocess.run([*laid, f"--find-links={wheels}", "--require-hashes", "--requirement", lock], check=True)
    _forget_scripts(into)
    # By name: of what is installed by path, the path would be kept.
    subprocess.run([*laid, f"--find-links={own}", *OURS], check=True)
    _forget_scripts(into)


def _forget_scripts(packages: Path) -> None:
    """Takes out the commands of packages: a card starts none of them, and they name the Python of whoever built the image."""
    shutil.rmtree(packages / "bin", ignore_errors=True)
    for record in packages.glob("*.dist-info/RECORD"):
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(line for line in lines if not line.startswith(("../", "bin/"))))
