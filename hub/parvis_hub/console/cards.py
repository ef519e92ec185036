"""The cards of the models: from which score on a class counts, and how often such a report has been right."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from parvis_contract import Incident, ModelRef, ObjectClass
from parvis_contract.card import Card
from pydantic import ValidationError


@dataclass(frozen=True, slots=True)
class Figures:
    """What a card says of one class.

    Attributes:
        label: The class.
        precision, recall: At the threshold, in [0, 1]; None where it was not measured.
        false_alarms_per_hour: Per hour of sound without the class; None for pictures.
        data: What it was measured on.
    """

    label: str
    precision: float | None
    recall: float | None
    false_alarms_per_hour: float | None
    data: str


class Cards:
    """The cards that the hub has, by name and version of their models."""

    def __init__(self, cards: Iterable[Card] = ()) -> None:
        self._cards = {(card.name, card.version): card for card in cards}

    @property
    def all(self) -> tuple[Card, ...]:
        """Every card."""
        return tuple(self._cards.values())

    def figures(self, model: ModelRef, label: str | None) -> Figures | None:
        """How often the model has been right about a class; None where no card says."""
        card = self._cards.get((model.name, model.version))
        if card is None or card.accuracy is None or label is None or label not in card.accuracy.classes:
            return None
        measured = card.accuracy.classes[label]
        return Figures(
            label=label,
            precision=None if measured.precision_int8 is None else measured.precision_int8 / 100.0,
            recall=None if measured.recall_int8 is None else measured.recall_int8 / 100.0,
            false_alarms_per_hour=measured.false_alarms_per_hour_int8,
            data=card.accuracy.data,
        )


def class_of(incident: Incident) -> str | None:
    """The class of a model that an incident speaks of; None where its type has none."""
    label = getattr(incident.measure, "sound_class", None) or getattr(incident.measure, "object_class", None)
    if label is None:
        return None
    # The detector tells vehicles apart and a message does not; most are cars.
    return "car" if label is ObjectClass.VEHICLE else str(label.value)


def zoo_folder() -> Path:
    """Where a checkout has its models; a hub that was installed alone has none."""
    return Path(__file__).parents[3] / "models" / "zoo"


def load_cards(folder: Path) -> Cards:
    """Reads ``<folder>/<name>/<version>/card.json``. A card that cannot be read is passed over: the console then says that it has none."""
    cards = []
    for path in sorted(folder.glob("*/*/card.json")):
        try:
            cards.append(Card.model_validate_json(path.read_bytes()))
        except (OSError, ValidationError):
            continue
    return Cards(cards)
