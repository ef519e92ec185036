"""The sense of hearing, put together: from blocks of sound to judgements."""

from __future__ import annotations

from parvis_contract.site import Site

from parvis_edge.bundle import Bundle
from parvis_edge.hearing.tagger import Tagger
from parvis_edge.perception import AudioBlock, Judgement


class MicrophoneSense:
    """Hears with one microphone.

    Args:
        site: The site plan.
        unit: Name of the unit whose microphone it is.
        allowed: Short names of the event types that the law allows this microphone; the others' analysers are not made.
        bundle: The sound tagger.
    """

    def __init__(self, site: Site, unit: str, allowed: frozenset[str], bundle: Bundle) -> None:
        self.model = bundle.ref
        self._tagger = Tagger(bundle)
        self._site, self._unit, self._allowed = site, unit, allowed

    @property
    def analysed(self) -> int:
        """How many patches the tagger has been run for."""
        return self._tagger.analysed

    @property
    def inference_ms(self) -> float | None:
        """A smoothed time of one patch in the tagger; None before the first."""
        return self._tagger.inference_ms

    def process(self, block: AudioBlock) -> list[Judgement]:
        """Takes the next block, in order of time."""
        del block
        return []

    def finish(self) -> list[Judgement]:
        """Ends what is open."""
        return []
