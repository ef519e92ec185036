"""Both languages say everything: each event type, state, reason and sign, and every word that the page asks for."""

from __future__ import annotations

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import get_args

import pytest
from parvis_contract import (
    EVENT_TYPES,
    AlarmClass,
    CommandRefusal,
    FurnitureChange,
    ImpulseClass,
    IncidentState,
    LevelOfService,
    LevelQuantity,
    LocatedBy,
    ObjectClass,
    StatusReason,
    StreamState,
    TamperCause,
    Verdict,
)
from parvis_hub.console.routes import STATIC
from parvis_hub.store import DecisionReason
from parvis_hub.store.notices import Trouble

LANGUAGES = ("en", "fr")
SCRIPTS = {path.name: path.read_text(encoding="utf-8") for path in sorted((STATIC / "js").glob("*.js"))}
PAGE = (STATIC / "index.html").read_text(encoding="utf-8")


def no_key_twice(pairs: list[tuple[str, str]]) -> dict[str, str]:
    assert len({key for key, _ in pairs}) == len(pairs), "a key stands twice"
    return dict(pairs)


WORDS: dict[str, dict[str, str]] = {
    name: json.loads((STATIC / "i18n" / f"{name}.json").read_text(encoding="utf-8"), object_pairs_hook=no_key_twice) for name in LANGUAGES
}


def test_both_languages_have_the_same_keys() -> None:
    assert WORDS["en"].keys() == WORDS["fr"].keys()


def test_both_languages_fill_in_the_same_values() -> None:
    for key in WORDS["en"]:
        places = [set(re.findall(r"\{(\w+)\}", WORDS[name][key])) for name in LANGUAGES]
        assert places[0] == places[1], key
        assert all(WORDS[name][key].strip() for name in LANGUAGES), key


def of(prefix: str, listed: type[StrEnum]) -> list[str]:
    return [f"{prefix}.{entry.value}" for entry in listed]


@pytest.mark.parametrize("name", LANGUAGES)
def test_every_closed_list_of_the_contract_has_its_words(name: str) -> None:
    wanted = [f"{part}.{entry}" for entry in EVENT_TYPES for part in ("type", "definition", "says", "brief")]
    wanted += [f"measure.{field}" for entry in EVENT_TYPES.values() for field in entry.incident_measure.model_fields]
    wanted += of("reason", StatusReason) + of("advice", StatusReason) + of("verdict_reason", DecisionReason)
    wanted += of("verdict", Verdict) + of("state", IncidentState) + of("located_by", LocatedBy) + of("stream", StreamState)
    wanted += of("change", FurnitureChange) + of("object_class", ObjectClass) + of("cause", TamperCause)
    wanted += of("sound_class", ImpulseClass) + of("sound_class", AlarmClass) + of("quantity", LevelQuantity) + of("los", LevelOfService)
    wanted += [f"criterion.source.{source}" for source in ("site_plan", "message", "expected", "baseline")]
    wanted += of("command_refusal", CommandRefusal) + [f"connection.{trouble}" for trouble in get_args(Trouble)]
    assert [key for key in wanted if key not in WORDS[name]] == []


@pytest.mark.parametrize("type", sorted(EVENT_TYPES))
@pytest.mark.parametrize("name", LANGUAGES)
def test_a_sentence_about_an_event_speaks_of_its_own_measure_alone(name: str, type: str) -> None:
    known = {*EVENT_TYPES[type].incident_measure.model_fields, "units", "los_words", "divergence_words"}
    for key, words in WORDS[name].items():
        if key in (f"says.{type}", f"brief.{type}") or key.startswith(f"says.{type}."):
            assert set(re.findall(r"\{(\w+)\}", words)) <= known, key


def asked_for() -> tuple[set[str], set[str]]:
    """The keys that the page asks for: in full, and the beginnings of those that it puts together."""
    source = "\n".join(SCRIPTS.values())
    full = set(re.findall(r'"([a-z_]+(?:\.[a-z_0-9]+)+)"', source)) | set(re.findall(r'data-i18n(?:-\w+)?="([^"]+)"', PAGE))
    begun = set(re.findall(r"`([a-z_]+\.[a-z_.]*)\$\{", source))
    [listed] = re.findall(r"const LISTED = \[([^\]]+)\]", source)
    begun |= {f"{field}." for field in re.findall(r'"(\w+)"', listed)}
    return full, begun


def test_every_word_that_the_page_asks_for_exists() -> None:
    full, begun = asked_for()
    known = WORDS["en"]
    sections = {key.partition(".")[0] for key in known}
    plural = {key.rpartition(".")[0] for key in known if key.endswith(".one")}
    unknown = full - known.keys() - plural - EVENT_TYPES.keys()
    assert [key for key in unknown if key.partition(".")[0] in sections] == []
    assert [key for key in begun if not any(each.startswith(key) for each in known)] == []


def test_no_word_is_kept_that_the_page_never_asks_for() -> None:
    full, begun = asked_for()
    plural = {f"{key}.{form}" for key in full for form in ("one", "other")}
    unused = [key for key in WORDS["en"] if key not in full and key not in plural and not any(key.startswith(start) for start in begun)]
    assert unused == []


@pytest.mark.parametrize("name", LANGUAGES)
def test_nothing_is_called_urgent_suspicious_or_abnormal(name: str) -> None:
    refused = re.compile(r"suspicious|suspect|abnormal|anormal|threat|menace|urgent|priority|priorité|danger", re.IGNORECASE)
    assert [key for key, words in WORDS[name].items() if refused.search(words)] == []


def test_french_signs_stand_apart_by_a_space_that_does_not_break() -> None:
    broken = re.compile(r"[^\u00a0\u202f\d\s][:;?!»](?:\s|$)| [:;?!»]|«[^\u00a0\u202f]|'")
    assert [key for key, words in WORDS["fr"].items() if broken.search(words)] == []


def test_the_page_makes_no_markup_from_a_string() -> None:
    refused = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc|javascript:")
    assert [name for name, text in SCRIPTS.items() if refused.search(text)] == []
    assert not re.search(r"<script(?![^>]*\bsrc=)[^>]*>|\son\w+=|\sstyle=", PAGE)


def test_the_page_names_no_other_address() -> None:
    own = [path for path in STATIC.rglob("*") if path.suffix in {".js", ".css", ".html", ".json"} and "vendor" not in path.parts]
    assert len(own) > 20
    allowed = {"http://www.w3.org"}  # the name of SVG, which nothing asks for
    for path in own:
        assert set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", path.read_text(encoding="utf-8"))) <= allowed, path


def test_there_is_no_way_to_look_for_a_person_or_to_play_a_film() -> None:
    text = PAGE + "".join(SCRIPTS.values())
    assert not re.search(r"<video|<audio|\"video\"|\"audio\"|type: \"search\"|type=\"search\"|priority|getUserMedia", text)


def test_every_file_is_read_in_one_sitting() -> None:
    long = {path: text.count("\n") for path, text in SCRIPTS.items() if text.count("\n") > 400}
    assert long == {}
    assert Path(STATIC / "js" / "main.js").is_file()
