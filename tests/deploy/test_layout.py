"""The table of a card, read by sgdisk where it is installed, and by ourselves."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_deploy.layout import MIB, Flavour, LayoutError, disk_bytes, grown, partitions, read_table, table

FLAVOURS: list[Flavour] = ["generic", "raspberry-pi"]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_it_says_what_was_written(flavour: Flavour) -> None:
    parts = partitions(flavour)
    first, _ = table(parts, disk_bytes(parts))
    assert read_table(first) == parts


@given(st.sampled_from(FLAVOURS), st.integers(6 << 30, 4 << 40).map(lambda size: size // 512 * 512))
def test_partitions_never_meet_and_stay_on_the_disk(flavour: Flavour, size: int) -> None:
    parts = grown(partitions(flavour), size)
    ends = [part.first_byte + part.size_bytes for part in parts]
    assert all(part.first_byte % MIB == 0 for part in parts)
    assert all(end <= part.first_byte for end, part in zip(ends, parts[1:], strict=False))
    assert size - 2 * MIB < ends[-1] <= size - MIB
    assert parts[:-1] == partitions(flavour)[:-1]


def test_a_small_disk_is_refused() -> None:
    with pytest.raises(LayoutError, match="too small"):
        grown(partitions("generic"), 4 << 30)


@pytest.mark.parametrize("place", [0x205, 1024 + 5])
def test_a_damaged_table_is_refused(place: int) -> None:
    first = bytearray(table(partitions("generic"), disk_bytes(partitions("generic")))[0])
    first[place] ^= 0xFF
    with pytest.raises(LayoutError):
        read_table(bytes(first))


@pytest.mark.skipif(shutil.which("sgdisk") is None, reason="sgdisk is not installed: apt install gdisk")
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_another_program_finds_no_fault(flavour: Flavour, tmp_path: Path) -> None:
    card, size = tmp_path / "card.img", 32_000_000_000
    parts = grown(partitions(flavour), size)
    first, last = table(parts, size)
    with card.open("wb") as file:
        file.truncate(size)
        file.write(first)
        file.seek(size - len(last))
        file.write(last)
    said = subprocess.run(["sgdisk", "--verify", "--print", card], capture_output=True, text=True, check=True).stdout
    assert "No problems found" in said
    assert all(part.name in said for part in parts)
