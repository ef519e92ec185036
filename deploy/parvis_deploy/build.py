"""``make image``: says what is missing, builds one flavour or both, and says how long each step took."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .image import boot_images, card_image, describe, digest, pack, root_image
from .layout import Flavour
from .root import lay_out

#: Programs, and the Debian packages that have them.
_NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "qemu-aarch64-static": "qemu-user-static",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "mkfs.vfat": "dosfstools",
    "mcopy": "mtools",
    "zstd": "zstd",
    "cpio": "cpio",
    "systemctl": "systemd",
}

#: Debian's archive, the root as a folder and as a file system, the card with its holes, and both packed.
_ROOM_BYTES = 8_000_000_000


class BuildError(Exception):
    """The image cannot be built here; says what to do."""


def check_machine(which: Callable[[str], str | None] = shutil.which, *, root: bool | None = None, emulates: bool | None = None) -> None:
    """Raises BuildError where something is missing, with the command that installs all of it."""
    missing = sorted({package for program, package in _NEEDED.items() if which(program) is None and which(f"/usr/sbin/{program}") is None})
    if missing:
        raise BuildError(f"missing here: {', '.join(missing)}. Install them:\n  sudo apt install {' '.join(missing)}")
    if not (os.geteuid() == 0 if root is None else root):
        raise BuildError("files of the image belong to root, which only root can give them:\n  sudo make image")
    if not (Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists() if emulates is None else emulates):
        raise BuildError("this machine does not know how to run programs for arm64 yet:\n  sudo update-binfmts --enable qemu-aarch64")


def check_room(folder: Path) -> None:
    """Raises BuildError where a folder has no room for a build."""
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < _ROOM_BYTES:
        raise BuildError(f"{folder}: {free / 1e9:.1f} GB free, {_ROOM_BYTES / 1e9:.0f} GB are needed; name another folder with --out")


def build(
    repository: Path, out: Path, work: Path, *, flavour: Flavour, version: str, epoch: int, told: Callable[[str], None], fresh: bool = True
) -> Path:
    """Builds one flavour.

    Args:
        repository: The checkout.
        out: Folder of what is made: ``parvis-FLAVOUR-VERSION.img.zst`` with its ``.json``, and ``roots/FLAVOUR/VERSION.img.zst``.
        work: Folder for what is made on the way.
        flavour: Which.
        version: Of the root.
        epoch: POSIX seconds: the time of every file.
        told: Is given each step.
        fresh: False to take the Debian of the last build.

    Returns:
        The card's image, packed.

    Raises:
        BuildError: A step failed.
    """
    os.environ["SOURCE_DATE_EPOCH"] = str(epoch)
    os.umask(0o022)
    work.mkdir(parents=True, exist_ok=True)
    base, folder = work / f"base-{flavour}.tar", work / f"root-{flavour}"
    root_file, card = work / f"root-{flavour}.img", work / f"card-{flavour}.img"
    packed, update = out / f"parvis-{flavour}-{version}.img.zst", out / "roots" / flavour / f"{version}.img.zst"
    try:
        if fresh or not base.exists():
            with _step("Debian, by apt and dpkg in an emulated arm64", told):
                subprocess.run([repository / "deploy/image/base.sh", flavour, base], check=True)
        with _step("the unit, its packages, the kernel's initial files", told):
            lay_out(repository, base, folder, work, flavour=flavour, version=version, epoch=epoch)
        with _step("the root's file system", told):
            root_image(folder, root_file, version, epoch)
        with _step("boot partition and card", told):
            card_image(flavour, root_file, boot_images(folder, flavour, version, work, epoch), card)
        with _step("packing", told):
            root_digest, image_digest = pack(root_file, update), pack(card, packed)
    except subprocess.CalledProcessError as error:
        raise BuildError(f"failed: {' '.join(map(str, error.cmd[:4]))}… with {error.returncode}; the lines above say why") from None
    contents = (folder / "usr/lib/parvis/packages").read_text().splitlines()
    describe(
        packed.with_suffix("").with_suffix(".json"),
        flavour=flavour,
        version=version,
        size_bytes=card.stat().st_size,
        sha256=image_digest,
        sha256_unpacked=digest(card),
        root_sha256=root_digest,
        source_date_epoch=epoch,
        kernel=(folder / "usr/lib/parvis/kernel").read_text().strip(),
        debian_packages=len(contents),
    )
    shutil.rmtree(folder)
    return packed


@contextmanager
def _step(name: str, told: Callable[[str], None]) -> Iterator[None]:
    told(f"… {name}")
    begun_s = time.monotonic()
    yield
    told(f"  {name}: {time.monotonic() - begun_s:.0f} s")
