"""Mosquitto as the hub configures it, with 1,000 units, beside mosquitto without TLS and access list."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import ssl
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parvis_hub.fleet import Kind

from tests.bench.report import Row
from tests.broker import Broker
from tests.hub.fleet import town as towns
from tests.hub.fleet.town import Town

UNITS = 1_000
MESSAGES_EACH = 20
#: Handshakes at the same moment: units do not come back in one instant, since each waits a random while first.
AT_ONCE = 50
_BODY = bytes(600)


@dataclass
class _Client:
    """MQTT 3.1.1 as far as a unit needs it, on asyncio: a thousand threads would measure themselves."""

    name: str
    port: int
    context: ssl.SSLContext | None
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def connect(self) -> None:
        """Raises OSError or asyncio.IncompleteReadError if it is not let in."""
        host = "localhost" if self.context else None
        self.reader, self.writer = await asyncio.open_connection("localhost", self.port, ssl=self.context, server_hostname=host)
        name = self.name.encode()
        variable = b"\x00\x04MQTT\x04\x02\x00\x3c" + struct.pack(">H", len(name)) + name
        self.writer.write(b"\x10" + _length(len(variable)) + variable)
        answer = await self.reader.readexactly(4)
        if answer[3]:
            raise ConnectionRefusedError(answer[3])

    async def publish(self, topic: str, count: int) -> None:
        """QoS 1, one after the other, each when the one before is acknowledged."""
        assert self.reader is not None
        assert self.writer is not None
        for number in range(1, count + 1):
            variable = struct.pack(">H", len(topic)) + topic.encode() + struct.pack(">H", number) + _BODY
            self.writer.write(b"\x32" + _length(len(variable)) + variable)
            await self.reader.readexactly(4)

    async def closed(self) -> None:
        """Waits until the broker has ended the connection."""
        assert self.reader is not None
        with contextlib.suppress(OSError):
            while await self.reader.read(1_000):
                pass

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _length(value: int) -> bytes:
    encoded = bytearray()
    while True:
        value, low = divmod(value, 128)
        encoded.append(low | (0x80 if value else 0))
        if not value:
            return bytes(encoded)


async def _all(clients: list[_Client]) -> float:
    """Connects all; gives the seconds that it took."""
    gate, begun_s = asyncio.Semaphore(AT_ONCE), time.monotonic()

    async def come(client: _Client) -> None:
        async with gate:
            while True:
                try:
                    return await client.connect()
                except (OSError, asyncio.IncompleteReadError):
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(come(client) for client in clients))
    return time.monotonic() - begun_s


async def _say(clients: list[_Client]) -> float:
    """All publish at once; gives messages a second."""
    begun_s = time.monotonic()
    await asyncio.gather(*(client.publish(f"parvis/v1/vieux-port/{client.name}/telemetry", MESSAGES_EACH) for client in clients))
    return len(clients) * MESSAGES_EACH / (time.monotonic() - begun_s)


def rows() -> Iterator[Row]:
    """Real TLS, a certificate for each; what the clients do themselves, in one process of Python, is in the figures of both sides."""
    program = Path(shutil.which("mosquitto") or "/usr/sbin/mosquitto")
    names = [f"u{number:04d}" for number in range(UNITS)]
    with tempfile.TemporaryDirectory() as folder, Broker(program) as bare:
        Path(folder).chmod(0o755)
        towns.SITE = (
            towns.SITE.partition("units:")[0]
            + "units:\n"
            + "".join(f"  {name}: {{position: {{lon: 5.37, lat: 43.296}}, senses: [camera]}}\n" for name in names)
        )
        town = Town.build(Path(folder))
        pems = {name: town.member(name, Kind.UNIT) for name in names}
        with town.broker(program):
            yield from asyncio.run(_measured(town, pems, bare.port))
        town.database.close()


async def _measured(town: Town, pems: dict[str, Path], bare_port: int) -> list[Row]:
    guarded = [_Client(name, town.broker_port, _context(town, pem)) for name, pem in pems.items()]
    bare = [_Client(name, bare_port, None) for name in pems]
    connect_s, bare_s = await _all(guarded), await _all(bare)
    found = [Row(f"{len(pems)} units connect", connect_s, "s", "without TLS", bare_s)]
    rate, bare_rate = await _say(guarded), await _say(bare)
    found.append(Row("messages, QoS 1, acknowledged", rate, "1/s", "without TLS and access list", bare_rate))
    revoked, others = guarded[0], guarded[1:]
    begun_s = time.monotonic()
    town.fleet.revoke(revoked.name, "bench")
    town.tell_broker()
    await revoked.closed()
    out_s = time.monotonic() - begun_s
    found.append(Row("from the revocation to the end of its connection", out_s, "s", limit="at most 1 s", holds=out_s <= 1.0))
    for client in others:
        client.close()
    await _all(others)
    found.append(Row("until all the others are back", time.monotonic() - begun_s, "s"))
    try:
        await _Client(revoked.name, revoked.port, revoked.context).connect()
    except (OSError, asyncio.IncompleteReadError):
        found.append(Row("connections of who was revoked", 0, "", limit="0", holds=True))
    else:
        found.append(Row("connections of who was revoked", 1, "", limit="0", holds=False))
    for client in (*guarded, *bare):
        client.close()
    return found


def _context(town: Town, pem: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(town.folder.path / "ca.pem")
    context.load_cert_chain(pem)
    return context
