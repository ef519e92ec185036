"""Replay: small logs and what must come of them, the command as others call it, and the same bytes for the same input."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from parvis_contract import parse_message

from tests.hub.street import START_S, Street, busy_street, lines, write_site

GOLDEN = Path(__file__).parent / "golden"


def replay(folder: Path, *files: Path, code: int = 0) -> tuple[bytes, str]:
    command = [
        sys.executable,
        "-c",
        "from parvis_hub.cli import app; app()",
        "replay",
        "--site",
        str(folder / "site.yaml"),
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == code, done.stderr.decode()
    return done.stdout, done.stderr.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_site(tmp_path / "site.yaml")
    return tmp_path


def test_small_logs_give_what_they_gave(folder: Path) -> None:
    """A shot heard by four, an object seen by two and a covered unit; among them a message twice and one that is far too late."""
    incidents, said = replay(folder, GOLDEN / "corner.jsonl")
    found = [json.loads(line) for line in incidents.splitlines()]
    golden = [json.loads(line) for line in (GOLDEN / "corner.incidents.jsonl").read_bytes().splitlines()]
    for each, expected in zip(found, golden, strict=True):
        # The last digit of a located sound, and so the id that is derived from it, may differ from one processor to another.
        position, wanted = each["data"].pop("position"), expected["data"].pop("position")
        assert [position["lon"], position["lat"]] == pytest.approx([wanted["lon"], wanted["lat"]], abs=3e-7)
        assert position["ellipse"] == pytest.approx(wanted["ellipse"], abs=0.1)
        assert each | {"id": ""} == expected | {"id": ""}
    assert "duplicates 1" in said
    assert "too_late 1" in said
    assert "refused.unknown_unit 1" in said


def test_the_same_messages_give_the_same_bytes_in_any_order_and_any_number_of_files(folder: Path) -> None:
    messages = busy_street(21, over_s=100.0).sorted()
    (folder / "all.jsonl").write_bytes(lines(messages))
    whole, _ = replay(folder, folder / "all.jsonl")
    assert whole
    random.Random(1).shuffle(messages)
    (folder / "one.jsonl").write_bytes(lines(messages[:50]))
    (folder / "two.jsonl").write_bytes(lines(messages[40:]))
    assert replay(folder, folder / "one.jsonl", folder / "two.jsonl")[0] == whole
    for line in whole.splitlines():
        parse_message(line)


def test_what_is_refused_is_named_with_its_line(folder: Path) -> None:
    street = Street()
    street.tampered(START_S, 0)
    good = lines(street.messages)
    elsewhere = good.splitlines()[0].replace(b":quay:", b":pier:")
    (folder / "log.jsonl").write_bytes(b"\xff\n\n" + good + b'{"specversion": "1.0"}\n' + elsewhere)
    incidents, said = replay(folder, folder / "log.jsonl")
    (line,) = incidents.splitlines()
    assert json.loads(line)["data"]["measure"] == {"cause": "covered"}
    assert "log.jsonl:1: not_json" in said
    assert "log.jsonl:5: unknown_type" in said
    assert "log.jsonl:6: unknown_unit" in said


def test_an_empty_log_has_no_incidents(folder: Path) -> None:
    (folder / "empty.jsonl").write_bytes(b"")
    assert replay(folder, folder / "empty.jsonl")[0] == b""


def test_what_cannot_be_read_is_said(folder: Path) -> None:
    _, said = replay(folder, folder / "missing.jsonl", code=2)
    assert "missing.jsonl cannot be read: No such file" in said
    (folder / "site.yaml").write_text("site: quay\n")
    _, said = replay(folder, folder / "missing.jsonl", code=2)
    assert "site.yaml" in said
    assert "units" in said
