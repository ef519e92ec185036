"""Alarms: sustained, one event from when it began to when it was last heard, of one class."""

import numpy as np
import pytest
from parvis_contract import AlarmClass, Phase, SoundAlarm
from parvis_edge.analysers.sound_alarm import AlarmAnalyser
from parvis_edge.bundle import load_bundle
from parvis_edge.hearing.ear import Heard, Pressure, Tagged
from parvis_edge.hearing.levels import LevelSlice
from parvis_edge.hearing.tagger import HEADS
from parvis_edge.hearing.tone import NO_TONE, Tone
from parvis_edge.perception import Judgement

LABELS = load_bundle("yamnet").card.labels
NOTHING: dict[str, float] = {}
SIREN = {"Siren": 1.0, "Police car (siren)": 2.0}


def _heard(end_s: float, logits: dict[str, float], tone: Tone = NO_TONE) -> Heard:
    every = np.full(len(LABELS), -9.0)
    every[[LABELS.index(label) for label in HEADS.values()]] = 0.0
    for label, logit in logits.items():
        every[LABELS.index(label)] = logit
    scores = (1.0 / (1.0 + np.exp(-every))).astype(np.float32)
    begin_s = end_s - 0.48
    level = LevelSlice(0.48, 0.48 * 10 ** (80.0 / 10), 81.0, 92.0)
    return Heard(Pressure(begin_s, end_s, 1e-4, constant=False), level, tagged=[Tagged(end_s - 0.96, end_s, scores, tone)])


def _play(analyser: AlarmAnalyser, first: int, patches: list[dict[str, float]], tone: Tone = NO_TONE) -> list[Judgement]:
    """Patches of 0.96 s every 0.48 s; the n-th ends at 0.96 + 0.48 n seconds."""
    return [judgement for n, logits in enumerate(patches, first) for judgement in analyser.judge(_heard(0.96 + 0.48 * n, logits, tone))]


def test_a_siren_is_one_event_from_its_beginning_to_its_end() -> None:
    analyser = AlarmAnalyser(LABELS, "yamnet")
    judged = _play(analyser, 0, [NOTHING] * 4 + [SIREN] * 10 + [NOTHING] * 10)
    start, end = judged
    assert (start.phase, end.phase) == (Phase.START, Phase.END)
    assert start.time_s == pytest.approx(0.48 * 4)
    assert end.time_s == pytest.approx(0.96 + 0.48 * 13)
    assert isinstance(end.measure, SoundAlarm)
    assert end.measure.sound_class is AlarmClass.SIREN
    assert end.measure.duration_s == pytest.approx(end.time_s - start.time_s, abs=0.01)
    assert end.measure.laeq_db == pytest.approx(80.0, abs=0.1)
    assert start.key == end.key
    assert analyser.finish() == []


@pytest.mark.parametrize(
    ("logits", "expected"),
    [
        (SIREN, AlarmClass.SIREN),
        ({"Alarm": 1.0, "Siren": -4.0}, AlarmClass.SIREN),
        ({"Alarm": 3.0, "Vehicle horn, car horn, honking": 1.0, "Siren": -4.0}, AlarmClass.VEHICLE_HORN),
        ({"Vehicle horn, car horn, honking": 1.0}, AlarmClass.VEHICLE_HORN),
        ({"Fire alarm": 3.0, "Smoke detector, smoke alarm": 4.0, "Siren": -3.0}, AlarmClass.FIRE_ALARM),
        ({"Vehicle": 5.0, "Car": 4.0}, None),
        ({"Siren": -4.0, "Music": 6.0}, None),
        ({"Speech": 6.0}, None),
    ],
)
def test_the_class_that_is_farthest_ahead_is_told(logits: dict[str, float], expected: AlarmClass | None) -> None:
    judged = _play(AlarmAnalyser(LABELS, "yamnet"), 0, [logits] * 5)
    assert [judgement.key for judgement in judged] == ([expected] if expected else [])


#: To the tagger, the siren is ahead of the horn, and neither is sure.
UNSURE = {"Siren": -3.0, "Vehicle horn, car horn, honking": -3.5, "Music": -1.0}


@pytest.mark.parametrize(
    ("tone", "expected"),
    [
        (NO_TONE, []),
        (Tone(3.0, 0.6), [AlarmClass.SIREN]),
        (Tone(3.0, 0.01), [AlarmClass.VEHICLE_HORN]),
        (Tone(0.4, 0.6), []),
    ],
    ids=["none", "gliding", "steady", "a short cry"],
)
def test_the_tone_decides_where_the_tagger_is_unsure(tone: Tone, expected: list[AlarmClass]) -> None:
    logits = UNSURE if tone.glide_octaves > 0.1 else UNSURE | {"Vehicle horn, car horn, honking": -2.0}
    judged = _play(AlarmAnalyser(LABELS, "yamnet"), 0, [logits] * 8, tone)
    assert [judgement.key for judgement in judged] == expected


@pytest.mark.parametrize("tone", [NO_TONE, Tone(4.0, 0.0), Tone(4.0, 1.0)])
def test_a_tone_alone_is_no_alarm(tone: Tone) -> None:
    assert _play(AlarmAnalyser(LABELS, "yamnet"), 0, [{"Music": 4.0, "Siren": -6.0}] * 20, tone) == []


def test_weak_evidence_needs_longer() -> None:
    # 2.25 of log odds come from the quarter of the rivals' -9.
    def patches_needed(logit: float) -> int:
        analyser = AlarmAnalyser(LABELS, "yamnet")
        return next(n for n in range(30) if _play(analyser, n, [{"Siren": logit}]))

    strong, weak = patches_needed(2.0), patches_needed(-4.0)
    assert strong == 1
    assert 2 <= weak <= 6


def test_one_patch_is_not_sustained() -> None:
    assert _play(AlarmAnalyser(LABELS, "yamnet"), 0, [NOTHING, SIREN, NOTHING] * 6) == []


def test_a_pause_of_two_seconds_does_not_end_it_and_updates_are_rare() -> None:
    analyser = AlarmAnalyser(LABELS, "yamnet")
    judged = _play(analyser, 0, ([SIREN] * 3 + [NOTHING] * 4) * 12)
    assert [judgement.phase for judgement in judged if judgement.phase is not Phase.UPDATE] == [Phase.START]
    updates = [judgement.time_s for judgement in judged if judgement.phase is Phase.UPDATE]
    assert 2 <= len(updates) <= 4
    assert [judgement.phase for judgement in analyser.finish()] == [Phase.END]


def test_patches_on_both_sides_of_a_gap_are_not_in_a_row() -> None:
    analyser = AlarmAnalyser(LABELS, "yamnet")
    assert _play(analyser, 0, [SIREN]) + _play(analyser, 100, [SIREN]) == []


def test_a_horn_during_a_siren_is_its_own_event() -> None:
    both = SIREN | {"Vehicle horn, car horn, honking": 6.0}
    judged = _play(AlarmAnalyser(LABELS, "yamnet"), 0, [SIREN] * 4 + [both] * 4)
    assert [judgement.key for judgement in judged] == [AlarmClass.SIREN, AlarmClass.VEHICLE_HORN]


def test_a_siren_that_comes_back_is_told_again() -> None:
    analyser = AlarmAnalyser(LABELS, "yamnet")
    judged = _play(analyser, 0, [SIREN] * 10 + [NOTHING] * 62 + [SIREN] * 10)
    assert [judgement.phase for judgement in judged] == [Phase.START, Phase.END, Phase.START]
    assert judged[2].time_s - judged[0].time_s == pytest.approx(0.48 * 72)


@pytest.mark.parametrize("name", AlarmClass)
def test_the_head_is_a_witness(name: AlarmClass) -> None:
    weak = {AlarmClass.SIREN: "Siren", AlarmClass.FIRE_ALARM: "Fire alarm", AlarmClass.VEHICLE_HORN: "Toot"}[name]
    started = [bool(_play(AlarmAnalyser(LABELS, "yamnet"), 0, [{weak: -3.5, HEADS[name]: head}] * 12)) for head in (-4.0, 6.0)]
    assert started == [False, True]


@pytest.mark.parametrize("logits", [NOTHING, {"Siren": -6.0}, {"Siren": -4.0, "Music": 6.0}, {"Toot": -7.0}, SIREN, {"Music": 4.0}])
def test_a_tone_that_is_not_asked_for_would_change_nothing(logits: dict[str, float]) -> None:
    """Whatever the tone: where it does not matter, each patch counts against the class as much as a patch can."""
    analyser = AlarmAnalyser(LABELS, "yamnet")
    heard = _heard(1.0, logits)
    if not analyser.tone_matters(heard.tagged[0].scores):
        for tone in (Tone(4.0, 0.5), Tone(4.0, 0.0)):
            judged = _play(AlarmAnalyser(LABELS, "yamnet"), 0, [logits] * 20, tone)
            assert judged == []
    assert analyser.tone_matters(_heard(1.0, SIREN).tagged[0].scores)
    assert not analyser.tone_matters(_heard(1.0, NOTHING).tagged[0].scores)
