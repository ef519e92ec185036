"""What is written into a site plan: that block and nothing else, whatever the plan looks like."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from parvis_contract import GroundPlane, load_site
from parvis_edge.calibration.block import CannotWrite, ground_plane_block, write_full_scale, write_ground_plane

from .scene import FOUR, SIX, Camera, known

HEAD = "site: quay   # the quay\nprofile: lab\norigin: {lon: 5.37, lat: 43.296}\n"
OLD = "ground_plane:\n      # from last year\n      image_size: [640, 360]\n      points:\n"
OLD += "".join(f"        - {{px: [{x}, {y}], at: {{lon: 5.37, lat: 43.29{x}}}}}\n" for x, y in ((1, 2), (3, 4), (5, 7), (6, 1)))
UNIT = "position: {lon: 5.37, lat: 43.296}\n    senses: [camera, microphone]"
FLOW = "{position: {lon: 5.37, lat: 43.296}, senses: [camera, microphone]"
OLD_POINTS = ", ".join(f"{{px: [{x}, 2], at: {{lon: 5.37, lat: 43.296}}}}" for x in range(4))
PLANS = {
    "last in the file": f"{HEAD}units:\n  u001:\n    {UNIT}",
    "with a comment after": f"{HEAD}units:\n  u001:\n    {UNIT}  # both\n    # end of the unit\n\n# zones are still to be drawn\n",
    "before another unit": f"{HEAD}units:\n  u001:\n    {UNIT}\n\n  # the second\n  u002: {FLOW}}}\nzones: {{}}\n",
    "in braces": f"{HEAD}units:\n  u001: {FLOW}}}  # both\n  u002: {FLOW}}}\n",
    "in braces over lines": HEAD + "units: {u001: " + FLOW.replace(", ", ",\n   ") + "}}\n",
    "with an old one": f"{HEAD}units:\n  u001:\n    position: {{lon: 5.37, lat: 43.296}}\n    {OLD}    senses: [camera]   # later\n",
    "with an old one in braces": HEAD
    + "units:\n  u001: {ground_plane: {image_size: [64, 64], points: ["
    + OLD_POINTS
    + "]}, "
    + FLOW[1:]
    + "}\n",
    "indented by four": f"{HEAD}units:\n    u001:\n        {UNIT.replace('    ', '        ')}\nlanes: {{}}\n",
    "with Windows line ends": f"{HEAD}units:\n  u001:\n    {UNIT}\nzones: {{}}\n".replace("\n", "\r\n"),
    "quoted": f'{HEAD}units:\n  "u001":\n    {UNIT}\n',
}
PLANE = GroundPlane(image_size=(1280, 720), points=known(Camera(), SIX))


def _write(folder: Path, text: str) -> Path:
    path = folder / "site.yaml"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("name", PLANS)
def test_only_the_ground_plane_changes(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, PLANS[name])
    path.chmod(0o640)
    before, mode = load_site(path), path.stat().st_mode
    write_ground_plane(path, "u001", PLANE)
    after = load_site(path)
    written = after.units["u001"].ground_plane
    assert written is not None
    assert written.image_size == PLANE.image_size
    for mine, theirs in zip(written.points, PLANE.points, strict=True):
        assert mine.px == pytest.approx(theirs.px, abs=0.006)
        assert (mine.at.lon, mine.at.lat) == pytest.approx((theirs.at.lon, theirs.at.lat), abs=1e-8)
    unit = before.units["u001"].model_copy(update={"ground_plane": written})
    expected = before.model_copy(update={"units": before.units | {"u001": unit}})
    assert after.model_dump() == expected.model_dump()
    assert path.stat().st_mode == mode
    assert [each.name for each in tmp_path.iterdir()] == ["site.yaml"]
    text, old = path.read_bytes().decode(), PLANS[name]
    kept = [line for line in old.splitlines() if "#" in line and "last year" not in line]
    assert all(line in text.splitlines() or any(line.split("#")[1] in each for each in text.splitlines()) for line in kept)
    assert ("\r\n" in old) == ("\r\n" in text)
    assert text.count("\r\n") in (0, text.count("\n"))


@pytest.mark.parametrize("name", PLANS)
def test_writing_again_changes_nothing_more(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, PLANS[name])
    write_ground_plane(path, "u001", PLANE)
    once = path.read_bytes()
    write_ground_plane(path, "u001", PLANE)
    assert path.read_bytes() == once


@pytest.mark.parametrize("name", PLANS)
def test_the_microphone_s_level_is_written_too(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path, PLANS[name])
    for level_db in (118.3, 121.0):
        write_full_scale(path, "u001", level_db)
        assert load_site(path).units["u001"].microphone.full_scale_db == level_db


def test_what_anchors_share_is_not_changed_for_another(tmp_path: Path) -> None:
    text = f"{HEAD}units:\n  u002: &same\n    {UNIT}\n  u001: *same\n"
    path = _write(tmp_path, text)
    with pytest.raises(CannotWrite, match=r"units\.u001 is written leaves no safe place; paste the block"):
        write_ground_plane(path, "u001", PLANE)
    assert path.read_text() == text


def test_a_folder_that_may_not_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _write(tmp_path, PLANS["quoted"])

    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("parvis_edge.calibration.block.tempfile.mkstemp", full)
    with pytest.raises(CannotWrite, match="No space left on device; paste the block yourself"):
        write_ground_plane(path, "u001", PLANE)
    assert path.read_text() == PLANS["quoted"]


def test_the_block_is_what_a_site_plan_takes() -> None:
    plane = GroundPlane(image_size=(1280, 720), points=known(Camera(), FOUR))
    content = yaml.safe_load(ground_plane_block(plane))["ground_plane"]
    again = GroundPlane.model_validate(content)
    assert again.image_size == plane.image_size
    assert [each for point in again.points for each in point.px] == pytest.approx([each for point in plane.points for each in point.px])
