"""A microphone that hears nothing is told of; a quiet night is not."""

import numpy as np
import pytest
from parvis_contract import Phase
from parvis_edge.analysers.unit_silent import SilenceAnalyser
from parvis_edge.hearing.ear import Heard, Pressure
from parvis_edge.hearing.log_mel import Floats
from parvis_edge.perception import Judgement

FULL_SCALE_DB = 120.0


def _play(analyser: SilenceAnalyser, begin_s: float, sound: Floats, rate_hz: int = 8_000) -> list[Judgement]:
    judged = []
    for at in range(0, sound.size, rate_hz // 4):
        piece = sound[at : at + rate_hz // 4]
        begin = begin_s + at / rate_hz
        judged += analyser.judge(Heard(Pressure(begin, begin + piece.size / rate_hz, float(np.var(piece)), bool(np.ptp(piece) == 0.0))))
    return judged


def _noise(level_db: float, seconds: float) -> Floats:
    amplitude = 10 ** ((level_db - FULL_SCALE_DB) / 20)
    return np.random.default_rng(1).normal(0.0, amplitude, round(8_000 * seconds)).astype(np.float32)


@pytest.mark.parametrize(
    "dead",
    [np.zeros(120_000, np.float32), np.full(120_000, 0.25, np.float32), _noise(0.0, 15.0)],
    ids=["zeros", "stuck", "far below its noise"],
)
def test_a_dead_microphone_is_told_of_after_ten_seconds_and_so_is_its_return(dead: Floats) -> None:
    analyser = SilenceAnalyser(FULL_SCALE_DB)
    assert _play(analyser, 0.0, _noise(40.0, 4.0)) == []
    (start,) = _play(analyser, 4.0, dead[: 8_000 * 11])
    assert (start.type, start.phase, start.time_s) == ("unit.tampered", Phase.START, 4.0)
    assert _play(analyser, 15.0, dead[: 8_000 * 3]) == []
    (end,) = _play(analyser, 18.0, _noise(40.0, 2.0))
    assert (end.phase, end.time_s) == (Phase.END, 18.0)


@pytest.mark.parametrize("level_db", [15.0, 25.0, 50.0])
def test_a_quiet_night_is_not_silence(level_db: float) -> None:
    analyser = SilenceAnalyser(FULL_SCALE_DB)
    assert _play(analyser, 0.0, _noise(level_db, 20.0)) + analyser.finish() == []


def test_a_short_drop_out_is_not_told_of() -> None:
    analyser = SilenceAnalyser(FULL_SCALE_DB)
    judged = []
    for n in range(5):
        judged += _play(analyser, 12.0 * n, np.zeros(8_000 * 9, np.float32)) + _play(analyser, 12.0 * n + 9.0, _noise(40.0, 3.0))
    assert judged == [], "nine seconds of zeros, as a padded recording has"


def test_what_is_open_at_the_end_is_ended() -> None:
    analyser = SilenceAnalyser(FULL_SCALE_DB)
    _play(analyser, 0.0, np.zeros(96_000, np.float32))
    (end,) = analyser.finish()
    assert (end.phase, end.time_s) == (Phase.END, 12.0)
