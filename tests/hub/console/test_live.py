"""The stream of changes: nothing is missed by a browser that was away a moment, and one that missed too much reads everything again."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from parvis_contract import ObjectUnattended, UnitState, new_id
from parvis_hub.console import live as live_module
from parvis_hub.console.live import Live
from parvis_hub.store import Notice
from sqlalchemy import text

from tests.hub.console.hub import Hub, before_camera

LEFT = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)
Told = tuple[str, Any, str | None]


def left(hub: Hub, right_m: float = 0.0) -> str:
    return hub.report("u011", "object.unattended", LEFT, place_m=before_camera(18, right_m))


async def told(stream: AsyncIterator[Any], count: int, *, heartbeats: bool = False) -> list[Told]:
    """The next so many, of which heartbeats count only where asked for."""
    found: list[Told] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            event = await anext(stream)
            if heartbeats or event.event != "heartbeat":
                found.append((event.event, json.loads(event.data), event.id))
    return found


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110  # what is waited for says nothing when it is there
            await asyncio.sleep(0.01)


def follow(hub: Hub, story: Callable[[Live], Awaitable[None]]) -> None:
    """Runs a story beside a live stream."""

    async def run() -> None:
        live = Live(hub.desk, hub.site, lambda: datetime.now(UTC), heartbeat_s=0.05)
        running = asyncio.create_task(live.run())
        await until(lambda: bool(live._units))  # it has looked at the units once
        try:
            await story(live)
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await running

    asyncio.run(run())


def test_a_change_is_told_to_every_reader(hub: Hub) -> None:
    async def story(live: Live) -> None:
        one, other = live.follow(live.position()), live.follow(live.position())
        assert [event for event, *_ in await told(one, 1) + await told(other, 1)] == ["hello", "hello"]
        incident = await asyncio.to_thread(left, hub)
        for reader in (one, other):
            names = {event: data for event, data, _ in await told(reader, 2)}
            assert names["incident"]["incident"]["incident"] == incident
            assert names["unit"]["name"] == "u011"

    follow(hub, story)


def test_who_resumes_gets_what_was_missed_and_no_more(hub: Hub) -> None:
    async def story(live: Live) -> None:
        at = live.position()
        first = await asyncio.to_thread(left, hub, 0.0)
        seen = await told(live.follow(at), 3)
        last_id = seen[-1][2]
        second = await asyncio.to_thread(left, hub, 6.0)
        ids = [data["incident"]["incident"] for event, data, _ in await told(live.follow(at), 4) if event == "incident"]
        assert first in ids
        missed = [data["incident"]["incident"] for event, data, _ in await told(live.follow(last_id), 2) if event == "incident"]
        assert missed == [second]

    follow(hub, story)


@pytest.mark.parametrize("last_id", [None, "", "x", "00000000-5", "deadbeef-", "deadbeef-99999999999999999999", "é-1"])
def test_who_comes_with_a_strange_number_reads_everything_again(hub: Hub, last_id: str | None) -> None:
    async def story(live: Live) -> None:
        assert [event for event, *_ in await told(live.follow(last_id), 2)] == ["hello", "resync"]

    follow(hub, story)


def test_who_missed_more_than_is_kept_reads_everything_again(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "KEPT_CHANGES", 2)

    async def story(live: Live) -> None:
        at = live.position()
        slow = live.follow(at)
        await told(slow, 1)
        for right_m in (-6.0, 0.0, 6.0):
            await asyncio.to_thread(left, hub, right_m)
        await until(lambda: live.position() >= at[:9] + "3")
        assert [event for event, *_ in await told(live.follow(at), 2)] == ["hello", "resync"]
        assert (await told(slow, 1))[0][0] == "resync"

    follow(hub, story)


def test_the_hub_says_that_it_is_there(hub: Hub) -> None:
    async def story(live: Live) -> None:
        beats = await told(live.follow(live.position()), 3, heartbeats=True)
        assert [event for event, *_ in beats] == ["hello", "heartbeat", "heartbeat"]
        assert beats[2][1]["time"] > beats[1][1]["time"]

    follow(hub, story)


def test_a_unit_that_falls_silent_is_told_without_a_message(make_hub: Callable[..., Hub]) -> None:
    hub = make_hub(silent_after_s=0.4)
    hub.status("u003", UnitState.HEALTHY)

    async def story(live: Live) -> None:
        [_, (event, data, _)] = await told(live.follow(live.position()), 2)
        assert (event, data["name"], data["silent"]) == ("unit", "u003", True)

    follow(hub, story)


def test_an_incident_that_is_no_longer_kept_is_told_as_gone(hub: Hub) -> None:
    async def story(live: Live) -> None:
        unknown = str(new_id())
        stream = live.follow(live.position())
        await told(stream, 1)
        hub.notices.tell(Notice("incident", unknown))
        assert [(event, data) for event, data, _ in await told(stream, 1)] == [("incident", {"id": unknown, "gone": True})]
        hub.notices.tell(Notice("resync"))
        assert [event for event, *_ in await told(stream, 1)] == ["resync"]

    follow(hub, story)


def test_a_store_that_was_away_is_said_and_everything_is_read_again_after_it(hub: Hub) -> None:
    def rename(old: str, new: str) -> None:
        with hub.store.database.write() as connection:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))

    async def story(live: Live) -> None:
        reader = live.follow(live.position())
        ((_, well, _),) = await told(reader, 1)
        assert well["troubles"] == {}
        hub.desk.changes.suffer("store", 1_780_000_000_000_000)
        await asyncio.to_thread(rename, "units", "away")
        await asyncio.sleep(0.3)
        while True:
            ((event, data, _),) = await told(reader, 1, heartbeats=True)
            if event == "heartbeat" and data["troubles"]:
                break
        assert data["troubles"] == {"store": "2026-05-28T20:26:40.000000Z"}
        await asyncio.to_thread(rename, "away", "units")
        assert [event for event, *_ in await told(reader, 1)] == ["resync"]

    follow(hub, story)
