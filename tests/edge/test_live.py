"""A unit on a live camera: its states as the broker has them, and its end."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_contract import ClockSource, Phase, UnitStatus, parse_message

from tests.broker import Broker, Subscriber

from .clips import Image, grey
from .program import OPEN_PROFILE, finish, start, write_plan
from .rtsp import Camera


def statuses(subscriber: Subscriber) -> Iterator[UnitStatus]:
    """What the unit says of itself, as it says it."""
    for topic, body, _ in subscriber.messages(quiet_s=30.0, within_s=120.0):
        if topic.endswith("/status"):
            yield parse_message(body).data


def told(status: UnitStatus) -> tuple[str, str | None]:
    assert status.camera is not None
    return status.camera.state.value, status.camera.reason.value if status.camera.reason else None


def until(stream: Iterator[UnitStatus], state: str) -> list[tuple[str, str | None]]:
    """What is said of the camera until it is in a state."""
    seen = []
    for status in stream:
        seen.append(told(status))
        if seen[-1][0] == state:
            return seen
    raise AssertionError(f"never {state}: {seen}")


def test_a_camera_that_freezes_and_goes_away_and_comes_back(mosquitto: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, OPEN_PROFILE)
    with Camera() as camera, Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber:
        arguments = ("--site", plan, "--unit", "u001", "--video", camera.url, "--broker", broker.address, "--data-dir", tmp_path / "data")
        process = start(*arguments, "--telemetry-s", "0.5")
        stream = statuses(subscriber)
        until(stream, "healthy")
        camera.frozen = True
        assert until(stream, "stalled")[-1][1] == "no_data"
        camera.frozen = False
        until(stream, "healthy")
        camera.switch_off()
        seen = until(stream, "recovering")
        assert seen[-2][0] == "stalled"
        assert seen[-2][1] in {"source_ended", "connection_lost"}
        camera.switch_on()
        until(stream, "healthy")
        process.send_signal(signal.SIGTERM)
        code, _, error = finish(process)
        assert code == 0, error
        *_, last = statuses_left(stream)
        assert last.state == "stopped"
        assert "secret" not in error


def statuses_left(stream: Iterator[UnitStatus]) -> Iterator[UnitStatus]:
    """Those up to the last will ever come: a unit that was stopped says nothing more."""
    for status in stream:
        yield status
        if status.state == "stopped":
            return


@pytest.fixture
def night() -> Iterator[Camera]:
    def draw(number: int) -> Image:
        return grey(5 if number > 20 else 200)

    with Camera(draw) as camera:
        yield camera


def test_live_events_have_the_clock_of_the_machine_and_fresh_ids(night: Camera, tmp_path: Path) -> None:
    process = start("--site", write_plan(tmp_path, OPEN_PROFILE), "--unit", "u001", "--video", night.url, "--stdout")
    assert process.stdout is not None
    first = parse_message(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    code, out, error = finish(process)
    assert code == 0, error
    last = parse_message(out.splitlines()[-1])
    assert (first.data.phase, last.data.phase, last.event_id) == (Phase.START, Phase.END, first.id)
    assert first.data.clock.source in {ClockSource.NTP, ClockSource.FREE}
    # A live id is of the moment at which it is given, which is never before the event.
    assert first.id.int >> 80 >= int(first.time.timestamp() * 1_000)
    assert all("secret" not in json.dumps(json.loads(line)) for line in error.splitlines())


def test_live_a_start_time_is_refused(tmp_path: Path) -> None:
    arguments = ("--site", write_plan(tmp_path, OPEN_PROFILE), "--unit", "u001", "--video", "rtsp://127.0.0.1:9/x", "--stdout")
    code, out, error = finish(start(*arguments, "--start", "2026-06-21T18:00:00Z"))
    assert (code, out) == (2, b"")
    assert "--start is for recordings" in error
