"""The control room's page names the console's own keys, reasons and states."""

from __future__ import annotations

import json
import re

from parvis_hub.governance import ROLES, May, Role
from parvis_hub.store import REASONS
from parvis_hub.store.desk import SILENT_AFTER_S

from tests.docs.pages import ROOT, rows, text_of

PAGE = text_of(ROOT / "docs" / "control-room.md")
STATIC = ROOT / "hub" / "parvis_hub" / "console" / "static"
WORDS = json.loads(text_of(STATIC / "i18n" / "en.json"))


def test_the_keys_are_the_console_s() -> None:
    listed = {key for keys, _ in rows(PAGE, "key") for key in re.findall(r"`([^`]+)`", keys)}
    code = text_of(STATIC / "js" / "keys.js")
    table = code[code.index("[[") : code.index("];", code.index("[["))]
    named = {key for key in re.findall(r'"([^"]+)"', table) if not key.startswith("keys.") and not re.search(r"\d–\d", key)}
    assert listed - {"Enter", "Esc"} == named


def test_the_reasons_are_those_that_a_decision_may_have() -> None:
    said = dict(rows(PAGE, "decision"))
    for word, verdict in (("Confirm", "confirmed"), ("Dismiss", "dismissed"), ("Withdraw", "unconfirmed")):
        reasons = next(each for name, each in REASONS.items() if name == verdict)
        assert [text.strip() for text in said[word].split("·")] == [_lower(WORDS[f"verdict_reason.{reason}"]) for reason in reasons]


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]


def test_the_states_of_a_unit_are_the_console_s() -> None:
    said = {name.strip() for cell, _ in rows(PAGE, "state") for name in cell.split(",")}
    assert said == {WORDS[key] for key in WORDS if re.fullmatch(r"health\.\w+", key)}
    assert SILENT_AFTER_S == 90
    assert "nothing has come from it for a minute and a half" in PAGE


def test_the_roles_may_do_what_the_table_says() -> None:
    [head] = [line for line in PAGE.splitlines() if line.startswith("| may |")]
    roles = [cell.strip() for cell in head.strip("|").split("|")[1:]]
    told = {Role(role): {May(row[0]) for row in rows(PAGE, "may") if row[1 + at] == "yes"} for at, role in enumerate(roles)}
    assert told == ROLES
    assert len(rows(PAGE, "may")) == len(May)
