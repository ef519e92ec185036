"""Publishes incidents and refusals: whatever the broker has not confirmed is published again."""

from .publisher import Publisher

__all__ = ["Publisher"]
