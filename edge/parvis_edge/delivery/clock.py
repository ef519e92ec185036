"""How far the system's clock may be trusted, asked of the kernel, whichever program keeps it."""

from __future__ import annotations

import ctypes

from parvis_contract import Clock, ClockSource

_TIME_ERROR = 5
_STA_UNSYNC = 0x0040
#: The kernel lets its bound of the error grow by 500 ppm from one correction to the next (RFC 5905, PHI is 15 ppm; Linux
#: takes the most that it can correct), a quartz at street temperatures drifts by about 20 ppm.
_KERNEL_GROWTH = 500.0
_QUARTZ_DRIFT = 20.0
#: What a path over a public network leaves, with NTP, just after a correction.
_NTP_FLOOR_MS = 5.0
#: A clock that nobody keeps: a computer without a battery may be off by any amount; an hour says that it is useless for joining.
UNKEPT = Clock(source=ClockSource.FREE, uncertainty_ms=3_600_000.0)
#: A recording whose beginning was given: taken at its word; what is left is the coarseness of the file's stamps.
GIVEN = Clock(source=ClockSource.FREE, uncertainty_ms=1.0)
#: A recording whose beginning was not given plays as if it began now; a second is what starting a program leaves open.
PRETENDED = Clock(source=ClockSource.FREE, uncertainty_ms=1_000.0)


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux (adjtimex(2)), as far as it is read here."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_char * 512),
    )


def judge_clock(state: int, status: int, maxerror_us: int, esterror_us: int) -> Clock:
    """What adjtimex(2) says, as the contract says it. Pure.

    Args:
        state: Its return value; 5 (TIME_ERROR) is a clock that is not synchronised, below 0 a call that failed.
        status: Its flags.
        maxerror_us: Upper bound of the error, which grows until the next correction.
        esterror_us: The keeper's own estimate; 0 where the keeper gives none (systemd-timesyncd), and 16 s at start.
    """
    if state < 0 or state == _TIME_ERROR or status & _STA_UNSYNC:
        return UNKEPT
    since_correction_ms = maxerror_us / 1_000.0 * _QUARTZ_DRIFT / _KERNEL_GROWTH
    estimated_ms = esterror_us / 1_000.0 if esterror_us > 0 else _NTP_FLOOR_MS + since_correction_ms
    return Clock(source=ClockSource.NTP, uncertainty_ms=round(max(estimated_ms, 0.001), 3))


def read_clock() -> Clock:
    """Asks the kernel; a system that cannot tell has a clock that nobody keeps."""
    try:
        timex = _Timex()
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return UNKEPT
    return judge_clock(state, timex.status, timex.maxerror, timex.esterror)
