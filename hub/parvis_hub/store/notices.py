"""Tells readers in other threads that something has changed, without ever waiting for one that is slow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

#: The store can be neither read nor written, or not written; the broker is not connected; the machine's clock was set back or far ahead.
#: Messages come faster than they are dealt with; there is no room in memory for what may come late.
Trouble = Literal["store", "broker", "clock", "behind", "crowded"]
#: A reader that is this far behind is told to read everything again.
MAX_WAITING = 1_000


class Notice(NamedTuple):
    """What has changed.

    Attributes:
        kind: ``incident``, ``unit``, or ``resync``: too much has changed to say, read everything again.
        key: The incident's id or the unit's name; empty for ``resync``.
    """

    kind: Literal["incident", "unit", "resync"]
    key: str = ""


RESYNC = Notice("resync")


class Subscription:
    """One reader's queue of notices. The same notice waits once only."""

    def __init__(self, owner: Notices, wake: Callable[[], None] | None) -> None:
        self._owner = owner
        self._wake = wake
        self._waiting: dict[Notice, None] = {}
        self._changed = threading.Condition()

    def put(self, notices: tuple[Notice, ...]) -> None:
        """Adds notices; called by the writer, and never waits for the reader."""
        with self._changed:
            if RESYNC not in self._waiting:
                self._waiting.update(dict.fromkeys(notices))
                if len(self._waiting) > MAX_WAITING:
                    self._waiting = {RESYNC: None}
            self._changed.notify_all()
        if self._wake:
            self._wake()

    def take(self, timeout_s: float | None = 0.0) -> list[Notice]:
        """The notices that wait, oldest first, which then wait no more.

        Args:
            timeout_s: How long to wait for one; 0 for not at all, None for ever.
        """
        with self._changed:
            if timeout_s != 0.0:
                self._changed.wait_for(lambda: bool(self._waiting), timeout_s)
            taken = list(self._waiting)
            self._waiting = {}
        return taken

    def close(self) -> None:
        """Ends the subscription."""
        self._owner.drop(self)


class Notices:
    """Those who want to know.

    Attributes:
        troubles: What the hub itself suffers from now, and since when, microseconds since 1970.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subscriptions: set[Subscription] = set()
        self.troubles: Mapping[Trouble, int] = {}

    def suffer(self, trouble: Trouble, since_us: int | None) -> None:
        """Notes that the hub suffers from something since a time; None that it does no more."""
        with self._lock:
            others = {name: at_us for name, at_us in self.troubles.items() if name != trouble}
            self.troubles = others if since_us is None else others | {trouble: since_us}

    def subscribe(self, wake: Callable[[], None] | None = None) -> Subscription:
        """Starts a reader's queue.

        Args:
            wake: Called from the writer's thread whenever something waits; must return at once. For an asyncio reader:
                ``lambda: loop.call_soon_threadsafe(event.set)``, and then ``take()``.
        """
        subscription = Subscription(self, wake)
        with self._lock:
            self._subscriptions.add(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Ends a subscription; one that has ended already may be ended again."""
        with self._lock:
            self._subscriptions.discard(subscription)

    def tell(self, *notices: Notice) -> None:
        """Puts notices into every reader's queue."""
        with self._lock:
            readers = tuple(self._subscriptions)
        if notices:
            for reader in readers:
                reader.put(notices)
