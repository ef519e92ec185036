"""`sound.alarm`: sirens, fire alarms and vehicle horns.

An alarm is made to be heard for seconds, so two patches in a row must say so, half a second apart: a bark, a cry or a trumpet's note
wavers. Evidence is the log odds of the class's own labels, less a quarter of the log odds of the best label of another cause. "Alarm",
the ontology's parent of siren and fire alarm, is a witness for the siren where the siren is ahead of the horn, because a faint siren
is heard as some alarm first.
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
from parvis_edge.hearing.tagger import label_indices
from parvis_edge.perception import Judgement

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
#: Least evidence of both patches, in log odds; chosen on the development sounds for the siren and the horn. There is no fire alarm in
#: them: stricter.
_THRESHOLD = {AlarmClass.SIREN: -3.0, AlarmClass.FIRE_ALARM: -1.0, AlarmClass.VEHICLE_HORN: -2.0}
#: Two patches farther apart than this are not in a row: there was a gap.
_TOGETHER_S = 1.0
#: An open event goes on down to so much less evidence …
_MARGIN = 1.5
#: … and through so long a pause: horns and pulsed alarms pause for a second or two.
_PAUSE_S = 2.5
#: An open event is told of again so often.
_UPDATE_S = 10.0
#: Levels are kept so long, to know them from an event's beginning on.
_KEEP_S = 4.0


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
    open: _Open | None = None
    #: The patch before, if its evidence was enough: its beginning and the evidence.
    candidate: tuple[float, float] | None = None


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
    _parent: int = field(init=False)
    _rivals: npt.NDArray[np.intp] = field(init=False)
    _states: dict[AlarmClass, _State] = field(init=False)
    _levels: deque[tuple[float, LevelSlice]] = field(init=False, default_factory=deque)
    _now_s: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._own = {name: label_indices(self.labels, own) for name, own in _OWN.items()}
        self._parent = int(label_indices(self.labels, (_PARENT,))[0])
        aside = np.concatenate([*self._own.values(), [self._parent], label_indices(self.labels, _KIN)])
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

    def evidence(self, tagged: Tagged) -> dict[AlarmClass, float]:
        """Log odds of each class against its rivals."""
        logits = to_logits(tagged.scores)
        best = {name: float(logits[own].max()) for name, own in self._own.items()}
        if best[AlarmClass.SIREN] >= best[AlarmClass.VEHICLE_HORN]:
            best[AlarmClass.SIREN] = max(best[AlarmClass.SIREN], float(logits[self._parent]))
        less = _RIVAL_WEIGHT * float(logits[self._rivals].max())
        return {name: value - less for name, value in best.items()}

    def _judge_patch(self, tagged: Tagged) -> list[Judgement]:
        evidence = self.evidence(tagged)
        ahead = {name: value - _THRESHOLD[name] for name, value in evidence.items()}
        best = max(ahead, key=ahead.__getitem__)
        judged: list[Judgement] = []
        for name, state in self._states.items():
            if state.open is not None:
                judged += self._go_on(name, state.open, tagged, evidence[name])
            elif name is best and ahead[name] >= 0.0:
                if state.candidate is not None and tagged.begin_s - state.candidate[0] <= _TOGETHER_S:
                    judged.append(self._start(name, state, tagged, state.candidate[0], min(state.candidate[1], evidence[name])))
                else:
                    state.candidate = (tagged.begin_s, evidence[name])
            else:
                state.candidate = None
        return judged

    def _start(self, name: AlarmClass, state: _State, tagged: Tagged, begin_s: float, evidence: float) -> Judgement:
        level = join(level for time_s, level in self._levels if time_s >= begin_s - 0.05)
        state.candidate = None
        state.open = _Open(begin_s, tagged.end_s, tagged.end_s, _confidence(name, evidence), level)
        return self._tell(name, state.open, Phase.START, begin_s)

    def _go_on(self, name: AlarmClass, alarm: _Open, tagged: Tagged, evidence: float) -> list[Judgement]:
        if evidence < _THRESHOLD[name] - _MARGIN:
            return []
        alarm.last_s = tagged.end_s
        alarm.confidence = max(alarm.confidence, _confidence(name, evidence))
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


def _confidence(name: AlarmClass, evidence: float) -> float:
    """Half at the threshold, and by log odds from there on."""
    return 1.0 / (1.0 + math.exp(-(1.0 + evidence - _THRESHOLD[name])))
