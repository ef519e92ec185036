"""The fleet at the console: a rollout as a picture, why it was halted, and who may steer it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest
from parvis_contract import CommandRefusal, ModelRef, UnitState
from parvis_hub.governance import Role, RolloutChanged, entries
from parvis_hub.rollout import Order, Phase, ReleaseTarget, RolloutShelf, new_rollout
from parvis_hub.rollout.decide import Step, UnitNow, sent, step
from parvis_hub.rollout.rates import Jump, Tally
from parvis_hub.store.schema import certificates
from playwright.sync_api import Page, expect
from sqlalchemy import insert

from .hub import Hub
from .test_session_page import PASSWORD, sign_in

NOW_US = 1_790_000_000_000_000


def target(version: str) -> ReleaseTarget:
    return ReleaseTarget(model=ModelRef(name="nanodet-g-416", version=version), sha256=version[2] * 64)


@pytest.fixture
def shelf(hub: Hub) -> RolloutShelf:
    """Where a rollout was started whose canary has refused what it was asked to take."""
    shelf = RolloutShelf(hub.database, lambda: NOW_US)
    order = Order(target("1.1.0"), target("1.0.0"), sorted(hub.site.units), shares=(0.5, 1.0))
    rollout = new_rollout(order, uuid.uuid4(), NOW_US)
    shelf.start(rollout, "m-roux")
    first = rollout.rings[0].units[0]
    there = dict.fromkeys(rollout.members, UnitNow(present=True, state=UnitState.HEALTHY))
    rollout = sent(rollout, first, 7, there[first], NOW_US)
    there[first] = replace(there[first], counter=7, refused=CommandRefusal.NOT_SUPPORTED)
    with shelf.changing() as connection:
        shelf.keep(connection, step(rollout, there, NOW_US + 1), "hub")
    return shelf


def test_a_maintainer_sees_why_it_was_halted_and_sends_it_back(hub: Hub, shelf: RolloutShelf, open_page: Callable[..., Page]) -> None:
    hub.users.add("m-roux", Role.MAINTAINER, PASSWORD, "hub")
    page = open_page(name=None, wait=False)
    sign_in(page, "m-roux")
    page.locator("#fleet").click()
    dialog = page.get_by_role("dialog", name="Fleet")
    expect(dialog).to_contain_text("nanodet-g-416 1.1.0 · halted")
    first = shelf.one().rings[0].units[0]
    expect(dialog).to_contain_text(f"Halted: refused at {first}; 1 had been asked.")
    expect(dialog.locator("[data-step='refused']")).to_have_text(f"{first}: refused")
    expect(dialog.locator("[data-step='waits']")).to_have_count(len(hub.site.units) - 1)
    expect(dialog.locator("tbody tr")).to_have_count(len(hub.site.units))
    dialog.get_by_role("button", name="Roll back").click()
    assert shelf.one().phase is Phase.HALTED
    dialog.get_by_role("button", name="Roll back: sure?").click()
    expect(dialog).to_contain_text("goes back")
    assert shelf.one().phase is Phase.GOING_BACK
    with hub.database.read() as connection:
        acts = [(entry.by, entry.about.act) for entry in entries(connection) if isinstance(entry.about, RolloutChanged)]
    assert acts == [("m-roux", "started"), ("hub", "halted"), ("m-roux", "going_back")]


def test_a_certificate_that_ends_soon_is_marked(hub: Hub, open_page: Callable[..., Page]) -> None:
    now_us = time.time_ns() // 1000
    with hub.database.write() as connection:
        for name, kind, days in (("u003", "unit", 10), ("u011", "unit", 50), ("broker", "broker", 5)):
            row = {"serial": name, "name": name, "kind": kind, "key": name, "until_us": now_us + days * 86_400_000_000, "pem": ""}
            connection.execute(insert(certificates).values(row))
    page = open_page()
    page.locator("#fleet").click()
    dialog = page.get_by_role("dialog", name="Fleet")
    expect(dialog.locator("#fleet-ends")).to_contain_text("The certificate of broker ends")
    expect(dialog.locator("tr[data-unit='u003'] td.error")).to_contain_text("ends soon")
    expect(dialog.locator("tr[data-unit='u011'] td.error")).to_have_count(0)


def test_an_operator_looks_and_cannot_steer_and_a_jump_is_shown_with_its_figures(
    hub: Hub, shelf: RolloutShelf, open_page: Callable[..., Page]
) -> None:
    rates = [Tally(events=events, hours=100.0) for events in (50, 400, 60, 70)]
    jump = Jump(
        type="crowd.density",
        before=rates[0],
        after=rates[1],
        others_before=rates[2],
        others_after=rates[3],
        dispersion=1.2,
        p=1e-9,
        limit=1e-4,
    )
    rollout = shelf.one()
    assert rollout.halt is not None
    with shelf.changing() as connection:
        shelf.keep(connection, Step(rollout.model_copy(update={"halt": rollout.halt.model_copy(update={"jump": jump})})), "hub")
    hub.users.add("a-martin", Role.OPERATOR, PASSWORD, "hub")
    page = open_page(name=None, wait=False)
    sign_in(page, "a-martin")
    page.locator("#fleet").click()
    dialog = page.get_by_role("dialog", name="Fleet")
    expect(dialog).to_contain_text("0.5 an hour and unit before, 4 since. Other units: 0.6 before, 0.7 since.")
    expect(dialog.get_by_role("button", name="Roll back")).to_have_count(0)
    answers = page.evaluate(
        """async (id) => {
            const {csrf} = await (await fetch("api/session")).json();
            const send = (more) => fetch(`api/rollouts/${id}/back`, {method: "POST", body: "{}",
                headers: {"content-type": "application/json", "x-parvis-console": "1", ...more}});
            return [(await send({"x-parvis-csrf": csrf})).status, (await send({})).status];
        }""",
        str(rollout.id),
    )
    assert answers == [403, 403]
    assert shelf.one().phase is Phase.HALTED
