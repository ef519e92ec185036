"""The signed repository as a unit sees it: what is listed now, and its files, streamed to disk, resumed after interruptions, verified."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import random

import structlog
from parvis_contract import CommandRefusal
from tuf.api.exceptions import DownloadError, DownloadHTTPError, ExpiredMetadataError, RepositoryError
from tuf.api.metadata import TargetFile
from tuf.ngclient import Updater, UpdaterConfig

from parvis_edge.backoff import Backoff
from parvis_edge.whole_file import sync

from .errors import UpdateError
from .fetcher import CHUNK_BYTES, Fetcher
from .trusted_time import check_clock

_log = structlog.get_logger()

#: A download that brings next to nothing so often in a row is left for later; what has come is kept.
_TRIES = 4
#: Left free on the disk beside whatever is fetched: room for the outbox.
RESERVE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Listed:
    """A file that the repository lists.

    Attributes:
        name: Path of the target, ``models/yamnet/1.1.0.tar``.
        length: In bytes.
        sha256: Of its content.
    """

    name: str
    length: int
    sha256: str


class Repository:
    """Reads one repository.

    Args:
        url: Its address; `metadata/` and `targets/` are below it.
        folder: Where trusted metadata is kept.
        root: The root metadata that the unit was given, as bytes.
        fetcher: Reads.
        now: The time, UTC.
        wait: Sleeps so many seconds between two tries of a download.
    """

    def __init__(
        self,
        url: str,
        folder: Path,
        root: bytes,
        fetcher: Fetcher,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = url.rstrip("/")
        self._folder = folder
        self._root = root
        self._fetcher = fetcher
        self._now = now
        self._wait = wait
        self._client: Updater | None = None

    def refresh(self) -> None:
        """Takes the newest metadata, by the client workflow of the TUF specification (5.3 to 5.6).

        Raises:
            UpdateError: It cannot be had, is not rightly signed, is older than what was seen, or has expired; or the clock is behind.
        """
        self._client = None
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            for left in self._folder.glob("tmp*"):
                # The client writes into files of such names before it renames them; a kill leaves one.
                left.unlink()
            for root in (self._root, self._kept("root")):
                # Signed offline: a clock that is behind it is wrong, and would take for valid what has ended.
                check_clock(self._now(), root)
            client = Updater(
                str(self._folder), f"{self._url}/metadata/", fetcher=self._fetcher, config=UpdaterConfig(), bootstrap=self._root
            )
            client.refresh()
            for role in ("root", "timestamp"):
                check_clock(self._now(), self._kept(role))
        except ExpiredMetadataError as error:
            raise UpdateError(
                CommandRefusal.EXPIRED,
                f"the repository's metadata has expired ({error}): nobody has run `parvis-models publish refresh`, or this clock is ahead",
                again=True,
            ) from None
        except RepositoryError as error:
            raise UpdateError(CommandRefusal.BAD_SIGNATURE, f"the repository is not to be trusted: {error}", again=True) from None
        except DownloadError as error:
            raise UpdateError(None, f"the repository cannot be read: {error}", again=True) from None
        except OSError as error:
            raise disk_trouble(error) from None
        self._client = client

    def _kept(self, role: str) -> bytes:
        """Trusted metadata, as they are on disk; nothing before the first."""
        path = self._folder / f"{role}.json"
        return path.read_bytes() if path.exists() else b""

    def names(self) -> list[str]:
        """What the repository's own list holds, as far as it was refreshed."""
        return sorted(json.loads((self._folder / "targets.json").read_bytes())["signed"]["targets"])

    def find(self, name: str) -> Listed:
        """What is listed under a name; :meth:`refresh` is done first where it has not been.

        Raises:
            UpdateError: Nothing is, or the metadata cannot be had.
        """
        found = self._target(name)
        return Listed(name, found.length, found.hashes["sha256"])

    def fetch_target(self, name: str, destination: Path) -> Listed:
        """Fetches a file, of any size, to ``destination``; goes on where an earlier call ended, however that ended.

        What has come lies beside the destination as ``<sha256>.part``. When this returns, the whole file is on disk, and is what is listed.

        Raises:
            UpdateError: It is not listed, cannot be had now, is not what is listed, or the disk has no room for it.
        """
        target = self._target(name)
        listed = Listed(name, target.length, target.hashes["sha256"])
        try:
            if destination.is_file() and _digest(destination) == listed.sha256:
                return listed
            destination.parent.mkdir(parents=True, exist_ok=True)
            part = destination.with_name(f"{listed.sha256}.part")
            _forget_others(part)
            self._check_room(part, listed.length)
            self._download(listed, part)
            part.replace(destination)
            sync(destination.parent)
        except OSError as error:
            raise disk_trouble(error) from None
        return listed

    def _target(self, name: str) -> TargetFile:
        if self._client is None:
            self.refresh()
        if self._client is None:  # pragma: no cover - refresh sets it or raises
            raise AssertionError
        try:
            found = self._client.get_targetinfo(name)
        except RepositoryError as error:
            raise UpdateError(CommandRefusal.BAD_SIGNATURE, f"the repository is not to be trusted: {error}", again=True) from None
        except DownloadError as error:
            raise UpdateError(None, f"the repository cannot be read: {error}", again=True) from None
        if found is None or "sha256" not in found.hashes:
            raise UpdateError(CommandRefusal.NOT_PERMITTED, f"the repository lists no {name}; `parvis-models publish add` puts it there")
        return found

    def _check_room(self, part: Path, length: int) -> None:
        have = part.stat().st_size if part.exists() else 0
        free = shutil.disk_usage(part.parent).free
        # The archive, and what is unpacked from it.
        needed = 2 * length - have + RESERVE_BYTES
        if free < needed:
            why = f"{free / 1e6:.0f} MB free, {needed / 1e6:.0f} MB needed, {RESERVE_BYTES / 1e6:.0f} of them kept free for events"
            raise UpdateError(CommandRefusal.DISK_FULL, f"{part.parent}: {why}", again=True)

    def _download(self, listed: Listed, part: Path) -> None:
        """Until the part is the whole."""
        folder, _, base = listed.name.rpartition("/")
        url = f"{self._url}/targets/{folder}{'/' if folder else ''}{listed.sha256}.{base}"
        backoff, tries, rotten = Backoff(1.0, 60.0, random), 0, False
        while True:
            have = part.stat().st_size if part.exists() else 0
            if have < listed.length:
                try:
                    self._go_on(url, part, have, listed.length)
                    continue
                except DownloadHTTPError as error:
                    if error.status_code != 416:
                        raise UpdateError(None, f"the repository lacks a file: {error}", again=True) from None
                    part.unlink()
                except DownloadError as error:
                    # A server that drips brings something each time: less than this does not count.
                    came = part.exists() and part.stat().st_size - have >= CHUNK_BYTES
                    tries = 0 if came else tries + 1
                    if came:
                        backoff.reset()
                    _log.warning("a download was interrupted", target=listed.name, have=have, of=listed.length, detail=str(error))
                    if tries >= _TRIES:
                        raise UpdateError(None, f"the repository cannot be read: {error}", again=True) from None
                self._wait(backoff.next_s())
                continue
            if have == listed.length and _digest(part) == listed.sha256:
                return
            part.unlink()
            if rotten:
                raise UpdateError(CommandRefusal.BAD_SIGNATURE, f"{url}: is not the file that is listed", again=True)
            # What an earlier run left may have been damaged by a power cut: it is fetched once more, whole.
            rotten = True

    def _go_on(self, url: str, part: Path, have: int, length: int) -> None:
        """Adds what comes to the part; never more than one chunk past ``length``."""
        answer = self._fetcher.open(url, have)
        with part.open("r+b" if answer.first else "wb") as file:
            at = file.seek(answer.first)
            try:
                for chunk in answer.chunks:
                    file.write(chunk)
                    at += len(chunk)
                    if at > length:
                        part.unlink()
                        raise UpdateError(
                            CommandRefusal.BAD_SIGNATURE, f"{url}: longer than the {length} bytes that are listed", again=True
                        )
            finally:
                file.flush()
                os.fsync(file.fileno())
        if at < length:
            raise DownloadError(f"{url}: {length - at} bytes are missing")


def _forget_others(part: Path) -> None:
    """What is left of other downloads into the same folder is not wanted any more."""
    for other in part.parent.glob("*.part"):
        if other != part:
            other.unlink()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_trouble(error: OSError) -> UpdateError:
    """The same as the reason for which an update is late."""
    return UpdateError(CommandRefusal.DISK_FULL, f"{error.filename or 'the disk'}: {error.strerror or error}", again=True)


def repository_of(folder: Path, url: str, root: Path, ca: Path | None) -> Repository:
    """The repository that a unit takes its models from.

    Args:
        folder: `DATA_DIR/update`.
        url: Of the repository.
        root: File with the root metadata that the unit was given.
        ca: Who signed the server's certificate; None takes those that the system trusts.

    Raises:
        OSError: The root metadata cannot be read.
    """
    return Repository(url, folder / "metadata", root.read_bytes(), Fetcher(ca))
