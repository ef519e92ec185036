"""Whether a hub keeps up, and how much it may hold."""

from __future__ import annotations

from pathlib import Path

from parvis_hub.load import BEHIND_US, EVENT_BYTES, Backlog, room_for_events


def test_a_hub_is_behind_when_whole_batches_have_waited_for_a_while() -> None:
    backlog = Backlog()
    assert backlog.turn(1, more=True) is None
    assert backlog.turn(BEHIND_US, more=True) is None
    assert backlog.turn(1 + BEHIND_US, more=True) == 1
    assert backlog.turn(2 + BEHIND_US, more=False) is None
    assert backlog.turn(3 + BEHIND_US, more=True) is None


def test_a_container_has_no_more_room_than_it_may_use(tmp_path: Path) -> None:
    of_machine = room_for_events([tmp_path / "none"])
    assert of_machine > 0
    (tmp_path / "limit").write_text(f"{200 * EVENT_BYTES}\n")
    (tmp_path / "unlimited").write_text("max\n")
    assert room_for_events([tmp_path / "unlimited"]) == of_machine
    assert room_for_events([tmp_path / "unlimited", tmp_path / "limit"]) == 100
