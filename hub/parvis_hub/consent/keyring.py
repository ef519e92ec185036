"""One key for each consent, in a file of its own: with the key gone, what was written under it is gone, wherever copies of it lie.

A key never enters the store, so that no backup, write-ahead log or replica of the store has it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import uuid
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

#: Half of a key seals messages, the other half hides their ids: an id has the time of its message in it.
_HALF = 32
_NONCE = 12


def keys_folder(data_dir: Path) -> Path:
    """Where a hub's keys are: beside an SQLite store, and in the data folder too where the store is a PostgreSQL."""
    return data_dir.absolute() / "keys"


class KeyGone(LookupError):
    """There is no key for this consent: it has ended, or the folder of keys is not the one that it was given in."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A message that only the consent's key opens.

    Attributes:
        id: Stands for the message's id; the same for the same message, and tells nothing of it.
        text: Base64.
    """

    id: str
    text: str


class ConsentKey:
    """A key in use. It is not to be kept: whoever needs it asks the keyring each time, so that its destruction is in force at once."""

    def __init__(self, consent: str, secret: bytes) -> None:
        self._consent = consent.encode()
        self._cipher = ChaCha20Poly1305(secret[:_HALF])
        self._hiding = secret[_HALF:]

    def hidden(self, id: uuid.UUID) -> str:
        """What stands for a message's id in the store."""
        return str(uuid.UUID(bytes=hmac.digest(self._hiding, id.bytes, hashlib.sha256)[:16]))

    def seal(self, id: uuid.UUID, text: str) -> Sealed:
        """Encrypts a message (ChaCha20-Poly1305, RFC 8439), bound to its consent and its id."""
        hidden, nonce = self.hidden(id), os.urandom(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), self._consent + hidden.encode())
        return Sealed(hidden, base64.b64encode(sealed).decode("ascii"))

    def open(self, sealed: Sealed) -> str:
        """The message.

        Raises:
            ValueError: It was sealed under another key, or altered.
        """
        raw = base64.b64decode(sealed.text, validate=True)
        try:
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], self._consent + sealed.id.encode()).decode()
        except InvalidTag:
            raise ValueError("a sighting does not open with the key of its consent") from None


class Keyring:
    """The folder of the keys, which its owner alone may enter.

    Args:
        folder: Made with the first key.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def make(self, consent: str) -> None:
        """Makes a consent's key; when this returns it is on disk.

        Raises:
            OSError: It cannot be written, or is there already.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path(consent), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(os.urandom(2 * _HALF))
            file.flush()
            os.fsync(file.fileno())
        self._folder_to_disk()

    def has(self, consent: str) -> bool:
        """Whether there is a key for this consent."""
        return self._path(consent).is_file()

    def key(self, consent: str) -> ConsentKey:
        """A consent's key.

        Raises:
            KeyGone: There is none.
        """
        try:
            secret = self._path(consent).read_bytes()
        except OSError:
            raise KeyGone(consent) from None
        if len(secret) != 2 * _HALF:
            # A power cut while it was made, or while it was destroyed.
            raise KeyGone(consent)
        return ConsentKey(consent, secret)

    def destroy(self, consent: str) -> None:
        """Overwrites a key and deletes it; one that is gone is gone.

        Raises:
            OSError: It cannot be written to.
        """
        with contextlib.suppress(FileNotFoundError):
            with self._path(consent).open("r+b") as file:
                file.write(os.urandom(2 * _HALF))
                file.flush()
                os.fsync(file.fileno())
            self._path(consent).unlink()
            self._folder_to_disk()

    def _path(self, consent: str) -> Path:
        return self._folder / f"{uuid.UUID(consent)}.key"

    def _folder_to_disk(self) -> None:
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
