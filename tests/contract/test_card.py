"""A model's card: the shipped ones are cards, and one that contradicts itself is none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from parvis_contract.card import Card
from pydantic import ValidationError

ZOO = Path(__file__).resolve().parents[2] / "models" / "zoo"
CARDS = sorted(ZOO.glob("*/*/card.json"))


def test_there_are_two_models() -> None:
    assert {path.parent.parent.name for path in CARDS} == {"nanodet-g-416", "yamnet"}


@pytest.mark.parametrize("path", CARDS, ids=lambda path: path.parent.parent.name)
def test_a_shipped_card_describes_the_files_beside_it(path: Path) -> None:
    card = Card.model_validate_json(path.read_bytes())
    assert (card.name, card.version) == (path.parent.parent.name, path.parent.name)
    model = (path.parent / card.model_file).read_bytes()
    assert (hashlib.sha256(model).hexdigest(), len(model)) == (card.sha256, card.size_bytes)
    assert len((path.parent / card.licence.file).read_text(encoding="utf-8")) > 1000
    assert Card.model_validate_json(card.model_dump_json()) == card


def _first() -> dict[str, Any]:
    value: dict[str, Any] = json.loads(CARDS[0].read_bytes())
    return value


def _doubled(card: dict[str, Any]) -> None:
    card["labels"][1] = card["labels"][0]


def _unknown_label(card: dict[str, Any]) -> None:
    next(iter(card["thresholds"].values()))["labels"] = ["face"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_doubled, "a label stands twice"),
        (lambda card: card["labels"].pop(), "scores, but"),
        (_unknown_label, "labels that the model has not"),
        (lambda card: card.update(sha256="0" * 63), "pattern"),
        (lambda card: card.update(sha256="0" * 64 + "\n"), "pattern"),
        (lambda card: card.update(known_failures=[]), "at least 1 item"),
        (lambda card: card.update(thresholds={}), "at least 1 item"),
        (lambda card: card.pop("licence"), "Field required"),
        (lambda card: card.update(remarks="none"), "not permitted"),
    ],
)
def test_a_card_that_is_none(change: Callable[[dict[str, Any]], object], said: str) -> None:
    card = _first()
    change(card)
    with pytest.raises(ValidationError, match=said):
        Card.model_validate_json(json.dumps(card))
