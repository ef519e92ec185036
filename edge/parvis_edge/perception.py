"""What passes between the rooms of a unit: a frame, a block of sound, and what is found in them.

Every time is ``time_s``: POSIX seconds, UTC, as a float (a quarter of a microsecond at today's dates). It comes in with the
data; nothing that judges reads a clock.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from parvis_contract import Measure, ModelRef, ObjectClass, Phase, Position

#: Left, top, right, bottom, in pixels of the stream.
BoxPx = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture.

    Attributes:
        time_s: When it was taken.
        image: ``(H, W, 3)`` uint8, blue-green-red.
    """

    time_s: float
    image: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class AudioBlock:
    """A stretch of sound, about a tenth of a second long.

    Attributes:
        time_s: When its first sample was taken. A jump against the block before is a gap in the sound.
        samples: ``(n,)`` float32 in [-1, 1], one channel, at the source's own rate.
        rate_hz: Samples per second.
    """

    time_s: float
    samples: npt.NDArray[np.float32]
    rate_hz: int


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an analyser says. Not yet a message: it has no identity, no sequence number and no clock.

    Attributes:
        type: Short name of the event type, ``object.unattended``.
        phase: ``start``, ``update`` or ``end`` of an event that lasts; ``instant`` for one that does not.
        key: Tells the analyser's own open events apart. It never leaves the unit.
        time_s: Start and instant: when it began in the world. Update and end: the moment that it speaks of.
        confidence: In [0, 1].
        measure: The type's measured quantities.
        position: Where; None means the unit's own position, with its range as the uncertainty.
        model: Name of the bundle that saw or heard it; None where no model is involved.
        box_px: Of a start that an evidence plate may show: left, top, right, bottom in the picture. It never leaves the unit but as
            the rectangle on the plate.
    """

    type: str
    phase: Phase
    key: Hashable
    time_s: float
    confidence: float
    measure: Measure
    position: Position | None = None
    model: str | None = None
    box_px: BoxPx | None = None


@dataclass(frozen=True, slots=True)
class TagSeen:
    """An allowed tag was seen.

    Attributes:
        time_s: When.
        tag: Its number.
        position: Where its wearer stands; None means the unit's own position, with its range as the uncertainty.
    """

    time_s: float
    tag: int
    position: Position | None


@dataclass(frozen=True, slots=True)
class Counted:
    """How many of one class went into and out of a zone.

    Attributes:
        time_s: When the period began.
        period_s: How long it lasted.
        zone: Name of the zone.
        object_class: Of what was counted.
        entered, left: Counts; a number below the site's floor is not yet hidden.
    """

    time_s: float
    period_s: float
    zone: str
    object_class: ObjectClass
    entered: int
    left: int


@dataclass(frozen=True, slots=True)
class PlateMade:
    """An evidence plate, for an event that has just been started.

    Attributes:
        time_s: When it was made.
        about: Short name of the event's type.
        key: The event's, as its analyser has it.
        webp: The picture, a plain WebP.
    """

    time_s: float
    about: Literal["object.unattended", "furniture.changed", "surface.marked"]
    key: Hashable
    webp: bytes


#: What a sense may say.
Finding = Judgement | TagSeen | Counted | PlateMade

Item_contra = TypeVar("Item_contra", contravariant=True)


class Sense(Protocol[Item_contra]):
    """What a unit sees or hears with: from frames or blocks of sound to findings. Pure: no clock, file or socket of its own."""

    @property
    def model(self) -> ModelRef:
        """The bundle that perceives."""
        ...

    @property
    def analysed(self) -> int:
        """How many items (frames, patches of sound) the model has been run for."""
        ...

    @property
    def inference_ms(self) -> float | None:
        """A smoothed time of one run of the model; None before the first."""
        ...

    def process(self, item: Item_contra) -> Sequence[Finding]:
        """Takes the next item, in order of time, and says what follows from it."""
        ...

    def finish(self) -> Sequence[Finding]:
        """Ends whatever is still open, at the time of the last item: the stream is over."""
        ...
