"""The ear: blocks of sound go in; scores, impulsive sounds and levels come out, each with its time; the sound is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from parvis_edge.perception import AudioBlock

from .impulse import BESIDE_S, LOOK_AHEAD_S, ONSET_FRAMES, Impulse, Shape, measure_shape, to_logits
from .levels import LevelMeter, LevelSlice
from .log_mel import LogMel
from .onset import Rise, RiseFinder, pick_onset
from .resampler import Resampler
from .stream import Rechunker, Stretch
from .tagger import Tagger
from .tone import NO_TONE, Tone, ToneTracker

Floats = npt.NDArray[np.float32]

#: Sound is worked on in equal pieces of this length: what follows from it is said so much later, and longer pieces cost less each second.
CHUNK_S = 0.25
#: A time that jumps by more than this is a gap: a clock that is being set right moves less between two blocks.
GAP_S = 0.05
#: Two rises closer than this are one attack: the crack and its ground reflection, the first shards.
APART_S = 0.1
#: Samples at the source's rate are kept so long, frames of features a little longer.
_KEEP_S = 2.5
#: An onset is looked for from this long before a rise of energy to this long after.
_BEFORE_S, _AFTER_S = 0.02, 0.005
#: The peak of a sound is brought to this share of full scale for the tagger, by at most 40 dB.
_PEAK, _MOST_GAIN = 0.9, 100.0
#: If nothing rises in so much of the start of a stretch, a sound may be going on that began before it.
_OPENING_S = 0.06


@dataclass(frozen=True, slots=True)
class Tagged:
    """Scores of one patch.

    Attributes:
        begin_s: When it begins.
        end_s: When it ends.
        scores: ``(labels,)`` float32 in [0, 1].
        tone: The run of a tone that the patch ends in; none where it could not matter.
    """

    begin_s: float
    end_s: float
    scores: Floats
    tone: Tone = NO_TONE


@dataclass(frozen=True, slots=True)
class Pressure:
    """The bare signal of a stretch, before any weighting.

    Attributes:
        begin_s: When it begins.
        end_s: When it ends.
        mean_square: Of the samples, without their mean.
        constant: All samples have the same value.
    """

    begin_s: float
    end_s: float
    mean_square: float
    constant: bool


@dataclass(slots=True)
class Heard:
    """What one piece of sound gave.

    Attributes:
        pressure: Of this piece.
        level: Of this piece; None where levels are not measured.
        tagged: Patches that became complete, in order.
        impulses: Impulsive sounds whose surroundings became complete, in order.
    """

    pressure: Pressure
    level: LevelSlice | None = None
    tagged: list[Tagged] = field(default_factory=list)
    impulses: list[Impulse] = field(default_factory=list)


class Ear:
    """Hears one stream.

    Args:
        tagger: Gives the scores.
        full_scale_db: Level of the pressure that a sample of 1 stands for, dB re 20 µPa.
        tags: Score patches.
        impulses: Look for impulsive sounds.
        levels: Measure levels.
        peaks: Measure the highest levels too, not only the mean.
        alarms: Says of a patch's scores whether a tone beside them could matter: the strongest tone is looked for where it could. Patches
            are then scored as if they had been recorded loud: what is far away or heard by a microphone that takes loud sounds scores
            as what is near. None does neither.
    """

    def __init__(
        self,
        tagger: Tagger,
        full_scale_db: float,
        *,
        tags: bool = True,
        impulses: bool = True,
        levels: bool = True,
        peaks: bool = True,
        alarms: Callable[[Floats], bool] | None = None,
    ) -> None:
        self._tagger = tagger
        self._log_mel = LogMel(tagger.parameters)
        self._hop = max(1, round(tagger.parameters.patch_hop_s / tagger.parameters.hop_s))
        self._full_scale_db = full_scale_db
        self._tags, self._impulses, self._levels, self._peaks, self._alarms = tags, impulses, levels, peaks, alarms
        self._rate_hz = 0
        self._expected_s: float | None = None
        #: Rises of energy whose surroundings are not complete yet.
        self._rises: list[Rise] = []
        #: And those of the last seconds, judged or not.
        self._lately: list[Rise] = []
        self._opening = False

    def push(self, block: AudioBlock) -> list[Heard]:
        """Takes the next block.

        Args:
            block: In order of time. A jump in its time, or another rate, ends the stretch before.

        Raises:
            ValueError: The rate is too low for the levels, or a sample is not a number.
        """
        if not block.samples.size:
            return []
        if not np.isfinite(block.samples).all():
            raise ValueError("a sample of the sound is not a number; check the file or the driver that it is from")
        heard: list[Heard] = []
        if self._expected_s is None or block.rate_hz != self._rate_hz or abs(block.time_s - self._expected_s) > GAP_S:
            heard += self.finish()
            self._begin(block.rate_hz)
        self._expected_s = block.time_s + block.samples.size / block.rate_hz
        heard += [self._chunk(time_s, samples) for time_s, samples in self._rechunker.push(block.time_s, block.samples)]
        return heard

    def finish(self) -> list[Heard]:
        """Ends the stretch: judges what waits, with silence after the end."""
        if self._expected_s is None:
            return []
        heard = [self._chunk(time_s, samples) for time_s, samples in self._rechunker.finish()]
        self._expected_s = None
        end = self._stretch.time_s(self._stretch.end)
        last = heard[-1] if heard else Heard(Pressure(end, end, 0.0, constant=False))
        self._add_frames(self._resampler.finish())
        if self._tags:
            last.tagged += self._last_patch()
        last.impulses += [self._judge(rise) for rise in self._look_at_opening() + self._rises]
        self._rises = []
        return heard or [last]

    def _begin(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._rechunker = Rechunker(rate_hz, CHUNK_S)
        self._stretch = Stretch(rate_hz, _KEEP_S)
        self._resampler = Resampler(rate_hz, self._log_mel.rate_hz)
        self._finder = RiseFinder(rate_hz, APART_S)
        self._meter = LevelMeter(rate_hz, self._full_scale_db, peaks=self._peaks) if self._levels else None
        self._tones = ToneTracker(self._log_mel.rate_hz) if self._alarms is not None else None
        self._opening = self._impulses
        self._lately = []
        self._sound: Floats = np.empty(0, np.float32)
        self._frames: Floats = np.empty((0, self._log_mel.bands), np.float32)
        #: Index of the first frame kept, and of the first of the next patch.
        self._first_frame = 0
        self._next_patch = 0

    def _chunk(self, time_s: float, samples: Floats) -> Heard:
        self._stretch.push(time_s, samples)
        heard = Heard(
            Pressure(time_s, time_s + samples.size / self._rate_hz, float(np.var(samples)), bool(np.ptp(samples) == 0.0)),
            self._meter.push(samples) if self._meter else None,
        )
        if self._tags or self._impulses:
            self._add_frames(self._resampler.push(samples))
        if self._tags:
            heard.tagged = self._patches()
        if self._impulses:
            rises = self._finder.push(samples)
            self._rises += rises
            since = self._stretch.end - (BESIDE_S + LOOK_AHEAD_S + 2 * CHUNK_S) * self._rate_hz
            self._lately = [rise for rise in self._lately if rise.index > since] + rises
            if self._stretch.end >= LOOK_AHEAD_S * self._rate_hz:
                self._rises = self._look_at_opening() + self._rises
            ready = [rise for rise in self._rises if rise.index + LOOK_AHEAD_S * self._rate_hz <= self._stretch.end]
            self._rises = self._rises[len(ready) :]
            heard.impulses = [self._judge(rise) for rise in ready]
        return heard

    def _look_at_opening(self) -> list[Rise]:
        """A stretch may begin in the middle of an impulsive sound: its first moment is looked at, if nothing rises soon after."""
        if not self._opening:
            return []
        self._opening = False
        soon = any(rise.index < _OPENING_S * self._rate_hz for rise in self._rises)
        return [] if soon else [Rise(0, 0.0, 0.0)]

    def _add_frames(self, sound: Floats) -> None:
        if self._tones is not None:
            self._tones.push(sound)
        self._sound = np.concatenate([self._sound, sound])
        frames = self._log_mel.frames(self._sound)
        self._sound = self._sound[len(frames) * self._log_mel.hop :]
        self._frames = np.concatenate([self._frames, frames])
        # What the next patch or an impulse still needs is younger than this.
        surplus = max(0, len(self._frames) - round(_KEEP_S / 0.01))
        surplus = min(surplus, self._next_patch - self._first_frame) if self._tags else surplus
        self._frames, self._first_frame = self._frames[surplus:], self._first_frame + surplus

    def _patches(self) -> list[Tagged]:
        length, tagged = self._log_mel.patch_frames, []
        while self._next_patch + length <= self._first_frame + len(self._frames):
            tagged.append(self._score(self._next_patch))
            self._next_patch += self._hop
        return tagged

    def _last_patch(self) -> list[Tagged]:
        """Whole patches, and one more that ends with the sound, if a part of it is in none yet."""
        tagged = self._patches()
        end = self._first_frame + len(self._frames)
        # The patch before ends here.
        covered = self._next_patch - self._hop + self._log_mel.patch_frames if self._next_patch else 0
        if end > covered:
            tagged.append(self._score(max(0, end - self._log_mel.patch_frames)))
        return tagged

    def _score(self, frame: int) -> Tagged:
        patch = self._patch(frame)[np.newaxis]
        begin, end = (self._resampler.source_index(at * self._log_mel.hop) for at in (frame, frame + self._log_mel.patch_frames))
        if self._alarms is None or self._tones is None:
            return Tagged(self._stretch.time_s(begin), self._stretch.time_s(end), self._tagger.scores(patch)[0])
        scores = self._tagger.scores(self._levelled(patch, self._stretch.cut(round(begin), round(end))))[0]
        last = (frame + self._log_mel.patch_frames - 1) * self._log_mel.hop + self._log_mel.window
        tone = self._tones.tone(last) if self._alarms(scores) else NO_TONE
        return Tagged(self._stretch.time_s(begin), self._stretch.time_s(end), scores, tone)

    def _patch(self, frame: int) -> Floats:
        """A patch from this frame on; what was before the stretch or comes after it is silence."""
        length = self._log_mel.patch_frames
        patch = np.full((length, self._log_mel.bands), np.log(self._tagger.parameters.log_offset), np.float32)
        begin, end = max(frame, self._first_frame), min(frame + length, self._first_frame + len(self._frames))
        if begin < end:
            patch[begin - frame : end - frame] = self._frames[begin - self._first_frame : end - self._first_frame]
        return patch

    def _levelled(self, patches: Floats, sound: Floats) -> Floats:
        """Patches as if the sound had been recorded at the level of those that the tagger learnt from.

        The features' small offset makes the tagger deaf to the soft parts of a faint sound, as a distant shot is to a microphone that
        takes 130 dB. The gain is put on the features themselves: the offset is taken off, and added again after it. It makes a loud noise
        of a steady faint one, too; so what decides has another witness beside the tagger.
        """
        peak = float(np.abs(sound - sound.mean()).max()) if sound.size else 0.0
        gain = np.float32(min(max(_PEAK / peak, 1.0), _MOST_GAIN)) if peak > 0.0 else np.float32(1.0)
        offset = np.float32(self._tagger.parameters.log_offset)
        return np.asarray(np.log((np.exp(patches) - offset) * gain + offset), np.float32)

    def _beside_db(self, rise: Rise) -> tuple[float, ...]:
        first, last = rise.index - BESIDE_S * self._rate_hz, rise.index + LOOK_AHEAD_S * self._rate_hz
        others = [other for other in self._lately if first <= other.index <= last and other.index != rise.index]
        return tuple(10.0 * float(np.log10(other.energy / rise.energy)) for other in others) if rise.energy > 0.0 else ()

    def _judge(self, rise: Rise) -> Impulse:
        rate_hz = self._rate_hz
        begin = max(self._stretch.first, rise.index - round(_BEFORE_S * rate_hz))
        near = self._stretch.cut(begin, rise.index + round(_AFTER_S * rate_hz))
        # A sound that was there from the start of the stretch began at an unknown time before it.
        pick, uncertainty_ms = pick_onset(near, rate_hz) if rise.index else (0, 1000.0 * _OPENING_S)
        onset = begin + pick
        after = self._stretch.cut(onset, onset + round(LOOK_AHEAD_S * rate_hz))
        shape: Shape = measure_shape(after, rate_hz, self._full_scale_db)
        frame = round(onset / rate_hz * self._log_mel.rate_hz / self._log_mel.hop)
        # What was before a stretch is not known, and must not look like silence out of which a sound bursts.
        patches = [self._patch(frame - before) for before in (ONSET_FRAMES if rise.index else (0,))]
        return Impulse(
            onset_s=self._stretch.time_s(onset),
            # The pick is of a sudden change; a slow attack hides its first part in the noise.
            onset_uncertainty_ms=float(np.hypot(max(uncertainty_ms, 500.0 / rate_hz), shape.attack_ms / 4.0)),
            rise_db=rise.rise_db,
            shape=shape,
            cut_into=rise.index == 0,
            beside_db=self._beside_db(rise),
            logits=to_logits(self._tagger.scores(np.stack(patches) if rise.index == 0 else self._levelled(np.stack(patches), after))),
        )
