"""The name of a unit's connection: kept, its own, and no reason not to start."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_edge.delivery.session import session_name


def test_it_is_the_same_at_every_start_and_another_at_another_unit(tmp_path: Path) -> None:
    first = session_name(tmp_path / "quay" / "u001.session")
    assert session_name(tmp_path / "quay" / "u001.session") == first
    assert session_name(tmp_path / "quay" / "u002.session") != first
    assert (tmp_path / "quay" / "u001.session").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("left", [b"", b"parvis-\n", b"\xff\xfe", b"parvis-quay-u001\n"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, left: bytes) -> None:
    path = tmp_path / "u001.session"
    path.write_bytes(left)
    name = session_name(path)
    assert len(name) == 39
    assert session_name(path) == name


def test_a_disk_that_takes_nothing_costs_the_name_and_not_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "u001.session"
    assert session_name(path) != session_name(path)
