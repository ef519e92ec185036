"""The updater of a unit: from a release to a model that is good, or back to the one before; over restarts, and by itself."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal
from parvis_edge.bundle import Bundle, BundleError, load_folder
from parvis_edge.update import updater as updater_module
from parvis_edge.update.errors import UpdateError
from parvis_edge.update.health import Vitals
from parvis_edge.update.shelf import MOST_STARTS, Shelf
from parvis_edge.update.updater import ModelUpdater

from tests.edge.update.dying import prove_here
from tests.edge.update.simulator import NAME, Simulator, model


class Unit:
    """A unit that runs one model; its time, its vitals and its faults are set by hand."""

    def __init__(self, folder: Path, simulator: Simulator, shipped: Path) -> None:
        self.shelf = Shelf(folder / "update", lambda _: load_folder(shipped))
        self.simulator = simulator
        self.now_s = 0.0
        self.told = Vitals(inference_ms=20.0)
        self.exchanges: list[tuple[str, bool]] = []
        self.start()

    def start(self) -> None:
        """The program starts."""
        self.runs = self.shelf.load(NAME).card.version
        self.told = Vitals(inference_ms=20.0)
        repository = self.simulator.client(self.shelf.folder / "metadata")
        self.updater = ModelUpdater(self.shelf, repository, self, prove=prove_here, now_s=lambda: self.now_s)
        self.updater.begin()

    def names(self) -> Collection[str]:
        return [NAME]

    def exchange(self, bundle: Bundle, *, on_trial: bool) -> None:
        self.runs = bundle.card.version
        self.exchanges.append((bundle.card.version, on_trial))

    def vitals(self, name: str) -> Vitals:
        assert name == NAME
        return self.told

    def live(self, minutes: int, *, events: int = 0, **changes: object) -> None:
        """So long, looked at once a minute."""
        for _ in range(minutes):
            self.now_s += 60.0
            told = self.told
            self.told = replace(
                told, time_s=told.time_s + 60.0, runs=told.runs + 120, events=told.events + events, items=told.items + 1_500, **changes
            )
            self.updater.look()

    def release(self, version: str, bundles: dict[str, Path]) -> None:
        self.updater.take(model(version), self.simulator.digest(bundles[version]))


@pytest.fixture
def unit(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> Unit:
    simulator.add(bundles["1.1.0"], bundles["2.0.0"])
    return Unit(tmp_path, simulator, bundles["1.0.0"])


def test_a_release_is_taken_after_its_trial(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.live(60)
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert (unit.runs, unit.updater.refused) == ("1.1.0", None)
    assert unit.shelf.state(NAME).trial is not None
    unit.live(10)
    state = unit.shelf.state(NAME)
    assert (state.trial, state.wanted, state.ended and state.ended.refusal) == (None, None, None)
    held = state.held(state.current)
    assert held is not None
    assert held.version == "1.1.0"
    assert unit.exchanges == [("1.1.0", True)]
    unit.start()
    assert unit.runs == "1.1.0"
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert unit.shelf.state(NAME).wanted is None
    assert unit.exchanges == [("1.1.0", True)]


def test_going_back_to_the_version_before_fetches_nothing(unit: Unit, bundles: dict[str, Path]) -> None:
    for version in ("1.1.0", "2.0.0"):
        unit.release(version, bundles)
        unit.live(12)
        assert unit.runs == version
    before = len([path for path, _ in unit.simulator.asked if path.startswith("targets/")])
    assert before == 2
    unit.release("1.1.0", bundles)
    unit.live(12)
    assert unit.runs == "1.1.0"
    assert len([path for path, _ in unit.simulator.asked if path.startswith("targets/")]) == before
    state = unit.shelf.state(NAME)
    held = state.held(state.current)
    assert held is not None
    assert held.version == "1.1.0"


@pytest.mark.parametrize(
    "fault", [{"failure": "InvalidArgument: x"}, {"inference_ms": 200.0}, {"events": 100}, {"dropped": 40_000}], ids=str
)
def test_a_model_that_does_badly_is_given_back(fault: dict[str, object], unit: Unit, bundles: dict[str, Path]) -> None:
    unit.live(60)
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert unit.runs == "1.1.0"
    unit.live(3, **fault)  # type: ignore[arg-type]
    assert unit.runs == "1.0.0"
    assert unit.exchanges == [("1.1.0", True), ("1.0.0", False)]
    assert unit.updater.refused is CommandRefusal.NOT_SUPPORTED
    unit.start()
    assert unit.runs == "1.0.0"
    unit.live(20)
    assert unit.runs == "1.0.0"
    # A person may try again.
    unit.release("1.1.0", bundles)
    unit.live(12)
    assert (unit.runs, unit.updater.refused) == ("1.1.0", None)


def test_a_moment_in_which_the_machine_is_busy_gives_nothing_back(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.live(60)
    unit.release("1.1.0", bundles)
    unit.live(2)
    usual_ms = unit.told.inference_ms
    unit.told = replace(unit.told, time_s=unit.told.time_s + 30.0, inference_ms=500.0)
    unit.updater.look()
    unit.live(10, inference_ms=usual_ms)
    assert (unit.runs, unit.exchanges, unit.updater.refused) == ("1.1.0", [("1.1.0", True)], None)
    assert unit.shelf.state(NAME).trial is None


def test_a_model_is_given_back_to_the_shipped_one_where_the_one_before_is_damaged(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.release("1.1.0", bundles)
    unit.live(12)
    unit.release("2.0.0", bundles)
    unit.live(1)
    assert unit.runs == "2.0.0"
    state = unit.shelf.state(NAME)
    assert state.current is not None
    (unit.shelf.slot_folder(NAME, state.current) / "model.onnx").write_bytes(b"")
    unit.live(1, failure="x")
    assert unit.runs == "1.0.0"


def test_a_model_that_crashes_the_program_is_given_back_at_the_third_start(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.release("1.1.0", bundles)
    unit.live(1)
    for _ in range(MOST_STARTS):
        unit.start()
        assert unit.runs == "1.1.0"
    unit.start()
    assert unit.runs == "1.0.0"
    ended = unit.shelf.state(NAME).ended
    assert ended is not None
    assert ended.refusal is CommandRefusal.NOT_SUPPORTED
    assert unit.shelf.state(NAME).wanted is None


def test_a_trial_goes_on_after_a_power_cut(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.release("1.1.0", bundles)
    unit.live(3)
    unit.start()
    unit.live(9)
    assert unit.shelf.state(NAME).trial is not None
    unit.live(2)
    assert unit.shelf.state(NAME).trial is None
    assert unit.runs == "1.1.0"


@pytest.mark.parametrize("damage", ["gone", "short", "no card"])
def test_a_slot_that_was_damaged_falls_back(damage: str, unit: Unit, bundles: dict[str, Path]) -> None:
    for version in ("1.1.0", "2.0.0"):
        unit.release(version, bundles)
        unit.live(12)
    state = unit.shelf.state(NAME)
    assert state.current is not None
    for slot, expected in ((state.current, "1.1.0"), (state.spare, "1.0.0")):
        folder = unit.shelf.slot_folder(NAME, slot)
        if damage == "gone":
            folder.rename(folder.with_name("elsewhere-" + slot))
        elif damage == "short":
            (folder / "model.onnx").write_bytes(b"")
        else:
            (folder / "card.json").write_bytes(b"\0" * 100)
        unit.start()
        assert unit.runs == expected


@pytest.mark.parametrize("raw", [b"", b"\0" * 500, b'{"current": "a", "a": null}', b'{"unknown": 1}'])
def test_a_state_that_was_damaged_runs_what_was_shipped(raw: bytes, unit: Unit, bundles: dict[str, Path]) -> None:
    unit.release("1.1.0", bundles)
    unit.live(12)
    (unit.shelf.folder / "models" / NAME / "state.json").write_bytes(raw)
    unit.start()
    assert unit.runs == "1.0.0"
    unit.release("2.0.0", bundles)
    unit.live(12)
    assert unit.runs == "2.0.0"


def test_what_is_not_listed_so_is_refused(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.updater.take(model("1.1.0"), "0" * 64)
    unit.live(1)
    assert unit.updater.refused is CommandRefusal.NOT_PERMITTED
    unit.updater.take(model("9.9.9"), "0" * 64)
    unit.live(1)
    assert unit.updater.refused is CommandRefusal.NOT_PERMITTED
    unit.updater.take(model("1.1.0").model_copy(update={"name": "nanodet-g-416"}), "0" * 64)
    assert unit.updater.refused is CommandRefusal.NOT_PERMITTED
    assert unit.runs == "1.0.0"
    assert unit.exchanges == []
    assert unit.simulator.digest(bundles["1.1.0"]) != "0" * 64


def test_what_is_late_is_tried_again(unit: Unit, bundles: dict[str, Path]) -> None:
    url, unit.simulator.url = unit.simulator.url, "http://127.0.0.1:9"
    unit.start()
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert unit.updater.refused is None
    # Nor can whoever gives what nobody signed end it.
    unit.simulator.url = url
    unit.simulator.faults.replaced["metadata/timestamp.json"] = b"{}"
    unit.start()
    unit.live(1)
    assert unit.updater.refused is CommandRefusal.BAD_SIGNATURE
    unit.simulator.faults.replaced.clear()
    unit.live(2)
    assert (unit.runs, unit.updater.refused) == ("1.1.0", None)


def test_what_is_late_survives_a_restart(unit: Unit, bundles: dict[str, Path]) -> None:
    url, unit.simulator.url = unit.simulator.url, "http://127.0.0.1:9"
    unit.start()
    unit.release("1.1.0", bundles)
    unit.live(1)
    wanted = unit.shelf.state(NAME).wanted
    assert wanted is not None
    unit.simulator.url = url
    unit.start()
    unit.live(1)
    assert unit.runs == "1.1.0"


def test_a_newer_release_in_the_middle_of_a_trial_wins(unit: Unit, bundles: dict[str, Path]) -> None:
    unit.release("1.1.0", bundles)
    unit.live(2)
    unit.release("2.0.0", bundles)
    unit.live(1)
    assert unit.runs == "2.0.0"
    unit.live(1, failure="x")
    assert unit.runs == "1.0.0"
    assert unit.shelf.state(NAME).wanted is None


def test_a_failing_model_does_not_end_the_updater(unit: Unit, bundles: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> bool:
        raise UpdateError(CommandRefusal.NOT_SUPPORTED, "the model fails its golden samples on this unit")

    monkeypatch.setattr(updater_module, "install", refuse)
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert (unit.runs, unit.updater.refused) == ("1.0.0", CommandRefusal.NOT_SUPPORTED)

    def broken(*_: object) -> bool:
        raise BundleError("cannot be loaded")

    monkeypatch.setattr(updater_module, "install", broken)
    unit.release("1.1.0", bundles)
    unit.live(1)
    assert unit.updater.refused is CommandRefusal.NOT_SUPPORTED


def test_one_program_at_a_time(unit: Unit) -> None:
    with unit.shelf.locked(), pytest.raises(UpdateError, match="another program"), Shelf(unit.shelf.folder).locked():
        raise AssertionError
