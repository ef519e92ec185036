"""A site plan that the hub asks for: fetched, checked, tried, kept or given back; and killed at every step of it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from parvis_contract import CommandRefusal as Why
from parvis_contract import CommandStatus, ConfigError, SenseStatus, Site, StatusReason, StreamState, UnitState, UnitStatus
from parvis_contract.signing import SigningKey
from parvis_edge.commands import config, plan_files
from parvis_edge.commands.config import PATIENCE_S, PROVED_S, Configuration
from parvis_edge.commands.files import CommandFiles
from parvis_edge.commands.judge import Authority
from parvis_edge.commands.orders import CONFIG, Orders
from parvis_edge.commands.plan_files import MOST_STARTS, PlanFiles
from parvis_edge.enrolment.asking import NotGiven

from .orders import KEY, NOW_S, STRANGER, configuration


def plan(range_m: int, *, key: SigningKey = KEY, site: str = "quay", more: str = "") -> bytes:
    return f"""\
site: {site}
profile: lab
origin: {{lon: 5.37, lat: 43.296}}
units:
  u001: {{position: {{lon: 5.3701, lat: 43.2961}}, senses: [camera], range_m: {range_m}}}
hub_keys: [{key.public_key}]
{more}""".encode()


OLD, NEW = plan(40), plan(50)


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


class Killed(BaseException):
    """The power went."""


class Box:
    """A unit's program and its disk: it is started, runs, is asked to start again, dies."""

    def __init__(self, folder: Path, *plans: bytes) -> None:
        self.site_file, self.folder = folder / "site.yaml", folder / "commands"
        self.site_file.write_bytes(OLD)
        self.hub = {digest(raw): raw for raw in plans}
        self.clock_s, self.may = [0.0], True
        self.senses: dict[str, StatusReason] = {}
        self.starts = 0
        self.start()

    def start(self) -> None:
        files = PlanFiles(self.site_file, "u001", self.folder)
        self.site = files.start(self.check, (ConfigError, ValueError))
        authority = Authority.of("quay", "u001", self.site.hub_keys)
        self.duty = Configuration(files, authority, self.fetch, now_s=lambda: NOW_S + self.clock_s[0], monotonic_s=lambda: self.clock_s[0])
        self.orders = Orders(authority, CommandFiles(self.folder), {CONFIG: self.duty}, now_s=lambda: NOW_S)
        self.starts += 1
        self.again = False

    def fetch(self, sha256: str) -> bytes:
        if sha256 not in self.hub:
            raise NotGiven("the hub is away", "wait", again=True)
        return self.hub[sha256]

    def status(self) -> UnitStatus:
        """How it is: each sense that is named is failed, with this reason; with both of them the unit is."""
        senses = {name: SenseStatus(state=StreamState.FAILED, reason=reason) for name, reason in self.senses.items()}
        state = (UnitState.HEALTHY, UnitState.DEGRADED, UnitState.FAILED)[len(senses)]
        return UnitStatus(state=state, reason=next(iter(self.senses.values()), None), software="0.2.0", **senses)

    def check(self, site: Site) -> None:
        del site
        if not self.may:
            raise ValueError("the law allows this camera nothing")

    def restart(self) -> None:
        self.again = True

    def run(self, seconds: float, ill: Mapping[float, Mapping[str, StatusReason]] | None = None) -> None:
        """Lives so long; on a plan with one of these ranges its senses fail."""
        until_s = self.clock_s[0] + seconds
        while self.clock_s[0] < until_s:
            self.senses = dict((ill or {}).get(self.range_m, {}))
            self.duty.look(self)
            if self.again:
                self.start()
            self.clock_s[0] += 1

    @property
    def range_m(self) -> float:
        return self.site.units["u001"].range_m


def test_a_plan_is_fetched_tried_and_kept(tmp_path: Path) -> None:
    box = Box(tmp_path, NEW)
    box.orders.take(configuration(7, digest(NEW)))
    assert box.orders.status() == CommandStatus()
    box.run(2)
    assert (box.range_m, box.starts, box.site_file.read_bytes()) == (50, 2, OLD)
    box.run(PROVED_S + 2)
    assert (box.starts, box.site_file.read_bytes()) == (2, NEW)
    assert box.orders.status() == CommandStatus(config=7)
    box.start()
    assert (box.range_m, box.orders.status()) == (50, CommandStatus(config=7))


def test_what_does_not_become_well_is_given_back_and_told(tmp_path: Path) -> None:
    box = Box(tmp_path, NEW)
    box.orders.take(configuration(7, digest(NEW)))
    box.run(PATIENCE_S + 10, {50: {"camera": StatusReason.PROFILE_FORBIDS}})
    assert (box.range_m, box.starts, box.site_file.read_bytes()) == (40, 3, OLD)
    assert box.orders.status() == CommandStatus(refused=Why.NOT_SUPPORTED)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["commands", "site.yaml"]


def test_what_ends_the_program_again_and_again_is_given_back(tmp_path: Path) -> None:
    box = Box(tmp_path, NEW)
    box.orders.take(configuration(7, digest(NEW)))
    box.run(1)
    for _ in range(MOST_STARTS - 1):
        assert box.range_m == 50
        box.start()
    assert box.range_m == 50
    box.start()
    assert (box.range_m, box.orders.status()) == (40, CommandStatus(refused=Why.NOT_SUPPORTED))


FORBIDDEN, AWAY, LOST = StatusReason.PROFILE_FORBIDS, StatusReason.SOURCE_MISSING, StatusReason.CONNECTION_LOST


@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        # It need not become better; a camera that is away says so in one way or another.
        ({"camera": AWAY}, {"camera": AWAY}, True),
        ({"camera": AWAY}, {"camera": LOST}, True),
        ({"camera": AWAY, "microphone": AWAY}, {"camera": AWAY, "microphone": LOST}, True),
        ({"camera": FORBIDDEN}, {}, True),
        # As degraded, and as failed, as before: but by the plan.
        ({"microphone": AWAY}, {"camera": FORBIDDEN}, False),
        ({"camera": AWAY}, {"camera": FORBIDDEN}, False),
        ({"camera": AWAY, "microphone": AWAY}, {"camera": FORBIDDEN, "microphone": AWAY}, False),
    ],
)
def test_a_plan_may_leave_a_unit_as_ill_as_it_was_and_in_no_other_way(
    before: dict[str, StatusReason], after: dict[str, StatusReason], kept: bool, tmp_path: Path
) -> None:
    box = Box(tmp_path, NEW)
    box.orders.take(configuration(7, digest(NEW)))
    box.run(PATIENCE_S + 10, {40: before, 50: after})
    assert box.site_file.read_bytes() == (NEW if kept else OLD)
    assert box.orders.status() == (CommandStatus(config=7) if kept else CommandStatus(refused=Why.NOT_SUPPORTED))


def test_while_a_unit_starts_nothing_is_tried_as_how_it_is_without_is_not_known(tmp_path: Path) -> None:
    box = Box(tmp_path, NEW)
    starting = UnitStatus(state=UnitState.STARTING, software="0.2.0")
    box.status = lambda: starting  # type: ignore[method-assign]
    box.orders.take(configuration(7, digest(NEW)))
    box.run(20)
    assert (box.starts, box.range_m) == (1, 40)
    del box.status
    box.run(PROVED_S + 5)
    assert box.site_file.read_bytes() == NEW


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"site: [", Why.NOT_SUPPORTED),
        (plan(50, more="surprise: 1\n"), Why.NOT_SUPPORTED),
        (plan(50).replace(b"profile: lab", b"profile: nowhere.yaml"), Why.NOT_SUPPORTED),
        (plan(50, site="hill"), Why.NOT_FOR_THIS_UNIT),
        (plan(50, key=STRANGER), Why.UNKNOWN_KEY),
    ],
)
def test_a_plan_that_is_unfit_is_never_tried(tmp_path: Path, raw: bytes, why: Why) -> None:
    box = Box(tmp_path, raw)
    box.orders.take(configuration(7, digest(raw)))
    box.run(3)
    assert (box.starts, box.site_file.read_bytes(), box.orders.status()) == (1, OLD, CommandStatus(refused=why))


def test_a_plan_that_the_law_forbids_is_never_tried(tmp_path: Path) -> None:
    box = Box(tmp_path, NEW)
    box.may = False
    box.orders.take(configuration(7, digest(NEW)))
    box.run(3)
    assert (box.starts, box.orders.status()) == (1, CommandStatus(refused=Why.NOT_PERMITTED))


def test_a_hub_that_is_away_is_waited_for_until_the_command_ends(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.orders.take(configuration(7, digest(NEW)))
    box.run(20)
    assert box.orders.status() == CommandStatus()
    box.hub = {digest(NEW): NEW}
    box.run(20)
    assert box.range_m == 50

    later = Box(tmp_path)
    later.orders.take(configuration(8, digest(plan(60))))
    later.run(120)
    assert later.orders.status() == CommandStatus(refused=Why.EXPIRED)


def test_the_plan_that_is_in_use_already_is_acknowledged(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.orders.take(configuration(7, digest(OLD)))
    box.run(2)
    assert (box.starts, box.orders.status()) == (1, CommandStatus(config=7))


def test_killed_before_or_after_any_step_on_disk_there_is_a_good_plan_and_the_command_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killings, raw = 0, configuration(7, digest(NEW))
    for step in range(40):
        folder = tmp_path / str(step)
        folder.mkdir()
        box = Box(folder, NEW)
        power = Power(step)
        with monkeypatch.context() as patches:
            for module in (plan_files, config):
                patches.setattr(module, "replace_file", power.cutting(module.replace_file))
            patches.setattr(Path, "unlink", power.cutting(Path.unlink))
            try:
                box.orders.take(raw)
                box.run(PROVED_S + 10)
            except Killed:
                killings += 1
        box.start()
        assert box.range_m in {40, 50}
        # The hub says it again to a unit that has not acknowledged it.
        box.orders.take(raw)
        box.run(PROVED_S + 10)
        assert (box.site_file.read_bytes(), box.orders.status()) == (NEW, CommandStatus(config=7)), step
        if power.left >= 0:
            break
    assert killings >= 10


class Power:
    """Goes before or after the n-th step on disk."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def cutting(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def cut(*arguments: Any, **named: Any) -> Any:
            for doing in (False, True):
                self.left -= 1
                if self.left == -1:
                    raise Killed
                if not doing:
                    result = work(*arguments, **named)
            return result

        return cut
