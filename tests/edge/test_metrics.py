"""What a unit tells Prometheus: as a running unit exposes it, and as the maintainer's page says."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from parvis_contract import StreamState
from parvis_edge.durations import BOUNDS_S, Durations
from parvis_edge.options import parse_metrics
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from typer import BadParameter

from tests.broker import Broker, Subscriber, free_port

from .clips import Image, grey
from .program import OPEN_PROFILE, ROOT, finish, start, write_plan
from .rtsp import Camera

PAGE = ROOT / "docs" / "maintainer.md"


def scraped(port: int) -> dict[str, Metric]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        return {family.name: family for family in text_string_to_metric_families(answer.read().decode())}


def scraped_until(port: int, sample: str, labels: dict[str, str], least: float) -> dict[str, Metric]:
    """What is exposed once a sample has come to so much."""
    until_s = time.monotonic() + 60.0
    while True:
        try:
            found = scraped(port)
        except (urllib.error.URLError, ConnectionError):
            found = {}
        if value(found, sample, labels) >= least:
            return found
        assert time.monotonic() < until_s, f"{sample} never came to {least}"
        time.sleep(0.2)


def value(found: dict[str, Metric], sample: str, labels: dict[str, str]) -> float:
    return next((each.value for family in found.values() for each in family.samples if each.name == sample and each.labels == labels), -1.0)


def on_the_page() -> dict[str, tuple[set[str], str]]:
    """Each metric of the maintainer's page: its labels, and what it says."""
    rows = re.findall(r"^\| `(parvis_edge_\w+)` \| (.*?) \| (.*?) \|$", PAGE.read_text(), re.MULTILINE)
    return {name: (set(re.findall(r"`(\w+)`", labels)), words) for name, labels, words in rows}


def test_a_running_unit_tells_what_the_page_says(mosquitto: Path, tmp_path: Path) -> None:
    def draw(number: int) -> Image:
        return grey(5 if number % 40 > 30 else 200)

    port = free_port()
    with Camera(draw) as camera, Broker(mosquitto) as broker, Subscriber(broker.port):
        process = start(
            *("--site", write_plan(tmp_path, OPEN_PROFILE), "--unit", "u001", "--video", camera.url, "--broker", broker.address),
            *("--data-dir", tmp_path / "data", "--metrics", port),
            stdout=subprocess.DEVNULL,
        )
        scraped_until(port, "parvis_edge_published_total", {}, 1)
        found = scraped_until(port, "parvis_edge_messages_total", {"type": "unit.tampered", "phase": "start"}, 1)
        process.send_signal(signal.SIGTERM)
        code, _, error = finish(process)
        assert code == 0, error
    camera_is = {"sense": "camera"}
    assert value(found, "parvis_edge_captured_items_total", camera_is) >= 1
    analysed = value(found, "parvis_edge_judging_seconds_bucket", camera_is | {"le": "+Inf"})
    assert 1 <= analysed <= value(found, "parvis_edge_analysed_items_total", camera_is)
    assert sum(value(found, "parvis_edge_stream_state", camera_is | {"state": state}) for state in StreamState) == 1
    assert value(found, "parvis_edge_memory_bytes", {}) > 1e7
    assert value(found, "parvis_edge_connections_total", {}) == 1
    # The page, name by name.
    told = {family.samples[0].name.removesuffix("_bucket"): family for family in found.values()}
    # Not every machine tells its temperature.
    page = {name: row for name, row in on_the_page().items() if name in told or name != "parvis_edge_temperature_celsius"}
    assert page == {
        name: ({label for sample in family.samples for label in sample.labels} - {"le"}, family.documentation)
        for name, family in told.items()
    }


def test_without_being_asked_it_listens_nowhere_and_a_taken_port_is_said(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        taken = listening.getsockname()[1]
        arguments = ("--site", write_plan(tmp_path, OPEN_PROFILE), "--unit", "u001", "--video", "rtsp://127.0.0.1:9/x", "--stdout")
        code, out, error = finish(start(*arguments, "--metrics", f"127.0.0.1:{taken}"))
    assert (code, out) == (2, b"")
    assert f"--metrics 127.0.0.1:{taken}: Address already in use; give a free port" in error


@pytest.mark.parametrize(
    ("text", "address"),
    [("9108", ("127.0.0.1", 9108)), ("0.0.0.0:9108", ("0.0.0.0", 9108)), ("[::1]:9108", ("::1", 9108))],
)
def test_an_address(text: str, address: tuple[str, int]) -> None:
    assert parse_metrics(text) == address


@pytest.mark.parametrize("text", ["", "here", ":9108", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:70000"])
def test_no_address(text: str) -> None:
    with pytest.raises(BadParameter, match="such as 127"):
        parse_metrics(text)


def test_durations_are_counted_by_their_bounds() -> None:
    durations = Durations()
    for took_s in (0.001, 0.002, 0.003, 100.0):
        durations.add(took_s)
    buckets, sum_s = durations.cumulated()
    assert [count for _, count in buckets] == [2, 3, *[3] * (len(BOUNDS_S) - 2), 4]
    assert buckets[-1][0] == "+Inf"
    assert sum_s == pytest.approx(100.006)
