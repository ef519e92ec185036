"""The name of the hub's session: kept, its own, and told to nobody."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_hub.intake import session_name


def test_it_is_the_same_at_every_start_and_another_at_another_hub(tmp_path: Path) -> None:
    first = session_name(tmp_path / "a")
    assert session_name(tmp_path / "a") == first
    assert session_name(tmp_path / "b") != first
    assert (tmp_path / "a" / "session").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"", b"parvis-hub-\n", b"\xff\xfe", b"parvis-hub-vieux-port\n"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, left: bytes) -> None:
    (tmp_path / "session").write_bytes(left)
    (tmp_path / "session.new").write_bytes(b"left by an end before the exchange")
    name = session_name(tmp_path)
    assert len(name) == 43
    assert session_name(tmp_path) == name
