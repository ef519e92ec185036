"""What an impulsive sound is called, by each of its witnesses; and that echoes and shards are no new cause."""

from dataclasses import replace

import numpy as np
import pytest
from parvis_contract import ImpulseClass, SoundImpulse
from parvis_edge.analysers.sound_impulse import ImpulseAnalyser
from parvis_edge.bundle import BundleError, load_bundle
from parvis_edge.hearing.impulse import Impulse, Shape
from parvis_edge.hearing.tagger import HEADS

LABELS = load_bundle("yamnet").card.labels
SHOT = Shape(attack_ms=1.0, half_energy_ms=10.0, tail_db=-15.0, fade_db=-20.0, low_fraction=0.2, lcpeak_db=115.0)


def _impulse(logits: dict[str, float], shape: Shape = SHOT, onset_s: float = 100.0, **changes: object) -> Impulse:
    every = np.full((3, len(LABELS)), -10.0, np.float32)
    every[:, [LABELS.index(label) for label in HEADS.values()]] = 0.0
    for label, logit in logits.items():
        every[:, LABELS.index(label)] = logit
    return replace(Impulse(onset_s, 0.2, 30.0, shape, cut_into=False, beside_db=(), logits=every), **changes)  # type: ignore[arg-type]


def _named(impulse: Impulse) -> ImpulseClass | None:
    named = ImpulseAnalyser(LABELS, "yamnet").name(impulse)
    return named[0] if named else None


BLAST = {"Gunshot, gunfire": 1.0, "Explosion": 1.5}
RUMBLE = replace(SHOT, half_energy_ms=300.0, low_fraction=0.8)
PANE = replace(SHOT, low_fraction=0.0)


@pytest.mark.parametrize(
    ("logits", "shape", "expected"),
    [
        (BLAST, SHOT, ImpulseClass.GUNSHOT),
        (BLAST | {"Speech": 3.0}, SHOT, ImpulseClass.GUNSHOT),
        (BLAST | {"Door": 6.0}, SHOT, None),
        ({"Explosion": -4.5}, SHOT, None),
        ({"Cap gun": 4.0}, SHOT, None),
        (BLAST, replace(SHOT, tail_db=-30.0), None),
        (BLAST, replace(SHOT, lcpeak_db=60.0), None),
        ({"Explosion": 2.0, "Gunshot, gunfire": -1.0}, RUMBLE, ImpulseClass.EXPLOSION),
        (BLAST, RUMBLE, ImpulseClass.GUNSHOT),
        ({"Explosion": 2.0, "Gunshot, gunfire": -1.0}, SHOT, ImpulseClass.GUNSHOT),
        ({"Fireworks": 4.0, "Explosion": 2.0, "Gunshot, gunfire": -6.0}, SHOT, ImpulseClass.FIREWORK),
        ({"Glass": 2.0, "Shatter": 1.0, "Chink, clink": 3.0}, PANE, ImpulseClass.GLASS_BREAKING),
        ({"Glass": 0.0, "Dishes, pots, and pans": 6.0}, PANE, None),
        ({"Smash, crash": 3.0, "Bang": 2.0}, SHOT, ImpulseClass.CRASH),
        ({"Bark": 4.0, "Dog": 5.0}, SHOT, None),
    ],
)
def test_the_witnesses_decide(logits: dict[str, float], shape: Shape, expected: ImpulseClass | None) -> None:
    assert _named(_impulse(logits, shape)) is expected


@pytest.mark.parametrize("changes", [{"cut_into": True}, {"shape": replace(SHOT, tail_db=None)}])
def test_a_sound_that_was_cut_needs_more_evidence(changes: dict[str, object]) -> None:
    weak = {"Gunshot, gunfire": -3.0}
    assert _named(_impulse(weak)) is ImpulseClass.GUNSHOT
    assert _named(replace(_impulse(weak), **changes)) is None  # type: ignore[arg-type]
    assert _named(replace(_impulse(BLAST), **changes)) is ImpulseClass.GUNSHOT  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("logit", "beside_db", "expected"),
    [
        (-2.0, (), ImpulseClass.GUNSHOT),
        (-2.0, (-6.0, 4.0, 1.0, -9.0, 5.0, -3.0), None),
        (4.0, (-6.0, 4.0, 1.0, -9.0, 5.0, -3.0), ImpulseClass.GUNSHOT),
        (-2.0, (-6.0, 4.0, 1.0), ImpulseClass.GUNSHOT),
        (-2.0, (-0.5, 0.3, 0.8, -0.9, 0.1, 0.2, -0.4), ImpulseClass.GUNSHOT),
        (-2.0, (-30.0, -40.0, -25.0, -33.0, -20.0, -28.0), ImpulseClass.GUNSHOT),
    ],
    ids=["alone", "a fire", "a battle", "few", "automatic fire", "a shot over faint rustling"],
)
def test_a_crackling_fire_is_no_gunfire(logit: float, beside_db: tuple[float, ...], expected: ImpulseClass | None) -> None:
    assert _named(_impulse({"Gunshot, gunfire": logit}, beside_db=beside_db)) is expected


@pytest.mark.parametrize(
    ("beside_db", "events"),
    [((-6.0, 4.0, 1.0, -9.0, 5.0, -3.0), 2), ((0.1, 0.2, -0.3, 0.0, 0.4, -0.1), 10)],
    ids=["a crackle", "automatic fire"],
)
def test_one_crackle_is_one_event(beside_db: tuple[float, ...], events: int) -> None:
    """Ten blasts in six seconds that the tagger is sure of: within five seconds of one event a crackle gives no other."""
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    impulses = [_impulse({"Gunshot, gunfire": 5.0}, beside_db=beside_db, onset_s=100.0 + 0.6 * n) for n in range(10)]
    assert sum(len(analyser.judge(impulse)) for impulse in impulses) == events


@pytest.mark.parametrize(
    ("fade_db", "beside_db", "expected"),
    [(0.2, (), None), (-6.0, (), ImpulseClass.GUNSHOT), (None, (), ImpulseClass.GUNSHOT), (0.0, (0.0, 0.5), ImpulseClass.GUNSHOT)],
    ids=["switched on", "fading", "cut off", "automatic fire"],
)
def test_what_does_not_fade_was_switched_on(fade_db: float | None, beside_db: tuple[float, ...], expected: ImpulseClass | None) -> None:
    assert _named(_impulse(BLAST, replace(SHOT, fade_db=fade_db), beside_db=beside_db)) is expected


@pytest.mark.parametrize(("tail_db", "expected"), [(-15.0, ImpulseClass.GUNSHOT), (-21.0, ImpulseClass.GUNSHOT), (-24.0, None)])
def test_a_soft_tail_speaks_against(tail_db: float, expected: ImpulseClass | None) -> None:
    assert _named(_impulse({"Gunshot, gunfire": -3.0}, replace(SHOT, tail_db=tail_db))) is expected


@pytest.mark.parametrize(
    ("after_s", "louder_db", "events"),
    [(0.2, 0.0, 2), (0.15, -5.0, 2), (0.15, -8.0, 1), (0.4, -10.0, 2), (0.4, -13.0, 1), (0.8, -20.0, 2), (0.2, 5.0, 2)],
    ids=["a second shot", "from another place", "its echo", "louder than an echo can be", "a late echo", "a farther shot", "a nearer shot"],
)
def test_echoes_are_the_same_shot(after_s: float, louder_db: float, events: int) -> None:
    """From within 50 m, an echo after 0.15 s has lost 6.1 dB, after 0.4 s 11.5 dB."""
    analyser = ImpulseAnalyser(LABELS, "yamnet", range_m=50.0)
    second = replace(SHOT, lcpeak_db=SHOT.lcpeak_db + louder_db)
    judged = analyser.judge(_impulse(BLAST)) + analyser.judge(_impulse(BLAST, second, onset_s=100.0 + after_s))
    assert len(judged) == events


def test_the_echo_of_a_shot_is_no_firework() -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    echo = _impulse({"Fireworks": 4.0, "Explosion": 2.0, "Gunshot, gunfire": -6.0}, replace(SHOT, lcpeak_db=95.0), onset_s=100.2)
    assert _named(echo) is ImpulseClass.FIREWORK
    assert [len(analyser.judge(impulse)) for impulse in (_impulse(BLAST), echo)] == [1, 0]


def test_every_shot_of_a_burst_is_told() -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    burst = [_impulse(BLAST, replace(SHOT, lcpeak_db=115.0 - n % 2), onset_s=100.0 + 0.1 * n) for n in range(12)]
    assert sum(len(analyser.judge(impulse)) for impulse in burst) == 12


def test_a_pane_after_a_shot_is_told_and_a_shot_after_a_pane() -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    soft = replace(PANE, lcpeak_db=95.0)
    heard = [_impulse(BLAST), _impulse({"Glass": 2.0}, soft, onset_s=100.3), _impulse(BLAST, onset_s=101.0)]
    told = [getattr(judgement.measure, "sound_class", None) for impulse in heard for judgement in analyser.judge(impulse)]
    assert told == [ImpulseClass.GUNSHOT, ImpulseClass.GLASS_BREAKING, ImpulseClass.GUNSHOT]


@pytest.mark.parametrize(("after_s", "louder_db", "events"), [(0.4, -1.0, 1), (0.4, 1.0, 2), (3.0, -10.0, 2)])
def test_shards_are_the_same_pane(after_s: float, louder_db: float, events: int) -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    glass = {"Glass": 2.0}
    second = replace(PANE, lcpeak_db=PANE.lcpeak_db + louder_db)
    judged = analyser.judge(_impulse(glass, PANE)) + analyser.judge(_impulse(glass, second, onset_s=100.0 + after_s))
    assert len(judged) == events


def test_the_rumble_of_an_explosion_is_the_same_explosion() -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    charge = {"Explosion": 2.0, "Gunshot, gunfire": -1.0}
    heard = [_impulse(charge, RUMBLE), _impulse(BLAST, replace(SHOT, lcpeak_db=110.0), onset_s=101.2), _impulse(charge, RUMBLE, 101.5)]
    assert [len(analyser.judge(impulse)) for impulse in heard] == [1, 0, 1]


@pytest.mark.parametrize(("louder_db", "events"), [(0.0, 1), (8.0, 2)])
def test_what_is_clearly_louder_than_a_crackle_is_a_new_cause(louder_db: float, events: int) -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    beside_db, sure = (-6.0, 4.0, 1.0, -9.0, 5.0, -3.0), {"Gunshot, gunfire": 5.0}
    second = replace(SHOT, lcpeak_db=SHOT.lcpeak_db + louder_db)
    heard = [_impulse(sure, beside_db=beside_db), _impulse(sure, second, onset_s=101.0, beside_db=beside_db)]
    assert sum(len(analyser.judge(impulse)) for impulse in heard) == events


@pytest.mark.parametrize(("kind", "logits"), [("shot", {"Gunshot, gunfire": -3.5}), ("pane", {"Glass": -3.5})])
def test_the_head_is_a_witness(kind: str, logits: dict[str, float]) -> None:
    shape = SHOT if kind == "shot" else PANE
    assert _named(_impulse(logits | {HEADS[kind]: -4.0}, shape)) is None
    assert _named(_impulse(logits | {HEADS[kind]: 4.0}, shape)) is not None


def test_the_judgement_says_what_was_measured() -> None:
    (judgement,) = ImpulseAnalyser(LABELS, "yamnet").judge(_impulse(BLAST))
    assert judgement.time_s == 100.0
    assert judgement.measure == SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=115.0, onset_uncertainty_ms=0.2)


def test_more_evidence_is_more_confidence() -> None:
    analyser = ImpulseAnalyser(LABELS, "yamnet")
    confidences = [named[1] for logit in (-3.0, 0.0, 4.0) if (named := analyser.name(_impulse({"Gunshot, gunfire": logit})))]
    assert len(confidences) == 3
    assert confidences == sorted(confidences)
    assert 0.0 < confidences[0] < confidences[-1] < 1.0


def test_a_tagger_without_the_labels_is_refused() -> None:
    with pytest.raises(BundleError, match="Explosion"):
        ImpulseAnalyser(("Speech", "Music"), "yamnet")
