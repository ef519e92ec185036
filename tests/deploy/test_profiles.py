"""The shipped profiles say what the law notes support, each rule with its source; and every profile fails closed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from parvis_contract import EVENT_TYPES, ConfigError, Profile, load_profile, load_site, profiles_folder
from parvis_contract.profile import Sense, Source
from parvis_edge.analysers.microphone import MicrophoneSense
from parvis_edge.bundle import load_bundle
from parvis_edge.perception import AudioBlock
from parvis_hub.correlate.physics import PHYSICS

SHIPPED = sorted(path.stem for path in profiles_folder().glob("*.yaml"))
TODAY = date(2026, 12, 1)
CAMERA = {name for name, entry in EVENT_TYPES.items() if "camera" in entry.senses} | {"flow.count", "tag.sighting"}
MICROPHONE = {name for name, entry in EVENT_TYPES.items() if "microphone" in entry.senses}


def _allowed(name: str, sense: Sense, *, recorded: bool = False, on: date = TODAY) -> set[str]:
    return set(load_profile(name).permitted(sense, on=on, recorded=recorded))


def test_there_are_these_profiles() -> None:
    assert SHIPPED == ["closed-site", "fr-voie-publique", "lab"]


def test_lab_allows_everything_on_recorded_files_and_nothing_live() -> None:
    assert _allowed("lab", "camera", recorded=True) == CAMERA
    assert _allowed("lab", "microphone", recorded=True) == MICROPHONE
    assert _allowed("lab", "camera") == _allowed("lab", "microphone") == set()


@pytest.mark.parametrize("recorded", [True, False])
def test_on_a_public_road_in_france_no_camera_starts_and_a_microphone_measures_levels(recorded: bool) -> None:
    assert _allowed("fr-voie-publique", "camera", recorded=recorded) == set()
    assert _allowed("fr-voie-publique", "microphone", recorded=recorded) == {"sound.level", "unit.tampered"}
    assert not load_profile("fr-voie-publique").sound_with_image.allow


def test_a_closed_site_allows_what_the_trial_found_satisfactory() -> None:
    camera = {"zone.intrusion", "traffic.wrong_way", "crowd.density", "unit.tampered", "flow.count", "tag.sighting"}
    assert _allowed("closed-site", "camera") == camera
    assert _allowed("closed-site", "microphone") == {"sound.level", "sound.alarm", "sound.impulse", "unit.tampered"}
    assert not load_profile("closed-site").sound_with_image.allow


def test_a_camera_may_not_show_people_in_more_detail_than_this() -> None:
    caps = {name: load_profile(name).optical_cap for name in SHIPPED}
    assert {name: cap and cap.px_per_m for name, cap in caps.items()} == {"closed-site": 62.5, "fr-voie-publique": 25.0, "lab": None}


def _sources(profile: Profile) -> Iterator[tuple[str, Source]]:
    yield "basis", profile.basis
    yield "sound_with_image", profile.sound_with_image.source
    yield "retention", profile.retention.source
    if profile.optical_cap:
        yield "optical_cap", profile.optical_cap.source
    for sense, rule in (("camera", profile.camera), ("microphone", profile.microphone)):
        if rule:
            yield sense, rule.source
            yield from ((f"{sense}.refuse.{name}", source) for name, source in rule.refuse.items())


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "lab"])
def test_every_rule_has_a_link_or_is_marked_as_not_verified(name: str) -> None:
    for key, source in _sources(load_profile(name)):
        assert source.link or not source.verified, key
        assert all(each.link or not each.verified for each in source.see), key


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "lab"])
def test_a_profile_for_live_sources_is_read_again_within_a_year(name: str) -> None:
    profile = load_profile(name)
    assert (profile.valid_to - profile.valid_from).days <= 366


@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "lab"])
def test_every_type_is_either_allowed_or_refused_with_file_line_and_text(name: str) -> None:
    profile = load_profile(name)
    senses: tuple[tuple[Sense, set[str]], ...] = (("camera", CAMERA), ("microphone", MICROPHONE))
    for sense, types in senses:
        for event_type in types - _allowed(name, sense):
            refusal = profile.refusal(sense, event_type, on=TODAY, recorded=False)
            assert refusal is not None
            assert refusal.file.name == f"{name}.yaml"
            line = refusal.file.read_text(encoding="utf-8").splitlines()[refusal.line - 1]
            assert line.strip().startswith((event_type, "allow")), line
            assert len(refusal.reason) > 80


PROFILE = """\
name: ours
title: {en: Ours}
jurisdiction: here
basis: {text: a test's own}
valid_from: 2026-06-01
valid_to: 2026-06-30
camera:
  source: {text: for the test}
  allow: [zone.intrusion]
  refuse: {crowd.surge: {text: too uncertain}}
sound_with_image: {allow: false, source: {text: never}}
retention: {events_h: 72, incidents_h: 72, evidence_h: 72, sightings_h: 72, audit_h: 8760, source: {text: a test's own}}
"""
IN_FORCE = date(2026, 6, 15)


def _ours(folder: Path, text: str = PROFILE) -> Profile:
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    return load_profile("ours.yaml", beside=folder / "site.yaml")


#: Sense, type, today, whether only recorded files count; then the line and what is said.
NOT_ALLOWED: list[tuple[Sense, str, date, bool, int, str]] = [
    ("camera", "zone.intrusion", date(2026, 5, 31), False, 5, "valid_from is 2026-06-01"),
    ("camera", "zone.intrusion", date(2026, 7, 1), False, 6, "valid_to is 2026-06-30"),
    ("camera", "crowd.density", IN_FORCE, False, 9, "`camera.allow` does not name crowd.density (for the test)"),
    ("camera", "crowd.surge", IN_FORCE, False, 10, "too uncertain"),
    ("camera", "tag.sighting", IN_FORCE, False, 9, "does not name tag.sighting"),
    ("microphone", "sound.level", IN_FORCE, False, 1, "no key `microphone`"),
    ("camera", "zone.intrusion", IN_FORCE, True, 13, "recorded files only, and this source is live"),
    ("camera", "no.such.type", IN_FORCE, False, 9, "does not name no.such.type"),
]


@pytest.mark.parametrize("case", NOT_ALLOWED, ids=lambda case: case[5][:30])
def test_what_is_not_allowed_does_not_start_and_file_and_line_say_why(
    tmp_path: Path, case: tuple[Sense, str, date, bool, int, str]
) -> None:
    sense, event_type, on, recorded_only, line, reason = case
    profile = _ours(tmp_path, PROFILE + ("recorded_only: true\n" if recorded_only else ""))
    refusal = profile.refusal(sense, event_type, on=on, recorded=False)
    assert refusal is not None
    assert (refusal.file, refusal.line) == (tmp_path / "ours.yaml", line)
    assert reason in refusal.reason
    assert str(refusal).startswith(f"{tmp_path}/ours.yaml:{line}: ")
    assert event_type not in profile.permitted(sense, on=on, recorded=False)


@pytest.mark.parametrize("on", [date(2026, 6, 1), date(2026, 6, 30)])
def test_the_first_and_the_last_day_count(tmp_path: Path, on: date) -> None:
    assert _ours(tmp_path).refusal("camera", "zone.intrusion", on=on, recorded=False) is None


#: A profile that cannot be read lets nothing start: what is put for what; line, key, part of what was expected.
BROKEN = [
    ("name: ours", "name: Our Town", 1, "name", "pattern"),
    ("title: {en: Ours}", "title: {de: Unser}", 2, "title.de", "'en' or 'fr'"),
    ("basis: {text: a test's own}\n", "", 1, "basis", "required, and missing"),
    ("basis: {text: a test's own}", "basis: {text: ''}", 4, "basis.text", "at least 1 character"),
    ("basis: {text: a test's own}", "basis: {text: x, link: 'http://example.org'}", 4, "basis.link", "https"),
    ("valid_to: 2026-06-30", "valid_to: 2026-06-31", 6, "", "not YAML"),
    ("valid_to: 2026-06-30", "valid_to: soon", 6, "valid_to", "date"),
    ("valid_to: 2026-06-30", "valid_to: 2026-05-30", 1, "", "valid_to is before valid_from"),
    ("valid_to: 2026-06-30\n", "", 1, "valid_to", "required, and missing"),
    ("allow: [zone.intrusion]", "allow: [zone.intrusions]", 9, "camera.allow", "zone.intrusions: not on the closed list"),
    ("allow: [zone.intrusion]", "allow: [face.recognised]", 9, "camera.allow", "not on the closed list"),
    ("allow: [zone.intrusion]", "allow: [sound.level]", 1, "", "sound.level is not sensed by a camera"),
    ("allow: [zone.intrusion]", "allow: [crowd.surge]", 7, "camera", "allowed and refused"),
    ("refuse: {crowd.surge", "refuse: {crowd.rush", 10, "camera.refuse", "not on the closed list"),
    ("  source: {text: for the test}\n", "", 7, "camera.source", "required, and missing"),
    ("camera:", "lidar:", 7, "lidar", "misspelt"),
    ("{allow: false, source", "{allow: 'no', source", 11, "sound_with_image.allow", "boolean"),
    ("events_h: 72", "events_h: 0", 12, "retention.events_h", "greater than 0"),
    ("events_h: 72", "events_h: 9000", 12, "retention.events_h", "less than or equal to 8784"),
]


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case[4][:30])
def test_a_mistake_in_a_profile_is_told_and_nothing_starts(tmp_path: Path, case: tuple[str, str, int, str, str]) -> None:
    old, new, line, key, expected = case
    assert PROFILE.count(old) == 1
    with pytest.raises(ConfigError) as error:
        _ours(tmp_path, PROFILE.replace(old, new))
    problem = error.value.problems[0]
    assert (problem.file, problem.line, problem.key) == (tmp_path / "ours.yaml", line, key)
    assert expected in problem.expected


def test_a_site_without_a_profile_does_not_load(tmp_path: Path) -> None:
    plan = tmp_path / "site.yaml"
    plan.write_text("site: a\norigin: {lon: 0, lat: 0}\nunits: {u1: {position: {lon: 0, lat: 0}, senses: [camera]}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site\.yaml:1: profile: required, and missing"):
        load_site(plan)
    plan.write_text(plan.read_text(encoding="utf-8") + "profile: fr-autoroute\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"site\.yaml:4: profile is 'fr-autoroute': no such profile .*fr-voie-publique.* nothing starts"):
        load_site(plan)


def test_the_folder_s_page_says_of_each_profile_what_it_allows() -> None:
    rows = {}
    for line in (profiles_folder() / "README.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[0].startswith("[`"):
            rows[cells[0].split("`")[1]] = cells[2:]
    assert sorted(rows) == SHIPPED
    for name in ("closed-site", "fr-voie-publique"):
        said = [{word for word in cell.split("`") if "." in word} for cell in rows[name]]
        assert said == [_allowed(name, "camera"), _allowed(name, "microphone")]


def test_nothing_that_was_seen_is_joined_with_anything_that_was_heard() -> None:
    """The hub joins reports of one type and identity. Types that both senses can report keep them apart, or say nothing of the street."""
    both = {name for name, entry in EVENT_TYPES.items() if len(entry.senses) > 1}
    assert both == {"unit.tampered", "level.unusual"}
    assert PHYSICS["unit.tampered"].identity == "unit"
    # Counts are seen and levels are heard: no quantity is both.
    assert PHYSICS["level.unusual"].identity == "quantity"


def test_where_only_levels_are_allowed_no_sound_is_classified(tmp_path: Path) -> None:
    """Two loud seconds through the unit's own hearing: the classifier runs under the laboratory's profile, and not under the road's."""
    plan = tmp_path / "site.yaml"
    runs = {}
    for name in ("lab", "fr-voie-publique"):
        plan.write_text(
            f"site: a\nprofile: {name}\norigin: {{lon: 0, lat: 0}}\nunits: {{u1: {{position: {{lon: 0, lat: 0}}, senses: [microphone]}}}}\n"
            "zones: {terrace: {kind: noise, unit: u1, limit_db: 60, period_s: 1}}\n",
            encoding="utf-8",
        )
        site = load_site(plan)
        allowed = site.law.permitted("microphone", on=TODAY, recorded=True)
        sense = MicrophoneSense(site, "u1", allowed, load_bundle("yamnet"))
        noise = np.random.default_rng(1).normal(0.0, 0.2, 32_000).astype(np.float32)
        said = [*sense.process(AudioBlock(samples=noise, rate_hz=16_000, time_s=1_800_000_000.0)), *sense.finish()]
        assert "sound.level" in {judgement.type for judgement in said}
        runs[name] = sense.analysed
    assert runs["lab"] > 0
    assert runs["fr-voie-publique"] == 0
