"""The bill of materials of a distribution (CycloneDX 1.6): every package that it brings along, pinned, and the models inside."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from parvis_contract.card import Card
from parvis_deploy.wheels import needs

from .wheels import ReleaseError, sha256

_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class Pin:
    """A package of the lock file.

    Attributes:
        version: The one that is installed.
        hashes: SHA-256 of each of its files that may be.
    """

    version: str
    hashes: tuple[str, ...]


def read_lock(path: Path) -> dict[str, Pin]:
    """Reads `requirements.lock`: those of its pins that are for this Python and system, by their packages' canonical names."""
    pins: dict[str, Pin] = {}
    for entry in path.read_text(encoding="utf-8").replace("\\\n", " ").splitlines():
        pinned = Requirement(entry.partition("--hash")[0])
        if pinned.marker is None or pinned.marker.evaluate():
            pins[canonicalize_name(pinned.name)] = Pin(str(pinned.specifier).removeprefix("=="), tuple(_HASH.findall(entry)))
    return pins


def bill(wheel: Path, name: str, lock: dict[str, Pin], made_s: int, cards: Iterable[Card] = ()) -> str:
    """Writes the bill of one wheel; the same bytes for the same wheel and lock file.

    Args:
        wheel: It.
        name: Of its distribution, which is installed here, as everything is that it needs: what a package needs is read from there.
        lock: From :func:`read_lock`.
        made_s: POSIX seconds.
        cards: Of the models inside.

    Returns:
        JSON.

    Raises:
        ReleaseError: A package is not pinned, not installed, or installed in another version than the pinned one.
    """
    digest = sha256(wheel)
    root = _component(distribution(name), ComponentType.APPLICATION, (digest,))
    bom = Bom(serial_number=uuid.uuid5(uuid.NAMESPACE_OID, digest))
    bom.metadata.timestamp = datetime.fromtimestamp(made_s, UTC)
    bom.metadata.component = root
    components = {canonicalize_name(name): root}
    needed: dict[str, list[str]] = {}
    waiting = [canonicalize_name(name)]
    while waiting:
        current = waiting.pop()
        needed[current] = sorted(needs(current, {}))
        for each in needed[current]:
            if each not in components:
                components[each] = _component(_installed(each, lock), ComponentType.LIBRARY, _hashes(each, lock))
                bom.components.add(components[each])
                waiting.append(each)
    models = [_model(card) for card in cards]
    bom.components.update(models)
    for current, names in needed.items():
        bom.register_dependency(components[current], [components[each] for each in names])
    bom.register_dependency(root, models)
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _is_ours(name: str) -> bool:
    return name.startswith("parvis")


def _hashes(name: str, lock: dict[str, Pin]) -> tuple[str, ...]:
    return () if _is_ours(name) else lock[name].hashes


def _installed(name: str, lock: dict[str, Pin]) -> Distribution:
    try:
        found = distribution(name)
    except PackageNotFoundError:
        raise ReleaseError(f"{name}: is needed and not installed; `make .venv/.ready` installs what is pinned") from None
    if _is_ours(name):
        return found
    if name not in lock:
        raise ReleaseError(f"{name}: is needed and not pinned; `make lock` pins it")
    if found.version != lock[name].version:
        raise ReleaseError(f"{name}: {found.version} is installed, {lock[name].version} is pinned; `make .venv/.ready` installs that")
    return found


def _component(found: Distribution, kind: ComponentType, hashes: Iterable[str]) -> Component:
    name = canonicalize_name(found.metadata["Name"])
    purl = PackageURL("pypi", name=name, version=found.version)
    return Component(
        type=kind,
        name=name,
        version=found.version,
        purl=purl,
        bom_ref=purl.to_string(),
        # One for each file of the package that the lock file takes: source, and a wheel for each platform.
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in hashes],
        licenses=[LicenseFactory().make_from_string(each) for each in _licences(found)],
    )


def _licences(found: Distribution) -> list[str]:
    """As the package says it now, or said it once; some put the whole text where a name belongs, and name it among their classifiers."""
    stated = found.metadata.get("License-Expression") or found.metadata.get("License")
    if stated and len(stated) <= 80:
        return [stated]
    classifiers = found.metadata.get_all("Classifier") or []
    return [each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License :: ")]


def _model(card: Card) -> Component:
    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL,
        name=card.name,
        version=card.version,
        bom_ref=f"model:{card.name}@{card.version}",
        description=card.task,
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=card.sha256)],
        licenses=[LicenseFactory().make_from_string(card.licence.spdx)],
        properties=[
            Property(name="parvis:source", value=f"{card.source.registry}: {card.source.package} {card.source.version}"),
            Property(name="parvis:training_data", value=card.source.training_data),
        ],
    )
