"""The file systems of an image: what a firmware reads is on them, and the order in which a folder was filled leaves no trace."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from random import Random

import pytest
from parvis_deploy.image import boot_images, digest, root_image
from parvis_deploy.layout import Flavour, partitions

pytestmark = pytest.mark.skipif(
    any(shutil.which(each) is None and not Path(f"/usr/sbin/{each}").exists() for each in ("mcopy", "mkfs.vfat", "mke2fs", "debugfs")),
    reason="mtools, dosfstools and e2fsprogs are not all installed: apt install mtools dosfstools e2fsprogs",
)
EPOCH = 1_782_000_000


@pytest.mark.parametrize(
    ("flavour", "files"),
    [
        ("generic", {"parvis-boot": ["EFI/BOOT/BOOTAA64.EFI", "loader/entries/parvis-a.conf", "parvis/a/linux", "parvis/a/initrd"]}),
        ("raspberry-pi", {"parvis-boot": ["autoboot.txt"], "parvis-firmware-a": ["cmdline.txt", "linux", "initrd"]}),
    ],
)
def test_what_a_firmware_reads_is_there(flavour: Flavour, files: dict[str, list[str]], tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in ("usr/lib/systemd/boot/efi/systemd-bootaa64.efi", "usr/lib/parvis/boot/linux", "usr/lib/parvis/boot/initrd"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    made = boot_images(root, flavour, "0.1.0", tmp_path, EPOCH)
    sizes = {part.name: part.size_bytes for part in partitions(flavour)}
    assert {name: each.stat().st_size for name, each in made.items()} == {name: sizes[name] for name in files}
    for name, image in made.items():
        for each in files[name]:
            assert subprocess.run(["mtype", "-i", image, f"::{each}"], check=True, capture_output=True).stdout


def test_the_order_in_which_a_folder_was_filled_leaves_no_trace(tmp_path: Path) -> None:
    digests = set()
    for seed in (1, 2):
        root = tmp_path / str(seed) / "root"
        names = [f"{number % 3}/{number}" for number in range(400)]
        Random(seed).shuffle(names)
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(name)
        for each in root.rglob("*"):
            os.utime(each, (EPOCH, EPOCH))
        root_image(root, tmp_path / f"{seed}.img", "0.1.0", EPOCH)
        digests.add(digest(tmp_path / f"{seed}.img"))
    assert len(digests) == 1
