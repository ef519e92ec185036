"""The repository's folder: metadata that units verify, targets that they fetch, and what still lacks signatures.

Every file is written whole, under its final name at once; targets before the metadata that list them, the timestamp last of all. So whoever
reads in the middle sees the state before or the state after, and a kill in the middle leaves the state before.
"""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Literal, TypeVar

from parvis_edge.update.trusted_time import ISSUED
from parvis_edge.whole_file import replace_file, sync
from securesystemslib.signer import Key, Signer
from tuf.api.exceptions import RepositoryError, UnsignedMetadataError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from .keys import PublishError

Role = Literal["root", "targets", "snapshot", "timestamp"]
ROLES: tuple[Role, ...] = ("root", "targets", "snapshot", "timestamp")

#: How long each is valid. Root: its holders meet once a year. Targets: whoever releases signs at least twice a year. Snapshot and timestamp
#: are signed by a timer twice a day; what a unit can be kept from learning (a freeze) lasts no longer than the timestamp, and a hub may
#: be down over a long weekend before its units begin to refuse. Whatever expires, units keep running what they have.
VALID = {"root": timedelta(days=365), "targets": timedelta(days=180), "snapshot": timedelta(days=14), "timestamp": timedelta(days=4)}
#: With less left than this, `status` says so.
WARN = {"root": timedelta(days=45), "targets": timedelta(days=30), "snapshot": timedelta(days=4), "timestamp": timedelta(days=2)}

S = TypeVar("S", Root, Targets, Snapshot, Timestamp)


class RepositoryFolder:
    """One repository.

    Args:
        folder: With `metadata/`, `targets/` and `pending/`.
        now: The time, UTC.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._now = now

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One at a time changes it; the timer's refresh waits for a person's release, and the other way round."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    # --- reading --------------------------------------------------------------------------------------------------------------

    @property
    def metadata(self) -> Path:
        """Folder of the metadata."""
        return self.folder / "metadata"

    def root(self) -> Metadata[Root]:
        """The newest root.

        Raises:
            PublishError: There is none.
        """
        return self._newest(Root)

    def targets(self) -> Metadata[Targets]:
        """The newest targets that are rightly signed, by the newest root; those that wait for a root that is to come do not count.

        Raises:
            PublishError: None are.
        """
        root = self.root().signed
        for version in reversed(self._versions("targets")):
            found = _read(self.metadata / f"{version}.targets.json", Targets)
            if _satisfied(root, found):
                return found
        raise PublishError(f"{self.metadata}: no targets are signed by enough of the keys that root names")

    def snapshot(self) -> Metadata[Snapshot] | None:
        """The newest snapshot; None before the first refresh."""
        return self._newest(Snapshot) if self._versions("snapshot") else None

    def timestamp(self) -> Metadata[Timestamp] | None:
        """What units are told first; None before the first refresh."""
        path = self.metadata / "timestamp.json"
        return _read(path, Timestamp) if path.exists() else None

    def pending(self, kind: type[S]) -> Metadata[S] | None:
        """What waits for signatures; None if nothing does."""
        path = self._pending(kind.type)
        return _read(path, kind) if path.exists() else None

    def _pending(self, role: str) -> Path:
        return self.folder / "pending" / f"{role}.json"

    def _versions(self, role: str) -> list[int]:
        names = (path.name for path in self.metadata.glob(f"*.{role}.json"))
        return sorted(int(found[1]) for name in names if (found := re.fullmatch(rf"([1-9]\d*)\.{role}\.json", name)))

    def last_version(self, role: Role) -> int:
        """The highest on disk, whether it counts yet or not."""
        return self._versions(role)[-1]

    def _newest(self, kind: type[S]) -> Metadata[S]:
        versions = self._versions(kind.type)
        if not versions:
            raise PublishError(f"{self.metadata}: no {kind.type} metadata; `parvis-models publish init` begins a repository")
        return _read(self.metadata / f"{versions[-1]}.{kind.type}.json", kind)

    # --- writing --------------------------------------------------------------------------------------------------------------

    def dated(self, signed: S) -> S:
        """The next version of it, valid from now."""
        signed.version += 1
        return self.fresh(signed)

    def fresh(self, signed: S) -> S:
        """The same version, valid from now."""
        now = self._now().replace(microsecond=0)
        signed.expires = now + VALID[signed.type]
        signed.unrecognized_fields[ISSUED] = now.isoformat()
        return signed

    def put_target(self, name: str, content: Path | bytes) -> TargetFile:
        """Puts a file where units fetch it; nobody does before metadata list it.

        Args:
            name: Of the target.
            content: The file, or what is in it.
        """
        with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as source:
            digest = hashlib.file_digest(source, "sha256").hexdigest()
            length = source.seek(0, io.SEEK_END)
            source.seek(0)
            folder, _, base = name.rpartition("/")
            path = self.folder / "targets" / folder / f"{digest}.{base}"
            if not path.exists():
                _write_public(path, source)
        return TargetFile(length, {"sha256": digest}, name)

    def offer(self, metadata: Metadata[Root] | Metadata[Targets], signers: Sequence[Signer]) -> bool:
        """Adds signatures, and publishes it if they are enough; else keeps it for others to sign.

        What is published satisfies the root of today and the one that is to come, if one is: so that units never see a list that the root
        beside it does not allow.

        Args:
            metadata: New root or targets.
            signers: Whoever signs now; those who may not are left out.

        Returns:
            Whether it was published.

        Raises:
            PublishError: None of the keys has a say in it.
        """
        role = metadata.signed.type
        coming = metadata if isinstance(metadata.signed, Root) else self.pending(Root)
        roots = [self.root().signed, *([coming.signed] if coming is not None and isinstance(coming.signed, Root) else [])]
        allowed = {keyid for root in roots for keyid in root.roles[role].keyids}
        able = [signer for signer in signers if signer.public_key.keyid in allowed]
        if not able:
            raise PublishError(f"none of the keys may sign {role}; `parvis-models publish status` says which may")
        for signer in able:
            metadata.sign(signer, append=True)
        replace_file(self._pending(role), metadata.to_bytes())
        if role == "root":
            return self.settle()
        if not all(_satisfied(root, metadata) for root in roots):
            return False
        self._publish(f"{metadata.signed.version}.{role}.json", metadata)
        self._pending(role).unlink()
        return True

    def settle(self) -> bool:
        """Publishes a root that waits, if it is signed by enough of both roots' keys and everything that units see now satisfies it."""
        coming = self._complete()
        if coming is None or not all(_satisfied(coming.signed, each) for each in self._seen()):
            return False
        self._publish_root(coming)
        return True

    def _complete(self) -> Metadata[Root] | None:
        """The root that waits, if it has its signatures."""
        coming = self.pending(Root)
        if coming is None or not all(_satisfied(root, coming) for root in (self.root().signed, coming.signed)):
            return None
        return coming

    def _publish_root(self, root: Metadata[Root]) -> None:
        self._publish(f"{root.signed.version}.root.json", root)
        self._pending("root").unlink()

    def _seen(self) -> list[Metadata[Any]]:
        """What units are led to."""
        stamp = self.timestamp()
        if stamp is None:
            return []
        snapshot = _read(self.metadata / f"{stamp.signed.snapshot_meta.version}.snapshot.json", Snapshot)
        version = snapshot.signed.meta["targets.json"].version
        return [stamp, snapshot, _read(self.metadata / f"{version}.targets.json", Targets)]

    def refresh(self, snapshots: Sequence[Signer], timestamps: Sequence[Signer]) -> None:
        """Tells units of what is newest: a new snapshot where that has changed or the old one ages, a new timestamp, and a root that waits.

        Args:
            snapshots: Keys that sign the snapshot; while such a key is exchanged, the old one and the new one.
            timestamps: The same for the timestamp.

        Raises:
            PublishError: What is newest is not rightly signed, or the keys may not sign this.
        """
        coming = self._complete()
        if coming is not None and not all(
            _able(self.root().signed, *pair) for pair in (("snapshot", snapshots), ("timestamp", timestamps))
        ):
            # The old key is lost: units see nothing that they may trust until the lines below are done, and try again.
            self._publish_root(coming)
        root, targets = self.root().signed, self.targets()
        listed = {"targets.json": MetaFile(targets.signed.version)}
        old = self.snapshot()
        both = [root, *([coming.signed] if coming is not None else [])]
        ages = old is None or old.signed.expires - self._now() < VALID["snapshot"] / 2
        if old is None or ages or old.signed.meta != listed or not all(_satisfied(each, old) for each in both):
            version = 1 if old is None else old.signed.version + 1
            old = self._signed(root, Metadata(self.fresh(Snapshot(version=version, meta=listed))), snapshots)
            self._publish(f"{version}.snapshot.json", old)
        before = self.timestamp()
        version = 1 if before is None else before.signed.version + 1
        stamp = Timestamp(version=version, snapshot_meta=MetaFile(old.signed.version))
        self._publish("timestamp.json", self._signed(root, Metadata(self.fresh(stamp)), timestamps))
        self.settle()

    @staticmethod
    def _signed(root: Root, metadata: Metadata[S], signers: Sequence[Signer]) -> Metadata[S]:
        for signer in signers:
            metadata.sign(signer, append=True)
        if not _satisfied(root, metadata):
            raise PublishError(f"these keys may not sign {metadata.signed.type}; `parvis-models publish status` says which may")
        return metadata

    def _publish(self, name: str, metadata: Metadata[Any]) -> None:
        _write_public(self.metadata / name, io.BytesIO(metadata.to_bytes()))


def begin(folder: RepositoryFolder, keys: dict[Role, list[Key]], thresholds: dict[Role, int], signers: Sequence[Signer]) -> None:
    """Begins a repository: root, and targets that list nothing.

    Args:
        folder: Where; must be empty.
        keys: Who may sign what.
        thresholds: How many of them have to.
        signers: Whoever signs now.

    Raises:
        PublishError: There is one already, or the signatures are not enough.
    """
    if (folder.metadata / "1.root.json").exists():
        raise PublishError(f"{folder.metadata}: is there already; a repository is begun once")
    root = Root(consistent_snapshot=True)
    for role in ROLES:
        for key in keys[role]:
            root.add_key(key, role)
        root.roles[role].threshold = thresholds[role]
    folder.fresh(root)
    made: list[Metadata[Any]] = [Metadata(root), Metadata(folder.fresh(Targets()))]
    for metadata in made:
        for signer in signers:
            if signer.public_key.keyid in root.roles[metadata.signed.type].keyids:
                metadata.sign(signer, append=True)
        if not _satisfied(root, metadata):
            raise PublishError(f"not enough signatures for {metadata.signed.type}")
    # Root last: without it there is no repository, and `init` may be run again.
    for metadata in reversed(made):
        _write_public(folder.metadata / f"1.{metadata.signed.type}.json", io.BytesIO(metadata.to_bytes()))


def _able(root: Root, role: Role, signers: Sequence[Signer]) -> bool:
    """Whether these are enough to sign for a role."""
    return len({signer.public_key.keyid for signer in signers} & set(root.roles[role].keyids)) >= root.roles[role].threshold


def missing(root: Root, metadata: Metadata[Any]) -> int:
    """How many signatures it lacks by this root."""
    role = metadata.signed.type
    result = root.get_verification_result(role, metadata.signed_bytes, metadata.signatures)
    return max(0, root.roles[role].threshold - len(result.signed))


def signers_of(root: Root, metadata: Metadata[Any]) -> list[str]:
    """Key ids whose signature on it is right."""
    result = root.get_verification_result(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    return sorted(result.signed)


def _satisfied(root: Root, metadata: Metadata[Any]) -> bool:
    try:
        root.verify_delegate(metadata.signed.type, metadata.signed_bytes, metadata.signatures)
    except (UnsignedMetadataError, ValueError):
        return False
    return True


def _read(path: Path, kind: type[S]) -> Metadata[S]:
    try:
        metadata: Metadata[Any] = Metadata.from_file(str(path))
    except (RepositoryError, OSError) as error:
        raise PublishError(f"{path}: cannot be read as {kind.type} metadata: {error}") from None
    if not isinstance(metadata.signed, kind):
        raise PublishError(f"{path}: is {metadata.signed.type} metadata, not {kind.type}")
    return metadata


def _write_public(path: Path, source: IO[bytes]) -> None:
    """Writes a file that everybody may read (another user serves it), whole or not at all; when this returns, it is on disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), 0o644)
        shutil.copyfileobj(source, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync(path.parent)
