"""The queue between a thread that captures and one that perceives: bounded, so that memory is, and a live unit never falls behind."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Nothing more will come."""


class BoundedQueue(Generic[T]):
    """A first-in-first-out queue of fixed size.

    Args:
        size: How many items it holds.
        drop_oldest: Full, it drops its oldest item (what is live) or makes the writer wait (a recording).

    Attributes:
        dropped: How many items were dropped.
    """

    def __init__(self, size: int, *, drop_oldest: bool) -> None:
        if size < 1:
            raise ValueError("a queue holds at least one item")
        self._size = size
        self._drop_oldest = drop_oldest
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._closed = False
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Adds an item.

        Raises:
            Closed: Nobody reads any more.
        """
        with self._changed:
            while not self._closed and len(self._items) >= self._size and not self._drop_oldest:
                self._changed.wait()
            if self._closed:
                raise Closed
            if len(self._items) >= self._size:
                self._items.popleft()
                self.dropped += 1
            self._items.append(item)
            self._changed.notify_all()

    def get(self, timeout_s: float | None = None) -> T | None:
        """Takes the oldest item; None if none came in time.

        Raises:
            Closed: It is closed, and all was taken.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._closed, timeout_s)
            if self._items:
                item = self._items.popleft()
                self._changed.notify_all()
                return item
            if self._closed:
                raise Closed
            return None

    def close(self, *, discard: bool = False) -> None:
        """Says that nothing more comes; with ``discard`` also what is waiting is forgotten."""
        with self._changed:
            self._closed = True
            if discard:
                self._items.clear()
            self._changed.notify_all()
