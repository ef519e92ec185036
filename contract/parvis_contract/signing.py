"""Signed commands: what is signed, with which key, and whether a signature is right. Ed25519 (RFC 8032).

What is signed is the whole message, envelope included, but for `data.signature`: so a command is bound to its site (in `source`), its unit,
its type, its time and its expiry. The bytes are the canonical JSON (RFC 8785) of the message as it was sent, not as a model would write it
again: names in order, no blanks. Commands hold no fractions and ASCII alone, for which :func:`json.dumps` writes what RFC 8785 asks for.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from .envelope import Envelope, dump_message, dump_unchecked
from .hub_messages import Signature

_NO_SIGNATURE = Signature(key="0" * 64, value="0" * 128)


class KeyFileError(Exception):
    """A file with a signing key cannot be made or read; the message says what to do."""


def signed_bytes(raw: bytes) -> bytes:
    """What the signature of a command stands for.

    Args:
        raw: The message, of the contract (:func:`parvis_contract.parse_message` has taken it).

    Returns:
        Its canonical JSON without `data.signature`.
    """
    value: dict[str, Any] = json.loads(raw)
    data = {name: part for name, part in value["data"].items() if name != "signature"}
    return json.dumps(value | {"data": data}, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode("ascii")


def key_digest(public_key: str) -> str:
    """How a signature names its key: SHA-256 of the 32 bytes of the public key, in hexadecimal.

    Args:
        public_key: 64 hexadecimal digits, as in the site plan's `hub_keys`.
    """
    return hashlib.sha256(bytes.fromhex(public_key)).hexdigest()


def is_signed(raw: bytes, signature: Signature, public_keys: Mapping[str, str]) -> bool:
    """Whether one of these keys signed this command.

    Args:
        raw: The message as it came.
        signature: The one that it bears.
        public_keys: 64 hexadecimal digits each, by :func:`key_digest`.
    """
    public_key = public_keys.get(signature.key)
    if public_key is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key)).verify(bytes.fromhex(signature.value), signed_bytes(raw))
    except InvalidSignature:
        return False
    return True


class SigningKey:
    """A private key with which a hub signs commands; in a file that its owner alone may read.

    Attributes:
        public_key: 64 hexadecimal digits, for the site plan's `hub_keys`.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.public_key = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @classmethod
    def make(cls) -> SigningKey:
        """A new one."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> SigningKey:
        """Reads one.

        Raises:
            KeyFileError: There is none, it is no Ed25519 key, or others may read it.
        """
        try:
            if path.stat().st_mode & 0o077:
                raise KeyFileError(f"{path}: others than its owner may read it; chmod 600 {path}, and make a new key if somebody may have")
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; `parvis-hub keys new` makes one") from None
        except (ValueError, TypeError):
            raise KeyFileError(f"{path}: holds no private key in PEM without a password; `parvis-hub keys new` makes one") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(f"{path}: is no Ed25519 key; `parvis-hub keys new` makes one")
        return cls(key)

    def save(self, path: Path) -> None:
        """Writes it to a new file, mode 0600; never over one that is there.

        Raises:
            KeyFileError: Something is there, or nothing can be written.
        """
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise KeyFileError(f"{path}: is there already and is not overwritten; give another name, or move it away") from None
        except OSError as error:
            raise KeyFileError(f"{path}: {error.strerror}; give a folder that can be written in") from None
        with os.fdopen(descriptor, "wb") as file:
            file.write(self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(file.fileno())

    def sign(self, command: Envelope[Any]) -> bytes:
        """A command as it goes out, with its signature in place of whatever stands there.

        Raises:
            parvis_contract.Refused: It is not of the contract, or too large.
        """
        unsigned = command.model_copy(update={"data": command.data.model_copy(update={"signature": _NO_SIGNATURE})})
        value = self._key.sign(signed_bytes(dump_unchecked(unsigned))).hex()
        signature = Signature(key=key_digest(self.public_key), value=value)
        return dump_message(command.model_copy(update={"data": command.data.model_copy(update={"signature": signature})}))
