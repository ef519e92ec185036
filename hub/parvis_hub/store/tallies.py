"""Counts by month, which outlast the rows that they are of: how many alerts, what was decided of them, how long units were heard from.

Nothing finer than a month and nothing of any one alert is in them. They are kept as facts, one text of JSON each, for as long as the
accountability log, which they must agree with.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from parvis_contract import Verdict, parse_message, to_datetime
from sqlalchemy import Connection, Row, delete, insert, select, update

from parvis_hub import governance
from parvis_hub.governance import DecisionReason, RowsExpired, VerdictGiven

from .schema import counters, decisions, facts, incidents, units

#: A unit that was heard from within this long is at work: it sends telemetry about every half minute.
HEARD_US = 90_000_000
#: The hub looks once a minute. What is longer than this was no look, but a hub that stood still.
_LOOK_US = 120_000_000


class Outcome(StrEnum):
    """What became of an alert; of a dismissed one, for which reason."""

    UNCONFIRMED = "unconfirmed"
    CONFIRMED = "confirmed"
    FALSE_ALARM = "false_alarm"
    TEST = "test"
    KNOWN_ACTIVITY = "known_activity"
    DUPLICATE = "duplicate"
    NOT_RELEVANT = "not_relevant"
    REASON_NOT_KEPT = "reason_not_kept"


Outcomes = Counter[Outcome]


@dataclass(frozen=True, slots=True)
class Month:
    """What a store and its log say of a month of the site's own calendar.

    Attributes:
        name: ``2026-11``.
        from_us, until_us: Its bounds, the second one not in it; microseconds since 1970 in UTC.
        counted_from_us: When the hub first counted in it; None if no hub ran on this store then.
        types: Outcomes of the alerts that were first observed in it, by type.
        units: The same by unit; an alert of two units counts for both.
        heard_h: Hours in which each unit was heard from, to the minute.
        received, duplicates, too_late: Messages that came.
        refused: Of these, by reason.
        verdicts: What people decided in it, of whatever alert, as the accountability log has it.
        deleted: Rows deleted in it because their time was over, by table, as the log has it.
        log_from_us: The oldest entry of the log if older ones were deleted; what was decided before is not in `verdicts`.
    """

    name: str
    from_us: int
    until_us: int
    counted_from_us: int | None
    types: dict[str, Outcomes]
    units: dict[str, Outcomes]
    heard_h: dict[str, float]
    received: int
    duplicates: int
    too_late: int
    refused: dict[str, int]
    verdicts: dict[Verdict, int]
    deleted: dict[str, int]
    log_from_us: int | None


def month_of(at_us: int, zone: str) -> str:
    """The month in which a time is, by the calendar of a time zone: ``2026-11``."""
    return f"{to_datetime(at_us / 1e6).astimezone(ZoneInfo(zone)):%Y-%m}"


def bounds_us(month: str, zone: str) -> tuple[int, int]:
    """When a month begins, and when the next one does; microseconds since 1970 in UTC.

    Raises:
        ValueError: It is not a month such as ``2026-11``.
    """
    begins = datetime.strptime(month, "%Y-%m").replace(tzinfo=ZoneInfo(zone))
    ends = begins.replace(year=begins.year + begins.month // 12, month=begins.month % 12 + 1)
    return round(begins.timestamp() * 1e6), round(ends.timestamp() * 1e6)


# --- counting, in the hub's own transactions ----------------------------------------------------------------------------------


def open_month(connection: Connection, now_us: int, zone: str) -> None:
    """Notes where the counters stand when a month begins, or when the hub first runs in it."""
    name = _name(month_of(now_us, zone), "opening")
    if _fact(connection, name) is None:
        standing = {row.name: row.value for row in connection.execute(select(counters))}
        connection.execute(insert(facts).values(name=name, value=_text({"at_us": now_us, "counters": standing})))


def count_heard(connection: Connection, now_us: int, last_look_us: int | None, zone: str) -> None:
    """Adds the time since the last look to every unit that was heard from just now."""
    passed_us = now_us - last_look_us if last_look_us is not None else 0
    if not 0 < passed_us <= _LOOK_US:
        return
    heard = connection.execute(select(units.c.name).where(units.c.last_seen_us > now_us - HEARD_US)).scalars().all()
    if heard:
        name = _name(month_of(now_us, zone), "heard")
        so_far = _fact(connection, name) or {}
        _put(connection, name, so_far | {unit: so_far.get(unit, 0) + passed_us for unit in heard})


def count_expiring(connection: Connection, now_us: int, zone: str) -> None:
    """Counts the alerts that the same transaction is about to delete."""
    expiring = select(incidents).where(incidents.c.expires_us < now_us, incidents.c.state != "open", incidents.c.superseded_by.is_(None))
    added: dict[str, tuple[dict[str, Outcomes], dict[str, Outcomes]]] = {}
    for row, outcome, of_units in _outcomes(connection, connection.execute(expiring).all()):
        types, by_unit = added.setdefault(month_of(row.first_us, zone), ({}, {}))
        _add(types, by_unit, row.type, outcome, of_units)
    for month, (types, by_unit) in added.items():
        name = _name(month, "alerts")
        kept = _fact(connection, name) or {"types": {}, "units": {}}
        _put(connection, name, {"types": _sum(types, kept["types"]), "units": _sum(by_unit, kept["units"])})


def drop_before(connection: Connection, before_us: int, zone: str) -> None:
    """Deletes the counts of months that were over by then."""
    oldest = _name(month_of(before_us, zone), "")
    connection.execute(delete(facts).where(facts.c.name.like("month.%"), facts.c.name < oldest))


# --- reading ------------------------------------------------------------------------------------------------------------------


def months(connection: Connection) -> list[str]:
    """The months of which there are counts, the oldest first."""
    return sorted({row.name.split(".")[1] for row in connection.execute(select(facts.c.name).where(facts.c.name.like("month.%")))})


def read_month(connection: Connection, month: str, zone: str) -> Month:
    """What the store and its log say of a month: what has expired as it was counted, the rest as it stands.

    Args:
        connection: One consistent view of a store.
        month: ``2026-11``.
        zone: The site's time zone.

    Raises:
        ValueError: It is not a month.
        parvis_hub.governance.LogBroken: An entry of the log cannot be read.
    """
    from_us, until_us = bounds_us(month, zone)
    kept = _fact(connection, _name(month, "alerts")) or {"types": {}, "units": {}}
    types, by_unit = ({name: Counter({Outcome(key): n for key, n in each.items()}) for name, each in kept[of].items()} for of in kept)
    there = select(incidents).where(incidents.c.first_us >= from_us, incidents.c.first_us < until_us, incidents.c.superseded_by.is_(None))
    for row, outcome, of_units in _outcomes(connection, connection.execute(there).all()):
        _add(types, by_unit, row.type, outcome, of_units)
    opening = _fact(connection, _name(month, "opening"))
    passed = _passed(connection, month, opening["counters"]) if opening else Counter()
    heard: dict[str, int] = _fact(connection, _name(month, "heard")) or {}
    verdicts, deleted, log_from_us = _logged(connection, from_us, until_us)
    return Month(
        name=month,
        from_us=from_us,
        until_us=until_us,
        counted_from_us=opening["at_us"] if opening else None,
        types=types,
        units=by_unit,
        heard_h={unit: us / 3.6e9 for unit, us in sorted(heard.items())},
        received=passed["received"],
        duplicates=passed["duplicates"],
        too_late=passed["too_late"],
        refused={name.removeprefix("refused."): n for name, n in sorted(passed.items()) if name.startswith("refused.") and n},
        verdicts=verdicts,
        deleted=deleted,
        log_from_us=log_from_us,
    )


def _passed(connection: Connection, month: str, opening: dict[str, int]) -> Counter[str]:
    """How far the counters went in a month: to where the next month opened that a hub ran in, or to where they stand."""
    later = [name for name in months(connection) if name > month and _fact(connection, _name(name, "opening"))]
    if later:
        closing: dict[str, int] = _fact(connection, _name(later[0], "opening"))["counters"]
    else:
        closing = {row.name: row.value for row in connection.execute(select(counters))}
    return Counter({name: value - opening.get(name, 0) for name, value in closing.items()})


def _logged(connection: Connection, from_us: int, until_us: int) -> tuple[dict[Verdict, int], dict[str, int], int | None]:
    verdicts: Counter[Verdict] = Counter()
    deleted: Counter[str] = Counter()
    oldest = None
    for entry in governance.entries(connection):
        oldest = oldest or entry
        if from_us <= entry.at_us < until_us:
            if isinstance(entry.about, VerdictGiven):
                verdicts[entry.about.verdict] += 1
            elif isinstance(entry.about, RowsExpired):
                deleted.update(entry.about.model_dump())
    cut = oldest is not None and oldest.number > 1 and oldest.at_us > from_us
    return dict(verdicts), {name: n for name, n in sorted(deleted.items()) if n}, oldest.at_us if oldest and cut else None


def _outcomes(connection: Connection, rows: Iterable[Row[Any]]) -> Iterator[tuple[Row[Any], Outcome, tuple[str, ...]]]:
    """Each incident with what became of it and the units that told it. A decision follows its event through merges."""
    reasons: dict[str, tuple[int, str]] | None = None
    for row in rows:
        incident = parse_message(row.message).data
        outcome = Outcome.CONFIRMED if row.verdict == Verdict.CONFIRMED.value else Outcome.UNCONFIRMED
        if row.verdict == Verdict.DISMISSED.value:
            if reasons is None:
                found = connection.execute(select(decisions.c.event, decisions.c.row, decisions.c.reason).order_by(decisions.c.row))
                reasons = {each.event: (each.row, each.reason) for each in found}
            given = [reasons[str(event)] for event in incident.events if str(event) in reasons]
            outcome = Outcome(DecisionReason(max(given)[1]).value) if given else Outcome.REASON_NOT_KEPT
        yield row, outcome, incident.units


def _add(types: dict[str, Outcomes], by_unit: dict[str, Outcomes], type: str, outcome: Outcome, of_units: Iterable[str]) -> None:
    types.setdefault(type, Counter())[outcome] += 1
    for unit in of_units:
        by_unit.setdefault(unit, Counter())[outcome] += 1


def _sum(added: dict[str, Outcomes], kept: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    return {name: dict(Counter(kept.get(name, {})) + Counter(added.get(name, {}))) for name in {*added, *kept}}


def _name(month: str, what: str) -> str:
    return f"month.{month}.{what}"


def _fact(connection: Connection, name: str) -> Any:
    value = connection.execute(select(facts.c.value).where(facts.c.name == name)).scalar_one_or_none()
    return None if value is None else json.loads(value)


def _put(connection: Connection, name: str, value: Any) -> None:
    changed = connection.execute(update(facts).where(facts.c.name == name).values(value=_text(value)))
    if not changed.rowcount:
        connection.execute(insert(facts).values(name=name, value=_text(value)))


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
