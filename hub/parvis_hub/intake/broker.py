"""The MQTT connection: receives without acknowledging, acknowledges what is kept, publishes and hears what has arrived.

MQTT 5, a session that outlives the hub's process, QoS 1. A message is acknowledged only when its batch is on disk, so that the
broker keeps what the hub has not.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from .client import Message, QuickClient

#: A week: the broker keeps for a hub that is down what units send meanwhile, as far as its own configuration lets it.
SESSION_EXPIRY_S = 7 * 86_400
#: Messages that the broker may have sent and the hub not yet acknowledged: two batches, so that one comes while one is written.
RECEIVE_MAXIMUM = 1_000
#: Telemetry is not acknowledged and so not held back; beyond this it is dropped, and the next one says more anyway.
MAX_WAITING = 5_000
#: The one property of what is published, as MQTT writes it: its length, and the content type.
_CLOUD_EVENT = b"\x1f\x03\x00\x1capplication/cloudevents+json"
_NO_PROPERTIES = b"\x00"
#: From this reason code on the broker has refused.
_FAILURE = 0x80
_REFUSALS = {0x80: "Unspecified error", 0x83: "Implementation specific error", 0x87: "Not authorized", 0x90: "Topic Name invalid"}
_REFUSALS |= {0x91: "Packet identifier in use", 0x97: "Quota exceeded", 0x99: "Payload format invalid"}
_BRANCHES = (("event/+", 1), ("flow", 1), ("tag", 1), ("evidence", 1), ("status", 1), ("telemetry", 0))

log = structlog.get_logger("parvis.hub.broker")


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Files in PEM: the authority that signed the broker's certificate; the hub's own certificate and key, where the broker asks."""

    authority: Path
    certificate: Path | None = None
    key: Path | None = None


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is, and how to be let in.

    Attributes:
        session: Name of the hub's session there (:func:`.session.session_name`); None for the site's.
    """

    host: str
    port: int
    tls: TlsFiles | None = None
    username: str | None = None
    password: str | None = None
    session: str | None = None


class Delivery(NamedTuple):
    """A message as it came.

    Attributes:
        topic, payload: Not checked yet.
        received_us: When, microseconds since 1970.
        retained: The broker had it already.
        ticket: For :meth:`Broker.acknowledge`; None where nothing is to be acknowledged.
    """

    topic: str
    payload: bytes
    received_us: int
    retained: bool = False
    ticket: tuple[int, int] | None = None


class Broker:
    """One connection, which restores itself."""

    def __init__(
        self,
        address: BrokerAddress,
        site: str,
        *,
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        told: Callable[[bool], None] = lambda _: None,
    ) -> None:
        """Prepares it; :meth:`start` connects.

        Args:
            address: Where it is.
            site: Whose messages are wanted.
            now_us: When a message comes, microseconds since 1970.
            told: Called from another thread when the connection is there, and with False whenever it is not.

        Raises:
            OSError: A file of ``address.tls`` cannot be read.
            ssl.SSLError: One of them is not what it should be.
        """
        self._address, self._site, self._now_us, self._told = address, site, now_us, told
        self._waiting: deque[Delivery] = deque()
        self._came = threading.Event()
        self._confirmations: deque[int] = deque()
        #: Counts connections: a ticket of an earlier one says nothing about this one's messages.
        self._connection = 0
        self.connected = threading.Event()
        session = address.session or f"parvis-hub-{site}"
        client = QuickClient(CallbackAPIVersion.VERSION2, client_id=session, protocol=MQTTProtocolVersion.MQTTv5)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.receive = self._receive
        client.confirm = self._confirm
        client.reconnect_delay_set(min_delay=1, max_delay=30)
        if address.username is not None:
            client.username_pw_set(address.username, address.password)
        if address.tls is not None:
            client.tls_set_context(_tls_context(address.tls))
        self._client = client

    @property
    def connections(self) -> int:
        """How many there have been, this one among them; after each, the broker may not be as the last one left it."""
        return self._connection

    @property
    def waiting(self) -> int:
        """How many messages have come that nobody has taken yet."""
        return len(self._waiting)

    def start(self) -> None:
        """Connects, and again whenever the connection is lost; returns at once."""
        properties = _properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = SESSION_EXPIRY_S
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        self._client.connect_async(self._address.host, self._address.port, keepalive=30, clean_start=False, properties=properties)
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnects. The session stays: what comes now waits at the broker."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, most: int, wait_s: float) -> list[Delivery]:
        """What has come, in order, at most so many; waits for the first.

        Raises:
            RuntimeError: Nothing will come any more: the thread that receives has broken down.
        """
        if self._client.ended_by is not None:
            raise RuntimeError("the thread of the broker's connection has broken down") from self._client.ended_by
        self._came.wait(wait_s)
        self._came.clear()
        taken = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
        if self._waiting:
            self._came.set()
        return taken

    def acknowledge(self, deliveries: list[Delivery]) -> None:
        """Lets the broker forget these: they are kept. One that came by an earlier connection will come again, as a duplicate."""
        tickets = (delivery.ticket for delivery in deliveries if delivery.ticket is not None)
        self._client.acknowledge(number for connection, number in tickets if connection == self._connection)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, cloud_event: bool = True) -> int:
        """Sends a message with QoS 1; while there is no connection it waits.

        Args:
            topic: Where.
            payload: What; empty to clear what the broker retains there.
            retain: The broker keeps it for whoever subscribes later.
            cloud_event: It is a message of the contract, and says so.

        Returns:
            A number, which :meth:`confirmed` gives once the broker has the message.
        """
        return self._client.give(topic, payload, retain=retain, properties=_CLOUD_EVENT if payload and cloud_event else _NO_PROPERTIES)

    def together(self) -> AbstractContextManager[None]:
        """What is published within goes at its end, at once."""
        return self._client.together()

    def confirmed(self) -> list[int]:
        """The numbers of messages that the broker has taken since this was last called."""
        return [self._confirmations.popleft() for _ in range(len(self._confirmations))]

    # --- called by paho, in its thread ----------------------------------------------------------------------------------------

    def _on_connect(self, client: Client, _data: Any, flags: ConnectFlags, reason: ReasonCode, _properties: Properties | None) -> None:
        if reason.is_failure:
            log.error("the broker refuses the hub", reason=str(reason), advice="check the hub's certificate, or its user and password")
            return
        self._connection += 1
        if not flags.session_present and self._connection > 1:
            log.warning("the broker has lost the hub's session", advice="is its persistence on? messages that it held are lost to the hub")
        filters = [(f"parvis/v1/{self._site}/+/{branch}", SubscribeOptions(qos=qos)) for branch, qos in _BRANCHES]
        client.subscribe(filters)
        self._client.give_again()
        self.connected.set()
        self._told(True)
        log.info("connected", broker=f"{self._address.host}:{self._address.port}", session_kept=flags.session_present)

    def _on_connect_fail(self, _client: Client, _data: Any) -> None:
        self._told(False)
        log.warning("the broker cannot be reached; trying again", broker=f"{self._address.host}:{self._address.port}")

    def _on_disconnect(
        self, _client: Client, _data: Any, _flags: DisconnectFlags, reason: ReasonCode, _properties: Properties | None
    ) -> None:
        self.connected.clear()
        self._told(False)
        if reason.is_failure:
            log.warning("the connection to the broker is lost; trying again", reason=str(reason))

    def _receive(self, messages: list[Message]) -> None:
        now_us, connection, room = self._now_us(), self._connection, MAX_WAITING - len(self._waiting)
        for topic, payload, retained, number in messages:
            if number is None and room <= 0:
                continue
            ticket = None if number is None else (connection, number)
            # A topic that is no text is none of the contract's.
            self._waiting.append(Delivery(topic.decode(errors="replace"), payload, now_us, retained, ticket))
            room -= 1
        self._came.set()

    def _confirm(self, number: int, reason: int) -> None:
        if reason < _FAILURE:
            self._confirmations.append(number)
            return
        why = _REFUSALS.get(reason, f"0x{reason:02x}")
        log.error("the broker refuses what the hub publishes", reason=why, advice="check the broker's access list for the hub")


def _properties(packet: int) -> Properties:
    return Properties(packet)  # type: ignore[no-untyped-call]


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=files.authority)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if files.certificate is not None:
        context.load_cert_chain(files.certificate, files.key)
    return context
