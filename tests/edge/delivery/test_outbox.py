from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    EventData,
    FlowCount,
    ModelRef,
    ObjectClass,
    Phase,
    Position,
    Refused,
    UnitTampered,
    dump_message,
    make_message,
    new_id,
    parse_message,
    to_datetime,
    unit_source,
)
from parvis_contract.measures import TamperCause
from parvis_edge.delivery.outbox import Outbox, OutboxError
from parvis_edge.delivery.shedding import Worth

CLOCK = Clock(source=ClockSource.NTP, uncertainty_ms=3.0)


def event(phase: Phase = Phase.START, of: Any = None, time_s: float = 1_000_000.0) -> Envelope[Any]:
    own = new_id()
    data = EventData[UnitTampered](
        phase=phase,
        event=of or own,
        sequence=0,
        confidence=0.9,
        position=Position(lon=5.0, lat=43.0, uncertainty_m=40.0),
        clock=CLOCK,
        model=ModelRef(name="darkness", version="1.0.0"),
        measure=UnitTampered(cause=TamperCause.DARK),
    )
    return make_message("unit.tampered", source=unit_source("quay", "u001"), time=to_datetime(time_s), data=data, id=own)


def count() -> Envelope[Any]:
    counts = {"in": 5, "out": 7}
    data = FlowCount(sequence=0, zone="square", object_class=ObjectClass.PERSON, period_s=60.0, **counts)
    return make_message("flow.count", source=unit_source("quay", "u001"), time=to_datetime(1_000_000.0), data=data)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "site" / "u001.outbox.sqlite"


def sequences(outbox: Outbox, limit: int = 10_000) -> list[int]:
    return [waiting.sequence for waiting in outbox.waiting(-1, limit)]


def test_numbered_without_gap_over_restarts(path: Path) -> None:
    for begin in (0, 3, 6):
        outbox = Outbox(path)
        kept = outbox.put([event() for _ in range(3)])
        assert [message.data.sequence for message in kept] == [begin, begin + 1, begin + 2]
        outbox.close()
    outbox = Outbox(path)
    waiting = outbox.waiting(-1, 100)
    assert [parse_message(each.body).data.sequence for each in waiting] == list(range(9))
    assert {each.topic for each in waiting} == {"parvis/v1/quay/u001/event/unit.tampered"}
    outbox.acknowledged(range(9))
    outbox.forget(0.0)
    assert outbox.fill().messages == 0
    assert outbox.put([event()])[0].data.sequence == 9


def test_what_is_refused_uses_no_number(path: Path) -> None:
    outbox = Outbox(path)
    bad = event().model_copy(update={"source": "x" * 2_000})
    with pytest.raises(Refused):
        outbox.put([event(), bad])
    assert outbox.put([event()])[0].data.sequence == 0


def test_sent_in_order_and_held_topics_wait(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([event(), event(), event()])
    assert sequences(outbox, 2) == [0, 1]
    assert [each.sequence for each in outbox.waiting(0, 10)] == [1, 2]
    assert outbox.waiting(-1, 10, ["parvis/v1/quay/u001/event/unit.tampered"]) == []


def test_acknowledged_ones_are_kept_for_a_while_and_said_again(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([event(), event()])
    outbox.acknowledged([0])
    assert (sequences(outbox), outbox.fill().messages) == ([1], 1)
    outbox.forget(60.0)
    outbox.retry()
    assert sequences(outbox) == [0, 1]
    outbox.acknowledged([0, 1])
    outbox.forget(0.0)
    outbox.retry()
    assert sequences(outbox) == []


def test_refused_ones_stand_apart_with_the_reason(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([event(), event()])
    outbox.refused(0, "Not authorized")
    assert (sequences(outbox), outbox.fill().messages, outbox.fill().refused) == ([1], 2, 1)
    outbox.retry_refused()
    assert sequences(outbox) == [0, 1]


def test_what_was_open_is_known_after_a_crash(path: Path) -> None:
    outbox = Outbox(path)
    first, second = outbox.put([event(), event()])
    (updated,) = outbox.put([event(Phase.UPDATE, of=first.id, time_s=1_000_005.0)])
    outbox.put([event(Phase.END, of=second.id)])
    outbox.close()
    assert Outbox(path).orphans() == [updated]


def test_two_programs_do_not_speak_for_one_unit(path: Path) -> None:
    outbox = Outbox(path)
    with pytest.raises(OutboxError, match="another program speaks for this unit"):
        Outbox(path)
    outbox.close()
    Outbox(path).close()


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match="--data-dir"):
        Outbox(tmp_path / "file" / "outbox.sqlite")


@pytest.mark.parametrize("damage", ["no database", "empty", "another version", "torn", "rubbish inside"])
def test_a_damaged_outbox_is_set_aside_and_nothing_stops(path: Path, damage: str) -> None:
    outbox = Outbox(path)
    outbox.put([event() for _ in range(300)])
    outbox._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    outbox.close()
    content = bytearray(path.read_bytes())
    if damage == "no database":
        path.write_bytes(b"this is not a database, and was never one " * 100)
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "another version":
        with sqlite3.connect(path) as database:
            database.execute("PRAGMA user_version=99")
        database.close()
    elif damage == "torn":
        path.write_bytes(content[: len(content) // 2])
    else:
        content[len(content) // 2 : len(content) // 2 + 9_000] = os.urandom(9_000)
        path.write_bytes(content)
    outbox = Outbox(path)
    saved = sequences(outbox)
    (new,) = outbox.put([event()])
    if damage == "empty":
        assert new.data.sequence == 0
    else:
        # Above whatever was counted: a gap, never a number twice.
        assert new.data.sequence > 1_000_000_000_000
        assert any(file.name.startswith(f"{path.name}.damaged-") for file in path.parent.iterdir())
    assert saved == sorted(set(saved))
    if damage == "another version":
        assert len(saved) == 300
    assert sequences(outbox) == [*saved, new.data.sequence]
    outbox.close()


def test_damage_while_running_is_survived(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put([event() for _ in range(50)])
    outbox._database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
    outbox._database.close()
    outbox._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    (kept,) = outbox.put([event()])
    assert sequences(outbox)[-1] == kept.data.sequence


def test_a_full_disk_takes_nothing_loses_nothing_and_recovers(path: Path) -> None:
    outbox = Outbox(path)
    kept = outbox.put([event() for _ in range(10)])
    pages = outbox._database.execute("PRAGMA page_count").fetchone()[0]
    outbox._database.execute(f"PRAGMA max_page_count={pages + 2}")

    def fill() -> None:
        for _ in range(100):
            kept.extend(outbox.put([event()]))

    with pytest.raises(OutboxError, match="full"):
        fill()
    outbox._database.execute("PRAGMA max_page_count=1000000")
    kept += outbox.put([event()])
    assert [message.data.sequence for message in kept] == list(range(len(kept)))
    assert sequences(outbox) == list(range(len(kept)))


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(["start", "update", "end", "count", "acknowledge"]), min_size=1, max_size=60),
    st.integers(1_200, 6_000),
)
def test_when_full_the_least_worth_goes_first_and_the_oldest_of_it(steps: list[str], max_bytes: int) -> None:
    """Against a plain model of the policy: bounded, in order, counted, numbers never given twice."""
    with tempfile.TemporaryDirectory() as folder:
        outbox = Outbox(Path(folder) / "outbox.sqlite", max_bytes=max_bytes)
        model: list[tuple[bool, Worth, int, int]] = []
        shed = number = 0
        start = event()
        for step in steps:
            if step == "acknowledge":
                waiting = [each for each in model if each[0]]
                if waiting:
                    outbox.acknowledged([waiting[0][2]])
                    model[model.index(waiting[0])] = (False, *waiting[0][1:])
                continue
            message = {"start": start, "update": event(Phase.UPDATE, start.id), "end": event(Phase.END, start.id)}.get(step) or count()
            (kept,) = outbox.put([message])
            assert kept.data.sequence == number
            model.append((True, Worth.of(kept), number, len(dump_message(kept))))
            number += 1
            while sum(size for *_, size in model) > max_bytes:
                gone = min(model, key=lambda each: each[:3])
                shed += gone[0]
                model.remove(gone)
        assert sequences(outbox) == [sequence for unsent, _, sequence, _ in model if unsent]
        assert outbox.fill().shed == shed
        assert outbox._number("bytes") == sum(size for *_, size in model) <= max_bytes
        outbox.close()


WRITER = """
import sys
from pathlib import Path
from tests.edge.delivery.test_outbox import event
from parvis_edge.delivery.outbox import Outbox
outbox = Outbox(Path(sys.argv[1]))
while True:
    for kept in outbox.put([event(), event(), event()]):
        print(kept.data.sequence, kept.id, flush=True)
"""


def test_killed_at_any_moment_what_was_announced_is_on_disk(path: Path) -> None:
    announced: dict[int, str] = {}
    for index in range(5):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]
        )
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        time.sleep(0.02 * index)
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
        process.stdout.close()
        process.wait()
        for line in lines:
            sequence, _, name = line.strip().partition(" ")
            if len(name) == 36:
                assert int(sequence) not in announced
                announced[int(sequence)] = name
    outbox = Outbox(path)
    on_disk = {each.sequence: str(parse_message(each.body).id) for each in outbox.waiting(-1, 1_000_000)}
    assert announced.items() <= on_disk.items()
    assert sorted(on_disk) == list(range(len(on_disk)))
