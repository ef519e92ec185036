"""What a unit obeys, keeps and acknowledges, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal as Why
from parvis_contract import CommandStatus
from parvis_contract.signing import key_digest
from parvis_edge.commands.allowlist import Allowlist
from parvis_edge.commands.files import CommandFiles
from parvis_edge.commands.judge import Authority
from parvis_edge.commands.orders import ALLOWLIST, Orders

from .orders import KEY, NOW_S, STRANGER, allowlist, changed, configuration

GOOD = allowlist(7, 1, 2, 17)


class Unit:
    """The orders of a unit whose one duty is the list of tags."""

    def __init__(
        self, folder: Path, now_s: Callable[[], float], *, reads_tags: bool = True, keys: tuple[str, ...] = (KEY.public_key,)
    ) -> None:
        self._list = Allowlist(reads_tags=reads_tags, now_s=now_s)
        self._orders = Orders(Authority.of("quay", "u001", keys), CommandFiles(folder), {ALLOWLIST: self._list}, now_s=now_s)
        self.take, self.status, self.allowed_tags = self._orders.take, self._orders.status, self._list.allowed_tags


def orders(folder: Path, *, now_s: float = NOW_S, reads_tags: bool = True, keys: tuple[str, ...] = (KEY.public_key,)) -> Unit:
    return Unit(folder, lambda: now_s, reads_tags=reads_tags, keys=keys)


def status(counter: int | None, refused: Why | None = None) -> CommandStatus:
    return CommandStatus(allowlist=counter, refused=refused)


def test_a_list_is_obeyed_acknowledged_and_kept_over_a_restart(tmp_path: Path) -> None:
    unit = orders(tmp_path)
    assert (unit.allowed_tags(), unit.status()) == (frozenset(), None)
    unit.take(GOOD)
    assert unit.allowed_tags() == {1, 2, 17}
    assert unit.status() == status(7)
    again = orders(tmp_path)
    assert again.allowed_tags() == {1, 2, 17}
    assert again.status() == status(7)


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (allowlist(8, 5, key=STRANGER), Why.UNKNOWN_KEY),
        (changed(allowlist(8, 5, key=STRANGER), "data", "signature", "key", to=key_digest(KEY.public_key)), Why.BAD_SIGNATURE),
        (changed(allowlist(8, 5), "data", "allow", to=[{"first": 0, "last": 586}]), Why.BAD_SIGNATURE),
        (changed(allowlist(8, 5), "data", "counter", to=9), Why.BAD_SIGNATURE),
        (changed(allowlist(8, 5), "data", "expires", to="2036-06-21T18:00:00.000000Z"), Why.BAD_SIGNATURE),
        (changed(allowlist(8, 5), "time", to="2026-06-21T18:00:00.000000Z"), Why.BAD_SIGNATURE),
        (allowlist(8, 5, unit="u002"), Why.NOT_FOR_THIS_UNIT),
        (allowlist(8, 5, site="hill"), Why.NOT_FOR_THIS_UNIT),
        (changed(allowlist(8, 5, site="hill"), "source", to="urn:parvis:quay:hub"), Why.BAD_SIGNATURE),
        (changed(allowlist(8, 5, unit="u002"), "data", "unit", to="u001"), Why.BAD_SIGNATURE),
        (allowlist(8, 5, issued_s=NOW_S - 3600, lasts_s=3599), Why.EXPIRED),
        (allowlist(8, 5, issued_s=NOW_S + 301), Why.CLOCK_BEHIND),
        (allowlist(7, 5), Why.REPLAYED),
        (allowlist(6, 5), Why.REPLAYED),
        (allowlist(8, 5)[:-1], Why.MALFORMED),
        (allowlist(8, 5)[: len(GOOD) // 2], Why.MALFORMED),
        (b"", Why.MALFORMED),
        (b"\xff" * 100, Why.MALFORMED),
        (changed(allowlist(8, 5), "data", "wearer", to="somebody"), Why.MALFORMED),
        (allowlist(8, 5).replace(b'"allow"', b'"allow":[],"allow"'), Why.MALFORMED),
        (b" " * 1024 + allowlist(8, 5), Why.TOO_LARGE),
        (b"{" * 60_000, Why.TOO_LARGE),
        (configuration(8), Why.NOT_SUPPORTED),
    ],
    ids=lambda value: str(value) if isinstance(value, Why) else "",
)
def test_what_is_refused_changes_nothing_and_is_told(tmp_path: Path, raw: bytes, why: Why) -> None:
    unit = orders(tmp_path)
    unit.take(GOOD)
    kept = CommandFiles(tmp_path).path("command.allowlist").read_bytes()
    unit.take(raw)
    assert unit.status() == status(7, why)
    assert unit.allowed_tags() == {1, 2, 17}
    assert CommandFiles(tmp_path).path("command.allowlist").read_bytes() == kept == GOOD
    # The same again is the hub making sure, and the next one is taken.
    unit.take(GOOD)
    assert unit.status() == status(7)
    unit.take(allowlist(8, 3))
    assert (unit.status(), unit.allowed_tags()) == (status(8), {3})


def test_an_empty_list_withdraws_everybody(tmp_path: Path) -> None:
    unit = orders(tmp_path)
    unit.take(GOOD)
    unit.take(allowlist(8))
    assert unit.allowed_tags() == frozenset()


def test_an_expired_list_is_none_also_after_a_restart_and_its_counter_still_counts(tmp_path: Path) -> None:
    time_s = [NOW_S]
    unit = Unit(tmp_path, lambda: time_s[0])
    unit.take(GOOD)
    time_s[0] = NOW_S + 3598
    assert unit.allowed_tags() == {1, 2, 17}
    time_s[0] = NOW_S + 3599
    assert unit.allowed_tags() == frozenset()
    later = orders(tmp_path, now_s=NOW_S + 4000)
    assert later.allowed_tags() == frozenset()
    later.take(allowlist(7, 5, issued_s=NOW_S + 3999))
    assert later.status() == status(7, Why.REPLAYED)


def test_a_clock_that_is_behind_brings_no_list_back(tmp_path: Path) -> None:
    orders(tmp_path).take(GOOD)
    assert orders(tmp_path, now_s=1000.0).allowed_tags() == frozenset()
    assert orders(tmp_path).allowed_tags() == {1, 2, 17}


def test_whose_key_is_gone_from_the_plan_is_obeyed_no_longer(tmp_path: Path) -> None:
    orders(tmp_path).take(GOOD)
    unit = orders(tmp_path, keys=(STRANGER.public_key,))
    assert unit.allowed_tags() == frozenset()
    unit.take(allowlist(7, 4, key=STRANGER))
    assert unit.status() == status(7, Why.REPLAYED)
    unit.take(allowlist(8, 4, key=STRANGER))
    assert unit.allowed_tags() == {4}


def test_a_unit_that_may_read_no_tags_reads_none(tmp_path: Path) -> None:
    unit = orders(tmp_path, reads_tags=False)
    unit.take(GOOD)
    assert (unit.status(), unit.allowed_tags()) == (status(None, Why.NOT_PERMITTED), frozenset())
    orders(tmp_path).take(GOOD)
    assert orders(tmp_path, reads_tags=False).allowed_tags() == frozenset()


@pytest.mark.parametrize("content", [b"", GOOD[:200], b"\x00" * 300, changed(GOOD, "data", "counter", to=1), b"[]"])
def test_a_damaged_file_is_no_list_and_the_next_command_heals_it(tmp_path: Path, content: bytes) -> None:
    CommandFiles(tmp_path).write("command.allowlist", content)
    unit = orders(tmp_path)
    assert unit.allowed_tags() == frozenset()
    unit.take(GOOD)
    assert orders(tmp_path).allowed_tags() == {1, 2, 17}


def test_what_cannot_be_kept_is_not_obeyed(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    unit = orders(blocked)
    unit.take(GOOD)
    assert (unit.status(), unit.allowed_tags()) == (status(None, Why.DISK_FULL), frozenset())


_WRITER = """
import sys
from pathlib import Path
from parvis_edge.commands.files import CommandFiles
files = CommandFiles(Path(sys.argv[1]))
for number in range(10**9):
    files.write("command.allowlist", (f"{number:08d}," * 80).encode())
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_one_whole_file_and_none_older_than_what_was_said(tmp_path: Path) -> None:
    for wait in range(4):
        writer = subprocess.Popen([sys.executable, "-c", _WRITER, tmp_path], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        for _ in range(20 + 7 * wait):
            said = int(writer.stdout.readline())
        writer.kill()
        said = max([said, *(int(line) for line in writer.stdout.read().split())])
        writer.wait()
        numbers = {int(part) for part in (CommandFiles(tmp_path).read("command.allowlist") or b"").split(b",") if part}
        assert len(numbers) == 1
        assert numbers.pop() >= said
    assert CommandFiles(tmp_path).path("command.allowlist").stat().st_mode & 0o077 == 0
