"""The thread that empties the outbox: connects, sends in order, waits for the broker's word, and tries again for ever."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from parvis_contract import StatusReason

from parvis_edge.backoff import Backoff
from parvis_edge.heartbeat import Heartbeat

from .connection import Acknowledgement, Broker, BrokerError, Connection
from .outbox import Outbox, OutboxError, Waiting

#: A broker may acknowledge a message and be killed before it is on its disk or with the hub. What it acknowledged is kept so
#: long and said again at the next connection; the hub counts nothing twice. Brokers write to disk at least once in that time.
KEPT_S = 120.0
#: A broker that keeps nothing on its disk takes, after its restart, what is said before the hub has subscribed again, and tells nobody. So
#: what is kept is said again so long after a connection: a hub that runs tries at least every half minute.
AGAIN_AFTER_S = (5.0, 40.0)
#: A broker that is restarted is back within seconds; one that is away for hours is asked twice a minute.
RETRY_FIRST_S = 0.25
RETRY_MOST_S = 30.0
#: A name server that does not answer, each of two addresses, TLS and the greeting take so long together; nothing is wrong with the thread.
CONNECTING_S = 60.0
#: A topic that nobody subscribes, or that the broker cannot take just now, is tried again after this.
HELD_FIRST_S = 0.5
HELD_MOST_S = 5.0
#: What was refused for good is tried again so often: an access list is sometimes repaired.
REFUSED_RETRY_S = 600.0
#: A connection that lasted so long was a good one.
GOOD_AFTER_S = 5.0
#: At the end, nobody waits longer than this for a subscriber.
NOBODY_DRAIN_S = 10.0
#: Acknowledgements are written down together: each writing costs the disk a turn, and one that is lost only means a repetition.
_WRITE_S = 0.1
#: The longest that a new message waits to be noticed.
_TURN_S = 0.05
#: MQTT 5 (2.4): no matching subscribers; and what may pass: unspecified, implementation, server busy, quota, rate, packet id.
_NO_SUBSCRIBER = 0x10
_PASSING = frozenset({0x80, 0x83, 0x89, 0x91, 0x97, 0x96})

_log = structlog.get_logger()


@dataclass(slots=True)
class Announcer:
    """What is said beside the outbox, and is worth something only now.

    Attributes:
        topic: Of the status.
        will: The status that the broker is to say for us when we are gone.
        telemetry_topic: Of the telemetry.
        telemetry: Makes a telemetry message.
        every_s: How often.
    """

    topic: str
    will: Callable[[], bytes]
    telemetry_topic: str
    telemetry: Callable[[], bytes]
    every_s: float = 10.0
    _status: bytes | None = None
    _said: bytes | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def status(self, body: bytes) -> None:
        """Sets what the status is now."""
        with self._lock:
            self._status = body

    def unsaid(self) -> bytes | None:
        """The status, if this connection has not said it yet."""
        with self._lock:
            return self._status if self._status != self._said else None

    def said(self, body: bytes | None) -> None:
        """It has been said; None at a new connection, where it has to be said again."""
        with self._lock:
            self._said = body


class Deliverer(threading.Thread):
    """Sends what is in the outbox.

    Args:
        outbox: What to send.
        broker: Where to.
        client_id: Ours.
        announcer: Status and telemetry.
        inbox: A topic to subscribe to, and what takes the payloads that come on it.

    Attributes:
        reason: What is wrong with the delivery; None if nothing is.
        heartbeat: Of its thread.
        published, refused, connections: How many messages the broker took and refused, and how often there was a connection.
    """

    def __init__(
        self,
        outbox: Outbox,
        broker: Broker,
        client_id: str,
        announcer: Announcer,
        inbox: tuple[str | None, Callable[[bytes], None]] = (None, lambda _: None),
    ) -> None:
        super().__init__(name="deliver", daemon=True)
        self._inbox = inbox
        self._outbox = outbox
        self._broker = broker
        self._client_id = client_id
        self._announcer = announcer
        self._stopping = threading.Event()
        self._stopped_s = 0.0
        self._drain_until_s = 0.0
        self._under_way: dict[int, Waiting] = {}
        self._taken: list[int] = []
        self._written_s = 0.0
        self._held: dict[str, tuple[Backoff, float]] = {}
        self._cursor = -1
        self.reason: StatusReason | None = StatusReason.CONNECTION_LOST
        self.heartbeat = Heartbeat(CONNECTING_S)
        self.published = self.refused = self.connections = 0

    def stop(self, drain_s: float) -> None:
        """Ends it, after at most so long for what is still to be sent."""
        self._stopped_s = time.monotonic()
        self._drain_until_s = self._stopped_s + drain_s
        self._stopping.set()

    def run(self) -> None:
        """Until :meth:`stop`."""
        backoff = Backoff(RETRY_FIRST_S, RETRY_MOST_S, random.random)
        while not self._done():
            self.heartbeat.beat()
            will = (self._announcer.topic, self._announcer.will())
            connection = Connection(self._broker, self._client_id, will, self._inbox[0])
            try:
                connection.open()
            except BrokerError as error:
                self.reason = StatusReason.BROKER_REFUSES if error.refused else StatusReason.CONNECTION_LOST
                self._wait(backoff.next_s(), str(error))
                continue
            self.connections += 1
            _log.info("connected to the broker", broker=str(self._broker))
            self.reason = None
            begun_s = time.monotonic()
            try:
                self._serve(connection)
            except OutboxError as error:
                _log.error("the outbox cannot be read or written", detail=str(error))
            except Exception:  # noqa: BLE001 - logged whole
                # Whatever it is, what is in the outbox has to leave: this thread does not die.
                _log.exception("the delivery broke down; it begins anew")
            finally:
                connection.close()
            if time.monotonic() - begun_s > GOOD_AFTER_S:
                backoff.reset()
            if not self._done():
                self.reason = StatusReason.CONNECTION_LOST
                self._wait(backoff.next_s(), f"{self._broker}: the connection was lost")

    def _wait(self, delay_s: float, why: str) -> None:
        self.heartbeat.rest()
        _log.warning("no broker; events are kept", detail=why, again_in_s=round(delay_s, 2))
        if not self._stopping.wait(delay_s):
            return
        time.sleep(max(0.0, min(delay_s, self._drain_until_s - time.monotonic())))

    def _done(self) -> bool:
        """True if it was told to stop and there is nothing more to send, or no more time."""
        if not self._stopping.is_set():
            return False
        limit_s = min(self._drain_until_s, self._stopped_s + NOBODY_DRAIN_S) if self._held else self._drain_until_s
        if time.monotonic() >= limit_s:
            return True
        try:
            fill = self._outbox.fill()
        except OutboxError:
            return True
        return fill.messages == fill.refused and self._announcer.unsaid() is None

    def _serve(self, connection: Connection) -> None:
        """Sends over one connection until it is gone."""
        self._announcer.said(None)
        self._under_way.clear()
        self._held.clear()
        self._write_taken()
        self._tried(self._outbox.retry)
        self._cursor = -1
        status_packets: dict[int, bytes] = {}
        telemetry_due_s, forget_due_s = time.monotonic(), time.monotonic() + KEPT_S / 4
        retry_due_s = time.monotonic() + REFUSED_RETRY_S
        again_due_s = [time.monotonic() + after_s for after_s in AGAIN_AFTER_S]
        while connection.alive and not (self._stopping.is_set() and self._finished()):
            self.heartbeat.beat()
            self._answers(connection.turn(_TURN_S), status_packets)
            for payload in connection.received():
                self._inbox[1](payload)
            self._send(connection)
            status = self._announcer.unsaid()
            if status is not None and status not in status_packets.values():
                packet = connection.publish(self._announcer.topic, status, retain=True)
                if packet is not None:
                    status_packets[packet] = status
            now_s = time.monotonic()
            if now_s >= telemetry_due_s:
                telemetry_due_s = now_s + self._announcer.every_s
                connection.publish(self._announcer.telemetry_topic, self._announcer.telemetry(), qos=0)
            if now_s >= forget_due_s:
                forget_due_s = now_s + KEPT_S / 4
                self._tried(lambda: self._outbox.forget(KEPT_S))
            if again_due_s and now_s >= again_due_s[0] and not self._under_way:
                again_due_s.pop(0)
                self._write_taken()
                self._tried(self._outbox.retry)
                self._cursor = -1
            if now_s >= retry_due_s:
                retry_due_s = now_s + REFUSED_RETRY_S
                self._write_taken()
                self._tried(self._outbox.retry_refused)
                self._cursor = -1

    def _send(self, connection: Connection) -> None:
        """Fills the window with the next messages, in order."""
        room = connection.window - len(self._under_way)
        if room <= 0 or (self._under_way and room < connection.window // 2):
            return
        now_s = time.monotonic()
        held = [topic for topic, (_, until_s) in self._held.items() if until_s > now_s]
        if len(held) < len(self._held) and not self._under_way:
            self._write_taken()
            self._cursor = -1
        for message in self._waiting(room, held):
            self._cursor = message.sequence
            if message.sequence in self._taken:
                continue
            if connection.max_bytes is not None and len(message.body) + len(message.topic) + 100 > connection.max_bytes:
                self._refused(message, "larger than the broker takes")
                continue
            packet = connection.publish(message.topic, message.body)
            if packet is None:
                return
            self._under_way[packet] = message

    def _waiting(self, room: int, held: list[str]) -> list[Waiting]:
        """The next messages; none while the disk has no room even to open the outbox: what is said beside it is said all the same."""
        try:
            return self._outbox.waiting(self._cursor, room, held)
        except OutboxError:
            return []

    def _answers(self, answers: list[Acknowledgement], status_packets: dict[int, bytes]) -> None:
        for answer in answers:
            if answer.packet in status_packets:
                self._announcer.said(status_packets.pop(answer.packet))
                continue
            message = self._under_way.pop(answer.packet, None)
            if message is None:
                continue
            if answer.code == _NO_SUBSCRIBER or answer.code in _PASSING:
                self._hold(message, answer.reason)
            elif answer.code >= 0x80:
                self._refused(message, answer.reason)
            else:
                self.published += 1
                self._held.pop(message.topic, None)
                self._taken.append(message.sequence)
        if time.monotonic() - self._written_s > _WRITE_S:
            self._write_taken()

    def _write_taken(self) -> None:
        """Writes down what the broker has taken."""
        self._written_s = time.monotonic()
        if self._tried(lambda: self._outbox.acknowledged(self._taken)):
            self._taken = []

    def _tried(self, write: Callable[[], None]) -> bool:
        """Writes something down; a disk that takes nothing does not keep what is on it from being sent."""
        try:
            write()
        except OutboxError as error:
            if self.reason is not StatusReason.DISK_FULL:
                _log.error("the outbox takes no note of what is sent; some will be said twice", detail=str(error))
            self.reason = StatusReason.DISK_FULL
            return False
        if self.reason is StatusReason.DISK_FULL:
            self.reason = None
        return True

    def _finished(self) -> bool:
        """As :meth:`_done`, with everything written down that is known."""
        self._write_taken()
        return self._done()

    def _hold(self, message: Waiting, reason: str) -> None:
        """Lets a topic wait that nobody takes from now: an event that nobody hears is not delivered."""
        if message.topic not in self._held:
            _log.warning("not delivered, is said again until somebody takes it", topic=message.topic, reason=reason)
        backoff, until_s = self._held.get(message.topic) or (Backoff(HELD_FIRST_S, HELD_MOST_S, random.random), 0.0)
        if until_s <= time.monotonic():
            self._held[message.topic] = (backoff, time.monotonic() + backoff.next_s())

    def _refused(self, message: Waiting, reason: str) -> None:
        _log.error("the broker refuses a message; it is kept apart", topic=message.topic, sequence=message.sequence, reason=reason)
        self.refused += 1
        self._tried(lambda: self._outbox.refused(message.sequence, reason))
        self.reason = StatusReason.BROKER_REFUSES
