"""`sound.impulse`: shots, explosions, breaking glass, fireworks and crashes.

A tagger alone takes a crackling fire for shots and a dropped spoon for a window, because it hears a second of sound and not the
instant. So an event needs independent witnesses. First the waveform: the energy must rise tenfold within 10 ms. Then the tagger,
asked about patches laid around that instant: the log odds of the class's own labels, less half the log odds of the best label
of any other cause (a slammed door, a dog, a drum, speech, rain). Half, because labels are not exclusive: a shot in a crowd is a
shot. Then the waveform again: a blast is followed by its reverberation and a broken pane by its shards, so that 50 to 100 ms later
the sound is still within 25 dB of its peak; the snap of an ember, a key or a knock is over by then. What kind of blast it was is
told by its length and depth: a charge rumbles, a small arm's shot is over in milliseconds. Every number is a physical bound or was
chosen on the development sounds, where it is said; nothing was trained.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from parvis_contract import ImpulseClass, Phase, SoundImpulse

from parvis_edge.hearing.impulse import Impulse
from parvis_edge.hearing.tagger import HEAD_MOST, HEADS, MOST_SURE, label_indices
from parvis_edge.perception import Judgement

Floats = npt.NDArray[np.float32]

_SHOT = ("Gunshot, gunfire", "Machine gun", "Fusillade", "Artillery fire")
_FIREWORK = ("Fireworks", "Firecracker")
#: AudioSet's ontology has all of these under "Explosion": any of them says blast.
_BLAST = ("Explosion", *_SHOT, *_FIREWORK, "Burst, pop", "Eruption", "Boom")
#: A toy's crack, and to the tagger an ember's: no witness for a blast, nor against.
_BLAST_KIN = ("Cap gun",)
_GLASS = ("Glass", "Shatter", "Breaking")
#: They come with breaking glass, and also without: no witness for it, nor against.
_GLASS_KIN = ("Chink, clink", "Smash, crash", "Crack")
_CRASH = ("Smash, crash",)
_CRASH_KIN = ("Breaking", "Shatter", "Glass", "Crushing", "Crunch", "Bang", "Skidding", "Tire squeal")
#: What says where or how it was recorded, and nothing of a cause.
_NEUTRAL = (
    "Silence", "Sound effect", "Noise", "Environmental noise", "Static", "White noise", "Pink noise", "Echo", "Reverberation",
    "Inside, small room", "Inside, large room or hall", "Inside, public space", "Outside, urban or manmade", "Outside, rural or natural",
    "Field recording", "Television", "Radio", "Distortion", "Sidetone", "Cacophony", "Throbbing", "Vibration", "Hum", "Mains hum",
)  # fmt: skip
_RIVAL_WEIGHT = 0.5
#: The log odds of a head count in part, for the tagger's labels and its heads hear the same sound. The blast's own labels are good; the
#: pane's are few, and what a tagger calls a bell, steam or music is one to the head.
_BLAST_HEAD_WEIGHT, _GLASS_HEAD_WEIGHT = 0.25, 0.75
#: Rivals less likely than this in log odds, 1 in 400, do not make a class likelier: no other cause is no proof of this one.
_LEAST_RIVAL = -6.0
#: Softest tail, 50 to 100 ms after the onset; see above. Of the development sounds, all shots and panes but one are above it.
_TAIL_DB = -25.0
#: Long before it is too soft, a soft tail speaks against: evidence lost per decibel below this. Of the development sounds' blasts and
#: panes, nine in ten are above it.
_SOFT_TAIL_DB, _PER_TAIL_DB = -20.0, 0.5
#: What is as loud a second later, and in which nothing rises again, was not struck or fired: a rain, an engine that is switched on.
_FADE_DB = -1.0
#: A fire crackles: many rises within the seconds around, no more than so much softer, of unlike strength. One weapon's shots are alike
#: within a decibel. A blast among them must be this much likelier in log odds.
_CRACKLE_COUNT, _CRACKLE_RANGE_DB, _CRACKLE_SPREAD_DB, _CRACKLE = 5, 12.0, 1.5, 3.0
#: And for so long after any blast, another one in a crackle is the same fire's, or the same fight's, unless it is so much louder.
_CRACKLE_OWN_S, _CRACKLE_LOUDER_DB = 5.0, 6.0
#: Softer ones are of something small and near: speech peaks at so much, a shot a kilometre away and a pane across a street are louder.
_LEAST_LCPEAK_DB = 70.0
#: A small arm's blast peaks at some 155 dB a metre away, and so at 110 dB from 180 m: the softer, the likelier something small and near.
#: Evidence for a blast lost per decibel below that, and how much at most, for a microphone's sensitivity may be off.
_LOUD_LCPEAK_DB, _PER_LEVEL_DB, _MOST_LEVEL = 110.0, 0.1, 1.0
#: A pane breaks once, and its shards are softer: evidence for it lost per rise around that is not much softer, and of how many at most.
_PER_NEAR_RISE, _MOST_NEAR_RISES = 0.3, 5
#: Glass is stiff and thin and has no depth: evidence lost per share of energy below 250 Hz.
_GLASS_DEPTH = 1.5
#: A sound that was cut into lacks the witness of its rise, one that was cut off that of its tail; it must be this much likelier in
#: log odds.
_CUT = 2.0
#: An explosion shows three of four signs: the tagger says explosion rather than shot, or boom; half of its energy comes after 200 ms;
#: half of it lies below 250 Hz. Two are the tagger's (log odds against the shot's), two the waveform's.
_EXPLOSION_OVER_SHOT, _BOOM_OVER_SHOT, _LONG_MS, _LOW_FRACTION, _SIGNS = 1.5, -8.0, 200.0, 0.5, 3
#: Shots in the open score high as fireworks; a firework must be far ahead of the shot.
_FIREWORK_OVER_SHOT = 7.0
#: Echoes, rumble and shards are the first sound's own. What comes t seconds after a blast has travelled c t farther if it is its echo; from
#: within the unit's range it has then lost at least 20 log10(1 + c t / range) dB, and more at the wall. Whatever is louder is a new cause,
#: and so is whatever comes later than this.
_ECHO_S, _SPEED_OF_SOUND_M_S = 0.5, 343.0
#: An explosion's rumble, a pane's shards and a crash's parts come in waves for so long, softer than the first; as loud is a new cause.
_OWN_S = {ImpulseClass.EXPLOSION: 2.0, ImpulseClass.GLASS_BREAKING: 1.5, ImpulseClass.CRASH: 1.5}
_BLASTS = (ImpulseClass.GUNSHOT, ImpulseClass.EXPLOSION, ImpulseClass.FIREWORK)


@dataclass(frozen=True, slots=True)
class _Witness:
    """From which evidence on a class counts, and how evidence becomes confidence.

    Attributes:
        threshold: Least evidence, in log odds.
        slope: Of Platt's logistic.
        intercept: Of Platt's logistic.
    """

    threshold: float
    slope: float
    intercept: float

    def confidence(self, evidence: float) -> float:
        return min(MOST_SURE, 1.0 / (1.0 + math.exp(-(self.slope * evidence + self.intercept))))


#: Thresholds lie where, of the development sounds, the goals for recall are reached with at most one false file, at other gains, in noise
#: and cut elsewhere into patches too. Slope and intercept are Platt's (1999), fitted to the first event of each file under those changes:
#: among these sounds one clip in five is a blast and one in twelve a pane; docs/hearing.md says what that means in a street. There is no
#: crash in them: stricter, and half as sure.
_BLAST_WITNESS = _Witness(-1.2, 0.6, 3.2)
_GLASS_WITNESS = _Witness(-2.0, 1.0, 2.5)
_CRASH_WITNESS = _Witness(1.0, 0.50, -0.5)


class ImpulseAnalyser:
    """Names impulsive sounds.

    Args:
        labels: The tagger's, in the order of its scores.
        model: Name of the tagger's bundle.
        range_m: How far the unit hears, as the site plan has it.

    Raises:
        BundleError: The tagger lacks a label that is needed.
    """

    def __init__(self, labels: tuple[str, ...], model: str, range_m: float = 50.0) -> None:
        self._model = model
        self._range_m = range_m
        self._blast, self._not_blast = self._sides(labels, _BLAST, _BLAST_KIN)
        self._glass, self._not_glass = self._sides(labels, _GLASS, _GLASS_KIN)
        self._crash, self._not_crash = self._sides(labels, _CRASH, _CRASH_KIN)
        self._blast_head, self._glass_head = (int(label_indices(labels, (HEADS[kind],))[0]) for kind in ("shot", "pane"))
        self._shot, self._firework = label_indices(labels, _SHOT), label_indices(labels, _FIREWORK)
        self._explosion, self._boom = label_indices(labels, ("Explosion",)), label_indices(labels, ("Boom",))
        #: Per class: onset and peak level of the latest event.
        self._latest: dict[ImpulseClass, tuple[float, float]] = {}

    @staticmethod
    def _sides(labels: tuple[str, ...], own: tuple[str, ...], kin: tuple[str, ...]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        mine = label_indices(labels, own)
        aside = np.concatenate([mine, label_indices(labels, (*kin, *_NEUTRAL, *HEADS.values()))])
        return mine, np.setdiff1d(np.arange(len(labels)), aside)

    def judge(self, impulse: Impulse) -> list[Judgement]:
        """Says what an impulsive sound was: one event, or none."""
        named = self.name(impulse)
        if named is None:
            return []
        sound_class, confidence = named
        if self._is_its_own(impulse, sound_class):
            return []
        self._latest[sound_class] = (impulse.onset_s, impulse.shape.lcpeak_db)
        measure = SoundImpulse(
            sound_class=sound_class,
            lcpeak_db=round(impulse.shape.lcpeak_db, 1),
            onset_uncertainty_ms=round(impulse.onset_uncertainty_ms, 3),
        )
        return [Judgement("sound.impulse", Phase.INSTANT, sound_class, impulse.onset_s, confidence, measure, model=self._model)]

    def _is_its_own(self, impulse: Impulse, sound_class: ImpulseClass) -> bool:
        """Whether it is a part of an event that has been told."""
        for kind in _BLASTS if sound_class in _BLASTS else (sound_class,):
            if kind not in self._latest:
                continue
            onset_s, lcpeak_db = self._latest[kind]
            after_s, louder_db = impulse.onset_s - onset_s, impulse.shape.lcpeak_db - lcpeak_db
            if after_s < _OWN_S.get(kind, 0.0) and louder_db < 0.0:
                return True
            if sound_class in _BLASTS and after_s < _ECHO_S:
                lost_db = 20.0 * math.log10(1.0 + _SPEED_OF_SOUND_M_S * max(after_s, 0.0) / self._range_m)
                if louder_db < -lost_db:
                    return True
            if sound_class in _BLASTS and after_s < _CRACKLE_OWN_S and louder_db < _CRACKLE_LOUDER_DB and _crackles(impulse):
                return True
        return False

    def name(self, impulse: Impulse) -> tuple[ImpulseClass, float] | None:
        """The class of an impulsive sound, and how sure it is; None if it is of none."""
        shape = impulse.shape
        if shape.lcpeak_db < _LEAST_LCPEAK_DB or (shape.tail_db is not None and shape.tail_db < _TAIL_DB):
            return None
        if shape.fade_db is not None and shape.fade_db > _FADE_DB and not _near(impulse) and not impulse.cut_into:
            return None
        evidence = self.evidence(impulse)
        ahead = {
            ImpulseClass.GUNSHOT: evidence[ImpulseClass.GUNSHOT] - _BLAST_WITNESS.threshold,
            ImpulseClass.GLASS_BREAKING: evidence[ImpulseClass.GLASS_BREAKING] - _GLASS_WITNESS.threshold,
            ImpulseClass.CRASH: evidence[ImpulseClass.CRASH] - _CRASH_WITNESS.threshold,
        }
        best = max(ahead, key=ahead.__getitem__)
        if ahead[best] < 0.0:
            return None
        if best is ImpulseClass.GLASS_BREAKING:
            return best, _GLASS_WITNESS.confidence(evidence[best])
        if best is ImpulseClass.CRASH:
            return best, _CRASH_WITNESS.confidence(evidence[best])
        return self._kind_of_blast(impulse), _BLAST_WITNESS.confidence(evidence[best])

    def evidence(self, impulse: Impulse) -> dict[ImpulseClass, float]:
        """Log odds of each cause against its rivals; the blast's stand under gunshot."""
        every = impulse.logits.mean(axis=0)
        # A pane is told by the silence before its ring: the patches that begin before it.
        sudden = impulse.logits[1:].mean(axis=0) if len(impulse.logits) > 1 else every
        less = _CUT * (impulse.cut_into + (impulse.shape.tail_db is None))
        if impulse.shape.tail_db is not None:
            less += _PER_TAIL_DB * max(0.0, _SOFT_TAIL_DB - impulse.shape.tail_db)

        def against(logits: Floats, own: npt.NDArray[np.intp], rivals: npt.NDArray[np.intp]) -> float:
            return float(logits[own].max() - _RIVAL_WEIGHT * max(float(logits[rivals].max()), _LEAST_RIVAL)) - less

        blast = against(every, self._blast, self._not_blast) + _BLAST_HEAD_WEIGHT * _head(impulse, self._blast_head)
        blast -= _CRACKLE * _crackles(impulse) + min(_MOST_LEVEL, _PER_LEVEL_DB * max(0.0, _LOUD_LCPEAK_DB - impulse.shape.lcpeak_db))
        glass = against(sudden, self._glass, self._not_glass) + _GLASS_HEAD_WEIGHT * _head(impulse, self._glass_head)
        glass -= _GLASS_DEPTH * impulse.shape.low_fraction + _PER_NEAR_RISE * min(len(_near(impulse)), _MOST_NEAR_RISES)
        return {
            ImpulseClass.GUNSHOT: blast,
            ImpulseClass.GLASS_BREAKING: glass,
            ImpulseClass.CRASH: against(every, self._crash, self._not_crash),
        }

    def _kind_of_blast(self, impulse: Impulse) -> ImpulseClass:
        logits = impulse.logits.mean(axis=0)
        shot = float(logits[self._shot].max())
        signs = (
            logits[self._explosion].max() - shot >= _EXPLOSION_OVER_SHOT,
            logits[self._boom].max() - shot >= _BOOM_OVER_SHOT,
            impulse.shape.half_energy_ms >= _LONG_MS,
            impulse.shape.low_fraction >= _LOW_FRACTION,
        )
        if sum(bool(sign) for sign in signs) >= _SIGNS:
            return ImpulseClass.EXPLOSION
        return ImpulseClass.FIREWORK if logits[self._firework].max() - shot >= _FIREWORK_OVER_SHOT else ImpulseClass.GUNSHOT


def _head(impulse: Impulse, at: int) -> float:
    """Log odds of a head, over the patches."""
    return float(np.clip(impulse.logits[:, at], -HEAD_MOST, HEAD_MOST).mean())


def _near(impulse: Impulse) -> list[float]:
    """Energies of the rises around that are not much softer, over that of its own."""
    return [db for db in impulse.beside_db if db > -_CRACKLE_RANGE_DB]


def _crackles(impulse: Impulse) -> bool:
    near = _near(impulse)
    return len(near) >= _CRACKLE_COUNT and float(np.std([0.0, *near])) > _CRACKLE_SPREAD_DB
