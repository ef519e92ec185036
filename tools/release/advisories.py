"""What is known against the pinned packages, from a file of advisories rather than from the network. Pure but for the reading."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .wheels import ReleaseError

#: As OSV's schema (https://ossf.github.io/osv-schema/) names the index.
_ECOSYSTEM = "PyPI"


def pinned_versions(lock: str) -> set[tuple[str, str]]:
    """Canonical name and version of every pin of a lock file, for whatever Python and system it is."""
    entries = (Requirement(entry.partition("--hash")[0]) for entry in lock.replace("\\\n", " ").splitlines() if entry.strip())
    return {(canonicalize_name(pin.name), str(pin.specifier).removeprefix("==")) for pin in entries}


def read_advisories(path: Path) -> list[dict[str, Any]]:
    """Reads the archive that OSV makes of all advisories about PyPI's packages, or a single one.

    Args:
        path: A zip of JSON files, or a JSON file.

    Raises:
        ReleaseError: It is neither, or has no advisory of PyPI: an empty list would say that nothing is known.
        OSError: It cannot be read.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                texts = [archive.read(name) for name in archive.namelist() if name.endswith(".json")]
        else:
            texts = [path.read_bytes()]
        found = [json.loads(text) for text in texts]
        if any(True for advisory in found for _ in _about(advisory)):
            return found
    except (ValueError, TypeError, AttributeError, KeyError, zipfile.BadZipFile) as error:
        raise ReleaseError(f"{path}: is no file of advisories in OSV's form: {error}") from None
    raise ReleaseError(f"{path}: has no advisory about a package of {_ECOSYSTEM}")


def known_against(pins: Iterable[tuple[str, str]], advisories: Iterable[Mapping[str, Any]]) -> list[str]:
    """Which advisories are about a version that is pinned.

    Args:
        pins: From :func:`pinned_versions`.
        advisories: From :func:`read_advisories`; those that were withdrawn count for nothing.

    Returns:
        A line for each, in order: package, version, identifiers, and the version that mends it where one is named.
    """
    versions: dict[str, list[str]] = {}
    for name, version in pins:
        versions.setdefault(name, []).append(version)
    lines = set()
    for advisory in advisories:
        if advisory.get("withdrawn"):
            continue
        for name, affected in _about(advisory):
            for version in versions.get(name, ()):
                if _is_affected(version, affected):
                    names = ", ".join([advisory["id"], *advisory.get("aliases", ())])
                    fixed = sorted(event["fixed"] for span in _spans(affected) for event in span if "fixed" in event)
                    lines.add(f"{name} {version}: {names}" + (f"; mended in {', '.join(fixed)}" if fixed else ""))
    return sorted(lines)


def _about(advisory: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for affected in advisory.get("affected", ()):
        package = affected.get("package", {})
        if package.get("ecosystem") == _ECOSYSTEM:
            yield canonicalize_name(package["name"]), affected


def _spans(affected: Mapping[str, Any]) -> Iterator[list[Mapping[str, str]]]:
    for span in affected.get("ranges", ()):
        # Those of Git are commits, which no pin has.
        if span["type"] == "ECOSYSTEM":
            yield span["events"]


def _is_affected(version: str, affected: Mapping[str, Any]) -> bool:
    pinned = Version(version)
    return any(_version(each) == pinned for each in affected.get("versions", ())) or any(
        _is_inside(pinned, span) for span in _spans(affected)
    )


def _is_inside(pinned: Version, span: Iterable[Mapping[str, str]]) -> bool:
    steps = [(_version(value), kind) for event in span for kind, value in event.items()]
    # What begins at a version that cannot be read has begun; what ends at one has not ended.
    inside = any(at is None and kind == "introduced" for at, kind in steps)
    for at, kind in sorted((at, kind) for at, kind in steps if at is not None):
        if kind == "introduced" and pinned >= at:
            inside = True
        elif (kind == "fixed" and pinned >= at) or (kind == "last_affected" and pinned > at):
            inside = False
    return inside


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
