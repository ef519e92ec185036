"""Who hears a sound, and how loud: what a place has to explain besides when each unit heard it.

Sound loses 6 dB with each doubling of the distance. What lies between, a wall or a lorry, takes some 10 dB more or less, so that this tells
little; but where few units heard a sound it tells two places apart that explain their times equally well.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

#: What lies between makes of a level, 1 sigma: measured in streets, 8 to 10 dB.
_SHADOW_DB = 10.0
#: The same as a share of the distance at which a sound falls below the noise: a logistic distribution's width, of its logarithm.
_SHADOW = _SHADOW_DB * np.sqrt(3.0) / np.pi * np.log(10.0) / 20.0
#: How far a sound is heard, from a window's breaking to an explosion; none of these is more probable than another.
_HEARD_M = np.geomspace(30.0, 1_000.0, 8)
#: A unit in reach misses one sound in seven, by another that is louder; one out of reach hears one in a hundred, by an echo.
_HEARS, _HEARS_ANYWAY = 0.85, 0.01
#: How many of the units around do listen, and how probable that is: all, half, or none but those that heard it, as in a power cut.
_LISTENING = ((1.0, 0.9), (0.5, 0.08), (0.0, 0.02))
#: Levels follow distance in so many cases; in the rest they say nothing, as of a microphone that is overloaded.
_LEVELS_SAY = 0.8
#: A unit's height above the source, about: nobody is nearer to it.
_LEAST_M = 3.0


def log_audibility(places_m: Array, heard_m: Array, level_db: Array, silent_m: Array) -> Array:
    """How probable it is that these units heard a sound so loud and those did not, by where it was, up to a factor.

    Args:
        places_m: Where it may have been, ``(k, 2)``.
        heard_m: Units that heard it, ``(n, 2)``.
        level_db: How loud each of them did, ``(n,)``; NaN where that is not known.
        silent_m: Units that listen and did not hear it, ``(m, 2)``.

    Returns:
        Logarithms, ``(k,)``.
    """
    heard, silent = _distance_m(places_m, heard_m), _distance_m(places_m, silent_m)
    known = np.isfinite(level_db)
    level = level_db[known] - level_db[known].mean() if known.any() else level_db[known]
    at_source = level + 20.0 * np.log10(heard[:, known])
    at_source -= at_source.mean(axis=1, keepdims=True) if known.any() else 0.0
    said = np.logaddexp(
        np.log(_LEVELS_SAY) - 0.5 * np.sum((at_source / _SHADOW_DB) ** 2, axis=1),
        np.log(1.0 - _LEVELS_SAY) - 0.5 * np.sum((level / _SHADOW_DB) ** 2),
    )
    reached, missed = np.log(_hears(heard)).sum(axis=1), _hears(silent)
    stayed = [np.log(share) + np.log(1.0 - listening * missed).sum(axis=1) for listening, share in _LISTENING]
    return np.asarray(said + np.logaddexp.reduce([reached + each for each in stayed], axis=(0, 2)))


def _distance_m(places_m: Array, units_m: Array) -> Array:
    """``(k, 2)``, ``(n, 2)`` → ``(k, n)``."""
    offset = places_m[:, None] - units_m
    return np.asarray(np.sqrt(offset[..., 0] ** 2 + offset[..., 1] ** 2 + _LEAST_M**2))


def _hears(distance_m: Array) -> Array:
    """How probable it is that a unit hears a sound, by how far away it is and how far it reaches: ``(k, n)`` → ``(k, n, reaches)``."""
    return np.asarray(_HEARS_ANYWAY + _HEARS / (1.0 + (distance_m[..., None] / _HEARD_M) ** (1.0 / _SHADOW)))
