from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import Phase, StatusReason, parse_message
from parvis_edge.delivery.outbox import Outbox
from parvis_edge.delivery.speech import InOrder, Kept, Speech, StandardOutput

from .test_messages import CLOCK, START, bang, judgement, messenger
from .test_outbox import event


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 3)), max_size=60), st.booleans())
def test_two_senses_are_put_in_one_order_whichever_is_faster(steps: list[tuple[bool, int]], first_ends_first: bool) -> None:
    """Any interleaving of the same two streams gives the same order, that of time; and nothing is lost."""
    come_to = {"camera": 0, "microphone": 0}
    streams: dict[str, list[tuple[float, int]]] = {"camera": [], "microphone": []}
    for camera, said in steps:
        sense = "camera" if camera else "microphone"
        come_to[sense] += 1
        streams[sense].append((float(come_to[sense]), said))

    def play(order: list[str]) -> list[tuple[str, float]]:
        merge, out, at = InOrder(["camera", "microphone"]), [], {"camera": 0, "microphone": 0}
        for sense in order:
            time_s, said = streams[sense][at[sense]]
            at[sense] += 1
            out += merge.add(sense, time_s, [judgement(Phase.START, time_s=time_s)] * said)
        for sense in ("camera", "microphone") if first_ends_first else ("microphone", "camera"):
            out += merge.over(sense, failed=False)
        return [(sense, each.time_s) for sense, all_said in out for each in all_said or []]

    interleaved = ["camera" if camera else "microphone" for camera, _ in steps]
    one_after_the_other = sorted(interleaved)
    found = play(interleaved)
    assert found == play(one_after_the_other) == play(one_after_the_other[::-1])
    assert [time_s for _, time_s in found] == sorted(time_s for _, time_s in found)
    assert len(found) == sum(said for _, said in steps)


def read(descriptor: int) -> list[bytes]:
    with os.fdopen(descriptor, "rb") as pipe:
        return pipe.read().splitlines()


def test_a_sense_that_breaks_down_has_its_events_ended_in_their_turn() -> None:
    reader, writer = os.pipe()
    out = StandardOutput(writer, lambda: None)
    speech = Speech(messenger("film"), out, lambda: CLOCK, InOrder(["camera", "microphone"]))
    speech.judged("camera", START, [judgement(Phase.START)])
    speech.over("camera", failed=True)
    speech.judged("microphone", START + 9, [bang(time_s=START + 9)])
    speech.over("microphone", failed=False)
    os.close(writer)
    said = [parse_message(line) for line in read(reader)]
    assert [message.data.phase for message in said] == [Phase.START, Phase.END, Phase.INSTANT]
    assert [message.data.sequence for message in said] == [0, 1, 2]


def test_a_judgement_that_cannot_be_said_is_left_out_and_the_rest_is_said() -> None:
    reader, writer = os.pipe()
    speech = Speech(messenger(), StandardOutput(writer, lambda: None), lambda: CLOCK, None)
    speech.judged("microphone", START, [judgement(Phase.END), bang(), bang(confidence=7.0), bang()])
    os.close(writer)
    assert [parse_message(line).data.sequence for line in read(reader)] == [0, 1]


def test_a_reader_that_goes_away_is_told_once() -> None:
    reader, writer = os.pipe()
    gone = threading.Event()
    out = StandardOutput(writer, gone.set)
    os.close(reader)
    out.say([event(), event()])
    assert gone.is_set()
    out.say([event()])
    os.close(writer)


def test_while_the_disk_is_full_events_wait_in_memory_and_the_least_worth_goes_first(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    kept = Kept(outbox, most=3)
    start = event()
    kept.say([start])
    pages = outbox._database.execute("PRAGMA page_count").fetchone()[0]
    outbox._database.execute(f"PRAGMA max_page_count={pages}")
    filler = 0
    while kept.reason is None:
        kept.say([event(Phase.UPDATE, start.id)])
        filler += 1
        assert filler < 1_000
    assert kept.reason is StatusReason.DISK_FULL
    end = event(Phase.END, start.id)
    kept.say([event(Phase.UPDATE, start.id), end, event(Phase.UPDATE, start.id), event()])
    assert kept.shed == 2
    outbox._database.execute("PRAGMA max_page_count=100000")
    kept.retry()
    assert kept.reason is None
    said = [parse_message(each.body) for each in outbox.waiting(-1, 10_000)]
    assert [message.data.sequence for message in said] == list(range(len(said)))
    assert end.id in {message.id for message in said}


def test_a_unit_that_ends_waits_for_a_full_disk_to_take_what_is_in_memory(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    kept = Kept(outbox)
    pages = outbox._database.execute("PRAGMA page_count").fetchone()[0]
    outbox._database.execute(f"PRAGMA max_page_count={pages}")
    while not kept.waiting:
        kept.say([event()])
    waiting = kept.waiting
    kept.drain(time.monotonic())
    assert kept.waiting == waiting
    room = threading.Timer(0.3, lambda: outbox._database.execute("PRAGMA max_page_count=100000"))
    room.start()
    kept.drain(time.monotonic() + 60.0)
    room.join()
    assert kept.waiting == 0


@pytest.mark.parametrize("bad", ["first", "middle"])
def test_one_that_is_refused_does_not_keep_back_the_others(tmp_path: Path, bad: str) -> None:
    outbox = Outbox(tmp_path / "outbox.sqlite")
    wrong = event().model_copy(update={"source": "x" * 2_000})
    Kept(outbox).say([wrong, event(), event()] if bad == "first" else [event(), wrong, event()])
    assert [each.sequence for each in outbox.waiting(-1, 10)] == [0, 1]
