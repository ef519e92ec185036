"""How often what a unit reported turned out to be a false alarm: counted from what people decided, and never a score of the next one."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass

from parvis_contract import Verdict
from sqlalchemy import Connection, select

from parvis_hub.governance import DecisionReason

from .schema import decisions, incidents, members

#: So many of a type are looked at, the last observed first: more would say how a unit once was, and take long to read.
LATEST = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of the incidents of one type that a unit had a part in.

    Attributes:
        unit: Which.
        decided: How many were confirmed or dismissed.
        false_alarms: How many of these were dismissed because nothing was there.
    """

    unit: str
    decided: int
    false_alarms: int


def outcomes(connection: Connection, type: str) -> dict[str, Outcome]:
    """What became of a type's incidents, by unit; a decision that was taken back counts as none.

    Args:
        connection: To read.
        type: The event type's short name.
    """
    latest = select(incidents.c.id, incidents.c.message).where(incidents.c.superseded_by.is_(None), incidents.c.type == type)
    latest = latest.where(incidents.c.verdict != Verdict.UNCONFIRMED.value).order_by(incidents.c.last_us.desc()).limit(LATEST)
    chosen = latest.subquery()
    given = select(chosen.c.id, decisions.c.reason).join(members, members.c.incident == chosen.c.id)
    given = given.join(decisions, decisions.c.event == members.c.event).order_by(decisions.c.row)
    # The last decision about any of its events is the one that holds.
    reasons: dict[str, str] = {row.id: row.reason for row in connection.execute(given)}
    decided: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for row in connection.execute(latest):
        units = json.loads(row.message)["data"]["units"]
        decided.update(units)
        if reasons.get(row.id) == DecisionReason.FALSE_ALARM.value:
            wrong.update(units)
    return {unit: Outcome(unit, count, wrong[unit]) for unit, count in decided.items()}
