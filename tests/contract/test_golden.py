"""Version 1 is frozen: messages that were of the contract once are of it still, and are written to the same bytes.

A line of `golden/v1.jsonl` is never changed and never taken out. What would need that is version 2, beside this one.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from parvis_contract import ENVELOPES, dump_message, parse_message

LINES = (Path(__file__).parent / "golden" / "v1.jsonl").read_bytes().splitlines()
#: Lines may be added below these, and then this changes; these themselves may not.
FROZEN_LINES, FROZEN_SHA256 = 32, "11ac1a12783ef47afca577383845e85ba2c039f6f6d9df256118d258bc5ba97c"


@pytest.mark.parametrize("raw", LINES, ids=range(1, len(LINES) + 1))
def test_a_message_of_version_1_is_one_and_is_written_alike(raw: bytes) -> None:
    assert dump_message(parse_message(raw)) == raw


def test_every_type_is_among_them() -> None:
    assert {parse_message(raw).name for raw in LINES} == set(ENVELOPES)


def test_no_line_was_changed() -> None:
    assert hashlib.sha256(b"\n".join(LINES[:FROZEN_LINES])).hexdigest() == FROZEN_SHA256
