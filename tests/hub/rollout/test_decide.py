"""Rings, soaking, halts, and units that were away: the decider on simulated fleets."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import CommandRefusal, UnitState
from parvis_hub.rollout import NotPossible, NotStarted, Phase, Problem
from parvis_hub.rollout.decide import UnitNow, back, pause, resume, step
from parvis_hub.rollout.rates import Jump, Tally

from .fleet import NEW, OLD, START_US, Fleet, rollout


def test_a_canary_then_shares_each_after_its_soak() -> None:
    fleet = Fleet(rollout(20))
    assert [len(ring.units) for ring in fleet.rollout.rings] == [1, 1, 8, 10]
    fleet.run(0.9)
    assert fleet.asked == ["u000"]
    fleet.run(0.2)
    assert fleet.asked == ["u000", "u001"]
    fleet.run(4)
    assert (fleet.rollout.phase, len(fleet.asked)) == (Phase.DONE, 20)
    assert fleet.acts == ["ring_begun"] * 3 + ["done"]


def test_who_is_away_is_passed_over_and_caught_up_even_after_the_end() -> None:
    fleet = Fleet(rollout(10))
    fleet.units["u009"] = UnitNow()
    assert fleet.run(6).phase is Phase.DONE
    assert "u009" not in fleet.asked
    fleet.units["u009"] = UnitNow(present=True, state=UnitState.HEALTHY, versions={"eye": "1.0.0"})
    fleet.run(0.1)
    assert fleet.asked[-1] == "u009"
    assert fleet.rollout.members["u009"].taken_us is not None


def test_on_nobodys_word_nothing_goes_on() -> None:
    fleet = Fleet(rollout(10))
    fleet.units["u000"] = UnitNow()
    fleet.run(50, every_s=600)
    assert (fleet.asked, fleet.rollout.ring) == ([], 0)


ILL = UnitNow(present=True, state=UnitState.FAILED, versions={"eye": "1.1.0"}, acknowledged=True)
WELL = replace(ILL, state=UnitState.HEALTHY)


@pytest.mark.parametrize(
    ("after", "problem"),
    [
        (replace(WELL, acknowledged=False, versions={"eye": "1.0.0"}, refused=CommandRefusal.NOT_SUPPORTED), Problem.REFUSED),
        (replace(WELL, acknowledged=False, versions={"eye": "1.0.0"}, refused=CommandRefusal.DISK_FULL), Problem.REFUSED),
        (ILL, Problem.ILL),
        (replace(WELL, inference_ms=45.0), Problem.SLOW),
        (replace(WELL, present=False), Problem.LOST),
        (replace(WELL, versions={"eye": "1.0.0"}), Problem.NO_ANSWER),
    ],
)
def test_whatever_is_wrong_at_a_canary_halts(after: UnitNow, problem: Problem) -> None:
    fleet = Fleet(rollout(10, soak_s=3 * 3600.0))
    fleet.after["u000"] = after
    fleet.run(4)
    halt = fleet.rollout.halt
    assert halt is not None
    assert (fleet.rollout.phase, halt.problem, halt.units, fleet.asked) == (Phase.HALTED, problem, ("u000",), ["u000"])


FORBIDDEN, AWAY = frozenset({"camera: profile_forbids"}), frozenset({"camera: source"})


@pytest.mark.parametrize(
    ("before", "after", "phase"),
    [(AWAY, AWAY, Phase.DONE), (AWAY, frozenset(), Phase.DONE), (AWAY, AWAY | FORBIDDEN, Phase.HALTED), (AWAY, FORBIDDEN, Phase.HALTED)],
)
def test_a_unit_that_was_degraded_may_stay_so_but_not_by_what_it_took(before: frozenset[str], after: frozenset[str], phase: Phase) -> None:
    fleet = Fleet(rollout(10))
    fleet.units["u000"] = replace(fleet.units["u000"], state=UnitState.DEGRADED, ails=before)
    fleet.after["u000"] = replace(WELL, state=UnitState.DEGRADED, ails=after)
    assert fleet.run(6).phase is phase


def test_a_unit_that_was_asked_while_it_started_may_turn_out_to_be_ill() -> None:
    for state, phase in ((UnitState.DEGRADED, Phase.DONE), (UnitState.FAILED, Phase.HALTED)):
        fleet = Fleet(rollout(10))
        fleet.units["u000"] = replace(fleet.units["u000"], state=UnitState.STARTING)
        fleet.after["u000"] = replace(WELL, state=state, ails=AWAY)
        assert fleet.run(6).phase is phase


def test_later_a_unit_with_a_trouble_of_its_own_halts_nothing_but_one_that_shows_the_release_bad_does() -> None:
    for refused, phase in ((CommandRefusal.DISK_FULL, Phase.DONE), (CommandRefusal.NOT_SUPPORTED, Phase.HALTED)):
        fleet = Fleet(rollout(40))
        fleet.after["u030"] = replace(WELL, acknowledged=False, versions={"eye": "1.0.0"}, refused=refused)
        assert fleet.run(6).phase is phase


def test_many_troubles_of_their_own_are_one_of_the_release() -> None:
    fleet = Fleet(rollout(40))
    for number in range(10, 16):
        fleet.after[f"u{number:03}"] = replace(WELL, present=False)
    assert fleet.run(6).phase is Phase.HALTED


def test_a_jump_halts_with_its_figures() -> None:
    fleet = Fleet(rollout(10))
    fleet.run(0.5)
    jump = Jump(
        type="crowd.density", before=Tally(), after=Tally(), others_before=Tally(), others_after=Tally(), dispersion=1.0, p=1e-9, limit=1e-5
    )
    done = step(fleet.rollout, fleet.units, fleet.now_us, jump)
    assert (done.rollout.phase, done.rollout.halt and done.rollout.halt.jump) == (Phase.HALTED, jump)


def test_paused_nothing_is_asked_and_resumed_the_ring_is_watched_anew() -> None:
    fleet = Fleet(rollout(10))
    fleet.run(0.5)
    fleet.take(pause(fleet.rollout))
    fleet.run(10)
    assert fleet.asked == ["u000"]
    with pytest.raises(NotPossible, match="it is paused"):
        pause(fleet.rollout)
    fleet.take(resume(fleet.rollout, fleet.now_us))
    fleet.run(0.9)
    assert fleet.asked == ["u000"]
    assert fleet.run(5).phase is Phase.DONE


def test_after_a_halt_everybody_who_was_asked_goes_back_and_nobody_else() -> None:
    fleet = Fleet(rollout(20))
    fleet.after["u004"] = ILL
    fleet.run(6)
    assert fleet.rollout.phase is Phase.HALTED
    forward = list(fleet.asked)
    fleet.units["u002"] = UnitNow()
    fleet.asked.clear()
    fleet.take(back(fleet.rollout))
    assert fleet.run(0.2).phase is Phase.BACK
    assert sorted(fleet.asked) == sorted(set(forward) - {"u002"})
    fleet.units["u002"] = UnitNow(present=True, state=UnitState.HEALTHY, versions={"eye": "1.1.0"})
    fleet.run(0.1)
    assert {now.versions["eye"] for now in fleet.units.values()} == {"1.0.0"}
    with pytest.raises(NotPossible):
        back(fleet.rollout)
    with pytest.raises(NotPossible):
        resume(fleet.rollout, fleet.now_us)


def test_what_is_no_rollout_is_refused() -> None:
    for count, more in (
        (0, {}),
        (3, {"shares": (0.5, 0.2, 1.0)}),
        (3, {"shares": (0.5,)}),
        (3, {"canary": ("u9",)}),
        (3, {"back_to": NEW}),
    ):
        with pytest.raises(NotStarted):
            rollout(count, **more)  # type: ignore[arg-type]
    assert rollout(3, back_to=OLD).started_us == START_US


@given(st.integers(1, 60), st.lists(st.sampled_from([0.05, 0.1, 0.25, 0.5, 0.9]), unique=True), st.integers(0, 5))
def test_every_unit_is_in_one_ring(count: int, shares: list[float], canaries: int) -> None:
    canary = tuple(f"u{number:03}" for number in range(min(canaries, count)))
    made = rollout(count, shares=(*sorted(shares), 1.0), canary=canary)  # type: ignore[arg-type]
    placed = [unit for ring in made.rings for unit in ring.units]
    assert sorted(placed) == sorted(made.members)
    assert all(ring.units for ring in made.rings)
    assert made.rings[-1].share == 1.0
