"""Levels that are far from what this hour of this weekday has been: on simulated weeks, on painted pictures, over restarts."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from parvis_contract import LevelQuantity, LevelUnusual, Phase, TamperCause, UnitTampered, load_site, parse_message
from parvis_contract.site import NoiseZone
from parvis_edge.analysers.baseline import Baseline, Series
from parvis_edge.analysers.level_unusual import CameraLevels, MicrophoneLevels, Minutes, Shelf, confidence, series_of, shelf_name
from parvis_edge.analysers.view import View
from parvis_edge.baseline_folder import BaselineFolder
from parvis_edge.doctor.plan_notes import plan_notes
from parvis_edge.hearing.ear import Heard, Pressure
from parvis_edge.hearing.levels import LevelSlice
from parvis_edge.perception import Judgement

from tests.edge.analysers.watching import SIZE, WHOLE, plan
from tests.edge.analysers.weeks import BEGAN, PARIS, Twist, judged, minutes, people, series, starts, watch
from tests.edge.clips import write_sound
from tests.edge.program import OPEN_PROFILE, write_plan
from tests.edge.vision.rendered import BEGAN_S, PERSON, Street, scenes, sight_of

PEOPLE, SOUND = LevelQuantity.PERSON_COUNT, LevelQuantity.LAEQ_DB
WEEKS = 3.0
#: A Wednesday of the third week.
NOON = BEGAN + timedelta(days=16, hours=12, minutes=10)


def between(begin: datetime, lasts: timedelta, times: float | None) -> Twist:
    return lambda at: times if begin <= at < begin + lasts else 1.0


def said_with(twist: Twist, quantity: LevelQuantity = PEOPLE, seed: int = 1) -> list[Judgement]:
    by = watch(quantity=quantity)
    return judged(minutes(WEEKS, seed, twist=twist), by, quantity) + by.finish((BEGAN + timedelta(weeks=WEEKS)).timestamp())


@pytest.mark.parametrize("quantity", [PEOPLE, SOUND])
def test_usual_weeks_say_nothing(quantity: LevelQuantity) -> None:
    assert said_with(lambda _: 1.0, quantity) == []


@pytest.mark.parametrize(
    ("times", "quantity", "side"), [(3.5, PEOPLE, 1), (0.0, PEOPLE, -1), (0.0, SOUND, -1)], ids=["crowd", "emptied", "fallen silent"]
)
def test_what_is_unusual_is_one_event_from_its_first_minutes_to_its_last(times: float, quantity: LevelQuantity, side: int) -> None:
    said = said_with(between(NOON, timedelta(minutes=40), times), quantity)
    start, *updates, end = said
    assert [judgement.phase for judgement in said] == [Phase.START, *[Phase.UPDATE] * len(updates), Phase.END]
    assert 1 <= len(updates) <= 4
    assert 0 <= start.time_s - NOON.timestamp() <= 300
    assert 0 <= end.time_s - NOON.timestamp() - 2400 <= 480
    measure = start.measure
    assert isinstance(measure, LevelUnusual)
    assert measure.quantity is quantity
    assert side * measure.z_score >= 4.5
    assert side * (measure.observed - measure.expected) > 0
    if quantity is PEOPLE:
        assert measure.expected == pytest.approx(people(NOON, 40.0), rel=0.35)


def test_one_silent_day_is_told_while_people_are_missed_and_the_next_week_is_as_usual() -> None:
    day = datetime(2026, 2, 18, tzinfo=PARIS)
    by = watch()
    said = judged(minutes(5, 2, twist=between(day, timedelta(days=1), 0.0)), by)
    times = [datetime.fromtimestamp(judgement.time_s, PARIS) for judgement in said]
    assert times
    assert {time.date() for time in times} == {day.date()}
    assert all(10 <= time.hour <= 22 for time in times)
    assert len(starts(said)) <= 3


def test_a_sensor_that_is_away_sees_nothing_unusual_and_learns_nothing() -> None:
    away = between(datetime(2026, 2, 17, 9, tzinfo=PARIS), timedelta(days=2), None)
    assert said_with(away) == []


def test_an_event_ends_with_what_was_last_seen_of_it() -> None:
    begin, lasts = NOON, timedelta(minutes=20)
    gone_s = (begin + lasts).timestamp()
    by = watch()
    seen = [minute for minute in minutes(WEEKS, 1, twist=between(begin, lasts, 4.0)) if minute.time_s < gone_s]
    assert [judgement.phase for judgement in judged(iter(seen), by)].count(Phase.START) == 1
    assert by.unseen_since(gone_s + 120.0) == []
    (end,) = by.unseen_since(gone_s + 600.0)
    assert (end.phase, end.time_s) == (Phase.END, gone_s)


def test_the_two_weeks_before_are_silent_whatever_comes() -> None:
    by = watch()
    fortnight = (minute for minute in minutes(2, 3, twist=between(BEGAN + timedelta(days=9, hours=12), timedelta(hours=1), 6.0)))
    assert judged(fortnight, by) == []


class Memory:
    """A shelf in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}

    def read(self, name: str) -> bytes | None:
        return self.kept.get(name)

    def write(self, name: str, raw: bytes) -> None:
        self.kept[name] = raw


def test_what_was_learned_survives_a_restart_and_a_kill_loses_an_hour_at_most() -> None:
    shelf = Memory()
    twist = between(NOON, timedelta(minutes=40), 4.0)
    before = [minute for minute in minutes(WEEKS, 1, twist=twist) if minute.at < NOON - timedelta(hours=2)]
    after = [minute for minute in minutes(WEEKS, 1, twist=twist) if minute.at >= NOON - timedelta(hours=2)]
    # The first is killed: `finish` is never called.
    assert judged(iter(before), watch(shelf)) == []
    assert len(starts(judged(iter(after), watch(shelf)))) == 1
    assert starts(judged(iter(after), watch(Memory()))) == []


@pytest.mark.parametrize("raw", [b"", b"{}", b"\xff" * 1000])
def test_a_damaged_file_is_told_and_learned_anew(raw: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "square.person_count.json").write_bytes(raw)
    by = watch(BaselineFolder(tmp_path))
    assert "learned anew" in capsys.readouterr().out
    assert judged(itertools.islice(minutes(1, 1), 200), by) + by.finish(BEGAN.timestamp()) == []
    again = Baseline(series(), 2)
    again.load((tmp_path / "square.person_count.json").read_bytes())
    assert again.days[0] > 0


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("in the way")
    by = watch(BaselineFolder(tmp_path / "file"))
    assert judged(itertools.islice(minutes(1, 1), 130), by) == []
    assert "cannot be kept" in capsys.readouterr().out


def test_a_zone_that_was_drawn_anew_is_another() -> None:
    def drawn(polygon: list[list[int]]) -> str:
        return series_of(plan(zones={"square": {"kind": "watched", "polygon_px": polygon}}), "u1", "square", PEOPLE).drawn

    assert drawn(WHOLE) == drawn(WHOLE) != drawn([[0, 0], [640, 0], [640, 180]])


def test_minutes_of_the_clock_that_were_seen_for_most_of_their_time() -> None:
    def gathered(moments: list[tuple[float, float, float, bool]]) -> list[tuple[float, float]]:
        minutes_ = Minutes()
        found = [minutes_.add(time_s, lasted_s, amount, usable=usable) for time_s, lasted_s, amount, usable in moments]
        return [each for each in found if each]

    half = [(600.0 + 0.5 * n, 0.5, 0.5 * (n // 60), True) for n in range(120)]
    assert gathered([*half, (660.0, 0.5, 0.0, True)]) == [(600.0, 0.5)]
    assert gathered([*half[:80], (660.0, 0.5, 0.0, True)]) == []
    assert gathered([*half[:60], (630.0, 0.5, 0.0, False), *half[61:], (660.0, 0.5, 0.0, True)]) == []


def expecting(shelf: Shelf, series_: Series, level: float, at_s: float) -> None:
    """Puts a level of the four weeks before a moment on a shelf."""
    baseline = Baseline(series_, 2)
    for minute in range(-28 * 1440, 0):
        baseline.learn(at_s + 60.0 * minute - 7200.0, level)
    shelf.write(shelf_name(series_.zone, series_.quantity), baseline.dump())


def test_a_camera_counts_who_is_in_the_zone_and_a_covered_one_says_nothing() -> None:
    site = plan(zones={"square": {"kind": "watched", "polygon_px": WHOLE}})
    shelf = Memory()
    expecting(shelf, series_of(site, "u1", "square", PEOPLE), 0.0, BEGAN_S)
    crowd = [(20 + 60 * n, 150, 40 + 60 * n, 200, PERSON) for n in range(10)]
    street = Street()
    sight = sight_of(street)
    view = View(site, "u1", SIZE, sight.cells, "colours")
    zones = {"square": (site.zones["square"], view.area(site.zones["square"]))}  # type: ignore[arg-type]
    seeing, covered = (CameraLevels(site, "u1", zones, view, shelf) for _ in range(2))  # type: ignore[arg-type]
    cover = Judgement("unit.tampered", Phase.START, 0, BEGAN_S, 1.0, UnitTampered(cause=TamperCause.COVERED))
    said: list[Judgement] = []
    for scene in scenes(sight, lambda s: street.picture(crowd if s > 5 else ()), 230.0, rate_hz=1.0):
        said += seeing.see(scene, [])
        assert covered.see(scene, [cover]) == []
    (start,) = starts(said)
    assert isinstance(start.measure, LevelUnusual)
    assert start.measure.observed == pytest.approx(10.0, abs=0.2)
    assert start.measure.expected == 0.0
    assert start.model == "colours"


def heard(begin_s: float, seconds: float, level_db: float) -> Iterator[Heard]:
    for n in range(round(seconds * 4)):
        at_s = begin_s + n / 4
        yield Heard(Pressure(at_s, at_s + 0.25, 1e-4, constant=level_db < 0), LevelSlice(0.25, 0.25 * 10 ** (level_db / 10), 0.0, 0.0))


@pytest.mark.parametrize(("level_db", "events"), [(50.0, 0), (51.5, 0), (65.0, 1), (35.0, 1), (-20.0, 0)])
def test_a_microphone_hears_what_is_unusual_and_digital_silence_is_nothing(level_db: float, events: int) -> None:
    site = plan(unit={"senses": ["camera", "microphone"]})
    site.zones["square"] = zone = NoiseZone(kind="noise", unit="u1", limit_db=90.0)
    shelf = Memory()
    expecting(shelf, series_of(site, "u1", "square", SOUND), 50.0, BEGAN_S)
    levels = MicrophoneLevels(site, "u1", {"square": zone}, shelf)
    said = [judgement for each in heard(BEGAN_S, 400.0, level_db) for judgement in levels.hear(each, [])]
    assert len(starts(said)) == events
    assert len([judgement for judgement in levels.finish() if judgement.phase is Phase.END]) == events


def test_a_zone_may_be_left_out() -> None:
    site = plan(unit={"senses": ["camera", "microphone"]})
    site.zones["square"] = zone = NoiseZone(kind="noise", unit="u1", limit_db=90.0, unusual=None)
    assert MicrophoneLevels(site, "u1", {"square": zone}, None)._watches == []


def test_the_farther_off_the_surer() -> None:
    sure = [confidence(z) for z in (3.0, 4.5, -4.5, 6.0, 1e4)]
    assert sure == sorted(sure)
    assert sure[1] == sure[2]
    assert all(0.0 < each <= 1.0 for each in sure)


def test_a_unit_says_it_and_its_doctor_says_how_far_it_has_learned(tmp_path: Path) -> None:
    path = write_plan(tmp_path, OPEN_PROFILE.replace("sound.impulse, unit.tampered", "level.unusual"))
    path.write_text(path.read_text() + "zones:\n  square: {kind: noise, unit: u001, limit_db: 110}\n")
    site, began_s = load_site(path), NOON.timestamp()
    folder = BaselineFolder(tmp_path / "usual")
    learning = "zones.square: level.unusual is silent while it learns what laeq_db is usual: 0.0 of 14 days"
    assert learning in plan_notes(site, "u001", None, recorded=True, shelf=folder)
    expecting(folder, series_of(site, "u001", "square", SOUND), 50.0, began_s)
    sound = np.random.default_rng(1).normal(0.0, 0.05, 16_000 * 260).astype(np.float32)
    write_sound(tmp_path / "loud.wav", sound)
    more = ("--audio", tmp_path / "loud.wav", "--start", NOON.isoformat(), "--stdout")
    ending = []
    for baselines in (("--baselines", tmp_path / "usual"), ()):
        command = [sys.executable, "-m", "parvis_edge.cli", "watch", "--site", path, "--unit", "u001", *more, *baselines]
        ran = subprocess.run([str(each) for each in command], capture_output=True, check=True)
        messages = [parse_message(line) for line in ran.stdout.splitlines()]
        ending.append([message.data.phase.value for message in messages if message.name == "level.unusual"])
    # Without a folder, a recording finds what it plays neither usual nor unusual.
    assert ending == [["start", "end"], []]
    assert [path.name for path in (tmp_path / "usual").iterdir()] == ["square.laeq_db.json"]
