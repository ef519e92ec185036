"""When one unit after another sees or hears what moves: with the first, while that one does, or after it, since it goes on to the next."""

from __future__ import annotations

from math import exp, inf, log

from .physics import Physics
from .sameness import FOUND_AGAIN_S

#: How often another begins with the first, while it lasts, or after it.
_TOGETHER, _MEANWHILE, _AGAIN = 0.3, 0.4, 0.3
#: Whom another may follow are the last ones.
FOLLOWED = 8
#: What a unit knows to be in its range is in that disc: along each axis a quarter of its square.
DISC = 0.25


def again_s(physics: Physics, spacing_m: float, speed_m_s: float) -> float:
    """After how long, about, the next unit finds what one has lost, by how far from that one the next ones are."""
    return max(FOUND_AGAIN_S, 0.5 * min(spacing_m, physics.reach_m) / max(1.0, speed_m_s))


def log_begins(physics: Physics, *, after_s: float, sigma_s: float, unseen_s: float, again_s: float) -> float:
    """The logarithm of how likely it is, per second, that a unit begins to see or hear a thing when it did.

    Args:
        physics: The type's.
        after_s: How long after the first one.
        sigma_s: How far the clocks of both may be off.
        unseen_s: How long nobody had seen or heard it by then; no more than 0 while somebody did.
        again_s: As :func:`again_s` says of who saw or heard it last.
    """
    spread_s = physics.together_s + sigma_s
    density = _TOGETHER / (2.0 * spread_s) * exp(-after_s / spread_s)
    if unseen_s <= 0.0:
        density += _MEANWHILE / physics.lasts_s
    else:
        density += _AGAIN / again_s * exp(-unseen_s / again_s)
    return log(density) if density > 0.0 else -inf
