"""Publishes incidents and refusals, again until the broker has confirmed them, commands, again until their unit has; and what stands."""

from .commands import CommandSender
from .publisher import Publisher
from .standing import Standing

__all__ = ["CommandSender", "Publisher", "Standing"]
