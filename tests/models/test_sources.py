from __future__ import annotations

from pathlib import Path

import pytest
from parvis_models.recipes import recipes
from parvis_models.sources import MODELS_FOLDER, SourcesError, read_sources

SHA = "0" * 64
GOOD = f"""
[packages.one]
registry = "pypi"
name = "one"
version = "1.0"
archive_sha256 = "{SHA}"
[packages.one.files]
"one/weights.bin" = "{SHA}"
"one/LICENSE" = "{SHA}"

[models.seer]
version = "1.0.0"
package = "one"
weights = ["one/weights.bin"]
calibration_packages = []
upstream = "A model."
training_data = "Pictures."
licence_spdx = "MIT"
licence_note = "Free."
licence_texts = ["one/LICENSE"]
known_failures = ["Fails."]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "sources.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_project_s_own_file_is_valid_and_has_a_recipe_for_each_model() -> None:
    assert set(read_sources().models) == set(recipes())


def test_the_project_s_own_file_names_no_address() -> None:
    for name in ("sources.toml", "converter-requirements.txt", "converter-requirements.in"):
        text = (MODELS_FOLDER / name).read_text(encoding="utf-8")
        assert "://" not in text
        assert "www." not in text


def test_of_the_package_with_face_models_only_the_detector_is_taken() -> None:
    taken = set(read_sources().packages["human-models"].files)
    assert taken == {"package/models/nanodet.json", "package/models/nanodet.bin", "package/LICENSE"}


def test_a_good_file_is_read(tmp_path: Path) -> None:
    sources = read_sources(write(tmp_path, GOOD))
    assert sources.models["seer"].weights == ("one/weights.bin",)
    assert str(sources.packages["one"]) == "one 1.0 (pypi)"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (('version = "1.0.0"', 'version = "1"'), "models.seer.version"),
        (('registry = "pypi"', 'registry = "attic"'), "packages.one.registry"),
        ((f'archive_sha256 = "{SHA}"', 'archive_sha256 = "abc"'), "packages.one.archive_sha256"),
        (('name = "one"', 'name = "one"\naddress = "somewhere"'), "packages.one.address"),
        (('name = "one"', 'name = "--index-url=there"'), "packages.one.name"),
        (('upstream = "A model."', ""), "models.seer.upstream: Field required"),
        (('package = "one"', 'package = "two"'), "there is no [packages.two]"),
        (('weights = ["one/weights.bin"]', 'weights = ["one/other.bin"]'), "'one/other.bin', which [packages.one.files] does not list"),
        (('"one/weights.bin" =', '"../weights.bin" ='), "packages.one.files.../weights.bin"),
        (('"one/weights.bin" =', '"one/../../weights.bin" ='), "packages.one.files"),
        (('"one/weights.bin" =', '"/etc/weights.bin" ='), "packages.one.files"),
        (('known_failures = ["Fails."]', "known_failures = []"), "models.seer.known_failures"),
        (("[packages.one]", "[packages.one"), "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_key(tmp_path: Path, change: tuple[str, str], expected: str) -> None:
    path = write(tmp_path, GOOD.replace(*change, 1))
    with pytest.raises(SourcesError) as refused:
        read_sources(path)
    assert str(path) in str(refused.value)
    assert expected in str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourcesError, match=r"sources\.toml: No such file.*checkout"):
        read_sources(tmp_path / "sources.toml")
