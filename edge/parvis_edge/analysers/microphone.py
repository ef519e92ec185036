"""The sense of hearing, put together: from blocks of sound to judgements."""

from __future__ import annotations

from parvis_contract.site import NoiseZone, Site

from parvis_edge.bundle import Bundle
from parvis_edge.hearing.ear import Ear, Heard
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.perception import AudioBlock, Judgement

from .level_unusual import MicrophoneLevels, Shelf
from .sound_alarm import AlarmAnalyser
from .sound_impulse import ImpulseAnalyser
from .sound_level import LevelAnalyser
from .unit_silent import SilenceAnalyser


class MicrophoneSense:
    """Hears with one microphone.

    Args:
        site: The site plan.
        unit: Name of the unit whose microphone it is.
        allowed: Short names of the event types that the law allows this microphone; the others' analysers are not made.
        bundle: The sound tagger.
        shelf: Where what is usual is kept; None keeps it for this run alone.

    Attributes:
        model: The tagger's name and version.

    Raises:
        BundleError: The bundle is no sound tagger, or lacks a label that is needed.
    """

    def __init__(self, site: Site, unit: str, allowed: frozenset[str], bundle: Bundle, shelf: Shelf | None = None) -> None:
        self.model = bundle.ref
        self._tagger = Tagger(bundle)
        full_scale_db = site.units[unit].microphone.full_scale_db
        labels = bundle.card.labels
        self._impulses = ImpulseAnalyser(labels, bundle.card.name, site.units[unit].range_m) if "sound.impulse" in allowed else None
        self._alarms = AlarmAnalyser(labels, bundle.card.name) if "sound.alarm" in allowed else None
        self._silence = SilenceAnalyser(full_scale_db) if "unit.tampered" in allowed else None
        noise = {name: zone for name, zone in site.zones_of(unit).items() if isinstance(zone, NoiseZone)}
        self._levels = [LevelAnalyser(name, zone) for name, zone in noise.items()] if "sound.level" in allowed else []
        usual = noise if "level.unusual" in allowed else {}
        self._usual = MicrophoneLevels(site, unit, usual, shelf)
        self._ear = Ear(
            self._tagger,
            full_scale_db,
            tags=self._alarms is not None,
            impulses=self._impulses is not None,
            levels=self._alarms is not None or bool(self._levels) or bool(usual),
            peaks=bool(self._levels),
            alarms=self._alarms.tone_matters if self._alarms is not None else None,
        )

    @property
    def analysed(self) -> int:
        """How many patches of sound the tagger has been run for."""
        return self._tagger.analysed

    @property
    def inference_ms(self) -> float | None:
        """A smoothed time of one patch in the tagger; None before the first."""
        return self._tagger.inference_ms

    def exchange(self, bundle: Bundle) -> bool:
        """Hears with another model from the next block on; what is open stays open.

        Returns:
            False if it hears in another way; then nothing has changed, and the sense has to be made anew.

        Raises:
            BundleError: It is no sound tagger.
        """
        if not self._tagger.exchange(bundle):
            return False
        self.model = bundle.ref
        return True

    def process(self, block: AudioBlock) -> list[Judgement]:
        """Takes the next block, in order of time, and says what follows from it.

        Args:
            block: Of any size. A jump in its time is a gap in the sound.

        Raises:
            ValueError: A sample is not a number, or the rate is too low for sound levels.
        """
        return [judgement for heard in self._ear.push(block) for judgement in self._judge(heard)]

    def finish(self) -> list[Judgement]:
        """Ends whatever is still open: the stream is over."""
        judged = [judgement for heard in self._ear.finish() for judgement in self._judge(heard)]
        for analyser in (self._alarms, self._silence, *self._levels):
            judged += analyser.finish() if analyser is not None else []
        return judged + self._usual.finish()

    def _judge(self, heard: Heard) -> list[Judgement]:
        judged = []
        if self._impulses is not None:
            judged += [judgement for impulse in heard.impulses for judgement in self._impulses.judge(impulse)]
        for analyser in (self._alarms, self._silence, *self._levels):
            judged += analyser.judge(heard) if analyser is not None else []
        return judged + self._usual.hear(heard, judged)
