"""A release is handed to whoever takes models, kept over restarts, and acknowledged until it is refused."""

from __future__ import annotations

from pathlib import Path

from parvis_contract import CommandRefusal, CommandStatus, ModelRef
from parvis_edge.commands.files import CommandFiles
from parvis_edge.commands.judge import Authority
from parvis_edge.commands.orders import RELEASE, Orders
from parvis_edge.commands.releases import Release

from .orders import KEY, NOW_S, release


class Shelf:
    """Takes models as the updater does: remembers, and is told how it went."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.resumed: list[tuple[str, str]] = []
        self.refused: CommandRefusal | None = None

    def take(self, model: ModelRef, sha256: str) -> None:
        self.asked.append((model.version, sha256))
        self.refused = None

    def resume(self, model: ModelRef, sha256: str) -> None:
        self.resumed.append((model.version, sha256))


def unit(folder: Path, shelf: Shelf | None) -> Orders:
    duty = Release()
    orders = Orders(Authority.of("quay", "u001", [KEY.public_key]), CommandFiles(folder), {RELEASE: duty}, now_s=lambda: NOW_S)
    if shelf is not None:
        duty.serve(shelf)
    return orders


def test_a_release_is_handed_over_once_and_acknowledged(tmp_path: Path) -> None:
    shelf = Shelf()
    orders = unit(tmp_path, shelf)
    raw = release(7)
    for _ in range(3):
        orders.take(raw)
    assert shelf.asked == [("1.1.0", "cd" * 32)]
    assert orders.status() == CommandStatus(release=7)


def test_what_is_refused_later_is_acknowledged_no_longer_and_the_next_one_clears_it(tmp_path: Path) -> None:
    shelf = Shelf()
    orders = unit(tmp_path, shelf)
    orders.take(release(7))
    shelf.refused = CommandRefusal.NOT_SUPPORTED
    assert orders.status() == CommandStatus(refused=CommandRefusal.NOT_SUPPORTED)
    orders.take(release(8, "1.0.0"))
    assert orders.status() == CommandStatus(release=8)


def test_after_a_restart_the_last_release_is_gone_on_with(tmp_path: Path) -> None:
    unit(tmp_path, Shelf()).take(release(7))
    shelf = Shelf()
    orders = unit(tmp_path, shelf)
    assert (shelf.asked, shelf.resumed) == ([], [("1.1.0", "cd" * 32)])
    assert orders.status() == CommandStatus(release=7)


def test_where_no_model_is_taken_a_release_is_refused_and_not_kept(tmp_path: Path) -> None:
    orders = unit(tmp_path, None)
    orders.take(release(7))
    assert orders.status() == CommandStatus(refused=CommandRefusal.NOT_SUPPORTED)
    assert not CommandFiles(tmp_path).path(RELEASE).exists()
