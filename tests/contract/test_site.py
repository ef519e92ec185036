"""The site plan: what is read, and that every mistake is told with file, line, key, value and what was expected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from parvis_contract import ConfigError, CrowdZone, Site, load_site

#: As the contract's text has it, its dots filled in.
PLAN = """\
site: vieux-port
timezone: Europe/Paris
profile: lab                      # a name in deploy/profiles, or a path
origin: {lon: 5.3700, lat: 43.2960}
temperature_c: 24
units:
  u017:
    position: {lon: 5.36985, lat: 43.29641}
    height_m: 4.5
    heading_deg: 120
    senses: [camera, microphone]
    range_m: 60
    ground_plane:
      image_size: [1280, 720]
      points:
        - {px: [102, 655], at: {lon: 5.36991, lat: 43.29650}}
        - {px: [1180, 640], at: {lon: 5.36999, lat: 43.29640}}
        - {px: [420, 300], at: {lon: 5.36980, lat: 43.29630}}
        - {px: [860, 310], at: {lon: 5.36970, lat: 43.29635}}
  u018:
    position: {lon: 5.36990, lat: 43.29651}
    senses: [microphone]
zones:
  quay-edge: {kind: closed, polygon: [[5.3695, 43.2960], [5.3696, 43.2960], [5.3696, 43.2961]]}
  square: {kind: crowd, polygon: [[5.3695, 43.2960], [5.3697, 43.2960], [5.3697, 43.2962]], density_steps_p_m2: [2.0, 3.5, 5.0]}
  hall: {kind: watched, unit: u017, image_size: [720, 480], polygon_px: [[0, 120], [700, 120], [700, 470]], dwell_s: 60}
  track: {kind: closed, unit: u017, image_size: [720, 480], polygon_px: [[0, 0], [9, 0], [9, 9]], after_s: 0.5}
  path: {kind: walked, unit: u017, image_size: [720, 480], polygon_px: [[0, 0], [9, 0], [9, 9]], after_s: 5}
  terrace: {kind: noise, unit: u018, limit_db: 75}
lanes:
  bus-east: {polygon: [[5.3695, 43.2960], [5.3697, 43.2960], [5.3697, 43.2962]], heading_deg: 95}
  north: {unit: u017, image_size: [720, 480], polygon_px: [[0, 0], [9, 0], [9, 9]], heading_px: [0, -1]}
assets:
  bench-12: {kind: furniture, unit: u017, image_size: [1280, 720], polygon_px: [[0, 0], [9, 0], [9, 9]]}
  wall-3: {kind: surface, unit: u017, image_size: [1280, 720], polygon_px: [[0, 0], [9, 0], [9, 9]]}
walkways: walkways.geojson
tags: {family: tag36h11, size_m: 0.40, allow: [1, 2, 17]}
"""


def _load(folder: Path, text: str) -> Site:
    file = folder / "site.yaml"
    file.write_text(text, encoding="utf-8")
    return load_site(file)


def test_the_plan_of_the_contract_s_text_is_read(tmp_path: Path) -> None:
    site = _load(tmp_path, PLAN)
    assert site.path == tmp_path / "site.yaml"
    assert site.law.name == "lab"
    assert set(site.zones_of("u017")) == {"quay-edge", "square", "hall", "track", "path"}
    assert set(site.zones_of("u018")) == {"quay-edge", "square", "terrace"}
    assert set(site.lanes_of("u018")) == {"bus-east"}
    assert set(site.assets_of("u017")) == {"bench-12", "wall-3"}
    square = site.zones["square"]
    assert isinstance(square, CrowdZone)
    assert not square.in_picture
    assert square.density_steps_p_m2 == (2.0, 3.5, 5.0)


def test_a_plan_may_leave_out_what_it_has_not(tmp_path: Path) -> None:
    shortest = "site: a\nprofile: lab\norigin: {lon: 0, lat: 0}\nunits: {u1: {position: {lon: 0, lat: 0}, senses: [camera]}}\n"
    site = _load(tmp_path, shortest)
    assert not site.zones
    assert not site.lanes
    assert not site.assets
    assert site.walkways is site.tags is None


#: What is put for what, and then: line, key, part of the value, part of what was expected.
BROKEN = [
    ("site: vieux-port", "site: Vieux Port", 1, "site", "'Vieux Port'", "lower-case letters, digits and hyphens"),
    ("site: vieux-port\n", "", 1, "site", "", "required, and missing"),
    ("timezone: Europe/Paris", "timezone: Paris", 2, "timezone", "'Paris'", "such as Europe/Paris"),
    ("profile: lab", "profile: labo", 3, "profile", "'labo'", "shipped are"),
    ("profile: lab", "profile: rules/ours.yaml", 3, "profile", "'rules/ours.yaml'", "no such profile"),
    ("lat: 43.2960}\ntemp", "lat: 243.2960}\ntemp", 4, "origin.lat", "243.296", "less than or equal to 90"),
    ("temperature_c: 24", "temperature_c: warm", 5, "temperature_c", "'warm'", "valid number"),
    ("temperature_c: 24", 'temperature_c: "24"', 5, "temperature_c", "'24'", "valid number"),
    ("temperature_c: 24", "temperature_c: yes", 5, "temperature_c", "True", "valid number"),
    ("temperature_c: 24", "temperatur_c: 24", 5, "temperatur_c", "", "misspelt"),
    ("temperature_c: 24", "site: vieux-port", 5, "site", "", "stands twice"),
    ("temperature_c: 24", "temperature_c: 2026-13-45", 5, "", "'2026-13-45'", "not YAML"),
    ("temperature_c: 24", "temperature_c: .nan", 5, "temperature_c", "nan", "finite"),
    ("temperature_c: 24", "? [a, b]\n: 24", 5, "", "", "a key is a single word"),
    ("temperature_c: 24", "temperature_c: !!python/object:os.system 24", 5, "", "", "not YAML"),
    ("temperature_c: 24", "temperature_c: 24\n  u: 1", 6, "", "", "not YAML"),
    ("u017:\n", "U017:\n", 7, "units.U017", "'U017'", "lower-case"),
    ("u018:\n", "hub:\n", 20, "units.hub", "", "this name is the hub's"),
    ("height_m: 4.5", "height_m: -1", 9, "units.u017.height_m", "-1", "greater than or equal to 0"),
    ("heading_deg: 120", "heading_deg: 360", 10, "units.u017.heading_deg", "360", "less than 360"),
    ("senses: [camera, microphone]", "senses: [camera, radar]", 11, "units.u017.senses.1", "'radar'", "'camera' or 'microphone'"),
    ("senses: [camera, microphone]", "senses: []", 11, "units.u017.senses", "", "at least 1 item"),
    ("image_size: [1280, 720]\n      points", "image_size: [1280]\n      points", 14,
     "units.u017.ground_plane.image_size.1", "", "missing"),
    ("        - {px: [860, 310], at: {lon: 5.36970, lat: 43.29635}}\n", "", 15, "units.u017.ground_plane.points", "", "at least 4"),
    ("px: [102, 655]", "px: [left, 655]", 16, "units.u017.ground_plane.points.0.px.0", "'left'", "valid number"),
    ("kind: closed, polygon:", "kind: close, polygon:", 24, "zones.quay-edge.kind", "'close'", "'closed'"),
    ("kind: closed, polygon:", "polygon:", 24, "zones.quay-edge.kind", "", "required, and missing"),
    ("[5.3696, 43.2960], [5.3696, 43.2961]]}", "[5.3696, 43.2960]]}", 24, "zones.quay-edge.polygon", "", "at least 3 items"),
    ("[2.0, 3.5, 5.0]", "[2.0, 5.0, 3.5]", 25, "zones.square.density_steps_p_m2", "", "steps rise"),
    ("dwell_s: 60", "dwell_seconds: 60", 26, "zones.hall.dwell_seconds", "", "misspelt"),
    ("unit: u017, image_size: [720, 480], polygon_px: [[0, 120]", "unit: u016, image_size: [720, 480], polygon_px: [[0, 120]", 26,
     "zones.hall.unit", "'u016'", "no such unit; `units` has u017, u018"),
    ("unit: u017, image_size: [720, 480], polygon_px: [[0, 120]", "unit: u018, image_size: [720, 480], polygon_px: [[0, 120]", 26,
     "zones.hall.unit", "'u018'", "has no camera"),
    ("image_size: [720, 480], polygon_px: [[0, 120]", "polygon_px: [[0, 120]", 26, "zones.hall", "", "give either `polygon`"),
    ("unit: u018, limit_db: 75", "unit: u018", 29, "zones.terrace.limit_db", "", "required, and missing"),
    ("heading_deg: 95", "heading_px: [0, 1]", 31, "lanes.bus-east", "", "has a `heading_deg`"),
    ("heading_px: [0, -1]", "heading_px: [0, 0]", 32, "lanes.north", "", "no direction"),
    ("kind: furniture", "kind: bench", 34, "assets.bench-12.kind", "'bench'", "'furniture' or 'surface'"),
    ("kind: furniture, unit: u017,", "kind: furniture, unit: u017, area_m2: 3.0,", 34, "assets.bench-12", "", "a surface's"),
    ("family: tag36h11", "family: tag25h9", 37, "tags.family", "'tag25h9'", "tag36h11"),
    ("allow: [1, 2, 17]", "allow: [1, 2, 587]", 37, "tags.allow.2", "587", "less than or equal to 586"),
]  # fmt: skip


@pytest.mark.parametrize("case", BROKEN, ids=[f"{case[3]}-{case[1][:20]}" for case in BROKEN])
def test_a_mistake_is_told_with_its_place_and_what_was_expected(tmp_path: Path, case: tuple[str, str, int, str, str, str]) -> None:
    old, new, line, key, value, expected = case
    assert PLAN.count(old) == 1, "the table's text stands once in the plan"
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, PLAN.replace(old, new))
    problem = error.value.problems[0]
    assert (problem.file, problem.line, problem.key) == (tmp_path / "site.yaml", line, key)
    assert value in problem.value
    assert expected in problem.expected
    assert re.match(rf"{re.escape(str(tmp_path))}/site.yaml:{line}: ", str(error.value))


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = PLAN.replace("height_m: 4.5", "height_m: high").replace("limit_db: 75", "limit_db: loud").replace("size_m: 0.40", "size_m: 0")
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, text)
    assert [problem.key for problem in error.value.problems] == ["units.u017.height_m", "zones.terrace.limit_db", "tags.size_m"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "expected keys and values"),
        (b"- a\n- b\n", "expected keys and values"),
        (b"\xff\xfe", "not text in UTF-8"),
        (b"a: [1, 2\n", "not YAML"),
        (b"a: &x [*x]\n", "not YAML"),
        (b"a: " + b"[" * 1500, "not YAML"),
        (b"a: \x00\n", "not YAML"),
        (b"a: 1\n--- \nb: 2\n", "not YAML"),
    ],
)
def test_what_is_no_plan_is_told_without_a_crash(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        load_site(file)
    assert expected in str(error.value)
    assert str(file) in str(error.value)


def test_aliases_of_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)]
    with pytest.raises(ConfigError, match="more than 200,000 values"):
        _load(tmp_path, "\n".join(lines))


def test_a_plan_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.yaml:1: the file: cannot be read: No such file"):
        load_site(tmp_path / "nowhere.yaml")


def test_a_mistake_in_the_profile_is_told_in_the_profile(tmp_path: Path) -> None:
    (tmp_path / "ours.yaml").write_text("name: ours\n", encoding="utf-8")
    with pytest.raises(ConfigError) as error:
        _load(tmp_path, PLAN.replace("profile: lab", "profile: ours.yaml"))
    assert {problem.file.name for problem in error.value.problems} == {"ours.yaml"}


def test_a_plan_without_a_profile_allows_nothing() -> None:
    site = Site.model_validate(
        {
            "site": "a",
            "profile": "lab",
            "origin": {"lon": 0, "lat": 0},
            "units": {"u1": {"position": {"lon": 0, "lat": 0}, "senses": ["camera"]}},
        }
    )
    with pytest.raises(LookupError, match="nothing may start"):
        _ = site.law
