"""One connection to the broker: MQTT 5, QoS 1, last will. Made anew for each try, so that nothing of an old one lingers."""

from __future__ import annotations

import ssl
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

#: What each message says it is.
CONTENT_TYPE = "application/cloudevents+json"
#: Lost after one and a half of it: the broker then publishes the last will.
KEEPALIVE_S = 15
CONNECT_TIMEOUT_S = 10.0
#: Messages under way at once, if the broker takes so many: enough to fill the line, few enough to repeat.
WINDOW = 64
#: Nothing for a unit is so large; the broker keeps what is larger to itself. What is over the contract's bound is refused with a reason.
MOST_RECEIVED_BYTES = 65_536


class BrokerError(Exception):
    """No connection. The message says why and what to do.

    Attributes:
        refused: True if the broker answered and will not have us: a person must change something.
    """

    def __init__(self, message: str, *, refused: bool = False) -> None:
        super().__init__(message)
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is, and how to prove who we are.

    Attributes:
        host, port: Its address.
        ca: Certificates of who may have signed the broker's; None speaks without TLS.
        certificate, key: Our own, for a broker that asks for one.
    """

    host: str = "127.0.0.1"
    port: int = 1883
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def __str__(self) -> str:
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the broker said of a message.

    Attributes:
        packet: Its packet number in this connection.
        code: MQTT 5 reason code; below 128 it has been taken, 16 means that nobody subscribes.
        reason: In words.
    """

    packet: int
    code: int
    reason: str


def _properties(kind: int) -> Properties:
    properties = Properties(kind)  # type: ignore[no-untyped-call]
    properties.ContentType = CONTENT_TYPE
    return properties


class Connection:
    """A connection, used by one thread, which calls :meth:`turn` again and again.

    Args:
        broker: Whom to connect to.
        client_id: Ours; the broker ends an older connection of the same.
        will: Topic and payload of the last will, retained; None without one.
        inbox: A topic to subscribe to; None for none.
    """

    def __init__(self, broker: Broker, client_id: str, will: tuple[str, bytes] | None = None, inbox: str | None = None) -> None:
        self._broker = broker
        self._answer: ReasonCode | None = None
        self._acknowledgements: deque[Acknowledgement] = deque()
        self._inbox = inbox
        self._received: deque[bytes] = deque()
        self.alive = False
        self.window = WINDOW
        self.max_bytes: int | None = None
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=paho.MQTTv5, reconnect_on_failure=False)
        self._client.max_inflight_messages_set(WINDOW)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        if will:
            self._client.will_set(will[0], will[1], qos=1, retain=True, properties=_properties(PacketTypes.WILLMESSAGE))
        self._client.on_connect = self._on_connect
        self._client.on_publish = self._on_publish
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def open(self) -> None:
        """Connects.

        Raises:
            BrokerError: It could not.
        """
        broker = self._broker
        try:
            if broker.ca:
                key, certificate = (None if each is None else str(each) for each in (broker.key, broker.certificate))
                self._client.tls_set(ca_certs=str(broker.ca), certfile=certificate, keyfile=key, tls_version=ssl.PROTOCOL_TLS_CLIENT)
            limits = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            limits.MaximumPacketSize = MOST_RECEIVED_BYTES
            self._client.connect(broker.host, broker.port, keepalive=KEEPALIVE_S, clean_start=True, properties=limits)
            until_s = time.monotonic() + CONNECT_TIMEOUT_S
            while self._answer is None and time.monotonic() < until_s:
                if self._client.loop(0.2) != paho.MQTT_ERR_SUCCESS and self._answer is None:
                    raise BrokerError(
                        f"{broker}: the broker closed the connection; does its port speak {'TLS' if broker.ca else 'plain MQTT'}?"
                    )
        except ssl.SSLError as error:
            raise BrokerError(f"{broker}: TLS failed ({error.reason or error}); check --tls-ca, --tls-cert and --tls-key") from None
        except (OSError, ValueError) as error:
            raise BrokerError(f"{broker}: {getattr(error, 'strerror', None) or error}; is the broker running there?") from None
        if self._answer is None:
            raise BrokerError(f"{broker}: no answer within {CONNECT_TIMEOUT_S:.0f} s; does MQTT 5 live there?")
        if self._answer.is_failure:
            raise BrokerError(f"{broker}: the broker refuses us: {self._answer}; check certificate and access list", refused=True)
        self.alive = True
        if self._inbox is not None:
            self._client.subscribe(self._inbox, qos=1)

    def received(self) -> list[bytes]:
        """The payloads that have come on the inbox since this was last called."""
        payloads = list(self._received)
        self._received.clear()
        return payloads

    def publish(self, topic: str, body: bytes, *, qos: int = 1, retain: bool = False) -> int | None:
        """Sends a message; the packet number, by which it is acknowledged, or None if the connection is gone."""
        info = self._client.publish(topic, body, qos=qos, retain=retain, properties=_properties(PacketTypes.PUBLISH))
        if info.rc != paho.MQTT_ERR_SUCCESS:
            self.alive = False
            return None
        return info.mid

    def turn(self, wait_s: float) -> list[Acknowledgement]:
        """Reads and writes what there is to, waiting at most so long; gives what was acknowledged."""
        before = -1
        # One turn of the client reads one packet; what has arrived together is taken together.
        while self.alive and before < len(self._acknowledgements) < self.window:
            before = len(self._acknowledgements)
            if self._client.loop(wait_s if before == 0 else 0.0) != paho.MQTT_ERR_SUCCESS:
                self.alive = False
        answers = list(self._acknowledgements)
        self._acknowledgements.clear()
        return answers

    def close(self) -> None:
        """Says good-bye: the broker keeps the last will to itself."""
        if self.alive:
            self._client.disconnect()
            # What is still in the buffer has to leave before the socket is closed.
            for _ in range(20):
                if self._client.loop(0.05) != paho.MQTT_ERR_SUCCESS:
                    break
        self.alive = False

    def _on_connect(self, client: Any, userdata: Any, flags: Any, reason: ReasonCode, properties: Properties | None) -> None:
        del client, userdata, flags
        self._answer = reason
        self.window = max(1, min(WINDOW, getattr(properties, "ReceiveMaximum", WINDOW)))
        self.max_bytes = getattr(properties, "MaximumPacketSize", None)

    def _on_publish(self, client: Any, userdata: Any, packet: int, reason: ReasonCode, properties: Any) -> None:
        del client, userdata, properties
        self._acknowledgements.append(Acknowledgement(packet, int(reason.value), str(reason)))

    def _on_message(self, client: Any, userdata: Any, message: paho.MQTTMessage) -> None:
        del client, userdata
        self._received.append(bytes(message.payload))

    def _on_disconnect(self, client: Any, userdata: Any, flags: Any, reason: ReasonCode, properties: Any) -> None:
        # This answers nothing: who refuses us says so before closing (MQTT 5, 3.2). The line was cut, or speaks another language.
        del client, userdata, flags, reason, properties
        self.alive = False
