"""Comparing two images: what differs is named by file and package."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from parvis_deploy import layout
from parvis_deploy.cli import app
from parvis_deploy.image import card_image, root_image
from typer.testing import CliRunner

pytestmark = pytest.mark.skipif(
    any(
        shutil.which(each) is None and not Path(f"/usr/sbin/{each}").exists()
        for each in ("mcopy", "zstd", "mkfs.vfat", "mke2fs", "debugfs")
    ),
    reason="mtools, zstd, dosfstools and e2fsprogs are not all installed: apt install mtools zstd dosfstools e2fsprogs",
)
EPOCH = 1_782_000_000


@pytest.fixture(autouse=True)
def small_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "ROOT_MIB", 96)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Makes an image whose root has these files, and whose boot partition is empty."""

    def made(name: str, *, epoch: int = EPOCH, **files: str) -> Path:
        folder = tmp_path / name
        ours = folder / "root/usr/lib/parvis"
        ours.mkdir(parents=True)
        (ours / "packages").write_text(files.pop("packages", "tzdata\t2026a\n"))
        for each, text in files.items():
            (folder / "root" / each).write_text(text)
        root_image(folder / "root", folder / "root.img", "0.1.0", epoch)
        card_image("generic", folder / "root.img", {}, folder / "card.img")
        return folder / "card.img"

    return made


def compared(first: Path, second: Path) -> tuple[int, list[str]]:
    result = CliRunner().invoke(app, ["compare", str(first), str(second)])
    return result.exit_code, result.output.splitlines()


def test_two_of_the_same_are_the_same_bytes(make: Callable[..., Path]) -> None:
    code, said = compared(make("first", motd="welcome"), make("second", motd="welcome"))
    assert code == 0, said
    assert said[0].startswith("the same: ")


def test_what_differs_is_named(make: Callable[..., Path]) -> None:
    first, second = make("first", motd="welcome", issue="1"), make("second", motd="good day", packages="tzdata\t2026b\n", rules="2")
    code, said = compared(first, second)
    assert (code, said) == (
        1,
        [
            "parvis-root-a: package tzdata: 2026a, 2026b",
            "parvis-root-a: /issue: only in the first",
            "parvis-root-a: /motd: other content",
            "parvis-root-a: /rules: only in the second",
            "parvis-root-a: /usr/lib/parvis/packages: other content",
        ],
    )


def test_another_time_of_files_is_named(make: Callable[..., Path]) -> None:
    code, said = compared(make("first", motd="welcome"), make("second", epoch=EPOCH + 60, motd="welcome"))
    assert code == 1
    assert f"parvis-root-a: /motd: -rw-r--r-- 0:0 {EPOCH}, -rw-r--r-- 0:0 {EPOCH + 60}" in said


def test_another_packing_is_told_from_other_content(make: Callable[..., Path], tmp_path: Path) -> None:
    first = make("first", motd="welcome")
    again = tmp_path / "again.img.zst"
    for level, packed in (("-1", again), ("-3", again.with_name("other.img.zst"))):
        subprocess.run(["zstd", "-q", level, first, "-o", packed], check=True)
    assert compared(again.with_name("other.img.zst"), again) == (1, ["only the packing differs: unpacked they are the same"])


def test_what_is_no_image_is_refused(make: Callable[..., Path], tmp_path: Path) -> None:
    (tmp_path / "none.img").write_bytes(bytes(1 << 20))
    code, said = compared(make("first"), tmp_path / "none.img")
    assert code == 2
    assert "no GUID partition table" in " ".join(said)
