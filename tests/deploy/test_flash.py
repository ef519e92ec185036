"""Writing cards, on files."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from parvis_deploy import flash, layout
from parvis_deploy.cli import app
from parvis_deploy.image import card_image, describe, digest, pack
from parvis_deploy.layout import MIB, partitions, read_table
from typer.testing import CliRunner

pytestmark = pytest.mark.skipif(
    any(shutil.which(each) is None and not Path(f"/usr/sbin/{each}").exists() for each in ("mcopy", "zstd", "mkfs.vfat")),
    reason="mtools, zstd and dosfstools are not all installed: apt install mtools zstd dosfstools",
)

CLAIM = {
    "site": "vieux-port",
    "unit": "u017",
    "hub": "https://hub.example:8884",
    "broker": "hub.example:8883",
    "ca_sha256": "0" * 64,
    "code": "ABCD-EFGH",
    "expires": "2026-12-01T00:00:00Z",
}


@pytest.fixture(scope="module", autouse=True)
def small_slots() -> Iterator[None]:
    """Slots of 8 MiB: what is written has no need of two gigabytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(layout, "ROOT_MIB", 8)
        yield


@pytest.fixture(scope="module")
def image(small_slots: None, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001
    """An image as `make image` makes them, whose root is no root."""
    folder = tmp_path_factory.mktemp("image")
    boot, root = folder / "boot.fat", folder / "root.img"
    subprocess.run(["mkfs.vfat", "-F", "32", "-C", boot, str(256 * 1024)], check=True, capture_output=True)
    root.write_bytes(bytes(range(256)) * 4096 + b"\0" * MIB + b"the end of it")
    card, packed = folder / "card.img", folder / "parvis-generic-0.1.0.img.zst"
    card_image("generic", root, {"parvis-boot": boot}, card)
    described = folder / "parvis-generic-0.1.0.json"
    size, unpacked = card.stat().st_size, digest(card)
    describe(described, flavour="generic", version="0.1.0", size_bytes=size, sha256=pack(card, packed), sha256_unpacked=unpacked)
    return packed


@pytest.fixture
def claim(tmp_path: Path) -> Path:
    path = tmp_path / "claim.json"
    path.write_text(json.dumps(CLAIM))
    return path


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["flash", *map(str, words)])
    return result.exit_code, result.output


def test_a_card_is_written_grown_and_made_one_units(image: Path, claim: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    words = ("--unit", "u017", "--claim", claim, "--flavour", "generic", "--image", image, "--size-gb", "0.5", "--audio", "mic")
    code, said = run(card, *words, "--address", "192.0.2.17/24", "--yes")
    assert code == 0, said
    with card.open("rb") as file:
        parts = read_table(file.read(MIB))
        file.seek(parts[1].first_byte)
        assert file.read(256) == bytes(range(256))
    assert card.stat().st_size == 499_122_176
    assert parts[-1].size_bytes > 200_000_000
    assert [part.name for part in parts] == [part.name for part in partitions("generic")]
    at = f"{card}@@{parts[0].first_byte}"
    assert json.loads(subprocess.run(["mtype", "-i", at, "::parvis-claim.json"], check=True, capture_output=True).stdout) == CLAIM
    settings = json.loads(subprocess.run(["mtype", "-i", at, "::parvis-settings.json"], check=True, capture_output=True).stdout)
    assert settings == {"audio": "mic", "address": "192.0.2.17/24", "quiet": "02:00-04:00"}


def test_it_asks_first_and_says_what_is_lost(image: Path, claim: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    words = ("--unit", "u017", "--claim", claim, "--flavour", "generic", "--image", image)
    assert run(card, *words, "--yes", "--size-gb", "0.5")[0] == 0
    before = digest(card)
    result = CliRunner().invoke(app, ["flash", str(card), *map(str, words)], input="n\n")
    assert result.exit_code == 1
    assert "parvis-root-a" in result.output
    assert digest(card) == before


def test_data_of_an_old_card_does_not_stay(image: Path, claim: Path, tmp_path: Path) -> None:
    card = tmp_path / "card.img"
    data = partitions("generic")[-1].first_byte
    with card.open("wb") as file:
        file.truncate(500_000_000)
        file.seek(data)
        file.write(b"old" * MIB)
    assert run(card, "--unit", "u017", "--claim", claim, "--flavour", "generic", "--image", image, "--yes")[0] == 0
    with card.open("rb") as file:
        file.seek(data)
        assert not any(file.read(2 * MIB))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"unit": "u018"}, "is the claim of vieux-port/u018"),
        ({"code": None}, "code: Field required"),
        ("no JSON", "is no claim"),
        (None, "parvis-hub fleet claim"),
    ],
)
def test_a_wrong_claim_is_refused(change: dict[str, str | None] | str | None, says: str, image: Path, tmp_path: Path) -> None:
    path = tmp_path / "claim.json"
    if isinstance(change, str):
        path.write_text(change)
    elif change is not None:
        path.write_text(json.dumps({name: value for name, value in {**CLAIM, **change}.items() if value is not None}))
    code, said = run(tmp_path / "card.img", "--unit", "u017", "--claim", path, "--flavour", "generic", "--image", image, "--yes")
    assert (code, says in " ".join(said.split())) == (2, True), said
    assert not (tmp_path / "card.img").exists()


def test_a_damaged_image_is_refused(image: Path, claim: Path, tmp_path: Path) -> None:
    copy = tmp_path / image.name
    copy.write_bytes(image.read_bytes()[:-1] + b"!")
    shutil.copy(image.with_suffix("").with_suffix(".json"), tmp_path)
    code, said = run(tmp_path / "card.img", "--unit", "u017", "--claim", claim, "--flavour", "generic", "--image", copy, "--yes")
    assert code == 2
    assert "fetch it again" in " ".join(said.split())


def test_a_card_that_is_too_small_is_refused(image: Path, tmp_path: Path) -> None:
    found = flash.Target(tmp_path / "card.img", 10 * MIB, True, (), ())
    found.path.touch()
    with pytest.raises(flash.FlashError, match="too small"):
        flash.write(flash.read_image(image), found, lambda *_: None)


def test_a_card_that_does_not_keep_what_is_written_is_found_out(image: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put = flash._put

    def worn(card: object, at: int, content: bytes) -> None:
        put(card, at, content.replace(b"the end of it", b"the end of iT"))  # type: ignore[arg-type]

    monkeypatch.setattr(flash, "_put", worn)
    with pytest.raises(flash.FlashError, match="reads back otherwise"):
        flash.write(flash.read_image(image), flash.look_at(tmp_path / "card.img"), lambda *_: None)


DISK = {
    "name": "/dev/sdb",
    "type": "disk",
    "size": 32_000_000_000,
    "model": "Card Reader ",
    "mountpoints": [None],
    "children": [
        {"name": "/dev/sdb1", "type": "part", "size": 1_000_000_000, "label": "PICTURES", "fstype": "vfat", "mountpoints": [None]}
    ],
}


def test_a_disk_is_described() -> None:
    target = flash.of_lsblk(Path("/dev/sdb"), DISK)
    assert target.lines == ("Card Reader, 32.0 GB", "/dev/sdb1: 1.0 GB, vfat, PICTURES")
    flash.refuse(target)


@pytest.mark.parametrize(
    ("mounted", "says"), [("/", "disk of this system"), ("[SWAP]", "disk of this system"), ("/media/pictures", "umount")]
)
def test_a_disk_in_use_is_refused(mounted: str, says: str) -> None:
    disk = {**DISK, "children": [{**DISK["children"][0], "mountpoints": [mounted]}]}  # type: ignore[index]
    with pytest.raises(flash.FlashError, match=says):
        flash.refuse(flash.of_lsblk(Path("/dev/sdb"), disk))


def test_a_part_of_a_disk_is_refused() -> None:
    with pytest.raises(flash.FlashError, match="name the whole disk"):
        flash.of_lsblk(Path("/dev/sdb1"), {**DISK, "type": "part"})
