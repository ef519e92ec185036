"""Signing keys in files: Ed25519, PEM, mode 0600, with a password where a person holds them; never overwritten."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)
from securesystemslib.signer import CryptoSigner, Key, SSlibKey


class PublishError(Exception):
    """Nothing was published; the message says why, and what to do."""


def new_key(path: Path, password: bytes | None) -> None:
    """Makes a key, and its public half beside it as ``.pub``.

    Args:
        path: Of the private key; must not be there.
        password: Encrypts it; None leaves it readable for whoever reads the file.

    Raises:
        PublishError: Something is there already, or nothing can be written.
    """
    key = Ed25519PrivateKey.generate()
    kept: KeySerializationEncryption = BestAvailableEncryption(password) if password else NoEncryption()
    _write_new(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, kept), 0o600)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    _write_new(path.with_suffix(".pub"), public, 0o644)


def read_public(path: Path) -> Key:
    """Reads a public key, or the one beside a private key.

    Raises:
        PublishError: It is none.
    """
    try:
        return SSlibKey.from_crypto(load_pem_public_key(path.with_suffix(".pub").read_bytes()))
    except OSError as error:
        raise PublishError(f"{error.filename}: {error.strerror}; `parvis-models publish key` makes a pair") from None
    except ValueError:
        raise PublishError(f"{path}: holds no public key in PEM; `parvis-models publish key` makes a pair") from None


def read_signer(path: Path, ask: Callable[[Path], bytes]) -> CryptoSigner:
    """Reads a private key.

    Args:
        path: Of the file.
        ask: Gives its password, where it has one.

    Raises:
        PublishError: It is none, others may read it, or the password is wrong.
    """
    try:
        if path.stat().st_mode & 0o077:
            raise PublishError(f"{path}: others than its owner may read it; chmod 600 {path}, and rotate it out if somebody may have")
        raw = path.read_bytes()
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror}; give a key that `parvis-models publish key` or `init` made") from None
    try:
        private = load_pem_private_key(raw, password=ask(path) if b"ENCRYPTED" in raw else None)
    except (ValueError, TypeError):
        raise PublishError(f"{path}: cannot be read as a private key; is the password right?") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise PublishError(f"{path}: is no Ed25519 key; `parvis-models publish key` makes one")
    return CryptoSigner(private, SSlibKey.from_crypto(private.public_key()))


def _write_new(path: Path, raw: bytes, mode: int) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        raise PublishError(f"{path}: is there already and is not overwritten; give another name, or move it away") from None
    except OSError as error:
        raise PublishError(f"{path}: {error.strerror}; give a folder that can be written in") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
