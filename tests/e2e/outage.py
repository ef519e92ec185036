"""A shift at its page while the hub suffers: a real broker, PostgreSQL, hub and browser, of which one after the other goes away."""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from parvis_contract import Envelope, Operator, Site, Verdict
from parvis_hub.accounts import Users
from parvis_hub.governance import Role
from parvis_hub.intake.replay import replay
from parvis_hub.store import Database, Desk, IncidentRow, Notices, Store
from playwright.sync_api import Locator, Page, expect

from tests import postgres
from tests.broker import Broker, free_port
from tests.chaos.accidents import set_clock
from tests.hub.console.browsing import Browsers, row
from tests.hub.console.hub import QUICK
from tests.hub.console.test_session_page import PASSWORD, sign_in
from tests.hub.running import BROKER_SETTINGS, Publishing, RunningHub, gist, wait_for
from tests.hub.street import Street, lines, write_site

UNDECIDED = Operator(verdict=Verdict.UNCONFIRMED)


class Shift:
    """A control room that works: everything runs, and an operator has signed in.

    Attributes:
        broker, hub, page: As they run.
        database: The server, which may be stopped and started.
        street: What has happened, and will.
    """

    def __init__(  # noqa: PLR0917 - what it is made of
        self, mosquitto: Path, programs: Path, browsers: Browsers, folder: Path, street: Street, before: str = ""
    ) -> None:
        self.street, self._messages = street, iter(street.sorted())
        self._told: list[Envelope[Any]] = []
        self._browsers, self._stack = browsers, ExitStack()
        self.site: Site = write_site(folder / "site.yaml")
        self.broker = Broker(mosquitto, BROKER_SETTINGS)
        self._programs, self._folder, self._before = programs, folder, before

    def __enter__(self) -> Self:
        with self._stack:
            self._start(self._stack.enter_context)
            self._stack = self._stack.pop_all()
        return self

    def _start(self, enter: Callable[[Any], Any]) -> None:
        self.database = enter(postgres.cluster(self._programs))
        self.url = self.database.database()
        enter(self.broker)
        with self.desk() as desk:
            Users(desk.database, lambda: time.time_ns() // 1000, QUICK).add("a-martin", Role.OPERATOR, PASSWORD, "hub")
        port = free_port()
        options = ("--store", self.url, "--console", "--listen", f"127.0.0.1:{port}")
        self.hub = enter(RunningHub(self.site, self.broker.port, self._folder / "hub", *options, before=self._before))
        self._units = enter(Publishing(self.broker.port))
        wait_for(lambda: "connected" in self.hub.log)
        self._home = f"http://127.0.0.1:{port}/"
        self.page: Page = self._browsers.open(self._home, name=None, wait=False)
        sign_in(self.page, "a-martin")
        self.page.locator("[data-filter='all']").click()

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        """What the hub has kept."""
        database = Database(self.url, self.site.site)
        yield Desk(Store(database, self.site), self.site, Notices())
        database.close()

    def tell(self, count: int, over_s: float = 0.0) -> None:
        """Units say so many more messages, at an even rate."""
        some = list(itertools.islice(self._messages, count))
        self._told += some
        self._units.messages(some, pause_s=over_s / max(1, len(some)))

    @contextmanager
    def while_telling(self, count: int, over_s: float) -> Iterator[None]:
        """They say them beside what is done meanwhile."""
        telling = threading.Thread(target=self.tell, args=(count, over_s))
        telling.start()
        yield
        telling.join()

    @property
    def banner(self) -> Locator:
        """What the page says on top, to everybody at once."""
        return self.page.get_by_role("alert").filter(has_text=".").first

    def decide(self, id_: str) -> None:
        """Confirms an incident by the keyboard."""
        row(self.page, id_).click()
        self.page.keyboard.press("c")
        self.page.keyboard.press("1")

    def decided(self, id_: str) -> None:
        """It is written, and shown."""
        expect(self.page.locator("#card .history")).to_contain_text("Confirmed by a-martin")
        self.page.keyboard.press("Escape")
        with self.desk() as desk:
            detail = desk.incident(uuid.UUID(id_))
            assert detail is not None
            [decision] = detail.decisions
            assert decision.at >= detail.row.message.data.first_observed

    def rows(self) -> list[IncidentRow]:
        """The incidents of the store."""
        with self.desk() as desk:
            return desk.incidents(limit=10_000)

    def complete(self) -> int:
        """Everything that was told is kept once, became the incidents that it should, and is in the list; gives how many."""
        told = len(self._told)
        with self.desk() as desk:
            wait_for(lambda: desk.counters().stored == told)
            counters = desk.counters()
            assert (counters.received - counters.duplicates, counters.too_late, sum(counters.refused.values())) == (told, 0, 0)
            # Units are told in order of time, in which their numbers have gaps until the end.
            assert told < len(self.street.messages) or all(unit.missing == 0 for unit in desk.units())
        log = ((str(number), line) for number, line in enumerate(lines(self._told).splitlines()))
        wanted = replay(self.site, log, lambda _, __: None).incidents
        found = [found.message.data.model_copy(update={"operator": UNDECIDED}) for found in self.rows()]
        assert sorted(str(gist(each)) for each in found) == sorted(str(gist(each.data)) for each in wanted)
        listed = self.page.locator("#incidents button[data-incident]")
        expect(listed).to_have_count(len(wanted))
        assert {each.get_attribute("data-incident") for each in listed.all()} == {str(each.data.incident) for each in wanted}
        return len(wanted)

    def close_page(self) -> None:
        """The page has asked its hub alone, and nothing in it failed."""
        self._browsers.check(self._home)


def store_away(shift: Shift, lasts_s: float, count: int) -> float:
    """The database goes away under load, and comes back; gives after how many seconds the list is complete again.

    Raises:
        AssertionError: The page did not say it, showed something else than what it had, or something is lost.
    """
    page, before = shift.page, shift.page.locator("#incidents button").count()
    known = str(shift.rows()[0].message.data.incident)
    shift.database.stop()
    begun_s = time.monotonic()
    with shift.while_telling(count, lasts_s):
        expect(shift.banner).to_contain_text("The hub cannot use its store since")
        # Nobody is sent out, nothing is taken off the page, and what cannot be written is not said to be.
        expect(page.locator("#connection")).to_have_text("Live")
        shift.decide(known)
        expect(page.locator("#decide-dialog")).to_contain_text("The decision was not written: the hub cannot use its store. Try again.")
        page.keyboard.press("Escape")
        page.keyboard.press("Escape")
        # Whoever opens the page now is told the same.
        page.reload()
        expect(shift.banner).to_contain_text("The hub cannot use its store since")
        time.sleep(max(0.0, lasts_s - (time.monotonic() - begun_s)))
        shift.database.start()
        back_s = time.monotonic()
    expect(shift.banner).to_be_hidden()
    page.locator("[data-filter='all']").click()
    assert shift.complete() > before
    complete_s = time.monotonic()
    shift.decide(known)
    shift.decided(known)
    return complete_s - back_s


def broker_away(shift: Shift, count: int) -> None:
    """The broker goes away and comes back; what was decided meanwhile is told then."""
    other = str(shift.rows()[1].message.data.incident)
    shift.broker.stop()
    expect(shift.banner).to_contain_text("The hub has no connection to the broker since")
    shift.decide(other)
    shift.decided(other)
    shift.broker.start()
    expect(shift.banner).to_be_hidden(timeout=40_000)
    shift.tell(count)
    shift.complete()


def clock_back(shift: Shift, offset: Path, count: int) -> None:
    """The machine's clock is set ahead by years, put right, set back an hour, and put right."""
    changed = "The clock of the hub’s machine was set back, or far ahead, at"
    set_clock(offset, 3_000 * 86_400)
    expect(shift.banner).to_contain_text(changed)
    set_clock(offset, 0)
    expect(shift.banner).to_be_hidden()
    set_clock(offset, -3_600)
    shift.tell(count)
    expect(shift.banner).to_contain_text(changed)
    shift.complete()
    # The page goes on by the hub's own time, which is still right: so do decisions.
    shown = shift.page.locator("#clock-time").get_attribute("datetime") or ""
    assert abs(time.time() - time.mktime(time.strptime(shown[:19], "%Y-%m-%dT%H:%M:%S")) + time.timezone) < 120.0
    last = str(shift.rows()[2].message.data.incident)
    shift.decide(last)
    shift.decided(last)
    set_clock(offset, 0)
    expect(shift.banner).to_be_hidden()
