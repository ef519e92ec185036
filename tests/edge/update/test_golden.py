"""Golden samples: a model that answers otherwise, crashes or hangs is found out in a process of its own."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

import pytest
from parvis_edge.bundle import Bundle
from parvis_edge.update import golden
from parvis_edge.update.errors import UpdateError
from parvis_models import zoo
from parvis_models.golden import unfused

from tests.edge.update.simulator import small_model


def changed(bundle: Path, folder: Path, factor: float) -> Path:
    """The same golden samples, another model."""
    shutil.copytree(bundle, folder)
    model = small_model(factor)
    (folder / "model.onnx").write_bytes(model)
    zoo.write_card(folder, zoo.read_card(folder).model_copy(update={"sha256": hashlib.sha256(model).hexdigest()}))
    return folder


def test_a_model_that_answers_as_promised_passes(bundles: dict[str, Path]) -> None:
    golden.prove(bundles["1.0.0"])


@pytest.mark.parametrize(("factor", "passes"), [(1.001, True), (1.5, False), (float("nan"), False)])
def test_answers_are_compared_within_the_cards_tolerance(factor: float, passes: bool, bundles: dict[str, Path], tmp_path: Path) -> None:
    why = golden.check(changed(bundles["1.0.0"], tmp_path / "x", factor))
    assert (why is None) is passes
    assert why is None or "scores differs by" in why


@pytest.mark.parametrize(
    ("file", "raw", "said"),
    [
        ("golden.npz", b"other", "not the file that card.json describes"),
        ("model.onnx", b"other", "checksum"),
        ("card.json", b"{}", "card.json"),
    ],
)
def test_a_bundle_that_is_not_whole_fails(file: str, raw: bytes, said: str, bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["1.0.0"], tmp_path / "x")
    (tmp_path / "x" / file).write_bytes(raw)
    with pytest.raises(UpdateError, match=said):
        golden.prove(tmp_path / "x")


def test_a_model_that_the_runtime_cannot_load_fails(bundles: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(bundles["1.0.0"], tmp_path / "x")
    raw = b"\x08\x08garbage" * 50
    (tmp_path / "x" / "model.onnx").write_bytes(raw)
    zoo.write_card(tmp_path / "x", zoo.read_card(tmp_path / "x").model_copy(update={"sha256": hashlib.sha256(raw).hexdigest()}))
    with pytest.raises(UpdateError, match="the runtime cannot load it"):
        golden.prove(tmp_path / "x")


@pytest.mark.parametrize(
    ("program", "said"),
    [("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "signal 11"), ("import time; time.sleep(60)", "no answer within 1 s")],
)
def test_a_crash_and_a_hang_are_not_the_units(
    program: str, said: str, bundles: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text(f"#!{sys.executable}\n{program}\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(UpdateError, match=said):
        golden.prove(bundles["1.0.0"], patience_s=1.0)


@pytest.mark.parametrize("name", ["nanodet-g-416", "yamnet"])
def test_the_shipped_models_pass_by_either_way_through_them(name: str) -> None:
    folder = next((zoo.ZOO / name).iterdir())
    assert golden.check(folder) is None
    # Operator by operator, as another processor's runtime might: half of what the card allows is what it allows for.
    card = zoo.read_card(folder)
    assert card.golden is not None
    apart = golden.difference(Bundle(card, unfused(folder / "model.onnx")), (folder / card.golden.file).read_bytes())
    assert {name: value <= card.golden.tolerances[name] / 2 + 0.01 for name, value in apart.items()} == dict.fromkeys(apart, True)
