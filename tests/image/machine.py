"""A card in an emulated arm64 machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.image.disk import Disk

_FIRMWARE = Path("/usr/share/AAVMF")
#: Longer than anything takes: an emulated processor is some thirty times slower than a card's, and others may want its machine.
_LIMIT_S = 5400.0
#: What QEMU emulates with the least work of its own: a start takes three quarters of what a Cortex-A72 takes, and a unit that listens half.
_FAST = "max,pauth-impdef=on,sve=off,sme=off"
#: Of a Raspberry Pi 4.
CORTEX_A72 = "cortex-a72"


def say(line: str) -> None:
    """Tells whoever runs it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class Kernel:
    """What is started in the place of the card's own loader."""

    linux: Path
    initrd: Path
    options: str


class Machine:
    """One emulated machine.

    Args:
        card: The card's file.
        folder: For its firmware's variables, its console's text and its disk's socket.
        firmware: Says at each start what is started; None for UEFI, which is emulated with the machine.
        processor: Which is emulated.
    """

    def __init__(self, card: Path, folder: Path, firmware: Callable[[], Kernel] | None = None, processor: str = _FAST) -> None:
        self.console = folder / "console.txt"
        self.console.touch()
        self._seen = self._begun = self.console.stat().st_size
        self.disk = Disk(card, folder / "disk.socket")
        self._firmware = firmware
        self._uefi: list[str] = []
        if firmware is None:
            variables = folder / "variables.fd"
            if not variables.exists():
                shutil.copy(_FIRMWARE / "AAVMF_VARS.fd", variables)
            self._uefi = ["-drive", f"if=pflash,format=raw,readonly=on,file={_FIRMWARE / 'AAVMF_CODE.fd'}"]
            self._uefi += ["-drive", f"if=pflash,format=raw,file={variables}"]
        self._command = [
            *("qemu-system-aarch64", "-machine", "virt,gic-version=3", "-cpu", processor, "-smp", "2", "-m", "2048"),
            *("-display", "none", "-monitor", "none"),
            # Write-back with flushes: what the machine has not flushed is the disk's to lose.
            *("-drive", f"if=none,id=card,format=raw,file=nbd:unix:{self.disk.address},cache=writeback"),
            *("-device", "virtio-blk-pci,drive=card,write-cache=on"),
            *("-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile="),
            # No watchdog: it would start a machine anew that waits for nothing but the processor beneath it.
            *("-chardev", f"file,id=console,path={self.console},append=on", "-serial", "chardev:console"),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Power on."""
        starting = self._uefi
        if self._firmware is not None:
            kernel = self._firmware()
            starting = ["-kernel", str(kernel.linux), "-initrd", str(kernel.initrd), "-append", kernel.options, "-no-reboot"]
        self._process = subprocess.Popen([*self._command, *starting])

    def cut(self) -> None:
        """The power is cut: the machine is killed, and then its disk forgets."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            count, lost = self.disk.cut()
            say(f"    power cut: {count} blocks of 4 KiB were not flushed, {lost} of them are lost")

    def close(self) -> None:
        """Power off, for good."""
        self.cut()
        self.disk.close()

    @property
    def runs(self) -> bool:
        """Whether there is power."""
        return self._process is not None and self._process.poll() is None

    def fresh(self) -> bytes:
        """What the console has shown of this machine, from its first start on."""
        return self.console.read_bytes()[self._begun :]

    def said(self, text: str) -> bool:
        """Whether the console has shown a text since the last one that was found."""
        raw = self.console.read_bytes()
        at = raw.find(text.encode(), self._seen)
        if at >= 0:
            self._seen = at + len(text)
        return at >= 0

    def starts(self) -> int:
        """How often a root has been started since this machine's first start."""
        return self.fresh().count(b"Welcome to")

    def wait(self, what: str, done: Callable[[], bool]) -> None:
        """Waits for something; says how long it took.

        Raises:
            SystemExit: It did not come to that; with the console's last lines.
        """
        begun_s = time.monotonic()
        while not done():
            if not self.runs and self._process is not None and self._firmware is not None:
                # It has started anew; the power stayed, and with it what the disk remembers.
                self.disk.settle()
                self.start()
            if not self.runs or time.monotonic() - begun_s > _LIMIT_S:
                tail = self.console.read_text(errors="replace")[-3000:]
                raise SystemExit(f"{tail}\n\n{what}: not within {_LIMIT_S:.0f} s")
            time.sleep(0.5)
        say(f"  {what}: {time.monotonic() - begun_s:.0f} s")
