"""From findings to messages: identity, position, clock and model. Pure but for fresh ids of live events.

**Ids.** What a live unit says gets a fresh UUIDv7. What is judged from a recording gets an id derived from the recording, the
unit, the type, the phase and the time: the same file, judged again with the same beginning, says the same messages with the
same ids, and whoever received them already counts none twice. An analyser's key takes no part in an id and leaves no trace.
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from parvis_contract import (
    MESSAGES,
    Clock,
    Envelope,
    EvidencePlate,
    FlowCount,
    ModelRef,
    Phase,
    Position,
    TagSighting,
    derived_id,
    make_message,
    new_id,
    to_datetime,
    to_posix_s,
    unit_source,
)

from parvis_edge.perception import Counted, Finding, Judgement, PlateMade, TagSeen


class JudgementError(ValueError):
    """An analyser said something that cannot be a message: a defect of the analyser."""


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks.

    Attributes:
        site, unit: Its names.
        position: Its own, with its range as uncertainty: where an event is whose place is not known better.
        program: Its program and version: the model of what needs none.
        count_floor: Counts below it are not told, but ``"<n"``: small numbers single people out.
        recording: Fingerprint of the recording that it judges; None where it is live.
    """

    site: str
    unit: str
    position: Position
    program: ModelRef
    count_floor: int
    recording: str | None = None


@dataclass(slots=True)
class Messenger:
    """Puts the judgements of one unit into messages, and remembers which events are open.

    Every message has sequence 0: it is numbered where it is kept (:func:`numbered`).

    Attributes:
        speaker: Who speaks.
        models: The models in use, by name.
    """

    speaker: Speaker
    models: dict[str, ModelRef] = field(default_factory=dict)
    _open: dict[tuple[str, str, Hashable], Envelope[Any]] = field(default_factory=dict)
    _said: dict[tuple[str, ...], int] = field(default_factory=dict)

    def message(self, sense: str, finding: Finding, clock: Clock) -> Envelope[Any]:
        """One message.

        Args:
            sense: Which of the unit's senses found it; keys are its own.
            finding: What it said.
            clock: What its time is worth.

        Raises:
            JudgementError: It ends, updates or shows what has not begun, begins twice, or is outside the contract's bounds.
        """
        if isinstance(finding, Judgement):
            return self._event(sense, finding, clock)
        if isinstance(finding, PlateMade):
            return self._plate(sense, finding)
        name = "tag.sighting" if isinstance(finding, TagSeen) else "flow.count"
        try:
            data: Any
            if isinstance(finding, TagSeen):
                about = str(finding.tag)
                data = TagSighting(sequence=0, tag=finding.tag, position=finding.position or self.speaker.position, clock=clock)
            else:
                about = f"{finding.zone} {finding.object_class}"
                data = self._count(finding)
            message_id = self._id(finding.time_s, name, about)
            source = unit_source(self.speaker.site, self.speaker.unit)
            return make_message(name, source=source, time=to_datetime(finding.time_s), data=data, id=message_id)
        except (ValueError, OverflowError) as error:
            raise JudgementError(f"{name}: {error}") from None

    def _plate(self, sense: str, plate: PlateMade) -> Envelope[Any]:
        begun = self._open.get((sense, plate.about, plate.key))
        if begun is None:
            raise JudgementError(f"evidence.plate: about an event of {plate.about} that is not open")
        try:
            about = str(begun.event_id)
            webp = base64.b64encode(plate.webp).decode()
            data = EvidencePlate(sequence=0, event=begun.event_id, about=plate.about, webp_base64=webp)
            message_id = self._id(plate.time_s, "evidence.plate", about)
            source = unit_source(self.speaker.site, self.speaker.unit)
            return make_message("evidence.plate", source=source, time=to_datetime(plate.time_s), data=data, id=message_id)
        except (ValueError, OverflowError) as error:
            raise JudgementError(f"evidence.plate: {error}") from None

    def _count(self, counted: Counted) -> FlowCount:
        floor = self.speaker.count_floor
        entered, left = (count if count >= floor else f"<{floor}" for count in (counted.entered, counted.left))
        fields = {"sequence": 0, "zone": counted.zone, "object_class": counted.object_class, "period_s": counted.period_s}
        return FlowCount.model_validate(fields | {"in": entered, "out": left})

    def _event(self, sense: str, judgement: Judgement, clock: Clock) -> Envelope[Any]:
        slot = (sense, judgement.type, judgement.key)
        begun = self._open.get(slot)
        starts, lasts = judgement.phase is Phase.START, judgement.phase is not Phase.INSTANT
        if lasts and starts is (begun is not None):
            raise JudgementError(f"{judgement.type}: {judgement.phase} of an event that is {'open already' if begun else 'not open'}")
        try:
            message_id = self._id(judgement.time_s, judgement.type, judgement.phase, str(begun.event_id if begun else ""))
            model: Any = MESSAGES[judgement.type]
            data = model(
                phase=judgement.phase,
                event=None if not lasts else message_id if begun is None else begun.event_id,
                sequence=0,
                confidence=round(judgement.confidence, 4),
                position=judgement.position or self.speaker.position,
                clock=clock,
                model=self.models[judgement.model] if judgement.model else self.speaker.program,
                measure=judgement.measure,
            )
            source = unit_source(self.speaker.site, self.speaker.unit)
            message = make_message(judgement.type, source=source, time=to_datetime(judgement.time_s), data=data, id=message_id)
        except (ValueError, KeyError, OverflowError) as error:
            raise JudgementError(f"{judgement.type}: {error}") from None
        if judgement.phase is Phase.END:
            del self._open[slot]
        elif lasts:
            self._open[slot] = message
        return message

    def end_all(self, sense: str) -> list[Envelope[Any]]:
        """Ends what one sense has open, at the last that is known of it: for a sense that failed."""
        slots = [slot for slot in self._open if slot[0] == sense]
        return [ended(self._open.pop(slot)) for slot in slots]

    def _id(self, time_s: float, type: str, *rest: str) -> uuid.UUID:
        speaker = self.speaker
        if speaker.recording is None:
            return new_id()
        about = (speaker.recording, speaker.site, speaker.unit, type, *rest, f"{time_s:.6f}")
        # Two events of one type can begin in one frame; they are told apart by their order.
        order = self._said[about] = self._said.get(about, -1) + 1
        if len(self._said) > 10_000:
            for old in list(self._said)[:5_000]:
                del self._said[old]
        return derived_id(time_s, *about, str(order))


def ended(last: Envelope[Any]) -> Envelope[Any]:
    """The end of an event of which ``last`` is the last that was said: at that moment, with that measure.

    Its id is derived, so that ending an event twice in the same place says one message.
    """
    message_id = derived_id(to_posix_s(last.time), str(last.event_id), "cut short")
    data = last.data.model_copy(update={"phase": Phase.END, "event": last.event_id, "sequence": 0})
    return make_message(last.name, source=last.source, time=last.time, data=data, id=message_id)


def numbered(message: Envelope[Any], sequence: int) -> Envelope[Any]:
    """The same message with its place in the unit's sequence."""
    return message.model_copy(update={"data": message.data.model_copy(update={"sequence": sequence})})
