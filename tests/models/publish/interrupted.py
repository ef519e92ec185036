"""Publishes, and is killed before the n-th write to the disk, for every n: units have to find a repository that is whole each time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from parvis_models.publish import offer
from securesystemslib.signer import CryptoSigner
from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
from tuf.ngclient.config import EnvelopeType

from tests.edge.update.dying import run
from tests.edge.update.simulator import Simulator, small_bundle


def listed(folder: Path, root: bytes) -> list[str]:
    """What a unit that was given this root finds, every file of it compared; raises where anything is not right."""
    trusted = TrustedMetadataSet(root, EnvelopeType.METADATA)
    metadata = folder / "metadata"
    while (path := metadata / f"{trusted.root.version + 1}.root.json").exists():
        trusted.update_root(path.read_bytes())
    stamp = trusted.update_timestamp((metadata / "timestamp.json").read_bytes())
    snapshot = trusted.update_snapshot((metadata / f"{stamp.snapshot_meta.version}.snapshot.json").read_bytes())
    version = snapshot.meta["targets.json"].version
    targets = trusted.update_targets((metadata / f"{version}.targets.json").read_bytes())
    for name, target in targets.targets.items():
        parent, _, base = name.rpartition("/")
        raw = (folder / "targets" / parent / f"{target.hashes['sha256']}.{base}").read_bytes()
        if hashlib.sha256(raw).hexdigest() != target.hashes["sha256"]:
            raise ValueError(f"{name}: not what is listed")
    return sorted(targets.targets)


def main(work: Path) -> dict[str, object]:
    """For every n of a release, and of a rotation of the targets' keys."""
    simulator = Simulator(work / "before")
    first, second = (small_bundle(work / "bundles" / version, version) for version in ("1.0.0", "1.1.0"))
    simulator.add(first)
    new = [*simulator.holders.targets[1:], CryptoSigner.generate_ed25519()]

    def release() -> None:
        simulator.add(second)

    def rotate() -> None:
        out, into = simulator.holders.targets[0].public_key, new[-1].public_key
        offer.rotate(simulator.folder, "targets", [out], [into], [*simulator.holders.root, *simulator.holders.targets, new[-1]])
        simulator.refresh()

    def exchange() -> None:
        old, into = simulator.holders.timestamp, CryptoSigner.generate_ed25519()
        offer.rotate(simulator.folder, "timestamp", [old.public_key], [into.public_key], simulator.holders.root)
        simulator.folder.refresh([simulator.holders.snapshot], [old, into])

    told: dict[str, object] = {}
    steps: dict[str, Callable[[], None]] = {"release": release, "rotate": rotate, "exchange": exchange}
    for name, do in steps.items():
        at, ended, wrong, seen = 0, False, [], set()
        while not ended:
            folder = work / "repository"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(work / "before", folder)
            simulator.folder.folder = folder
            child = os.fork()
            if child == 0:
                run("kill", at, do)
            status = os.waitpid(child, 0)[1]
            ended = os.WIFEXITED(status)
            try:
                seen.add(len(listed(folder, simulator.root)))
                if name != "exchange":
                    simulator.refresh()
                    listed(folder, simulator.root)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is wrong
                wrong.append(f"{at}: {error!r}")
            at += 1
        told[name] = {"writes": at - 1, "seen": sorted(seen), "wrong": wrong}
    return told


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201
