"""Bundles on disk: the model file, its card and its licence text, each model's version in a folder of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from parvis_contract.card import Card, Licence, Quantisation, Source, SourceFile, Threshold
from pydantic import ValidationError

from .sources import MODELS_FOLDER, ModelSource, Package

if TYPE_CHECKING:
    # What builds and synthesises takes a second to import; who only reads cards should not wait for it.
    from .recipes import Recipe

ZOO = MODELS_FOLDER / "zoo"
#: Float models, for measuring only; never shipped.
BUILD = MODELS_FOLDER / "build"
APACHE_LICENCE = MODELS_FOLDER.parent / "LICENSE"

UNCHOSEN = "not chosen yet"


class CardError(Exception):
    """A card cannot be used; the message says which, and what to do."""


def float_path(name: str) -> Path:
    """Where the build leaves the float model."""
    return BUILD / f"{name}.float.onnx"


def folder_of(name: str, version: str, zoo: Path = ZOO) -> Path:
    """Of a bundle."""
    return zoo / name / version


def read_card(folder: Path) -> Card:
    """Reads the card of a bundle.

    Raises:
        CardError: It is not there, or not a card.
    """
    path = folder / "card.json"
    try:
        return Card.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CardError(f"{path}: {error.strerror}; `parvis-models build` makes it") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise CardError(f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']}; `parvis-models build` writes a valid card") from None


def write_card(folder: Path, card: Card) -> None:
    """Writes the card of a bundle, as people and `diff` like it."""
    (folder / "card.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")


def write_bundle(
    name: str, source: ModelSource, package: Package, recipe: Recipe, *, package_folder: Path, model: bytes, zoo: Path = ZOO
) -> Card:
    """Writes a bundle. What was measured of the same model file is kept; of another one it is dropped, as it no longer holds.

    Args:
        name: Of the model.
        source: What sources.toml says of it.
        package: That its weights are from.
        recipe: How it is made.
        package_folder: Where the package's files are.
        model: The quantised model.
        zoo: Folder of bundles.

    Returns:
        The card.
    """
    folder = folder_of(name, source.version, zoo)
    folder.mkdir(parents=True, exist_ok=True)
    unmeasured = Card(
        name=name,
        version=source.version,
        task=recipe.task,
        source=Source(
            registry=package.registry,
            package=package.name,
            version=package.version,
            files=tuple(SourceFile(path=member, sha256=package.files[member]) for member in source.weights),
            upstream=source.upstream,
            training_data=source.training_data,
        ),
        licence=Licence(spdx=source.licence_spdx, file="LICENSE", note=source.licence_note),
        model_file="model.onnx",
        sha256=hashlib.sha256(model).hexdigest(),
        size_bytes=len(model),
        quantisation=Quantisation(
            scheme=recipe.scheme.text,
            calibration_method=recipe.scheme.method_text,
            calibration_data=recipe.calibration_text,
            float_parts=recipe.float_text,
        ),
        input=recipe.input,
        output=recipe.output,
        labels=recipe.labels(package_folder),
        thresholds={
            key: Threshold(labels=labels, score=0.5, calibration=None, chosen_on=UNCHOSEN, reason="The model's own even odds.")
            for key, labels in recipe.classes.items()
        },
        accuracy=None,
        speed=None,
        known_failures=source.known_failures,
    )
    (folder / "model.onnx").write_bytes(model)
    texts = [APACHE_LICENCE, *(package_folder / member for member in source.licence_texts)]
    (folder / "LICENSE").write_text(("\n" + "-" * 80 + "\n\n").join(path.read_text(encoding="utf-8") for path in texts), encoding="utf-8")
    card = _with_measurements(unmeasured, folder)
    write_card(folder, card)
    return card


def _with_measurements(card: Card, folder: Path) -> Card:
    try:
        before = read_card(folder)
    except CardError:
        return card
    if before.sha256 != card.sha256 or before.labels != card.labels:
        return card
    kept = {key: old for key, old in before.thresholds.items() if key in card.thresholds and card.thresholds[key].labels == old.labels}
    if set(kept) != set(card.thresholds):
        return card
    measured = [text for text in before.known_failures if text.startswith(MEASURED)]
    return card.model_copy(
        update={
            "thresholds": {key: kept[key] for key in card.thresholds},
            "accuracy": before.accuracy,
            "speed": before.speed,
            "known_failures": (*card.known_failures, *measured),
        }
    )


#: How a known failure begins that the evaluation has written.
MEASURED = "Measured: "
