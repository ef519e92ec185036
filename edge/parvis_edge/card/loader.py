"""Which root is started, and how often it is tried: what is written for systemd-boot, and for Raspberry Pi's firmware.

systemd-boot reads one file for each slot and counts in the file's name (Automatic Boot Assessment: ``parvis-b+2-1.conf`` has two tries
left and one behind it); an entry with no tries left comes last. Raspberry Pi's firmware reads ``autoboot.txt``; its own one-shot,
``tryboot``, is asked for by a call that Debian's kernel does not pass on, so the tries are counted by the initial file system, in the
file ``parvis-trial``: a root that fails falls back, a kernel that does not even reach the initial file system does not.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Literal, Protocol

from parvis_edge.whole_file import sync

from .places import CardError

Slot = Literal["a", "b"]
SLOTS: tuple[Slot, Slot] = ("a", "b")
#: A new root is started so often before the old one is taken again: a power cut during a start must not condemn it.
TRIES = 3


def other(slot: Slot) -> Slot:
    """The spare one."""
    return "b" if slot == "a" else "a"


def running_slot(command_line: str) -> Slot:
    """The slot that the kernel's command line names.

    Raises:
        CardError: It names none: this is no flashed card.
    """
    for slot in SLOTS:
        if f"parvis.slot={slot}" in command_line.split():
            return slot
    raise CardError("the kernel's command line names no parvis.slot: this is no flashed card")


def kernel_options(slot: Slot) -> str:
    """The kernel's command line for a slot. A kernel that breaks starts again after ten seconds."""
    return f"root=PARTLABEL=parvis-root-{slot} ro parvis.slot={slot} panic=10 oops=panic"


class Loader(Protocol):
    """What starts this card."""

    def withdraw(self, slot: Slot) -> None:
        """Never start this slot: it is about to be written."""
        ...

    def place(self, slot: Slot, files: Path, version: str) -> None:
        """Puts kernel and initial file system of a root where they are started from; still withdrawn."""
        ...

    def offer(self, slot: Slot, version: str) -> None:
        """Start this slot from now on, on trial."""
        ...

    def keep(self, slot: Slot) -> None:
        """The slot on trial is good."""
        ...


class SystemdBoot:
    """Entries of type 1 (Boot Loader Specification) on the EFI system partition.

    Args:
        boot: Where it is mounted.
    """

    def __init__(self, boot: Path) -> None:
        self._boot = boot
        self._entries = boot / "loader" / "entries"

    def withdraw(self, slot: Slot) -> None:
        """Removes the slot's entry."""
        for entry in self._of(slot):
            entry.unlink()
        sync(self._boot)

    def place(self, slot: Slot, files: Path, version: str) -> None:
        """Copies kernel and initial file system."""
        del version
        folder = self._boot / "parvis" / slot
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("linux", "initrd"):
            copy(files / name, folder / name)
        sync(self._boot)

    def offer(self, slot: Slot, version: str, *, tries: int | None = TRIES) -> None:
        """Writes the slot's entry; of two, the one with the higher number is started.

        Args:
            slot: Which.
            version: Of its root, for the menu.
            tries: How often; None for good.
        """
        self._entries.mkdir(parents=True, exist_ok=True)
        number = 1 + max((_number(entry) for each in SLOTS for entry in self._of(each)), default=0)
        text = (
            f"title Parvis {version} ({slot})\nsort-key parvis\nversion {number}\nlinux /parvis/{slot}/linux\n"
            f"initrd /parvis/{slot}/initrd\noptions {kernel_options(slot)}\n"
        )
        fresh = self._entries / f"parvis-{slot}.new"
        fresh.write_text(text)
        sync(fresh)
        fresh.rename(self._entries / (f"parvis-{slot}.conf" if tries is None else f"parvis-{slot}+{tries}.conf"))
        sync(self._boot)

    def keep(self, slot: Slot) -> None:
        """Nothing: ``systemd-bless-boot`` takes the tries out of the name once ``boot-complete.target`` is reached."""

    def _of(self, slot: Slot) -> Iterator[Path]:
        return (
            each for each in sorted(self._entries.glob(f"parvis-{slot}*")) if each.name.removeprefix(f"parvis-{slot}")[:1] in ("+", ".")
        )


class Autoboot:
    """``autoboot.txt`` on the first partition, and one partition of firmware, kernel and initial file system for each slot.

    Args:
        boot: Where the first partition is mounted.
        firmware: Makes the firmware partition of a slot empty, and gives the folder where it is mounted meanwhile.
    """

    def __init__(self, boot: Path, firmware: Callable[[Slot], AbstractContextManager[Path]]) -> None:
        self._boot = boot
        self._firmware = firmware

    def withdraw(self, slot: Slot) -> None:
        """The slot that runs is the one to start."""
        (self._boot / "parvis-trial").unlink(missing_ok=True)
        self._start(other(slot))

    def place(self, slot: Slot, files: Path, version: str) -> None:
        """Copies everything that the firmware reads."""
        del version
        with self._firmware(slot) as folder:
            for each in sorted(files.iterdir()):
                copy(each, folder / each.name)
            (folder / "cmdline.txt").write_text(kernel_options(slot) + "\n")
            sync(folder / "cmdline.txt")

    def offer(self, slot: Slot, version: str) -> None:
        """The count first: a slot that is started is on trial, or is not started."""
        del version
        trial = self._boot / "parvis-trial"
        fresh = trial.with_suffix(".new")
        fresh.write_text(f"{slot} {TRIES}\n")
        sync(fresh)
        fresh.rename(trial)
        self._start(slot)

    def keep(self, slot: Slot) -> None:
        """No more tries are counted."""
        del slot
        (self._boot / "parvis-trial").unlink(missing_ok=True)
        sync(self._boot)

    def _start(self, slot: Slot) -> None:
        # One sector, written in place: the firmware reads the old one or the new one.
        path = self._boot / "autoboot.txt"
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.write(autoboot(slot))
            file.flush()
            os.fsync(file.fileno())
        sync(self._boot)


def autoboot(slot: Slot) -> bytes:
    """``autoboot.txt``: which partition the firmware goes on from; 2 and 3 hold what starts slot a and slot b."""
    return f"[all]\nboot_partition={2 if slot == 'a' else 3}\n".encode()


def copy(source: Path, target: Path) -> None:
    """Copies one file whole: beside the target, to the disk, then into its place."""
    fresh = target.with_name(target.name + ".new")
    with source.open("rb") as reading, fresh.open("wb") as writing:
        while chunk := reading.read(1 << 20):
            writing.write(chunk)
        writing.flush()
        os.fsync(writing.fileno())
    fresh.replace(target)


def _number(entry: Path) -> int:
    words = dict(line.partition(" ")[::2] for line in entry.read_text().splitlines())
    text = words.get("version", "")
    return int(text) if text.isdigit() else 0
