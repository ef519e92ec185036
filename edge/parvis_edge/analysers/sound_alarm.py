"""`sound.alarm`: sirens, fire alarms and vehicle horns.

An alarm is made to be heard for seconds. So evidence is summed up patch by patch, as Page's test does (1954): what is over the class's
threshold adds, what is under it takes away, each patch by a bounded amount, and never below nothing. A strong alarm is told of after
two patches, half a second apart, a weak one after four or more; a bark, a cry or a trumpet's note is over before.
A patch's evidence has three witnesses. The tagger's is the log odds of the class's own labels, less a quarter of the log odds of the best
label of another cause. "Alarm", the ontology's parent of siren and fire alarm, is a witness for the siren where the siren is ahead of
the horn, because a faint siren is heard as some alarm first. The second is the class's head, which has learnt from synthesised
alarms in the noise of a street how the tagger's features look when one is faint. The third is the waveform's: a strong tone that goes
on and glides speaks for a siren, a steady one for a horn and against the siren. Where no tone stands out, as of a siren behind
traffic, it says nothing.
An event ends when its evidence has been lower, by a margin, for as long as pulsed alarms pause.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from parvis_contract import AlarmClass, Phase, SoundAlarm

from parvis_edge.hearing.ear import Heard, Tagged
from parvis_edge.hearing.impulse import to_logits
from parvis_edge.hearing.levels import LevelSlice, join
from parvis_edge.hearing.tagger import HEAD_MOST, HEADS, MOST_SURE, label_indices
from parvis_edge.hearing.tone import Tone
from parvis_edge.perception import Judgement

Floats = npt.NDArray[np.float32]

_OWN = {
    AlarmClass.SIREN: (
        "Siren", "Police car (siren)", "Ambulance (siren)", "Fire engine, fire truck (siren)", "Civil defense siren", "Emergency vehicle",
    ),
    AlarmClass.FIRE_ALARM: ("Fire alarm", "Smoke detector, smoke alarm"),
    AlarmClass.VEHICLE_HORN: ("Vehicle horn, car horn, honking", "Toot", "Air horn, truck horn", "Train horn"),
}  # fmt: skip
_PARENT = "Alarm"
#: What carries alarms or sounds along with them: no other cause.
_KIN = (
    "Car alarm", "Buzzer", "Beep, bleep", "Alarm clock", "Reversing beeps", "Foghorn", "Whistle", "Steam whistle",
    "Vehicle", "Motor vehicle (road)", "Car", "Truck", "Bus", "Traffic noise, roadway noise",
    "Silence", "Sound effect", "Noise", "Environmental noise", "Static", "White noise", "Pink noise", "Echo", "Reverberation",
    "Inside, small room", "Inside, large room or hall", "Inside, public space", "Outside, urban or manmade", "Outside, rural or natural",
    "Field recording", "Television", "Radio", "Distortion", "Sidetone", "Cacophony", "Throbbing", "Vibration", "Hum", "Mains hum",
)  # fmt: skip
_RIVAL_WEIGHT = 0.25
#: The head's log odds count half, for the tagger's labels and its head hear the same sound.
_HEAD_WEIGHT = 0.5
#: From so much evidence on, in log odds, a patch speaks for a class; chosen on the development sounds for the siren and the horn: the
#: siren's in the middle of the range in which none is lost and no other file is heard. There is no fire alarm in them: its is where none of
#: them is called one and made sounders of 3 kHz are heard.
_THRESHOLD = {AlarmClass.SIREN: -2.9, AlarmClass.FIRE_ALARM: -1.5, AlarmClass.VEHICLE_HORN: -1.9}
#: One patch adds or takes away at most so much, and so much in sum starts an event: two patches at least.
_MOST, _ENOUGH = 2.0, 3.5
#: A tone that glides by a minor third or more and has gone on for 2 s adds so much to the siren's evidence, a shorter or narrower one in
#: proportion (a crowd's cheer glides too); one that stays within a semitone takes more from it after 1 s, and adds to the horn's.
_GLIDING, _GLIDE_OCTAVES, _GLIDE_S = 1.0, 0.25, 2.0
_STEADY_SIREN, _STEADY_HORN, _STEADY_OCTAVES, _STEADY_S = -3.0, 2.0, 1.0 / 12.0, 1.0
#: How evidence over the threshold becomes confidence; see below.
_SLOPE, _INTERCEPT = 0.75, -1.4
#: Two patches farther apart than this are not in a row: there was a gap.
_TOGETHER_S = 1.0
#: An open event goes on down to so much less evidence …
_MARGIN = 1.5
#: … and through so long a pause: horns and pulsed alarms pause for a second or two.
_PAUSE_S = 2.5
#: An open event is told of again so often.
_UPDATE_S = 10.0
#: Levels are kept so long, to know them from an event's beginning on; a weak one is told of late.
_KEEP_S = 12.0


@dataclass(slots=True)
class _Open:
    """An alarm that goes on.

    Attributes:
        begin_s: When it began.
        last_s: When it was last heard.
        told_s: When it was last told of.
        confidence: Highest so far.
        level: Since it began.
    """

    begin_s: float
    last_s: float
    told_s: float
    confidence: float
    level: LevelSlice


@dataclass(slots=True)
class _State:
    """What is known of a class.

    Attributes:
        open: Its event.
        surpluses: Evidence over the threshold, of the patches since the sum was last nothing.
        sum: Of those, each bounded.
        begin_s: When the first of them began.
    """

    open: _Open | None = None
    surpluses: list[float] = field(default_factory=list)
    sum: float = 0.0
    begin_s: float = 0.0

    def add(self, surplus: float, begin_s: float) -> bool:
        """Takes a patch's surplus; whether there is enough to start an event."""
        if self.sum == 0.0:
            self.surpluses, self.begin_s = [], begin_s
        self.surpluses.append(surplus)
        self.sum = max(0.0, self.sum + min(max(surplus, -_MOST), _MOST))
        return self.sum >= _ENOUGH


@dataclass(slots=True)
class AlarmAnalyser:
    """Follows alarm sounds.

    Args:
        labels: The tagger's, in the order of its scores.
        model: Name of the tagger's bundle.

    Raises:
        BundleError: The tagger lacks a label that is needed.
    """

    labels: tuple[str, ...]
    model: str
    _own: dict[AlarmClass, npt.NDArray[np.intp]] = field(init=False)
    _heads: dict[AlarmClass, int] = field(init=False)
    _parent: int = field(init=False)
    _rivals: npt.NDArray[np.intp] = field(init=False)
    _states: dict[AlarmClass, _State] = field(init=False)
    _levels: deque[tuple[float, LevelSlice]] = field(init=False, default_factory=deque)
    _now_s: float = field(init=False, default=0.0)
    #: When the latest patch began.
    _last_s: float | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._own = {name: label_indices(self.labels, own) for name, own in _OWN.items()}
        self._heads = {name: int(label_indices(self.labels, (HEADS[name],))[0]) for name in AlarmClass}
        self._parent = int(label_indices(self.labels, (_PARENT,))[0])
        aside = np.concatenate([*self._own.values(), [self._parent], label_indices(self.labels, (*_KIN, *HEADS.values()))])
        self._rivals = np.setdiff1d(np.arange(len(self.labels)), aside)
        self._states = {name: _State() for name in AlarmClass}

    def judge(self, heard: Heard) -> list[Judgement]:
        """Takes what was heard next."""
        self._now_s = heard.pressure.end_s
        if heard.level is not None:
            self._levels.append((heard.pressure.begin_s, heard.level))
            while self._levels[0][0] < self._now_s - _KEEP_S:
                self._levels.popleft()
            for state in self._states.values():
                if state.open is not None:
                    state.open.level = join([state.open.level, heard.level])
        judged = [judgement for tagged in heard.tagged for judgement in self._judge_patch(tagged)]
        return judged + self._ended(self._now_s - _PAUSE_S)

    def finish(self) -> list[Judgement]:
        """Ends what is open where it was last heard."""
        return self._ended(math.inf)

    def tone_matters(self, scores: Floats) -> bool:
        """Whether any tone beside these scores could change what is judged: not if with the best one they still count against as can be.

        Args:
            scores: ``(labels,)`` float32 in [0, 1].
        """
        evidence = self._evidence(scores)
        most = {AlarmClass.SIREN: _GLIDING, AlarmClass.VEHICLE_HORN: _STEADY_HORN}
        return any(evidence[name] + gain > _THRESHOLD[name] - _MOST for name, gain in most.items())

    def evidence(self, tagged: Tagged) -> dict[AlarmClass, float]:
        """Log odds of each class against its rivals."""
        tone = _evidence_of(tagged.tone)
        return {name: value + tone.get(name, 0.0) for name, value in self._evidence(tagged.scores).items()}

    def _evidence(self, scores: Floats) -> dict[AlarmClass, float]:
        """The tagger's own."""
        logits = to_logits(scores)
        best = {name: float(logits[own].max()) for name, own in self._own.items()}
        if best[AlarmClass.SIREN] >= best[AlarmClass.VEHICLE_HORN]:
            best[AlarmClass.SIREN] = max(best[AlarmClass.SIREN], float(logits[self._parent]))
        less = _RIVAL_WEIGHT * float(logits[self._rivals].max())
        heads = {name: _HEAD_WEIGHT * float(np.clip(logits[at], -HEAD_MOST, HEAD_MOST)) for name, at in self._heads.items()}
        return {name: value - less + heads[name] for name, value in best.items()}

    def _judge_patch(self, tagged: Tagged) -> list[Judgement]:
        evidence = self.evidence(tagged)
        surplus = {name: value - _THRESHOLD[name] for name, value in evidence.items()}
        best = max(surplus, key=surplus.__getitem__)
        in_a_row = self._last_s is not None and tagged.begin_s - self._last_s <= _TOGETHER_S
        self._last_s = tagged.begin_s
        judged: list[Judgement] = []
        for name, state in self._states.items():
            if not in_a_row:
                state.sum = 0.0
            if state.open is not None:
                judged += self._go_on(name, state.open, tagged, evidence[name])
            # One sound is of one class: what is ahead of the others' thresholds counts for none of them.
            elif state.add(surplus[name] if name is best else min(surplus[name], 0.0), tagged.begin_s):
                judged.append(self._start(name, state, tagged))
        return judged

    def _start(self, name: AlarmClass, state: _State, tagged: Tagged) -> Judgement:
        level = join(level for time_s, level in self._levels if time_s >= state.begin_s - 0.05)
        state.open = _Open(state.begin_s, tagged.end_s, tagged.end_s, _confidence(sum(state.surpluses) / len(state.surpluses)), level)
        state.sum = 0.0
        return self._tell(name, state.open, Phase.START, state.begin_s)

    def _go_on(self, name: AlarmClass, alarm: _Open, tagged: Tagged, evidence: float) -> list[Judgement]:
        if evidence < _THRESHOLD[name] - _MARGIN:
            return []
        alarm.last_s = tagged.end_s
        alarm.confidence = max(alarm.confidence, _confidence(evidence - _THRESHOLD[name]))
        if tagged.end_s - alarm.told_s < _UPDATE_S:
            return []
        alarm.told_s = tagged.end_s
        return [self._tell(name, alarm, Phase.UPDATE, tagged.end_s)]

    def _ended(self, before_s: float) -> list[Judgement]:
        judged = []
        for name, state in self._states.items():
            if state.open is not None and state.open.last_s < before_s:
                judged.append(self._tell(name, state.open, Phase.END, state.open.last_s))
                state.open = None
        return judged

    def _tell(self, name: AlarmClass, alarm: _Open, phase: Phase, time_s: float) -> Judgement:
        duration_s = max(0.0, alarm.last_s - alarm.begin_s)
        measure = SoundAlarm(sound_class=name, laeq_db=round(alarm.level.laeq_db, 1), duration_s=round(duration_s, 2))
        return Judgement("sound.alarm", phase, name, time_s, alarm.confidence, measure, model=self.model)


def _evidence_of(tone: Tone) -> dict[AlarmClass, float]:
    """What a tone adds to the log odds of the classes."""
    if tone.glide_octaves < _STEADY_OCTAVES:
        share = min(tone.tonal_s / _STEADY_S, 1.0)
        return {AlarmClass.SIREN: _STEADY_SIREN * share, AlarmClass.VEHICLE_HORN: _STEADY_HORN * share}
    return {AlarmClass.SIREN: _GLIDING * min(tone.tonal_s / _GLIDE_S, 1.0) * min(tone.glide_octaves / _GLIDE_OCTAVES, 1.0)}


def _confidence(surplus: float) -> float:
    """Platt's logistic of evidence over the threshold, fitted to the development sounds' events as they ended."""
    return min(MOST_SURE, 1.0 / (1.0 + math.exp(-(_SLOPE * surplus + _INTERCEPT))))
