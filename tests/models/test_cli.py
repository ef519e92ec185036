from __future__ import annotations

from pathlib import Path

import pytest
from parvis_models import cli, zoo
from typer.testing import CliRunner

runner = CliRunner()


def test_help_teaches_the_order_of_things() -> None:
    result = runner.invoke(cli.app, ["--help"], env={"COLUMNS": "120"})
    assert result.exit_code == 0
    assert "parvis-models build" in result.output
    assert "evaluate" in result.output


@pytest.mark.parametrize("command", ["build", "evaluate"])
def test_an_unknown_model_is_answered_with_those_that_there_are(command: str) -> None:
    result = runner.invoke(cli.app, [command, "oracle"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "no model 'oracle'" in result.stderr
    assert "nanodet-g-416, yamnet" in result.stderr
    assert "Traceback" not in result.output


def test_a_folder_without_data_is_answered_with_what_belongs_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zoo, "BUILD", tmp_path)
    zoo.float_path("yamnet").write_bytes((zoo.folder_of("yamnet", "1.1.0") / "model.onnx").read_bytes())
    result = runner.invoke(cli.app, ["evaluate", "yamnet", "--data", str(tmp_path)], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "audio/SOURCES.tsv" in result.stderr.replace("\n", "")
