"""Publishes incidents and refusals, again until the broker has confirmed them, and commands, again until their unit has."""

from .commands import CommandSender
from .publisher import Publisher

__all__ = ["CommandSender", "Publisher"]
