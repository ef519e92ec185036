"""Steps of the TUF specification's client workflow (1.0.33, section 5) for which the public conformance suite has no case."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal
from parvis_edge.update.errors import UpdateError
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, MetaFile, Root, Targets

from tests.edge.update.simulator import Simulator


def _root(simulator: Simulator) -> Root:
    return Root.from_dict(simulator.folder.root().signed.to_dict())


def _announce(simulator: Simulator, snapshot: MetaFile) -> None:
    """A timestamp that names this snapshot, rightly signed."""
    stamp = simulator.folder.timestamp()
    assert stamp is not None
    stamp.signed.version += 1
    stamp.signed.snapshot_meta = snapshot
    simulator.write("timestamp.json", stamp.signed, [simulator.holders.timestamp])


def _snapshot(simulator: Simulator, targets: MetaFile | None = None) -> tuple[MetaFile, Path]:
    """The next snapshot, rightly signed, with these targets; not announced yet."""
    found = simulator.folder.snapshot()
    assert found is not None
    found.signed.version += 1
    found.signed.meta["targets.json"] = targets or found.signed.meta["targets.json"]
    simulator.write(f"{found.signed.version}.snapshot.json", found.signed, [simulator.holders.snapshot])
    return MetaFile(found.signed.version), simulator.folder.metadata / f"{found.signed.version}.snapshot.json"


def _targets(simulator: Simulator) -> tuple[MetaFile, Path]:
    """The next targets, rightly signed; not listed yet."""
    targets = Metadata[Targets].from_bytes(simulator.folder.targets().to_bytes()).signed
    targets.version += 1
    simulator.write(f"{targets.version}.targets.json", targets, simulator.holders.targets)
    return MetaFile(targets.version), simulator.folder.metadata / f"{targets.version}.targets.json"


def _list(simulator: Simulator, targets: MetaFile) -> None:
    """A snapshot that names these targets, rightly signed and announced."""
    _announce(simulator, _snapshot(simulator, targets)[0])


def root_skips_a_version(simulator: Simulator) -> None:
    root = _root(simulator)
    root.version += 2
    simulator.write("2.root.json", root, simulator.holders.root)


def root_stays_at_its_version(simulator: Simulator) -> None:
    simulator.write("2.root.json", _root(simulator), simulator.holders.root)


def root_of_the_new_keys_alone(simulator: Simulator) -> None:
    root, new = _root(simulator), [CryptoSigner.generate_ed25519() for _ in range(2)]
    root.version += 1
    root.roles["root"].keyids = [each.public_key.keyid for each in new]
    root.keys |= {each.public_key.keyid: each.public_key for each in new}
    simulator.write("2.root.json", root, new)


#: No metadata are as long; a client's own bounds are half a megabyte and five.
ENDLESS = b" " * 6_000_000


def root_is_endless(simulator: Simulator) -> None:
    simulator.faults.replaced["metadata/2.root.json"] = ENDLESS


def snapshot_is_endless(simulator: Simulator) -> None:
    announced, path = _snapshot(simulator)
    simulator.faults.replaced[f"metadata/{path.name}"] = ENDLESS
    _announce(simulator, announced)


def snapshot_is_longer_than_announced(simulator: Simulator) -> None:
    announced, path = _snapshot(simulator)
    _announce(simulator, MetaFile(announced.version, length=path.stat().st_size - 1))


def snapshot_is_another_than_announced(simulator: Simulator) -> None:
    announced, _ = _snapshot(simulator)
    _announce(simulator, MetaFile(announced.version, hashes={"sha256": "0" * 64}))


def targets_are_endless(simulator: Simulator) -> None:
    listed, path = _targets(simulator)
    simulator.faults.replaced[f"metadata/{path.name}"] = ENDLESS
    _list(simulator, listed)


def targets_are_longer_than_listed(simulator: Simulator) -> None:
    listed, path = _targets(simulator)
    _list(simulator, MetaFile(listed.version, length=path.stat().st_size - 1))


def targets_are_others_than_listed(simulator: Simulator) -> None:
    listed, _ = _targets(simulator)
    _list(simulator, MetaFile(listed.version, hashes={"sha256": "0" * 64}))


def targets_of_another_version(simulator: Simulator) -> None:
    """Rightly signed, but under the name of a version that it is not."""
    targets = simulator.folder.targets().signed
    simulator.write(f"{targets.version + 1}.targets.json", targets, simulator.holders.targets)
    _list(simulator, MetaFile(targets.version + 1))


def timestamp_in_the_place_of_a_snapshot(simulator: Simulator) -> None:
    """Rightly signed for another role."""
    stamp = (simulator.folder.metadata / "timestamp.json").read_bytes()
    (simulator.folder.metadata / "9.snapshot.json").write_bytes(stamp)
    _announce(simulator, MetaFile(9))


CASES = {
    "5.3.3": [root_is_endless],
    "5.3.4": [root_of_the_new_keys_alone],
    "5.3.5": [root_skips_a_version, root_stays_at_its_version],
    "5.5.1": [snapshot_is_endless, snapshot_is_longer_than_announced],
    "5.5.2": [snapshot_is_another_than_announced],
    "5.5.3": [timestamp_in_the_place_of_a_snapshot],
    "5.6.1": [targets_are_endless, targets_are_longer_than_listed],
    "5.6.2": [targets_are_others_than_listed],
    "5.6.4": [targets_of_another_version],
}


@pytest.mark.parametrize(
    "attack", [pytest.param(each, id=f"{step}-{number}") for step, all_of_it in CASES.items() for number, each in enumerate(all_of_it)]
)
def test_what_a_step_forbids_is_refused_and_what_was_trusted_stays(
    attack: Callable[[Simulator], None], simulator: Simulator, tmp_path: Path
) -> None:
    unit = tmp_path / "unit"
    simulator.client(unit).refresh()
    before = versions(unit)
    attack(simulator)
    with pytest.raises(UpdateError) as caught:
        simulator.client(unit).refresh()
    assert caught.value.again
    after = versions(unit)
    assert (after["root"], after["targets"]) == (before["root"], before["targets"])
    assert after["snapshot"] in {before["snapshot"], before["snapshot"] + 1}


def versions(unit: Path) -> dict[str, int]:
    return {role: json.loads((unit / f"{role}.json").read_bytes())["signed"]["version"] for role in ("root", "snapshot", "targets")}


def test_the_cases_are_refused_for_what_they_do_alone(simulator: Simulator, tmp_path: Path) -> None:
    """The same without the fault is taken."""
    unit = tmp_path / "unit"
    simulator.client(unit).refresh()
    root = _root(simulator)
    root.version += 1
    simulator.write("2.root.json", root, simulator.holders.root)
    listed, _ = _targets(simulator)
    _list(simulator, listed)
    simulator.client(unit).refresh()
    assert versions(unit) == {"root": 2, "snapshot": 2, "targets": listed.version}


@pytest.mark.parametrize(
    ("role", "trusted"),
    [
        ("root", {"root"}),
        ("timestamp", {"root"}),
        ("snapshot", {"root", "timestamp"}),
        ("targets", {"root", "timestamp", "snapshot"}),
    ],
)
def test_what_a_stranger_signed_is_trusted_no_further_than_to_the_role_before(
    role: str, trusted: set[str], simulator: Simulator, tmp_path: Path
) -> None:
    stranger = [CryptoSigner.generate_ed25519() for _ in range(2)]
    newest = max(simulator.folder.metadata.glob(f"*{role}.json"))
    signed = Metadata.from_file(str(newest)).signed
    signed.version += role == "root"
    simulator.write("2.root.json" if role == "root" else newest.name, signed, stranger)
    unit = tmp_path / "unit"
    with pytest.raises(UpdateError) as caught:
        simulator.client(unit).refresh()
    assert caught.value.refusal is CommandRefusal.BAD_SIGNATURE
    assert {path.stem for path in unit.glob("*.json")} == trusted


def test_lengths_and_hashes_that_are_right_are_taken(simulator: Simulator, tmp_path: Path) -> None:
    """They need not be in snapshot and timestamp, but may be."""
    listed, path = _targets(simulator)
    announced, snapshot = _snapshot(simulator, _measured(listed, path))
    _announce(simulator, _measured(announced, snapshot))
    simulator.client(tmp_path / "unit").refresh()
    assert versions(tmp_path / "unit")["targets"] == listed.version


def _measured(file: MetaFile, path: Path) -> MetaFile:
    raw = path.read_bytes()
    return MetaFile(file.version, len(raw), {"sha256": hashlib.sha256(raw).hexdigest()})
