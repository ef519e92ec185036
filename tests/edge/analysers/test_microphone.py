"""The sense of hearing as a whole: what it says of made and of recorded sounds, however they are delivered."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from parvis_contract import Phase, SoundImpulse, SoundLevel
from parvis_contract.site import NoiseZone
from parvis_edge.analysers.microphone import MicrophoneSense
from parvis_edge.bundle import Bundle, load_bundle
from parvis_edge.hearing.log_mel import Floats
from parvis_edge.perception import AudioBlock, Judgement

from tests.bench import hearing_bench as bench

START_S = 1.75e9


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return load_bundle("yamnet")


def _shots(rate_hz: int, onsets_s: tuple[float, ...], seconds: float) -> Floats:
    random = np.random.default_rng(4)
    count = round(seconds * rate_hz)
    shots = [bench.made_shot(rate_hz, round(onset_s * rate_hz), count, random) for onset_s in onsets_s]
    return np.clip(np.sum(shots, axis=0), -1.0, 1.0).astype(np.float32)


def _said(judged: list[Judgement]) -> list[tuple[str, Phase, float, object]]:
    return [(judgement.type, judgement.phase, round(judgement.time_s, 6), judgement.measure) for judgement in judged]


@pytest.mark.parametrize("rate_hz", [16_000, 44_100, 48_000])
def test_made_shots_are_heard_at_their_onset(bundle: Bundle, rate_hz: int) -> None:
    onsets_s = (1.5, 3.1)
    judged = bench.hear(_shots(rate_hz, onsets_s, 5.0), rate_hz, bundle, start_s=START_S)
    assert [judgement.type for judgement in judged] == ["sound.impulse"] * 2
    for judgement, onset_s in zip(judged, onsets_s, strict=True):
        assert isinstance(judgement.measure, SoundImpulse)
        assert judgement.phase is Phase.INSTANT
        assert abs(judgement.time_s - START_S - onset_s) < 0.005
        assert judgement.measure.onset_uncertainty_ms < 5.0
        assert 105.0 < judgement.measure.lcpeak_db < 122.0
        assert 0.5 <= judgement.confidence <= 1.0
        assert judgement.model == bundle.card.name


@pytest.mark.parametrize("block", [320, 1_600, 7_777, 80_000])
def test_the_cut_into_blocks_changes_nothing(bundle: Bundle, block: int) -> None:
    sound = _shots(16_000, (1.5, 3.1), 5.0)
    expected = bench.hear(sound, 16_000, bundle, start_s=START_S)
    assert expected
    assert _said(bench.hear(sound, 16_000, bundle, start_s=START_S, block=block)) == _said(expected)


def test_a_gap_in_time_is_a_gap_in_sound(bundle: Bundle) -> None:
    """What follows a gap keeps its own time; the gap's edges are no event."""
    sense = MicrophoneSense(bench.site(), bench.UNIT, bench.ALLOWED, bundle)
    judged = []
    for begin_s in (0.0, 60.0):
        sound = _shots(16_000, (1.5,), 3.0)
        for at in range(0, sound.size, 1_600):
            judged += sense.process(AudioBlock(START_S + begin_s + at / 16_000, sound[at : at + 1_600], 16_000))
    judged += sense.finish()
    assert [judgement.time_s - START_S for judgement in judged if judgement.type == "sound.impulse"] == pytest.approx(
        [1.5, 61.5], abs=0.005
    )


def test_a_quiet_street_and_a_dead_microphone(bundle: Bundle) -> None:
    assert bench.hear(bench.quiet_street(30.0), 16_000, bundle) == []
    start, end = bench.hear(np.zeros(16_000 * 12, np.float32), 16_000, bundle)
    assert (start.type, start.phase, end.phase) == ("unit.tampered", Phase.START, Phase.END)


def test_only_what_the_law_allows_is_looked_for(bundle: Bundle) -> None:
    sound = np.concatenate([_shots(16_000, (1.5,), 3.0), np.zeros(16_000 * 12, np.float32)])
    for allowed in (frozenset[str](), frozenset({"unit.tampered"}), frozenset({"sound.impulse"})):
        sense = MicrophoneSense(bench.site(), bench.UNIT, allowed, bundle)
        judged = sense.process(AudioBlock(START_S, sound, 16_000)) + sense.finish()
        assert {judgement.type for judgement in judged} == allowed
        assert (sense.analysed > 0) == ("sound.impulse" in allowed)
        assert (sense.inference_ms is None) == (sense.analysed == 0)


def test_a_noise_zone_of_the_unit_is_measured(bundle: Bundle) -> None:
    site = bench.site()
    zone = NoiseZone(kind="noise", unit=bench.UNIT, limit_db=80.0, period_s=4.0)
    site = site.model_copy(update={"zones": {"square": zone}})
    sense = MicrophoneSense(site, bench.UNIT, frozenset({"sound.level"}), bundle)
    tone = (0.1 * np.sin(2 * np.pi * 1000.0 * np.arange(16_000 * 6) / 16_000)).astype(np.float32)
    judged = sense.process(AudioBlock(START_S, tone, 16_000)) + sense.finish()
    assert judged[0].phase is Phase.START
    assert judged[-1].phase is Phase.END
    assert isinstance(judged[-1].measure, SoundLevel)
    assert judged[-1].measure.laeq_db == pytest.approx(97.0, abs=0.2)
    assert judged[-1].measure.lcpeak_db == pytest.approx(100.0, abs=0.3)


def test_a_sample_that_is_no_number_is_refused(bundle: Bundle) -> None:
    sense = MicrophoneSense(bench.site(), bench.UNIT, bench.ALLOWED, bundle)
    with pytest.raises(ValueError, match="not a number"):
        sense.process(AudioBlock(START_S, np.full(100, np.nan, np.float32), 16_000))


def test_speech_has_no_class(bundle: Bundle, material: Path) -> None:
    """Thirty spoken words, one by one and as a conversation, loud and soft: nothing is said of them."""
    words = [bench.read(path)[0] for path in sorted((material / "audio" / "speech_fsdd").glob("*.wav"))]
    assert len(words) > 20
    assert [judgement for word in words[::3] for judgement in bench.hear(word, 8_000, bundle)] == []
    random = np.random.default_rng(3)
    pause = [random.normal(0.0, 1e-4, 1_600).astype(np.float32) for _ in words]
    talk = np.concatenate([part for pair in zip(words, pause, strict=True) for part in pair])
    for gain in (0.1, 1.0):
        assert bench.hear(np.asarray(gain * talk, np.float32), 8_000, bundle) == []


def _wail(seconds: float) -> Floats:
    """A made siren in noise 20 dB below it."""
    at_s = np.arange(round(seconds * 16_000)) / 16_000
    phase = 2.0 * np.pi * np.cumsum(650.0 * 2.0 ** (0.5 - 0.5 * np.cos(2.0 * np.pi * at_s / 4.0))) / 16_000
    tone = np.sin(phase) + 0.5 * np.sin(2.0 * phase) + 0.3 * np.sin(3.0 * phase)
    return np.asarray(0.1 * tone + np.random.default_rng(6).normal(0.0, 0.01, at_s.size), np.float32)


CHANGES = {
    "twice as loud": lambda sound: np.clip(2.0 * sound, -1.0, 1.0),
    "a third as loud": lambda sound: sound / 3.0,
    "upside down": lambda sound: -sound,
    "with a steady offset": lambda sound: sound + 0.02,
    "0.12 s later": lambda sound: np.concatenate([sound[8_000:9_920], sound]),
    "0.31 s later": lambda sound: np.concatenate([sound[8_000:12_960], sound]),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("sound", "expected"), [(_shots(16_000, (1.5,), 3.0), {"gunshot"}), (_wail(6.0), {"siren"})], ids=["a shot", "a siren"]
)
def test_gain_sign_offset_and_delay_do_not_change_the_class(bundle: Bundle, sound: Floats, expected: set[str], change: str) -> None:
    changed = np.asarray(CHANGES[change](sound), np.float32)
    assert bench.classes_heard(bench.hear(sound, 16_000, bundle)) == expected
    assert bench.classes_heard(bench.hear(changed, 16_000, bundle)) == expected


@pytest.mark.parametrize("gains", [(0.7, 0.7), (0.5, 1.0)], ids=["as loud", "louder"])
def test_two_shots_a_seventh_of_a_second_apart_are_two_events(bundle: Bundle, gains: tuple[float, float]) -> None:
    first, second = _shots(16_000, (1.5,), 3.0), _shots(16_000, (1.65,), 3.0)
    judged = bench.hear(np.clip(gains[0] * first + gains[1] * second, -1.0, 1.0), 16_000, bundle, start_s=START_S)
    assert [round(judgement.time_s - START_S, 2) for judgement in judged] == [1.5, 1.65]


# Of each class that is looked for, sounds of several sources; of the rest, the kinds that are most easily mistaken.
RECORDED = {
    "gunshot": ("us8k/gun_shot/1*-0.wav", 12, 10),
    "glass_breaking": ("glass_*/*b*[125]*.wav", 9, 5),
    "siren": ("us8k/siren/1*.wav", 10, 7),
    "explosion": ("zzfon/explosion/*.wav", 5, 4),
}


@pytest.mark.parametrize("sound_class", RECORDED)
def test_recorded_sounds_are_heard(bundle: Bundle, material: Path, sound_class: str) -> None:
    pattern, most, least = RECORDED[sound_class]
    files = sorted((material / "audio").glob(pattern))[:most]
    hits = sum(sound_class in bench.classes_heard(bench.hear(*bench.read(path), bundle)) for path in files)
    assert hits >= least, f"{hits} of {len(files)}"


@pytest.mark.parametrize("name", ["gain x 0.25", "3 s of zeros around"])
def test_neither_gain_nor_silence_around_matters(bundle: Bundle, material: Path, name: str) -> None:
    """Sirens stay sirens and horns do not become sirens; and no unit is called tampered with for the silence."""
    sirens, horns = (sorted((material / "audio" / "us8k" / kind).glob("1*.wav")) for kind in ("siren", "car_horn"))
    condition = bench.CONDITIONS[name]
    judged = {path: bench.hear(*condition.play(*bench.read(path)), bundle) for path in [*sirens[:5], *horns[4:7]]}
    assert sum("siren" in bench.classes_heard(judged[path]) for path in sirens[:5]) >= 4
    assert not [path.name for path in horns[4:7] if "siren" in bench.classes_heard(judged[path])]
    assert not [judgement for every in judged.values() for judgement in every if judgement.type == "unit.tampered"]


@pytest.mark.parametrize(
    "kind", ["esc10/baby_cry", "esc10/dog_bark", "us8k/jackhammer", "us8k/drilling", "us8k/children_playing", "nonspeech/machine"]
)
def test_what_is_easily_mistaken_is_no_event(bundle: Bundle, material: Path, kind: str) -> None:
    files = sorted((material / "audio" / kind).iterdir())[:6]
    heard = Counter(name for path in files for name in bench.classes_heard(bench.hear(*bench.read(path), bundle)))
    assert not heard
