"""Renews a unit's certificate beside its work, when two thirds of its time are over; the next connection shows the new one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from .asking import NotGiven, renew
from .identity import Identity, IdentityError, days_left

_log = structlog.get_logger()

#: It is looked so often; after a failure, too.
LOOK_S = 3_600.0
#: Within so many days of the end it is an error that nobody may miss.
LATE_DAYS = 10.0


class Renewal:
    """A thread of its own.

    Args:
        identity: Whose certificate.
        look_s: How often it is looked.
        is_due: Whether it is time; None: a third is left, or less.
    """

    def __init__(self, identity: Identity, *, look_s: float = LOOK_S, is_due: Callable[[], bool] | None = None) -> None:
        self._identity, self._look_s = identity, look_s
        self._is_due = is_due or self._a_third_is_left
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="renewal", daemon=True)

    def start(self) -> None:
        """Begins; the first look is at once."""
        self._thread.start()

    def stop(self) -> None:
        """Ends; a request that is under way is given up, and made again at the next start."""
        self._stopping.set()

    def _run(self) -> None:
        while True:
            self.turn()
            if self._stopping.wait(self._look_s):
                return

    def turn(self) -> bool:
        """Looks once, and renews if it is time. Never raises.

        Returns:
            True if there is a new certificate.
        """
        try:
            if not self._is_due():
                return False
            self._identity.keep(renew(self._identity))
            ends = self._identity.certificate().not_valid_after_utc
        except (NotGiven, IdentityError, OSError) as error:
            try:
                left_days = days_left(self._identity.certificate())
            except IdentityError:
                left_days = 0.0
            say = _log.error if left_days < LATE_DAYS else _log.warning
            advice = getattr(error, "advice", None)
            say("the certificate cannot be renewed; it is tried again", detail=str(error), advice=advice, days_left=round(left_days, 1))
            return False
        _log.info("the certificate is renewed", until=ends.isoformat())
        return True

    def _a_third_is_left(self) -> bool:
        certificate = self._identity.certificate()
        lasts = certificate.not_valid_after_utc - certificate.not_valid_before_utc
        return days_left(certificate) * 86_400 <= lasts.total_seconds() / 3
