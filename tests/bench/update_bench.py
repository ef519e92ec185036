"""An update of 4 MB to 1,000 units: the hub's fleet listener beside a plain file server, both over TLS, in the same run.

Each unit is the real client: it walks root, timestamp, snapshot and list, fetches the shipped sound model, and compares its digest.
`PARVIS_BENCH_UNITS` sets another number of units.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psutil
from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import ModelRef
from parvis_edge.bundle import zoo_folder
from parvis_edge.update.archive import target_name
from parvis_edge.update.fetcher import Fetcher, Patience
from parvis_edge.update.repository import Repository

from tests.bench.report import Row
from tests.edge.update.simulator import Simulator
from tests.hub.fleet.town import Town

UNITS = int(os.environ.get("PARVIS_BENCH_UNITS", "1000"))
#: So many at a time: a ring's share, and what the two cores that clients and server have in common bear.
AT_ONCE = 32
#: On a machine that is busy with all of them, none is slow by its own fault.
PATIENT = Patience(silence_s=600.0, window_s=600.0, least_bytes_s=10.0)


@dataclass(frozen=True, slots=True)
class Served:
    """What a server spent.

    Attributes:
        cpu_s, peak_bytes: Of its process.
        took_s: From the first unit's first request to the last unit's last byte.
    """

    cpu_s: float
    peak_bytes: int
    took_s: float


class _Server(http.server.ThreadingHTTPServer):
    request_queue_size = 2 * AT_ONCE


class _Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def serve(kind: str, work: Path, repository: Path) -> None:
    """In a process of its own: says where, and serves until standard input ends."""
    town = Town.build(work)
    ca = work / "ca.pem"
    ca.write_bytes(town.authority.certificate.public_bytes(Encoding.PEM))
    with contextlib.ExitStack() as stack:
        if kind == "hub":
            stack.enter_context(town.listening(repository))
            url = f"https://localhost:{town.hub_port}/fleet/v1/repository"
        else:
            server = _Server(("localhost", 0), functools.partial(_Files, directory=str(repository)))
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(town.folder.path / "hub.pem")
            # Each hand is shaken in its own thread: who accepts would else keep all others waiting.
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
            pool = stack.enter_context(ThreadPoolExecutor(1))
            pool.submit(server.serve_forever)
            stack.callback(server.shutdown)
            url = f"https://localhost:{server.server_address[1]}"
        print(json.dumps({"url": url, "ca": str(ca)}), flush=True)  # noqa: T201
        sys.stdin.read()


def _measured(kind: str, work: Path, repository: Path, root: bytes, name: str) -> Served:
    work.mkdir()
    command = [sys.executable, "-m", "tests.bench.update_bench", kind, str(work), str(repository)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        where = json.loads(server.stdout.readline())

        def unit(number: int) -> None:
            with tempfile.TemporaryDirectory(dir=work) as folder:
                client = Repository(where["url"], Path(folder) / "metadata", root, Fetcher(Path(where["ca"]), PATIENT))
                client.fetch_target(name, Path(folder) / f"{number}.tar")

        process = psutil.Process(server.pid)
        before = process.cpu_times()
        begun_s = time.perf_counter()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for _ in pool.map(unit, range(UNITS)):
                pass
        took_s = time.perf_counter() - begun_s
        after = process.cpu_times()
        peak = process.memory_info().rss
        with contextlib.suppress(OSError):
            peak = 1024 * int(Path(f"/proc/{server.pid}/status").read_text().split("VmHWM:")[1].split()[0])
        server.communicate()
    return Served(after.user + after.system - before.user - before.system, peak, took_s)


def rows() -> Iterator[Row]:
    """Measures."""
    bundle = next((zoo_folder() / "yamnet").iterdir())
    name = target_name(ModelRef(name="yamnet", version=bundle.name))
    with tempfile.TemporaryDirectory() as folder:
        simulator = Simulator(Path(folder) / "repository")
        simulator.add(bundle)
        told = {kind: _measured(kind, Path(folder) / kind, simulator.folder.folder, simulator.root, name) for kind in ("files", "hub")}
    hub, files = told["hub"], told["files"]
    plain = "a plain file server"
    yield Row(f"{UNITS} units take 4 MB: hub's processor time", hub.cpu_s, "s", plain, files.cpu_s)
    yield Row("the same, a unit", 1e3 * hub.cpu_s / UNITS, "ms", plain, 1e3 * files.cpu_s / UNITS)
    yield Row("hub's peak memory", hub.peak_bytes / 1e6, "MB", plain, files.peak_bytes / 1e6)
    yield Row(f"until the last has it, {AT_ONCE} at a time, units on the same cores", hub.took_s, "s", plain, files.took_s)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
