"""What goes first when the outbox is full: the policy, pure.

In this order, the oldest of each first:

1. what the broker has acknowledged and is kept for a while in case it forgets;
2. ``update`` of events: start and end tell the same, less finely;
3. counts and sightings (``flow.count``, ``tag.sighting``): they describe the usual;
4. evidence plates: large, and they only illustrate an event;
5. starts, ends and instants: last, since they are what the unit is for. Of these, too, the oldest goes: an incident of a month
   ago helps less than one of now. Its number in the sequence is missing from then on, so the hub knows that it has not got it.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from parvis_contract import EVENT_TYPES, Envelope, Phase


class Worth(IntEnum):
    """What a message is worth when there is no room: the lowest goes first."""

    UPDATE = 1
    COUNT = 2
    EVIDENCE = 3
    EVENT = 4

    @classmethod
    def of(cls, message: Envelope[Any]) -> Worth:
        """The worth of a message."""
        if message.name in EVENT_TYPES:
            return cls.UPDATE if message.data.phase is Phase.UPDATE else cls.EVENT
        return cls.EVIDENCE if message.name == "evidence.plate" else cls.COUNT
