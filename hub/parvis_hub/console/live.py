"""What changes, told to every browser at once: numbered, so that one that was away a moment misses nothing."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from anyio import to_thread
from parvis_contract import Site, format_time, to_datetime
from sqlalchemy.exc import SQLAlchemyError
from sse_starlette import ServerSentEvent

from parvis_hub.store import Desk, Notice

from .views import View, dump, incident_view, unit_view

#: How often a browser hears that the hub is there, and the hub looks which unit has fallen silent. The page gives up after three.
HEARTBEAT_S = 5.0
#: So many changes are kept for a browser that comes back; one that missed more reads everything again.
KEPT_CHANGES = 2_000


@dataclass(frozen=True, slots=True)
class Change:
    """One numbered change: the name of the server-sent event, and its data as JSON."""

    number: int
    event: str
    data: str


class Live:
    """Reads the desk's notices once and hands them to all readers.

    Runs in the event loop that :meth:`run` is awaited in; what it asks the desk, it asks in a thread.

    Attributes:
        heartbeat_s: How often a browser hears that the hub is there.
    """

    def __init__(self, desk: Desk, site: Site, now: Callable[[], datetime], *, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._desk = desk
        self._site = site
        self._now = now
        self.heartbeat_s = heartbeat_s
        # Of this start of the hub: numbers of another start mean nothing here.
        self._epoch = secrets.token_hex(4)
        self._changes: deque[Change] = deque(maxlen=KEPT_CHANGES)
        self._last = 0
        self._units: dict[str, str] = {}
        self._arrived = asyncio.Condition()

    async def run(self) -> None:
        """Follows the desk until it is cancelled."""
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        subscription = self._desk.subscribe(lambda: _wake(loop, woken))
        try:
            missed = False
            while True:
                try:
                    told = await to_thread.run_sync(self._read, subscription.take())
                except SQLAlchemyError:
                    # The hub says so itself. What was to be told is read again when it can be.
                    missed = True
                else:
                    await self._add([("resync", {}), *told] if missed else told)
                    missed = False
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(woken.wait(), self.heartbeat_s)
                woken.clear()
        finally:
            subscription.close()

    def _read(self, notices: list[Notice]) -> list[tuple[str, View]]:
        told: dict[str, tuple[str, View]] = {}
        for notice in notices:
            if notice.kind == "resync":
                told["resync"] = ("resync", {})
            elif notice.kind == "incident":
                told.update((key, ("incident", view)) for key, view in self._incident(notice.key))
        # Units are compared rather than believed: one falls silent without anybody saying so.
        for unit in self._desk.units():
            view = unit_view(unit, self._site)
            text = dump(view)
            if self._units.get(unit.name) != text:
                known = unit.name in self._units
                self._units[unit.name] = text
                if known:
                    told[unit.name] = ("unit", view)
        return list(told.values())

    def _incident(self, id: str) -> Iterator[tuple[str, View]]:
        detail = self._desk.incident(uuid.UUID(id))
        now = str(detail.row.message.data.incident) if detail else None
        if now != id:
            yield id, {"id": id, "gone": True}
        if detail and now:
            yield now, incident_view(detail.row)

    async def _add(self, told: list[tuple[str, View]]) -> None:
        if not told:
            return
        async with self._arrived:
            for event, view in told:
                self._last += 1
                self._changes.append(Change(self._last, event, dump(view)))
            self._arrived.notify_all()

    def position(self) -> str:
        """The number of the last change so far. Whoever takes it, then reads everything, then follows from it, misses nothing."""
        return self._id(self._last)

    async def follow(self, last_id: str | None) -> AsyncIterator[ServerSentEvent]:
        """The changes for one browser, for ever.

        Args:
            last_id: Of the last change that it has; None if it has just read everything.
        """
        resumed_at = self._position(last_id)
        at = self._last if resumed_at is None else resumed_at
        yield self._hello(at)
        if resumed_at is None:
            yield ServerSentEvent("{}", event="resync", id=self._id(at))
        told_s = time.monotonic()
        while True:
            async with self._arrived:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._arrived.wait_for(partial(self._beyond, at)), self.heartbeat_s)
                changes = [change for change in self._changes if change.number > at]
            if changes and changes[0].number > at + 1:
                # So slow that some have been dropped meanwhile.
                at = self._last
                yield ServerSentEvent("{}", event="resync", id=self._id(at))
                continue
            for change in changes:
                at = change.number
                yield ServerSentEvent(change.data, event=change.event, id=self._id(change.number))
            # Also while much changes, or the page would not hear what the hub suffers from.
            if not changes or time.monotonic() - told_s >= self.heartbeat_s:
                told_s = time.monotonic()
                yield ServerSentEvent(self._well(), event="heartbeat")

    def _beyond(self, at: int) -> bool:
        return self._last > at

    def _hello(self, at: int) -> ServerSentEvent:
        return ServerSentEvent(self._well(), event="hello", id=self._id(at))

    def _well(self) -> str:
        """The time, and what the hub suffers from since when."""
        troubles = {name: format_time(to_datetime(since_us / 1e6)) for name, since_us in self._desk.changes.troubles.items()}
        return dump({"time": format_time(self._now()), "troubles": troubles})

    def _id(self, number: int) -> str:
        return f"{self._epoch}-{number}"

    def _position(self, last_id: str | None) -> int | None:
        """Up to where a browser has everything; None if that cannot be told."""
        if last_id is None:
            return None
        epoch, _, number = last_id.partition("-")
        if epoch != self._epoch or not number.isascii() or not number.isdigit() or len(number) > 15:
            return None
        oldest = self._changes[0].number if self._changes else self._last + 1
        return int(number) if oldest - 1 <= int(number) <= self._last else None


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    # The hub may be closing: a change that nobody will read any more needs no waking.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)
