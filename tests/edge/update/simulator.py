"""A repository on the loopback: what the publisher writes, served by a server that can be told to misbehave; and small models for it."""

from __future__ import annotations

import functools
import hashlib
import http.server
import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from onnx import TensorProto, helper
from parvis_contract import ModelRef
from parvis_contract.card import Card
from parvis_edge.bundle import zoo_folder
from parvis_edge.update.archive import pack, target_name
from parvis_edge.update.fetcher import Fetcher, Patience
from parvis_edge.update.repository import Repository
from parvis_models import zoo
from parvis_models.golden import write_golden
from parvis_models.publish import offer
from parvis_models.publish.repository import RepositoryFolder, begin
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Signed

#: What the small models are called: the sound tagger's name, so that a unit's senses would take them.
NAME = "yamnet"
#: A server is waited for less long than on a street.
QUICK = Patience(silence_s=1.0, window_s=0.5, least_bytes_s=20_000.0)


def small_model(factor: float = 1.0) -> bytes:
    """A model of the tagger's form in a few kilobytes: scores follow the mean of a patch, by label."""
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["patches"], ["mean"], axes=[2], keepdims=0),
            helper.make_node("ReduceMean", ["mean"], ["loud"], axes=[1], keepdims=1),
            helper.make_node("Mul", ["loud", "weights"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["scores"]),
        ],
        "small",
        [helper.make_tensor_value_info("patches", TensorProto.FLOAT, ["N", 96, 64])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", 526])],
        [helper.make_tensor("weights", TensorProto.FLOAT, [1, 526], [factor * (place + 1) / 526 for place in range(526)])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return bytes(model.SerializeToString(deterministic=True))


@functools.cache
def _tagger_card() -> Card:
    return zoo.read_card(next((zoo_folder() / NAME).iterdir()))


def small_bundle(folder: Path, version: str, factor: float = 1.0) -> Path:
    """A bundle of a small model, measured and with golden samples."""
    folder.mkdir(parents=True, exist_ok=True)
    model = small_model(factor)
    (folder / "model.onnx").write_bytes(model)
    (folder / "LICENSE").write_text("Apache-2.0\n")
    digest = hashlib.sha256(model).hexdigest()
    zoo.write_card(
        folder, _tagger_card().model_copy(update={"version": version, "sha256": digest, "size_bytes": len(model), "golden": None})
    )
    write_golden(folder)
    return folder


@dataclass
class Holders:
    """Whose keys sign."""

    root: list[CryptoSigner] = field(default_factory=lambda: [CryptoSigner.generate_ed25519() for _ in range(3)])
    targets: list[CryptoSigner] = field(default_factory=lambda: [CryptoSigner.generate_ed25519() for _ in range(3)])
    snapshot: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)
    timestamp: CryptoSigner = field(default_factory=CryptoSigner.generate_ed25519)


@dataclass
class Faults:
    """What the server does wrong.

    Attributes:
        cut: Closes after so many bytes of a target, once each.
        drip_s: Sends a target a hundred bytes at a time, so far apart.
        head_drip_s: Sends the head of a target's answer a letter at a time.
        endless: Sends of a target more than there is, for ever.
        whole: Ignores ranges.
        replaced: Other content, by path.
        status: Answers with this, by path.
    """

    cut: list[int] = field(default_factory=list)
    drip_s: float = 0.0
    head_drip_s: float = 0.0
    endless: bool = False
    whole: bool = False
    replaced: dict[str, bytes] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)


class Simulator:
    """A repository, its holders and its server.

    Args:
        folder: Where it is.
        now: The publisher's time.
    """

    def __init__(self, folder: Path, now: datetime | None = None) -> None:
        self.holders = Holders()
        self.now = now or datetime.now(UTC)
        self.folder = RepositoryFolder(folder, lambda: self.now)
        self.faults = Faults()
        self.asked: list[tuple[str, str | None]] = []
        self.sent = 0
        keys = {role: [each.public_key for each in self._signers(role)] for role in ("root", "targets", "snapshot", "timestamp")}
        thresholds = {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}
        everybody = [*self.holders.root, *self.holders.targets]
        begin(self.folder, keys, thresholds, everybody)  # type: ignore[arg-type]
        self.root = (folder / "metadata" / "1.root.json").read_bytes()
        self.refresh()
        self.url = ""

    def _signers(self, role: str) -> Sequence[CryptoSigner]:
        held = getattr(self.holders, role)
        return held if isinstance(held, list) else [held]

    def refresh(self) -> None:
        """As the timer does."""
        self.folder.refresh([self.holders.snapshot], [self.holders.timestamp])

    def add(self, *bundles: Path, files: Sequence[tuple[str, Path]] = ()) -> None:
        """Two holders list them, and units see it."""
        assert offer.add(self.folder, bundles, files, self.holders.targets[:2], lambda _: None)
        self.refresh()

    def digest(self, bundle: Path) -> str:
        """Of its archive."""
        return hashlib.sha256(pack(bundle)).hexdigest()

    def write(self, name: str, signed: Signed, signers: Sequence[Signer]) -> None:
        """Publishes whatever an attacker would."""
        metadata: Metadata[Any] = Metadata(signed)
        for signer in signers:
            metadata.sign(signer, append=True)
        (self.folder.metadata / name).write_bytes(metadata.to_bytes())

    def client(self, folder: Path, patience: Patience = QUICK, now: datetime | None = None) -> Repository:
        """A unit's view of it."""
        fetcher = Fetcher(patience=patience)
        return Repository(self.url, folder, self.root, fetcher, now=lambda: now or datetime.now(UTC), wait=lambda _: None)

    @contextmanager
    def serving(self) -> Iterator[Simulator]:
        """Serves it at :attr:`url`."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        server.daemon_threads = True
        # A client that ends a connection is what is tested here.
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, simulator: Simulator, *arguments: Any) -> None:
        self._simulator = simulator
        super().__init__(*arguments)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def do_GET(self) -> None:
        simulator, path = self._simulator, self.path.lstrip("/")
        faults = simulator.faults
        simulator.asked.append((path, self.headers["Range"]))
        file = simulator.folder.folder / path
        raw = faults.replaced.get(path) or (file.read_bytes() if file.is_file() else None)
        if raw is None or path in faults.status:
            self.send_error(faults.status.get(path, 404))
            return
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        first = int(wanted[1]) if wanted and not faults.whole else 0
        is_target = path.startswith("targets/")
        if is_target and faults.head_drip_s:
            self._drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 1_000, 1, faults.head_drip_s)
            return
        if first >= len(raw):
            self.send_error(416)
            return
        self.send_response(206 if first else 200)
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(raw) - 1}/{len(raw)}")
        if is_target and faults.endless:
            self.close_connection = True
            self.end_headers()
            self._endless(raw[first:])
            return
        self.send_header("Content-Length", str(len(raw) - first))
        self.end_headers()
        body = raw[first:]
        if is_target and faults.cut:
            self.wfile.write(body[: faults.cut.pop(0)])
            self.close_connection = True
            return
        if is_target and faults.drip_s:
            self._drip(body, 100, faults.drip_s)
            return
        self.wfile.write(body)
        simulator.sent += len(body)

    def _drip(self, raw: bytes, at_once: int, every_s: float) -> None:
        try:
            for place in range(0, len(raw), at_once):
                self.wfile.write(raw[place : place + at_once])
                time.sleep(every_s)
        except OSError:
            self.close_connection = True

    def _endless(self, raw: bytes) -> None:
        try:
            self.wfile.write(raw)
            while True:
                self.wfile.write(bytes(65_536))
                self._simulator.sent += 65_536
        except OSError:
            return


def model(version: str) -> ModelRef:
    """A version of the small model."""
    return ModelRef(name=NAME, version=version)


__all__ = ["NAME", "QUICK", "Faults", "Simulator", "model", "small_bundle", "small_model", "target_name", "timedelta"]
