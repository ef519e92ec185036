"""What is vendored is what it says it is, and an installed hub has the page."""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder
from parvis_hub.console.routes import STATIC

VENDOR = STATIC / "vendor"
HUB = Path(__file__).parents[3] / "hub"


def test_vendored_files_are_those_of_the_table() -> None:
    table = (VENDOR / "VENDORED.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([^`]+)` \| `[^`]+` \| `([0-9a-f]{64})` \|$", table, re.MULTILINE))
    present = {str(path.relative_to(VENDOR)): path for path in VENDOR.rglob("*") if path.is_file()}
    assert listed.keys() == present.keys() - {"VENDORED.md", ".gitattributes"}
    assert {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in present.items() if name in listed} == listed


def test_every_vendored_package_has_its_version_checksum_and_licence() -> None:
    table = (VENDOR / "VENDORED.md").read_text(encoding="utf-8")
    packages = re.findall(r"^\| npm `([^`]+)` \| (\d+\.\d+\.\d+) \| `([0-9a-f]{64})` \| ([\w.-]+) \(`([^`]+)`", table, re.MULTILINE)
    assert {name for name, *_ in packages} == {"maplibre-gl", "@fontsource-variable/inter"}
    for _, version, _, _, licence in packages:
        assert version
        assert (VENDOR / licence).stat().st_size > 1_000


def test_no_file_is_larger_than_two_megabytes() -> None:
    assert [path.name for path in STATIC.rglob("*") if path.is_file() and path.stat().st_size > 2_000_000] == []


def test_the_wheel_has_the_page(tmp_path: Path) -> None:
    [wheel] = WheelBuilder(str(HUB)).build(directory=str(tmp_path), versions=["standard"])
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"parvis_hub/console/static/{path.relative_to(STATIC)}" for path in STATIC.rglob("*") if path.is_file()}
    assert len(wanted) > 30
    assert wanted - {name for name in packed if "/static/" in name} <= {"parvis_hub/console/static/vendor/.gitattributes"}
