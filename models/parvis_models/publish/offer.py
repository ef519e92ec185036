"""What a maintainer does with a repository: begin, add, withdraw, sign, refresh, rotate, and see how it stands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from parvis_contract import ModelRef
from parvis_contract.card import Card
from parvis_edge.update.archive import pack, target_name
from parvis_edge.update.golden import check
from securesystemslib.signer import Key, Signer
from tuf.api.metadata import Metadata, Root, TargetFile, Targets

from parvis_models import zoo

from .keys import PublishError, new_key, read_public, read_signer
from .repository import ROLES, WARN, RepositoryFolder, Role, begin, missing, signers_of

#: Gives the password of a key.
Ask = Callable[[Path], bytes]
#: Takes what was done, for a person.
Tell = Callable[[str], None]


def init(
    folder: RepositoryFolder, *, keys: Path, many: dict[Role, int], thresholds: dict[Role, int], password: bytes | None, tell: Tell
) -> None:
    """Makes all keys, and begins a repository with them.

    Args:
        folder: Where; must be empty.
        keys: Folder for the keys; those for a machine that is online in `online/`.
        many: How many keys of root and targets.
        thresholds: How many of them have to sign.
        password: For the offline keys; the online ones have none, as a timer uses them.
        tell: What was done.

    Raises:
        PublishError: There is one already, a key is, or nothing can be written.
    """
    if (folder.metadata / "1.root.json").exists():
        raise PublishError(f"{folder.metadata}: is there already; a repository is begun once")
    paths: dict[Role, list[Path]] = {
        **{role: [keys / f"{role}-{number + 1}.pem" for number in range(many[role])] for role in ("root", "targets")},
        **{role: [keys / "online" / f"{role}.pem"] for role in ("snapshot", "timestamp")},
    }
    for role, each in paths.items():
        for path in each:
            new_key(path, password if role in {"root", "targets"} else None)
            tell(f"made {path}")
    signers = [read_signer(path, lambda _: password or b"") for each in paths.values() for path in each]
    publics: dict[Role, list[Key]] = {role: [read_public(path) for path in each] for role, each in paths.items()}
    with folder.locked():
        begin(folder, publics, thresholds | {"snapshot": 1, "timestamp": 1}, signers)
        online = {signer.public_key.keyid: signer for signer in signers}
        folder.refresh([online[publics["snapshot"][0].keyid]], [online[publics["timestamp"][0].keyid]])
    tell(f"begun {folder.folder}; give {folder.metadata / '1.root.json'} to every unit as /etc/parvis/root.json")


def add(
    folder: RepositoryFolder, bundles: Sequence[Path], files: Sequence[tuple[str, Path]], signers: Sequence[Signer], tell: Tell
) -> bool:
    """Lists bundles and files; without any, only makes the list valid for longer.

    Args:
        folder: The repository.
        bundles: Folders of bundles, as in `models/zoo`.
        files: Other files, by the name of their target.
        signers: Whoever signs.
        tell: What was done.

    Returns:
        Whether there are signatures enough.

    Raises:
        PublishError: A bundle is not measured or fails its golden samples, or a name is taken by other content.
    """
    with folder.locked():
        targets = _next_targets(folder)
        for bundle in bundles:
            card = _publishable(bundle)
            name = target_name(ModelRef(name=card.name, version=card.version))
            target = folder.put_target(name, pack(bundle))
            target.unrecognized_fields["custom"] = {"task": card.task, "licence": card.licence.spdx, "model_sha256": card.sha256}
            _list(targets.signed, target, tell)
        for name, path in files:
            target = folder.put_target(name, path)
            _list(targets.signed, target, tell)
        return folder.offer(targets, signers)


def withdraw(folder: RepositoryFolder, names: Sequence[str], signers: Sequence[Signer]) -> bool:
    """Lists targets no more: no unit takes them from now on; those that have them keep them.

    Raises:
        PublishError: One is not listed.
    """
    with folder.locked():
        targets = _next_targets(folder)
        for name in names:
            if targets.signed.targets.pop(name, None) is None:
                raise PublishError(f"{name}: is not listed; `parvis-models publish status` says what is")
        return folder.offer(targets, signers)


def sign(folder: RepositoryFolder, signers: Sequence[Signer], tell: Tell) -> None:
    """Adds signatures to whatever waits for them.

    Raises:
        PublishError: Nothing waits, or none of the keys may sign it.
    """
    with folder.locked():
        waiting: list[Metadata[Any]] = [each for each in (folder.pending(Targets), folder.pending(Root)) if each is not None]
        if not waiting:
            raise PublishError("nothing waits for a signature; `parvis-models publish status` says so too")
        able = {signer.public_key.keyid for signer in signers}
        for each in waiting:
            if len(waiting) > 1 and not able & set(_may_sign(folder, each.signed.type)):
                continue
            done = folder.offer(each, signers)
            tell(f"{each.signed.type} version {each.signed.version}: {'published' if done else 'signed, and waits'}")


def _may_sign(folder: RepositoryFolder, role: str) -> list[str]:
    """By the root of today and the one to come."""
    coming = folder.pending(Root)
    return [keyid for root in (folder.root(), coming) if root is not None for keyid in root.signed.roles[role].keyids]


def refresh(folder: RepositoryFolder, online: Sequence[Path]) -> None:
    """Signs snapshot and timestamp anew, with the keys in these folders.

    Raises:
        PublishError: A key is missing, or what is newest is not rightly signed.
    """
    signers = [[read_signer(each / f"{role}.pem", lambda _: b"") for each in online] for role in ("snapshot", "timestamp")]
    with folder.locked():
        folder.refresh(*signers)


def rotate(folder: RepositoryFolder, role: Role, out: Sequence[Key], into: Sequence[Key], signers: Sequence[Signer]) -> bool:
    """Takes keys out of a role and others in; without any, only makes root valid for longer.

    A new root needs as many signatures of the old root's keys as of its own, and is published when everything that units see satisfies it:
    the list is signed anew in the same step, by enough of the old keys and of the new.

    Returns:
        Whether the new root is published.

    Raises:
        PublishError: Something waits already, a key has no such role, or too few would be left.
    """
    with folder.locked():
        if folder.pending(Root) is not None:
            raise PublishError("a root waits for signatures already: `parvis-models publish sign`")
        before = folder.root()
        root = Metadata(Root.from_dict(before.signed.to_dict()))
        for key in out:
            if key.keyid not in root.signed.roles[role].keyids:
                raise PublishError(f"{key.keyid[:16]}… may not sign {role} as it is; `parvis-models publish status` says which may")
            root.signed.revoke_key(key.keyid, role)
        for key in into:
            root.signed.add_key(key, role)
        left, threshold = len(root.signed.roles[role].keyids), root.signed.roles[role].threshold
        if left < threshold:
            raise PublishError(f"{left} keys of {role} would be left, and {threshold} have to sign: bring as many in as you take out")
        folder.dated(root.signed)
        if role == "targets":
            targets = _next_targets(folder)
            done = folder.offer(root, signers)
            folder.offer(targets, signers)
            return done
        return folder.offer(root, signers)


@dataclass(frozen=True, slots=True)
class Standing:
    """How one role stands.

    Attributes:
        role, version, expires: Of what is published.
        threshold, keys, signed: How many have to sign; who may, and who has, by key id.
        left: Until it expires.
        soon: Whether somebody has to act.
    """

    role: Role
    version: int
    expires: datetime
    threshold: int
    keys: tuple[str, ...]
    signed: tuple[str, ...]
    left: timedelta
    soon: bool


def status(folder: RepositoryFolder, now: datetime | None = None) -> list[Standing]:
    """How a repository stands, role by role.

    Raises:
        PublishError: There is none.
    """
    at = now or datetime.now(UTC)
    root = folder.root()
    found: dict[Role, Metadata[Any] | None] = {
        "root": root,
        "targets": folder.targets(),
        "snapshot": folder.snapshot(),
        "timestamp": folder.timestamp(),
    }
    standings = []
    for role in ROLES:
        metadata = found[role]
        if metadata is None:
            continue
        held, left = root.signed.roles[role], metadata.signed.expires - at
        signed = tuple(signers_of(root.signed, metadata))
        soon = left < WARN[role] or len(signed) < held.threshold
        standings.append(
            Standing(role, metadata.signed.version, metadata.signed.expires, held.threshold, tuple(held.keyids), signed, left, soon)
        )
    return standings


def waiting(folder: RepositoryFolder) -> list[tuple[str, int, int]]:
    """What waits: role, version, and how many signatures it lacks; a root that lacks none waits for a refresh."""
    root, pending_root, pending_targets = folder.root().signed, folder.pending(Root), folder.pending(Targets)
    roots = [root, *([pending_root.signed] if pending_root else [])]
    waiting: list[Metadata[Any]] = [each for each in (pending_root, pending_targets) if each is not None]
    return [(each.signed.type, each.signed.version, max(missing(one, each) for one in roots)) for each in waiting]


def _list(targets: Targets, target: TargetFile, tell: Tell) -> None:
    """Lists a target; raises PublishError where its name stands for other content: a version is what it was."""
    known = targets.targets.get(target.path)
    if known is not None and known.hashes != target.hashes:
        raise PublishError(f"{target.path}: is listed with other content; give what has changed a new version")
    targets.targets[target.path] = target
    tell(f"{target.path}: {target.length} bytes, SHA-256 {target.hashes['sha256']}")


def _next_targets(folder: RepositoryFolder) -> Metadata[Targets]:
    """The next list, to be changed.

    Raises:
        PublishError: One waits for signatures already: two at once would have the same version.
    """
    if folder.pending(Targets) is not None:
        raise PublishError("a list waits for signatures already: `parvis-models publish sign`, or delete pending/targets.json to drop it")
    targets = Metadata(Targets.from_dict(folder.targets().signed.to_dict()))
    targets.signed.version = folder.last_version("targets")
    folder.dated(targets.signed)
    return targets


def _publishable(bundle: Path) -> Card:
    """The card of a bundle that may go to units.

    Raises:
        PublishError: It was not measured, or does not answer as its card promises.
        CardError: It has no card.
    """
    card = zoo.read_card(bundle)
    if card.accuracy is None or card.speed is None:
        raise PublishError(f"{bundle}: not measured; parvis-models evaluate {card.name} --data FOLDER --write")
    why = check(bundle)
    if why is not None:
        raise PublishError(f"{bundle}: fails its golden samples here, and would on a unit: {why}")
    return card
