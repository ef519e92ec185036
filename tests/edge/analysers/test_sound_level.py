"""Noise over a zone's limit: starts over the period's limit, ends under it, once."""

import math

import pytest
from parvis_contract import Phase, SoundLevel
from parvis_contract.site import NoiseZone
from parvis_edge.analysers.sound_level import LevelAnalyser
from parvis_edge.hearing.ear import Heard, Pressure
from parvis_edge.hearing.levels import LevelSlice
from parvis_edge.perception import Judgement


def _play(analyser: LevelAnalyser, begin_s: float, seconds: float, level_db: float) -> list[Judgement]:
    judged = []
    for n in range(round(seconds / 0.25)):
        at_s = begin_s + n * 0.25
        level = LevelSlice(0.25, 0.25 * 10 ** (level_db / 10), level_db + 1.0, level_db + 12.0)
        judged += analyser.judge(Heard(Pressure(at_s, at_s + 0.25, 1e-4, constant=False), level))
    return judged


def _analyser(limit_db: float = 70.0, period_s: float = 10.0) -> LevelAnalyser:
    return LevelAnalyser("square", NoiseZone(kind="noise", unit="u001", limit_db=limit_db, period_s=period_s))


def test_an_event_lasts_from_over_the_limit_to_back_under_it() -> None:
    analyser = _analyser()
    assert _play(analyser, 0.0, 20.0, 60.0) == []
    # 80 dB for the share of the period that brings its mean to 70 dB: a tenth, a second of ten.
    start, *updates = _play(analyser, 20.0, 15.0, 80.0)
    assert start.phase is Phase.START
    assert start.time_s == pytest.approx(21.0, abs=1.01)
    assert isinstance(start.measure, SoundLevel)
    assert start.measure.laeq_db > start.measure.limit_db == 70.0
    assert start.measure.period_s == 10.0
    assert {update.phase for update in updates} <= {Phase.UPDATE}
    (end,) = [judgement for judgement in _play(analyser, 35.0, 15.0, 60.0) if judgement.phase is Phase.END]
    assert isinstance(end.measure, SoundLevel)
    assert end.measure.laeq_db < 70.0
    assert end.key == start.key
    assert analyser.finish() == []


def test_the_level_is_the_mean_over_the_period_with_its_highest_levels() -> None:
    analyser = _analyser(limit_db=60.0)
    _play(analyser, 0.0, 9.0, 50.0)
    (start,) = _play(analyser, 9.0, 1.0, 80.0)
    assert isinstance(start.measure, SoundLevel)
    assert start.measure.laeq_db == pytest.approx(10 * math.log10(0.9 * 1e5 + 0.1 * 1e8), abs=0.1)
    assert (start.measure.lafmax_db, start.measure.lcpeak_db) == (81.0, 92.0)


@pytest.mark.parametrize("level_db", [40.0, 69.5])
def test_under_the_limit_nothing_is_said(level_db: float) -> None:
    analyser = _analyser()
    assert _play(analyser, 0.0, 40.0, level_db) + analyser.finish() == []


def test_a_level_at_the_limit_is_one_event() -> None:
    analyser = _analyser(period_s=2.0)
    judged = [part for n in range(20) for part in _play(analyser, 2.0 * n, 2.0, 70.3 if n % 2 else 69.7)]
    assert [judgement.phase for judgement in judged if judgement.phase is not Phase.UPDATE] == [Phase.START]


def test_a_gap_counts_as_silence() -> None:
    analyser = _analyser(limit_db=70.0)
    _play(analyser, 0.0, 5.0, 72.0)
    assert _play(analyser, 100.0, 5.0, 72.0) == [], "five seconds of 72 dB in ten are 69 dB"


def test_what_is_open_at_the_end_is_ended() -> None:
    analyser = _analyser()
    _play(analyser, 0.0, 20.0, 80.0)
    (end,) = analyser.finish()
    assert (end.phase, end.time_s) == (Phase.END, 20.0)
