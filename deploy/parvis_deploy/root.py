"""A card's root: Debian, our overlay and the unit's packages, as a folder; and what the boot partition needs of it."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .layout import Flavour
from .wheels import install

#: Of the kernel, no card needs these: what is drawn, tuned in or plugged into a server.
_UNNEEDED = (
    "drivers/gpu",
    "drivers/infiniband",
    "drivers/isdn",
    "drivers/net/ethernet/mellanox",
    "drivers/media/dvb-frontends",
    "drivers/staging",
    "fs/ocfs2",
    "fs/ceph",
    "fs/xfs",
    "fs/btrfs",
    "fs/gfs2",
)
#: What may stand between a processor and its card: buses, controllers, power and clocks; and the file systems.
_EARLY = (
    *(
        "drivers/mmc",
        "drivers/nvme",
        "drivers/virtio",
        "drivers/block/virtio_blk.ko",
        "drivers/usb/host",
        "drivers/usb/storage",
        "drivers/usb/dwc3",
    ),
    *(
        "drivers/usb/dwc2",
        "drivers/usb/common",
        "drivers/usb/core",
        "drivers/usb/roles",
        "drivers/usb/phy",
        "drivers/scsi/sd_mod.ko",
        "drivers/scsi/scsi_mod.ko",
        "drivers/scsi/scsi_common.ko",
    ),
    *(
        "drivers/phy",
        "drivers/pci/controller",
        "drivers/regulator",
        "drivers/clk",
        "drivers/gpio",
        "drivers/reset",
        "drivers/pinctrl",
        "drivers/mailbox",
    ),
    *(
        "drivers/soc",
        "drivers/firmware",
        "drivers/i2c/busses",
        "drivers/mfd",
        "drivers/dma",
        "drivers/watchdog",
        "fs/ext4",
        "fs/jbd2",
        "fs/mbcache.ko",
        "fs/fat",
        "fs/nls",
        "lib",
        "crypto",
        "arch/arm64/crypto",
    ),
)
_PARVIS_ID = 900


def lay_out(repository: Path, base: Path, root: Path, work: Path, *, flavour: Flavour, version: str, epoch: int) -> None:
    """Makes the root in an empty folder. Needs root's rights, for owners and device files.

    Args:
        repository: The checkout.
        base: Debian, as ``base.sh`` made it.
        root: The folder.
        work: Kept from one build to the next.
        flavour: Which card it is for.
        version: Of the root.
        epoch: Every file's time, POSIX seconds.
    """
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    subprocess.run(
        ["tar", "--extract", "--numeric-owner", "--xattrs", "--exclude=./dev/*", f"--file={base}", f"--directory={root}"], check=True
    )
    kernel = _kernel_of(root)
    for each in _UNNEEDED:
        shutil.rmtree(root / "lib/modules" / kernel / "kernel" / each, ignore_errors=True)
    subprocess.run(["chroot", root, "depmod", "-a", kernel], check=True)
    overlay(repository, root)
    _settle(root, flavour, version, epoch)
    packages = root / "opt/parvis/lib"
    install(repository, work, packages)
    # What Python compiles is the same whenever it is compiled; a root that is read only could not keep it.
    compiled = [
        sys.executable,
        "-m",
        "compileall",
        "-q",
        "-f",
        "-j",
        "0",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(root),
        str(packages),
    ]
    subprocess.run(compiled, check=True, env={**os.environ, "PYTHONHASHSEED": "0"})
    _boot_files(repository, root, kernel, flavour, epoch)


def overlay(repository: Path, root: Path) -> None:
    """Puts our own files over a root: what ``deploy/image/root`` has, and the unit's service, which is every unit's."""
    source = repository / "deploy/image/root"
    subprocess.run(["cp", "--recursive", "--no-preserve=ownership", f"{source}/.", root], check=True)
    for path in [root / each.relative_to(source) for each in source.rglob("*")]:
        path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
    shutil.copyfile(repository / "deploy/systemd/parvis-edge@.service", root / "etc/systemd/system/parvis-unit.service")


def _kernel_of(root: Path) -> str:
    return next((root / "lib/modules").iterdir()).name


def _settle(root: Path, flavour: Flavour, version: str, epoch: int) -> None:
    """What Debian leaves to a running system."""
    ours = root / "usr/lib/parvis"
    (ours / "version").write_text(f"{version}\n")
    (ours / "flavour").write_text(f"{flavour}\n")
    listed = subprocess.run(["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show"], check=True, capture_output=True)
    (ours / "packages").write_bytes(listed.stdout)
    for name, line in (
        ("passwd", f"parvis:x:{_PARVIS_ID}:{_PARVIS_ID}:Parvis unit:/nonexistent:/usr/sbin/nologin"),
        ("group", f"parvis:x:{_PARVIS_ID}:"),
        ("shadow", "parvis:!:1::::::"),
        ("gshadow", "parvis:!::"),
    ):
        with (root / "etc" / name).open("a") as file:
            file.write(line + "\n")
    for name in ("var", "boot", "tmp"):
        shutil.rmtree(root / name)
        (root / name).mkdir(mode=0o755)
    (root / "etc/machine-id").write_text("")
    (root / "etc/hostname").write_text("parvis\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost parvis\n::1 localhost parvis\n")
    resolver = root / "etc/resolv.conf"
    resolver.unlink(missing_ok=True)
    resolver.symlink_to("/run/systemd/resolve/stub-resolv.conf")
    # Whose updates are taken is the card's own (parvis-deploy flash --update-root): the image is everybody's.
    (root / "etc/parvis").mkdir()
    (root / "etc/parvis/root.json").symlink_to("/run/parvis/root.json")
    for log in (root / "etc").glob("*-"):
        log.unlink()
    # systemd sets a clock that is behind this file to its time.
    (root / "usr/lib/clock-epoch").touch()
    os.utime(root / "usr/lib/clock-epoch", (epoch, epoch))
    subprocess.run(["systemctl", "--quiet", f"--root={root}", "preset-all"], check=True)
    for each in ("getty@.service", "serial-getty@.service", "console-getty.service", "systemd-growfs-root.service", "apt-daily.timer"):
        mask = root / "etc/systemd/system" / each
        mask.unlink(missing_ok=True)
        mask.symlink_to("/dev/null")


def _boot_files(repository: Path, root: Path, kernel: str, flavour: Flavour, epoch: int) -> None:
    """Kernel and initial file system, and for a Raspberry Pi its firmware, where an update finds them: in the root itself."""
    boot = root / "usr/lib/parvis/boot"
    boot.mkdir()
    (root / "usr/lib/parvis/vmlinuz").rename(boot / "linux")
    (boot / "initrd").write_bytes(initial_files(repository, root, kernel, epoch))
    if flavour == "raspberry-pi":
        for each in (root / "usr/lib/raspi-firmware").iterdir():
            if each.suffix in {".elf", ".dat", ".bin"}:
                shutil.copy(each, boot / each.name)
        for each in (root / "usr/lib" / f"linux-image-{kernel}" / "broadcom").glob("bcm27*.dtb"):
            shutil.copy(each, boot / each.name)
        shutil.copy(repository / "deploy/image/raspberry-pi/config.txt", boot / "config.txt")


def initial_files(repository: Path, root: Path, kernel: str, epoch: int) -> bytes:
    """The initial file system, packed: a busybox, the drivers that stand before the card, and the script that goes on from there."""
    tree = root.parent / "initial"
    shutil.rmtree(tree, ignore_errors=True)
    for each in ("bin", "proc", "sys", "dev", "root", "boot", "lib/modules"):
        (tree / each).mkdir(parents=True)
    shutil.copy(root / "usr/lib/parvis/busybox", tree / "bin/busybox")
    shutil.copy(repository / "deploy/image/initramfs/init", tree / "init")
    for each in ("bin/busybox", "init"):
        (tree / each).chmod(0o755)
    modules = root / "lib/modules" / kernel
    wanted = _with_dependencies(modules / "modules.dep", _EARLY)
    for each in wanted:
        target = tree / "lib/modules" / kernel / each
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(modules / each, target)
    for index in ("modules.dep", "modules.alias", "modules.softdep", "modules.builtin"):
        shutil.copy(modules / index, tree / "lib/modules" / kernel / index)
    names = sorted(str(each.relative_to(tree)) for each in tree.rglob("*"))
    for each in [*names, "."]:
        os.utime(tree / each, (epoch, epoch), follow_symlinks=False)
    packed = subprocess.run(
        ["cpio", "--quiet", "--create", "--format=newc", "--reproducible", "--owner=+0:+0"],
        input="\n".join(names).encode(),
        capture_output=True,
        check=True,
        cwd=tree,
    )
    shutil.rmtree(tree)
    return gzip.compress(packed.stdout, 9, mtime=0)


def _with_dependencies(index: Path, places: Sequence[str]) -> list[str]:
    """All modules in these places, and what they need, as ``modules.dep`` says."""
    needs = {name: rest.split() for name, _, rest in (line.partition(":") for line in index.read_text().splitlines())}
    begun = [name for name in needs if any(name.startswith(f"kernel/{place}") for place in places)]
    return sorted({*begun, *(need for name in begun for need in needs[name])})
