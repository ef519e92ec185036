"""Times as a person gives them to a command."""

from __future__ import annotations

from datetime import datetime, timedelta

_SPANS = {"h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_until(option: str, text: str, now: datetime) -> datetime:
    """``12h``, ``7d`` from now, or a time of ISO 8601 with its zone.

    Raises:
        ValueError: It is neither; the message names the option.
    """
    span = _SPANS.get(text[-1:])
    if span is not None and text[:-1].isascii() and text[:-1].isdigit() and len(text) < 6:
        return now + int(text[:-1]) * span
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{option} {text}: expected a time such as 2026-06-24T02:00:00+02:00, or a span such as 12h or 7d") from None
    if time.tzinfo is None:
        raise ValueError(f"{option} {text}: has no zone; add Z for UTC, or +02:00")
    return time
