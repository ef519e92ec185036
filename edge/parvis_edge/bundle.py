"""Loads a model with its card: what runs is what was measured, or nothing runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
from parvis_contract import ModelRef
from parvis_contract.card import Card
from pydantic import ValidationError


class BundleError(Exception):
    """A model cannot be used; the message says which file, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model that is ready to run.

    Attributes:
        card: What it is: tensors, labels, thresholds, what was measured.
        session: onnxruntime's, on the CPU.
    """

    card: Card
    session: onnxruntime.InferenceSession

    @property
    def ref(self) -> ModelRef:
        """Name and version, as messages give them."""
        return ModelRef(name=self.card.name, version=self.card.version)


def zoo_folder() -> Path:
    """Where the shipped models are: inside the installed package, or in `models/zoo` of a checkout."""
    installed = Path(__file__).parent / "zoo"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "models" / "zoo"


def load_bundle(name: str, version: str | None = None, *, zoo: Path | None = None, threads: int = 1) -> Bundle:
    """Loads ``<zoo>/<name>/<version>/``.

    Args:
        name: Of the model, such as ``nanodet-g-416``.
        version: Such as ``1.0.0``; None takes the newest that is there.
        zoo: Folder of bundles; None takes the shipped one.
        threads: How many threads one inference uses.

    Raises:
        BundleError: It is not there, its card is not a card, or the model file is not the one that the card describes.
    """
    folder = (zoo or zoo_folder()) / name
    versions = sorted((path.name for path in folder.glob("*.*.*")), key=lambda text: [int(part) for part in text.split(".")])
    if not versions or (version is not None and version not in versions):
        raise BundleError(f"{folder}: no version {version or ''} of this model is here; `parvis-models build` makes it")
    return load_folder(folder / (version or versions[-1]), threads=threads)


def load_folder(folder: Path, *, threads: int = 1) -> Bundle:
    """Loads the bundle in a folder.

    Args:
        folder: With `card.json` and the files that it names.
        threads: How many threads one inference uses.

    Raises:
        BundleError: It is not there, its card is not a card, or the model file is not the one that the card describes.
    """
    try:
        card = Card.model_validate_json((folder / "card.json").read_bytes())
        model = (folder / card.model_file).read_bytes()
    except OSError as error:
        raise BundleError(f"{error.filename}: {error.strerror}; `parvis-models build` makes it") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BundleError(f"{folder / 'card.json'}: {key}: {first['msg']}; `parvis-models build` writes a valid card") from None
    if hashlib.sha256(model).hexdigest() != card.sha256:
        raise BundleError(f"{folder / card.model_file}: not the file that card.json describes (checksum); put the bundle back as released")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # A waiting thread that spins would cost a unit a core between two frames.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # noqa: BLE001 - the runtime has a dozen kinds of error of its own, without a common one
        raise BundleError(f"{folder / card.model_file}: the runtime cannot load it: {error}") from None
    return Bundle(card, session)
