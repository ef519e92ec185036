"""`parvis-hub replay --enrol`: routes of enrolled tags, and of nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parvis_contract import (
    Clock,
    ClockSource,
    LocalMap,
    Point,
    Position,
    TagSighting,
    derived_id,
    dump_message,
    make_message,
    parse_message,
    to_datetime,
    unit_source,
)
from parvis_hub.cli import app
from typer.testing import CliRunner

ORIGIN = Point(lon=5.37, lat=43.296)
PLANE = LocalMap.around(ORIGIN)
START_S = 1_782_000_000.0


def sighting(tag: int, second: int, x_m: float, y_m: float) -> bytes:
    lon, lat = PLANE.to_deg(x_m, y_m)
    data = TagSighting(
        sequence=second,
        tag=tag,
        position=Position(lon=lon, lat=lat, uncertainty_m=0.8),
        clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0),
    )
    time = to_datetime(START_S + second)
    return dump_message(
        make_message("tag.sighting", source=unit_source("square", "u1"), time=time, data=data, id=derived_id(START_S + second, str(tag)))
    )


@pytest.fixture
def site(tmp_path: Path) -> Path:
    def line(name: str, *places: tuple[float, float]) -> dict[str, object]:
        coordinates = [list(PLANE.to_deg(*place)) for place in places]
        return {"type": "Feature", "properties": {"id": name}, "geometry": {"type": "LineString", "coordinates": coordinates}}

    features = [line("w001", (0, 0), (60, 0)), line("w002", (60, 0), (60, 60)), line("w003", (60, 0), (120, 0))]
    (tmp_path / "walkways.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    path = tmp_path / "site.yaml"
    path.write_text(
        "site: square\nprofile: lab\norigin: {lon: 5.37, lat: 43.296}\nwalkways: walkways.geojson\ntags: {size_m: 0.4}\n"
        "units: {u1: {position: {lon: 5.37, lat: 43.296}, senses: [camera]}}\n"
    )
    return path


def test_an_enrolled_tag_has_a_route_and_no_other_has(site: Path, tmp_path: Path) -> None:
    walk = [sighting(17, k, min(1.3 * k, 60.0), max(1.3 * k - 60.0, 0.0)) for k in range(80)]
    stranger = [sighting(99, k, 1.3 * k, 0.0) for k in range(40)]
    log = tmp_path / "log.jsonl"
    log.write_bytes(b"\n".join([*walk, *stranger, *walk[:30]]))
    result = CliRunner().invoke(app, ["replay", "--site", str(site), "--enrol", "1-30", str(log)])
    assert result.exit_code == 0, result.stderr
    (told,) = [parse_message(text) for text in result.stdout.splitlines()]
    assert told.name == "route"
    assert told.data.tag == 17
    assert [(segment.walkway, segment.observed) for segment in told.data.segments] == [("w001", True), ("w002", True)]

    log.write_bytes(b"\n".join([*reversed(walk), *stranger]))
    again = CliRunner().invoke(app, ["replay", "--site", str(site), "--enrol", "17", str(log)])
    assert again.stdout == result.stdout


def test_without_enrolment_no_sighting_is_kept(site: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_bytes(sighting(17, 0, 0.0, 0.0))
    assert CliRunner().invoke(app, ["replay", "--site", str(site), str(log)]).stdout == ""


@pytest.mark.parametrize("text", ["", "a", "5-2", "1-600", "-3", "1,,2"])
def test_a_list_that_is_none_is_refused(site: Path, tmp_path: Path, text: str) -> None:
    log = tmp_path / "log.jsonl"
    log.touch()
    result = CliRunner().invoke(app, ["replay", "--site", str(site), f"--enrol={text}", str(log)])
    assert result.exit_code == 2
    assert "such as 1-30" in result.stderr


def test_a_site_without_walkways_says_so(site: Path, tmp_path: Path) -> None:
    site.write_text(site.read_text().replace("walkways: walkways.geojson\n", ""))
    result = CliRunner().invoke(app, ["replay", "--site", str(site), "--enrol", "1", str(tmp_path / "x.jsonl")])
    assert result.exit_code == 2
    assert "walkways" in result.stderr
