"""Commands to units: issued once, said to the unit until it acknowledges, forgotten some time after they have expired."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from parvis_contract import (
    AllowlistCommand,
    CommandRefusal,
    ConfigCommand,
    ReleaseCommand,
    Signature,
    Site,
    UnitStatus,
    hub_source,
    make_message,
    parse_message,
    to_datetime,
)
from parvis_contract.signing import SigningKey
from sqlalchemy import Connection, Row, delete, insert, select, update

from parvis_hub.consent.allowlist import ranges
from parvis_hub.consent.consents import Consent, Status

from .database import Database
from .schema import commands

ALLOWLIST = "command.allowlist"
#: A unit that is cut off cannot be told of a withdrawal: it reads the tag until its list ends. So no list lasts longer.
MOST_DAYS = 31
#: How long a list lasts that the hub issues by itself, and so how long a unit that is cut off may read the tag of somebody who withdraws;
#: it is renewed halfway.
LASTING, RENEWED_BEFORE = timedelta(hours=24), timedelta(hours=12)
#: An expired command is shown for so long, as expired.
_SHOWN_US = 86_400_000_000
_UNSIGNED = Signature(key="0" * 64, value="0" * 128)


class NotIssued(ValueError):
    """A command cannot be issued; the message says why and what to do. Nothing was kept."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command that was issued.

    Attributes:
        unit, kind: To whom, and the short name of its type.
        counter: The unit acknowledges by it.
        expires: Until when it is in force.
        message: As it was signed.
        acknowledged: When the unit was heard to have taken it; None if it has not.
        refused: Why the unit's last status says that it took no command; None if it does not.
    """

    unit: str
    kind: str
    counter: int
    expires: datetime
    message: bytes
    acknowledged: datetime | None
    refused: CommandRefusal | None

    @property
    def tags(self) -> frozenset[int]:
        """Of an allowlist: its tags."""
        data: AllowlistCommand = parse_message(self.message).data
        return frozenset(number for span in data.allow for number in range(span.first, span.last + 1))


@dataclass(frozen=True, slots=True)
class Order:
    """A command before it is signed.

    Attributes:
        unit: To whom.
        command: Its model.
        fields: Of the model, but for those that every command has.
    """

    unit: str
    command: type[AllowlistCommand | ConfigCommand | ReleaseCommand]
    fields: Mapping[str, object]


_KINDS: Mapping[type, str] = {AllowlistCommand: ALLOWLIST, ConfigCommand: "command.config", ReleaseCommand: "command.release"}


def issue(connection: Connection, site: Site, key: SigningKey, order: Order, *, until: datetime, now: datetime) -> Command:
    """Signs a command, in place of the one of its type before; the hub that runs on this store sends it.

    Args:
        connection: In a transaction.
        site: The site plan.
        key: Whose signature the units know.
        order: What is asked of whom.
        until: When it ends; with its zone.
        now: With its zone.
    """
    kind = _KINDS[order.command]
    where = (commands.c.unit == order.unit) & (commands.c.kind == kind)
    before = connection.execute(select(commands.c.counter).where(where)).scalar()
    # By the clock, so that a store that was lost does not begin again below what units have seen.
    counter = max(round(now.timestamp() * 1000), (before or 0) + 1)
    data = order.command.model_validate({"unit": order.unit, "counter": counter, "expires": until, "signature": _UNSIGNED, **order.fields})
    message = key.sign(make_message(kind, source=hub_source(site.site), time=now, data=data))
    connection.execute(delete(commands).where(where))
    row = {"unit": order.unit, "kind": kind, "counter": counter, "message": message.decode()}
    connection.execute(insert(commands).values(**row, issued_us=_us(now), expires_us=_us(until)))
    return Command(order.unit, kind, counter, until, message, None, None)


def issue_allowlist(
    database: Database, site: Site, key: SigningKey, *, units: Sequence[str], tags: Iterable[int], until: datetime, now: datetime
) -> list[Command]:
    """Signs an allowlist for each of these units, in place of the one before; the hub that runs on this store sends it.

    Args:
        database: The hub's.
        site: The site plan; its `hub_keys` must have this key.
        key: Whose signature the units know.
        units: Names of the site plan.
        tags: Of those who have asked for a route and have not withdrawn; none at all withdraws every one.
        until: When the list ends; with its zone.
        now: With its zone.

    Raises:
        NotIssued: A unit is unknown, has no camera, or would not know the key; or the tags or the time are not possible.
    """
    if key.public_key not in site.hub_keys:
        raise NotIssued(f"{site.path}: `hub_keys` does not have this key, so units would refuse it; add {key.public_key}")
    for unit in units:
        if unit not in site.units:
            raise NotIssued(f"{site.path}: units: no unit {unit}; there are {', '.join(sorted(site.units))}")
        if "camera" not in site.units[unit].senses:
            raise NotIssued(f"{site.path}: units.{unit} has no camera: it reads no tag")
    if not now < until <= now + timedelta(days=MOST_DAYS):
        raise NotIssued(f"a list ends after now and within {MOST_DAYS} days, since a unit that is cut off cannot be told of a withdrawal")
    try:
        allow = ranges(tags)
    except ValueError as error:
        raise NotIssued(str(error)) from None
    with database.write() as connection:
        orders = [Order(unit, AllowlistCommand, {"allow": allow}) for unit in units]
        return [issue(connection, site, key, order, until=until, now=now) for order in orders]


def follow_register(database: Database, site: Site, key: SigningKey, register: Sequence[Consent], now: datetime) -> list[Command]:
    """Issues lists that hold the tags of all consents in force, and no other, where units have another or one that soon ends.

    Args:
        database: The hub's.
        site: The site plan; its `hub_keys` must have this key.
        key: Whose signature the units know.
        register: Every consent there is, ended ones among them. While there has never been one, lists that were issued by hand stand.
        now: With its zone.

    Raises:
        NotIssued: As :func:`issue_allowlist`.
    """
    if not register:
        return []
    tags = {consent.tag for consent in register if consent.status is Status.ACTIVE}
    lists = {command.unit: command for command in CommandStore(database).all() if command.kind == ALLOWLIST and command.expires > now}
    due = [
        name
        for name, unit in site.units.items()
        if "camera" in unit.senses
        and (tags != (lists[name].tags if name in lists else set()) or (tags and lists[name].expires - now < RENEWED_BEFORE))
    ]
    if not due:
        return []
    return issue_allowlist(database, site, key, units=due, tags=tags, until=now + LASTING, now=now)


@dataclass(frozen=True, slots=True)
class Lists:
    """The lists of tags, by unit: which, and until when in microseconds since 1970."""

    by_unit: Mapping[str, tuple[frozenset[int], int]]

    def allow(self, unit: str, tag: int, time_us: int) -> bool:
        """Whether a unit could read this tag at this time."""
        tags, until_us = self.by_unit.get(unit, (frozenset(), 0))
        return tag in tags and time_us < until_us


class CommandStore:
    """What has been issued, and what units have said of it.

    Args:
        database: The hub's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Command]:
        """Every command, by unit and type; expired ones for a day more."""
        with self._database.read() as connection:
            return [_command(row) for row in connection.execute(select(commands).order_by(commands.c.unit, commands.c.kind))]

    def unacknowledged(self, now_us: int) -> list[Command]:
        """The commands in force that their unit has not acknowledged, in the order in which they were issued."""
        wanted = commands.c.acknowledged_us.is_(None) & (commands.c.expires_us > now_us)
        with self._database.read() as connection:
            return [_command(row) for row in connection.execute(select(commands).where(wanted).order_by(commands.c.issued_us))]

    def heard(self, unit: str, status: UnitStatus, now_us: int) -> list[Command]:
        """Takes note of what a unit's status says of commands; gives those about which it says something new.

        A unit that has lost what it had taken (a new card) says so by not naming it: then it is told again.
        """
        changed = []
        taken = {f"command.{kind}": counter for kind, counter in status.commands if isinstance(counter, int)} if status.commands else {}
        refused = status.commands.refused if status.commands else None
        with self._database.write() as connection:
            for row in connection.execute(select(commands).where(commands.c.unit == unit)).all():
                known = taken.get(row.kind) == row.counter
                why = refused.value if refused and not known else None
                if (row.acknowledged_us is not None) == known and row.refused == why:
                    continue
                values = {"acknowledged_us": now_us if known else None, "refused": why}
                where = (commands.c.unit == unit) & (commands.c.kind == row.kind)
                connection.execute(update(commands).where(where).values(**values))
                changed += [_command(each) for each in connection.execute(select(commands).where(where))]
        return changed

    def lists(self) -> Lists:
        """Which tags units may read by their lists as they are now: of any other, nothing is kept."""
        issued = [command for command in self.all() if command.kind == ALLOWLIST]
        return Lists({command.unit: (command.tags, _us(command.expires)) for command in issued})

    def forget(self, now_us: int) -> None:
        """Deletes what has been expired for a day."""
        with self._database.write() as connection:
            connection.execute(delete(commands).where(commands.c.expires_us < now_us - _SHOWN_US))


def _us(time: datetime) -> int:
    return round(time.timestamp() * 1e6)


def _command(row: Row[tuple[object, ...]]) -> Command:
    acknowledged = None if row.acknowledged_us is None else to_datetime(row.acknowledged_us / 1e6)
    refused = None if row.refused is None else CommandRefusal(row.refused)
    expires = to_datetime(row.expires_us / 1e6)
    return Command(row.unit, row.kind, row.counter, expires, row.message.encode(), acknowledged, refused)
