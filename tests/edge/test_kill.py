"""A unit that is killed at any moment loses nothing, and says nothing that counts twice."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from parvis_contract import Phase, parse_message

from tests.broker import Broker, Subscriber

from .clips import blinking, write_film
from .program import finish, start, write_plan

KILLS = 3


def one_by_one(subscriber: Subscriber, quiet_s: float = 5.0) -> Iterator[Any]:
    """Events as they arrive, until none does for a while."""
    for topic, body, _ in subscriber.messages(quiet_s, within_s=240.0):
        if "/event/" in topic:
            yield parse_message(body)


def test_killed_in_mid_stream(mosquitto: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    film = write_film(tmp_path / "film.mp4", blinking(100, period=8), range(0, 4_000, 40))
    what = ("--site", plan, "--unit", "u001", "--video", film, "--start", "2026-06-21T18:00:00Z")
    code, out, error = finish(start(*what, "--stdout"))
    assert code == 0, error
    truth = {message.id: message for message in map(parse_message, out.splitlines())}
    chance = random.Random(5)
    received = []
    with Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber:
        where = ("--broker", broker.address, "--data-dir", tmp_path / "data")
        # A busy machine takes its time to start a program.
        stream = one_by_one(subscriber, quiet_s=60.0)
        for _ in range(KILLS):
            process = start(*what, *where, "--pace", "real", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            received += [next(stream) for _ in range(chance.randrange(1, 25))]
            process.send_signal(signal.SIGKILL)
            process.wait()
        code, _, error = finish(start(*what, *where, "--pace", "fast"))
        assert code == 0, error
        received += list(one_by_one(subscriber))
    by_id = {message.id: message for message in received}
    # Nothing is lost: everything that an undisturbed run says has arrived, with the same content.
    assert truth.keys() <= by_id.keys()
    for message_id, message in truth.items():
        arrived = by_id[message_id]
        assert (arrived.time, arrived.data.phase, arrived.data.measure) == (message.time, message.data.phase, message.data.measure)
    # No event is counted twice: the rest are early ends of the same events, cut short by a kill.
    rest = [message for message_id, message in by_id.items() if message_id not in truth]
    assert {message.data.phase for message in rest} <= {Phase.END}
    assert {message.event_id for message in by_id.values()} == {message.event_id for message in truth.values()}
    # Every number was used once, and none is missing: the hub knows that it has everything.
    numbers: dict[int, Any] = {}
    for message in received:
        assert numbers.setdefault(message.data.sequence, message.id) == message.id
    assert sorted(numbers) == list(range(len(numbers)))


def test_what_could_not_be_delivered_is_delivered_by_the_next_run(mosquitto: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path)
    film = write_film(tmp_path / "film.mp4", blinking(60), range(0, 2_400, 40))
    with Broker(mosquitto) as broker, Subscriber(broker.port) as subscriber:
        what = ("--site", plan, "--unit", "u001", "--broker", broker.address, "--data-dir", tmp_path / "data", "--pace", "fast")
        broker.stop()
        code, _, error = finish(start(*what, "--video", film, "--start", "2026-06-21T18:00:00Z", "--drain-s", "0.5"))
        assert code == 0
        assert "not everything is delivered" in error
        broker.start()
        code, _, error = finish(start(*what, "--video", film, "--start", "2026-06-22T18:00:00Z"))
        assert code == 0, error
        received = list(one_by_one(subscriber))
    assert [message.data.sequence for message in received] == list(range(len(received)))
    assert {f"{message.time:%d}" for message in received} == {"21", "22"}
