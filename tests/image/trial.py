"""What the steps of the trial share: a card in a machine, a hub beside it, other roots, and what has to hold after each start."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import time
import wave
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from parvis_deploy.layout import MIB, Partition, read_table
from parvis_edge.card.loader import SLOTS, Slot, autoboot, other

from tests.image.hub import BIN, UNIT, Hub, version_in
from tests.image.machine import Kernel, Machine, say
from tests.image.roots import unpack, variant


class Trial:
    """A folder that one step after another works in.

    Args:
        image: The card's image, packed; its root is in ``roots`` beside it. Of a Raspberry Pi's, what its firmware would do is done here.
        folder: Where all is; what an earlier run left there is gone on with.
    """

    def __init__(self, image: Path, folder: Path) -> None:
        self.image, self.folder = image, folder
        described = json.loads(image.with_suffix("").with_suffix(".json").read_text())
        self.flavour: str = described["flavour"]
        self.flashed: str = described["version"]
        self.root = f"root-{self.flavour}"
        self.archive = image.parent / "roots" / self.flavour / f"{self.flashed}.img.zst"
        self.card = folder / "card.img"
        folder.mkdir(parents=True, exist_ok=True)
        self.hub = Hub(folder / "site")
        #: Of the root that runs.
        self.version = self.hub.version(self.root) or self.flashed
        self._machine: Machine | None = None

    @property
    def machine(self) -> Machine:
        """The machine with the card in it."""
        if self._machine is None:
            self._machine = Machine(self.card, self.folder, None if self.is_generic else self.firmware)
        return self._machine

    def close(self) -> None:
        """Ends all."""
        self.take_out()
        self.hub.stop()

    def take_out(self) -> None:
        """Cuts the power, and takes the card out of the machine."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    def flash(self) -> None:
        """As the installer's page says, on a file. In the place of a microphone its data partition has a recording."""
        begun_s = time.monotonic()
        self.card.unlink(missing_ok=True)
        self.version = self.flashed
        words = ["--unit", UNIT, "--claim", self.hub.claim(), "--flavour", self.flavour, "--image", self.image, "--size-gb", "6"]
        options = ["--audio", "/var/lib/parvis/place.wav", "--restart-between", "any", "--update-root", self.hub.trusted, "--yes"]
        subprocess.run([BIN / "parvis-deploy", "flash", self.card, *map(str, [*words, *options])], check=True, stderr=subprocess.DEVNULL)
        say(f"  flashed and read back: {time.monotonic() - begun_s:.0f} s")
        tree = self.folder / "data"
        shutil.rmtree(tree, ignore_errors=True)
        (tree / "parvis").mkdir(parents=True)
        noise(tree / "parvis" / "place.wav")
        for each in (tree / "parvis", tree / "parvis" / "place.wav"):
            os.chown(each, 900, 900)
        data = self.part("parvis-data")
        made = ["-q", "-F", "-t", "ext4", "-E", f"offset={data.first_byte}", "-d", tree]
        subprocess.run(["mke2fs", *map(str, made), self.card, f"{data.size_bytes // 1024}k"], check=True)
        shutil.rmtree(tree)

    def part(self, name: str) -> Partition:
        """One of the card's partitions."""
        with self.card.open("rb") as file:
            return next(each for each in read_table(file.read(MIB)) if each.name == name)

    @property
    def is_generic(self) -> bool:
        """Whether it starts by UEFI."""
        return self.flavour == "generic"

    def fat_file(self, part: Partition, name: str) -> bytes:
        """A file of one of the card's FAT partitions; nothing if it is not there."""
        return subprocess.run(["mtype", "-i", f"{self.card}@@{part.first_byte}", f"::{name}"], check=False, capture_output=True).stdout

    def loader(self) -> dict[str, str]:
        """What the boot partition says of the slots, while the card is out: file names and contents."""
        boot = self.part("parvis-boot")
        if not self.is_generic:
            return {name: self.fat_file(boot, name).decode() for name in ("autoboot.txt", "parvis-trial")}
        asked = ["mdir", "-b", "-i", f"{self.card}@@{boot.first_byte}", "::loader/entries"]
        listed = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
        return dict.fromkeys(sorted(line.rpartition("/")[2] for line in listed.split()), "")

    def empty_spare(self) -> None:
        """Makes the spare slot as it is on a new card, so that all of the next root has to be written."""
        self.take_out()
        part = self.part(f"parvis-root-{self.spare}")
        place = ["--offset", str(part.first_byte), "--length", str(part.size_bytes)]
        subprocess.run(["fallocate", "--punch-hole", *place, self.card], check=True)

    @property
    def spare(self) -> Slot:
        """The slot that is not started now, while the card is out."""
        if not self.is_generic:
            return "b" if autoboot("a").decode() == self.loader()["autoboot.txt"] else "a"
        boot = self.part("parvis-boot")
        entries = {slot: self.fat_file(boot, f"loader/entries/parvis-{slot}.conf").decode() for slot in SLOTS}
        numbers = {slot: int(text.partition("\nversion ")[2].split()[0]) for slot, text in entries.items() if text}
        return other(max(numbers, key=lambda slot: numbers[slot]))

    def firmware(self) -> Kernel:
        """What a Raspberry Pi's firmware starts: the partition that autoboot.txt names, and what config.txt names on it."""
        boot = self.part("parvis-boot")
        chosen = _settings(self.fat_file(boot, "autoboot.txt"))["boot_partition"]
        with self.card.open("rb") as file:
            part = read_table(file.read(MIB))[int(chosen) - 1]
        config = _settings(self.fat_file(part, "config.txt"))
        linux, initrd = self.folder / "linux", self.folder / "initrd"
        linux.write_bytes(self.fat_file(part, config["kernel"]))
        initrd.write_bytes(self.fat_file(part, config["initramfs"]))
        options = self.fat_file(part, config["cmdline"]).decode().strip()
        say(f"    the firmware starts from partition {chosen}, {part.name}")
        return Kernel(linux, initrd, f"{options} console=ttyAMA0")

    @contextmanager
    def mounted(self, name: str, *, writable: bool = False) -> Iterator[Path]:
        """A partition of the card, mounted here while the card is out."""
        self.take_out()
        part, folder = self.part(name), self.folder / "mounted"
        folder.mkdir(exist_ok=True)
        options = f"{'rw' if writable else 'ro'},loop,offset={part.first_byte},sizelimit={part.size_bytes}"
        subprocess.run(["mount", "-t", "ext4", "-o", options, self.card, folder], check=True)
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)

    def list_root(self, make: Callable[[Path, str, str, Path], Path] = variant) -> str:
        """Makes a root of another version, and lists it in the repository; gives its version."""
        version = after(self.flashed, 1 + len(list(self.folder.glob("*.img.zst"))))
        packed = make(unpack(self.archive, self.folder), self.flavour, version, self.folder)
        self.hub.publish("--file", f"roots/{self.flavour}/{version}.img.zst={packed}")
        return version

    def power_on(self) -> None:
        """Starts the machine, if it is off."""
        if not self.machine.runs:
            self.machine.start()

    def well(self, version: str) -> None:
        """Waits until the unit says that it is well under this root, its messages come, and none is missing."""
        begun_us, first, told = time.time_ns() // 1000, self.hub.numbers()[0], ""

        def is_well() -> bool:
            nonlocal told
            highest, gaps = self.hub.numbers()
            status = self.hub.status()
            runs = version_in(status, self.root)
            line = f"{status.get('state')}, {status.get('reason')}, root {runs}, missing {gaps}"
            if line != told:
                told = line
                say(f"    the hub has of the unit: {line}")
            return self.hub.heard_us() > begun_us and highest > first and not gaps and status.get("state") == "healthy" and runs == version

        self.machine.wait(f"the unit is well under root {version}, and none of its {first} and more messages is missing", is_well)


def after(version: str, count: int = 1) -> str:
    """The version that is so many patches newer."""
    line, _, patch = version.rpartition(".")
    return f"{line}.{int(patch) + count}"


def _settings(text: bytes) -> dict[str, str]:
    """Of a file of the firmware's: ``name=value``, and ``initramfs FILE followkernel``."""
    lines = [line.strip().replace("initramfs ", "initramfs=") for line in text.decode().splitlines()]
    return {
        name: value.split()[0] for line in lines if "=" in line and not line.startswith("#") for name, _, value in (line.partition("="),)
    }


def noise(path: Path, length_s: int = 3600) -> None:
    """A recording for a unit without a microphone: a place that is loud for 20 s and quiet for 20 s, in turn."""
    random = Random(1)
    loud = struct.pack("<16000h", *(random.randint(-9000, 9000) for _ in range(16000)))
    quiet = struct.pack("<16000h", *(random.randint(-9, 9) for _ in range(16000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        for second in range(length_s):
            file.writeframes(loud if second % 40 < 20 else quiet)
