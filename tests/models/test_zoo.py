from __future__ import annotations

from pathlib import Path

import pytest
from parvis_contract.card import Card
from parvis_edge.bundle import BundleError, load_bundle
from parvis_models import zoo
from parvis_models.recipes import NanoDet
from parvis_models.sources import read_sources

NAME = "nanodet-g-416"


def write(folder: Path, model: bytes) -> Card:
    sources = read_sources()
    source = sources.models[NAME]
    package_folder = folder / "package-files"
    for member in source.licence_texts:
        (package_folder / member).parent.mkdir(parents=True, exist_ok=True)
        (package_folder / member).write_text("MIT License\n", encoding="utf-8")
    package = sources.packages[source.package]
    return zoo.write_bundle(NAME, source, package, NanoDet(), package_folder=package_folder, model=model, zoo=folder / "zoo")


def measured(card: Card) -> Card:
    shipped = zoo.read_card(zoo.folder_of(NAME, card.version))
    return card.model_copy(
        update={"accuracy": shipped.accuracy, "speed": shipped.speed, "known_failures": (*card.known_failures, zoo.MEASURED + "something.")}
    )


def test_a_bundle_is_written_whole_and_read_back(tmp_path: Path) -> None:
    card = write(tmp_path, b"model")
    folder = zoo.folder_of(NAME, card.version, tmp_path / "zoo")
    assert zoo.read_card(folder) == card
    assert (folder / "model.onnx").read_bytes() == b"model"
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    assert (card.accuracy, card.speed) == (None, None)
    assert {one.chosen_on for one in card.thresholds.values()} == {zoo.UNCHOSEN}


def test_what_was_measured_of_the_same_file_is_kept(tmp_path: Path) -> None:
    before = measured(write(tmp_path, b"model"))
    zoo.write_card(zoo.folder_of(NAME, before.version, tmp_path / "zoo"), before)
    assert write(tmp_path, b"model") == before


def test_what_was_measured_of_another_file_is_dropped(tmp_path: Path) -> None:
    before = measured(write(tmp_path, b"model"))
    zoo.write_card(zoo.folder_of(NAME, before.version, tmp_path / "zoo"), before)
    after = write(tmp_path, b"another")
    assert (after.accuracy, after.speed) == (None, None)
    assert not any(text.startswith(zoo.MEASURED) for text in after.known_failures)


def test_a_unit_refuses_a_file_that_is_not_the_card_s(tmp_path: Path) -> None:
    card = write(tmp_path, b"model")
    (zoo.folder_of(NAME, card.version, tmp_path / "zoo") / "model.onnx").write_bytes(b"another")
    with pytest.raises(BundleError, match="checksum"):
        load_bundle(NAME, zoo=tmp_path / "zoo")


@pytest.mark.parametrize(("content", "message"), [(None, "No such file"), (b"{", "Invalid JSON"), (b"{}", "name: Field required")])
def test_a_card_that_is_none_is_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "card.json").write_bytes(content)
    with pytest.raises(zoo.CardError, match=rf"card\.json: .*{message}"):
        zoo.read_card(tmp_path)
