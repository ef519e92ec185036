from __future__ import annotations

from collections.abc import Iterator

from parvis_contract import StatusReason, StreamState
from parvis_edge.capture.liveness import Liveness, Timings


def flow(liveness: Liveness, begin_s: float, end_s: float, rate_hz: float = 10.0) -> Iterator[StreamState]:
    """Items at a rate, and the state at each."""
    for index in range(round((end_s - begin_s) * rate_hz)):
        now_s = begin_s + index / rate_hz
        liveness.item(now_s)
        yield liveness.status(now_s).state


def told(liveness: Liveness, now_s: float) -> tuple[str, str | None]:
    status = liveness.status(now_s)
    return status.state.value, status.reason.value if status.reason else None


def test_the_life_of_a_stream() -> None:
    liveness = Liveness(0.0)
    assert told(liveness, 0.5) == ("stalled", "no_data")
    states = list(flow(liveness, 1.0, 20.0))
    assert states[0] is StreamState.RECOVERING
    assert set(states[25:]) == {StreamState.HEALTHY}
    assert told(liveness, 22.0) == ("healthy", None)
    # Within five seconds of the last item it says what is wrong.
    assert told(liveness, 23.1) == ("stalled", "no_data")
    liveness.broken(StatusReason.CONNECTION_LOST, 23.2)
    assert told(liveness, 23.3) == ("stalled", "connection_lost")
    liveness.reconnecting()
    assert told(liveness, 24.0) == ("recovering", "reconnecting")
    liveness.broken(StatusReason.CONNECTION_LOST, 30.0)
    assert told(liveness, 84.0) == ("failed", "connection_lost")
    states = list(flow(liveness, 90.0, 100.0))
    assert states[0] is StreamState.RECOVERING
    # Within ten seconds of its coming back it is well.
    assert set(states[25:]) == {StreamState.HEALTHY}


def test_a_frozen_connection_fails_in_the_end() -> None:
    liveness = Liveness(0.0)
    list(flow(liveness, 0.0, 10.0))
    assert told(liveness, 20.0) == ("stalled", "no_data")
    assert told(liveness, 71.0) == ("failed", "no_data")


def test_one_lost_frame_is_no_trouble_and_many_are() -> None:
    liveness = Liveness(0.0)
    list(flow(liveness, 0.0, 10.0))
    liveness.trouble(StatusReason.CANNOT_KEEP_UP, 10.0)
    liveness.item(10.0)
    assert told(liveness, 10.0) == ("healthy", None)
    liveness.trouble(StatusReason.CANNOT_KEEP_UP, 10.1, 5)
    liveness.item(10.1)
    assert told(liveness, 10.1) == ("degraded", "cannot_keep_up")
    assert list(flow(liveness, 10.2, 22.0))[-1] is StreamState.HEALTHY


def test_a_rate_that_falls_is_told_until_it_is_usual() -> None:
    liveness = Liveness(0.0)
    list(flow(liveness, 0.0, 20.0, rate_hz=20.0))
    list(flow(liveness, 20.0, 28.0, rate_hz=4.0))
    assert told(liveness, 28.0) == ("degraded", "low_rate")
    list(flow(liveness, 28.0, 240.0, rate_hz=4.0))
    assert told(liveness, 240.0) == ("healthy", None)


def test_a_recording_is_well_while_it_plays_and_says_when_it_is_over() -> None:
    liveness = Liveness(0.0, live=False)
    assert not liveness.started
    liveness.item(1.0)
    assert told(liveness, 50.0) == ("healthy", None)
    liveness.ended(StreamState.HEALTHY, StatusReason.SOURCE_ENDED)
    assert told(liveness, 51.0) == ("healthy", "source_ended")


def test_the_timings_keep_the_promise_of_five_and_ten_seconds() -> None:
    timings = Timings()
    assert timings.stalled_after_s < 5.0
    assert timings.healthy_after_s < 10.0 - 5.0
