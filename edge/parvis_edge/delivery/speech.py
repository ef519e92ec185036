"""From what the senses judge to what is kept or printed: one order, one voice."""

from __future__ import annotations

import heapq
import math
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import structlog
from parvis_contract import Clock, Envelope, Refused, StatusReason, dump_message

from parvis_edge.perception import Finding

from .messages import JudgementError, Messenger, ended, numbered
from .outbox import Outbox, OutboxError
from .shedding import Worth

#: A program that ends asks a full disk so often whether it takes something.
AGAIN_S = 0.2

_log = structlog.get_logger()


class Sink(Protocol):
    """Where messages go."""

    def say(self, messages: Sequence[Envelope[Any]]) -> None:
        """Takes messages, in order."""


class StandardOutput:
    """Writes one message a line, numbered from 0, each at once.

    Args:
        descriptor: Of the open file.
        broken: Called when nobody reads any more.
    """

    def __init__(self, descriptor: int, broken: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._broken = broken
        self._sequence = 0
        self._gone = False

    def say(self, messages: Sequence[Envelope[Any]]) -> None:
        """Writes them."""
        for message in messages:
            if self._gone:
                return
            try:
                line = memoryview(dump_message(numbered(message, self._sequence)) + b"\n")
            except Refused as error:
                _log.error("a judgement is outside the contract and not said", type=message.name, detail=str(error))
                continue
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                self._gone = True
                self._broken()
                return
            self._sequence += 1


class Kept:
    """Puts messages into the outbox; while the disk takes none, keeps them in memory and tries again.

    Before anything else, it ends the events that the last run left open.

    Args:
        outbox: The outbox.
        most: So many are kept in memory; beyond, the least worth goes, the oldest first.

    Attributes:
        reason: Why messages are kept in memory; None while they are not.
        shed: How many were given up.
    """

    def __init__(self, outbox: Outbox, most: int = 10_000) -> None:
        self._outbox = outbox
        self._most = most
        self._backlog: deque[Envelope[Any]] = deque()
        self._lock = threading.Lock()
        self._begun = False
        self.reason: StatusReason | None = None
        self.shed = 0

    @property
    def waiting(self) -> int:
        """How many are kept in memory."""
        return len(self._backlog)

    def say(self, messages: Sequence[Envelope[Any]]) -> None:
        """Keeps them."""
        with self._lock:
            self._backlog.extend(messages)
            self._flush()

    def retry(self) -> None:
        """Tries again what is still in memory."""
        with self._lock:
            if self._backlog or not self._begun:
                self._flush()

    def drain(self, until_s: float) -> None:
        """Tries again until nothing is in memory any more, or until a time by the monotonic clock: what is left then is lost.

        Args:
            until_s: Seconds.
        """
        self.retry()
        while self.waiting and time.monotonic() < until_s:
            time.sleep(AGAIN_S)
            self.retry()
        if self.waiting:
            _log.error("the disk has taken nothing until the end; what was in memory is lost", lost=self.waiting)

    def _flush(self) -> None:
        try:
            self._end_orphans()
            self._put_all()
        except OutboxError as error:
            if self.reason is None:
                _log.error("the disk takes nothing; events are kept in memory", detail=str(error), kept=len(self._backlog))
            self.reason = StatusReason.DISK_FULL
            self._shed()
            return
        if self.reason is not None:
            _log.info("the disk takes events again")
        self.reason = None

    def _end_orphans(self) -> None:
        if self._begun:
            return
        orphans = self._outbox.orphans()
        if orphans:
            _log.warning("the last run was cut short; its open events are ended", events=len(orphans))
            self._backlog.extendleft(ended(last) for last in reversed(orphans))
        self._begun = True

    def _put_all(self) -> None:
        while self._backlog:
            batch = list(self._backlog)[:100]
            try:
                self._outbox.put(batch)
            except Refused:
                self._one_by_one(batch)
            else:
                for _ in batch:
                    self._backlog.popleft()

    def _one_by_one(self, batch: list[Envelope[Any]]) -> None:
        """Of a batch that was refused as a whole, keeps what can be."""
        for message in batch:
            try:
                self._outbox.put([message])
            except Refused as error:
                _log.error("a judgement is outside the contract and not said", type=message.name, detail=str(error))
            self._backlog.popleft()

    def _shed(self) -> None:
        while len(self._backlog) > self._most:
            least = min(range(len(self._backlog)), key=lambda index: (Worth.of(self._backlog[index]), index))
            del self._backlog[least]
            self.shed += 1


#: What a sense said at one item; None: it broke down, and what it has open is to be ended.
Said = Sequence[Finding] | None


class InOrder:
    """Puts what several senses say of recordings into one order, that of the recordings' time. Pure.

    A sense that is fast would else speak of the end before a slow one has spoken of the beginning, differently each time.

    Args:
        senses: Their names; at one time, they speak in this order.
    """

    def __init__(self, senses: Iterable[str]) -> None:
        self._come_to = dict.fromkeys(senses, -math.inf)
        self._rank = {name: index for index, name in enumerate(self._come_to)}
        self._waiting: list[tuple[float, int, int, str, Said]] = []
        self._count = 0

    def add(self, sense: str, time_s: float, said: Sequence[Finding]) -> list[tuple[str, Said]]:
        """A sense has come to ``time_s``; gives what may now be said."""
        self._come_to[sense] = time_s
        if said:
            self._push(sense, time_s, said)
        return self._ready()

    def over(self, sense: str, *, failed: bool) -> list[tuple[str, Said]]:
        """A sense says no more; gives what may now be said."""
        if failed:
            self._push(sense, self._come_to[sense], None)
        self._come_to[sense] = math.inf
        return self._ready()

    def _push(self, sense: str, time_s: float, said: Said) -> None:
        heapq.heappush(self._waiting, (time_s, self._rank[sense], self._count, sense, said))
        self._count += 1

    def _ready(self) -> list[tuple[str, Said]]:
        limit_s = min(self._come_to.values())
        ready = []
        while self._waiting and self._waiting[0][0] <= limit_s:
            _, _, _, sense, said = heapq.heappop(self._waiting)
            ready.append((sense, said))
        return ready


class Speech:
    """Takes findings from the senses' threads and says them.

    Args:
        messenger: Makes messages of them.
        sink: Where they go.
        clock: What their times are worth.
        order: Of recordings; None says at once what is said.

    Attributes:
        said: How many messages were made, by type and phase; no phase where there is none.
    """

    def __init__(self, messenger: Messenger, sink: Sink, clock: Callable[[], Clock], order: InOrder | None) -> None:
        self._messenger = messenger
        self._sink = sink
        self._clock = clock
        self._order = order
        self.said: Counter[tuple[str, str]] = Counter()
        self._lock = threading.Lock()

    def judged(self, sense: str, time_s: float, findings: Sequence[Finding]) -> None:
        """A sense has come to ``time_s``, and said these."""
        with self._lock:
            if self._order is not None:
                self._say_all(self._order.add(sense, time_s, findings))
            elif findings:
                self._say_all([(sense, findings)])

    def over(self, sense: str, *, failed: bool) -> None:
        """A sense will say no more; what a failed one has open is ended."""
        with self._lock:
            if self._order is not None:
                self._say_all(self._order.over(sense, failed=failed))
            elif failed:
                self._say_all([(sense, None)])

    def _say_all(self, all_said: list[tuple[str, Said]]) -> None:
        messages: list[Envelope[Any]] = []
        clock = self._clock() if all_said else None
        for sense, said in all_said:
            if said is None:
                messages.extend(self._messenger.end_all(sense))
                continue
            for finding in said:
                try:
                    messages.append(self._messenger.message(sense, finding, clock or self._clock()))
                except JudgementError as error:
                    _log.error("a judgement cannot be said", sense=sense, detail=str(error))
        if messages:
            self.said.update((message.name, str(getattr(message.data, "phase", ""))) for message in messages)
            self._sink.say(messages)
