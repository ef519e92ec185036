"""The `parvis-contract` command, as others script against it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from parvis_contract import ENVELOPES, full_name
from parvis_contract.cli import app
from parvis_contract.schema import message_schema
from typer.testing import CliRunner

from tests.contract.examples import NAMES, example

RUN = CliRunner()
VALID = [json.dumps(example(name)) for name in NAMES]


@pytest.mark.parametrize("word", ["sound.impulse", "org.parvis.sound.impulse.v1"])
def test_schema_of_one_type(word: str) -> None:
    result = RUN.invoke(app, ["schema", word])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == message_schema("sound.impulse")


def test_schema_of_all_types() -> None:
    schema = json.loads(RUN.invoke(app, ["schema"]).stdout)
    Draft202012Validator.check_schema(schema)
    assert {each["title"] for each in schema["$defs"].values()} == {full_name(name) for name in ENVELOPES}


def test_schema_of_no_type_says_which_there_are() -> None:
    result = RUN.invoke(app, ["schema", "person.loitering"])
    assert result.exit_code == 2
    assert "object.unattended" in result.stderr


def test_check_of_valid_messages_is_silent(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text("\n".join(VALID) + "\n\n", encoding="utf-8")
    result = RUN.invoke(app, ["check", str(file)])
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"{len(VALID)} accepted, 0 refused" in result.stderr


def test_check_names_line_reason_field_and_what_was_expected(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    late = VALID[0].replace('"time": "2026-06-21T18:04:05.123456Z"', '"time": "2026-06-21T18:04:05"')
    note = VALID[0].replace('"dwell_s"', '"note": "a red bag", "dwell_s"')
    lines = [VALID[0], late, "", note, "{", '"' + "x" * 400_000 + '"', VALID[1]]
    file.write_bytes("\r\n".join(lines).encode() + b"\n\xff")
    result = RUN.invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    refused = [line.removeprefix(f"{file}:").split(": ", 3)[:3] for line in result.stdout.splitlines()]
    assert refused == [
        ["2", "bad_time", "time"],
        ["4", "unknown_field", "data.measure"],
        ["5", "not_json", "-"],
        ["6", "too_large", "-"],
        ["8", "not_json", "-"],
    ]
    assert "red bag" not in result.stdout
    assert "2 accepted, 5 refused" in result.stderr


def test_check_reads_standard_input() -> None:
    run = [sys.executable, "-c", "from parvis_contract.cli import app; app()", "check", "-"]
    good = subprocess.run(run, input="\n".join(VALID), capture_output=True, text=True, check=False)
    assert (good.returncode, good.stdout) == (0, "")
    bad = subprocess.run(run, input=VALID[0] + "\nnull\n", capture_output=True, text=True, check=False)
    assert bad.returncode == 1
    assert bad.stdout.startswith("-:2: not_an_envelope: -: ")


def test_check_of_a_file_that_is_not_there() -> None:
    result = RUN.invoke(app, ["check", "no-such-file.jsonl"])
    assert result.exit_code == 2
    assert "no-such-file.jsonl: cannot be read" in result.stderr


def test_generate_writes_what_it_says(tmp_path: Path) -> None:
    result = RUN.invoke(app, ["generate", str(tmp_path / "out"), "--page", str(tmp_path / "page.md")])
    assert result.exit_code == 0
    said = {Path(line) for line in result.stdout.splitlines()}
    assert said == {path for path in tmp_path.rglob("*") if path.is_file()}
    assert len(said) == len(ENVELOPES) + 2
