"""The assessment has every question of the CNIL's tool in the types that its importer reads, and answers none for the controller."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from parvis_hub.papers.controller import Language
from parvis_hub.papers.impact import as_json, assessment, open_questions

from tests.hub.papers.html import Page
from tests.hub.papers.site import CONTROLLER, facts_of

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
#: The tool's numbers: sections 1 to 3 of its architecture, in its order.
IDS = [
    *(111, 112, 113, 121, 122, 123),
    *(211, 212, 213, 214, 215, 221, 222, 223, 224, 225, 226, 227),
    *(321, 322, 323, 324, 325, 326, 331, 332, 333, 334, 335, 336, 341, 342, 343, 344, 345, 346),
]
#: What only somebody who judges can answer, whatever the configuration says.
JUDGEMENTS = [321, 322, 323, 325, 326, 331, 332, 333, 335, 336, 341, 342, 343, 345, 346]
LEFT = {"en": "To be answered by the controller.", "fr": "À compléter par le responsable du traitement."}


def imported(text: str) -> dict[str, Any]:
    """Reads a file as the tool's importer does: the keys that it takes, with the types that it needs."""
    data = json.loads(text)
    pia = data["pia"]
    assert isinstance(pia["name"], str)
    assert isinstance(pia["category"], str)
    assert int(pia["status"]) == 0
    for key in ("created_at", "updated_at"):
        datetime.fromisoformat(pia[key])
    for key in ("author_name", "evaluator_name", "validator_name"):
        assert isinstance(pia[key], str)
    assert "structure_id" not in pia
    for answer in data["answers"]:
        assert isinstance(answer["reference_to"], int)
        assert isinstance(answer["data"]["text"], str)
        assert isinstance(answer["data"]["gauge"], int)
        assert all(isinstance(each, str) for each in answer["data"]["list"])
        datetime.fromisoformat(answer["created_at"])
    for measure in data["measures"]:
        assert isinstance(measure["id"], int)
        assert measure["title"]
        assert measure["content"]
        assert isinstance(measure["placeholder"], str)
    assert data["evaluations"] == data["comments"] == data["attachments"] == []
    return {answer["reference_to"]: answer["data"] for answer in data["answers"]}


@pytest.mark.parametrize("lang", ["en", "fr"])
@pytest.mark.parametrize("profile", ["lab", "fr-voie-publique"])
def test_every_question_is_there_in_the_tool_s_order(tmp_path: Path, lang: Language, profile: str) -> None:
    answers = imported(as_json(facts_of(tmp_path, profile=profile), lang, NOW))
    assert list(answers) == IDS
    assert all(answer["text"] or answer["list"] for answer in answers.values())


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_what_is_for_the_controller_is_left_to_them(tmp_path: Path, lang: Language) -> None:
    answers = imported(as_json(facts_of(tmp_path), lang, NOW))
    assert [question for question in IDS if LEFT[lang] in answers[question]["text"]] == JUDGEMENTS
    assert open_questions(facts_of(tmp_path), lang) == JUDGEMENTS
    assert all(answer["gauge"] == 0 for answer in answers.values()), "no risk is rated"
    silent = imported(as_json(facts_of(tmp_path, controller="country: France\n"), lang, NOW))
    unsaid = [question for question in IDS if LEFT[lang] in silent[question]["text"]]
    assert unsaid == sorted({*JUDGEMENTS, 111, 112, 121, 123, 211, 213, 221, 223, 224, 225, 226, 227})


def test_the_measures_against_a_risk_are_the_listed_ones(tmp_path: Path) -> None:
    whole = assessment(facts_of(tmp_path), "en", NOW)
    titles = [measure["title"] for measure in whole["measures"]]
    assert [answer["data"]["list"] for answer in whole["answers"] if answer["reference_to"] in {324, 334, 344}] == [titles] * 3


@pytest.mark.parametrize(
    ("change", "profile", "question", "said"),
    [
        (("limit_db: 68", "limit_db: 71.5"), "lab", 111, "above 71.5 dB"),
        (("profile:", "count_floor: 25\nprofile:"), "lab", 213, "below 25 "),
        (("u003:", "u033:"), "lab", 123, "u033 (microphone)"),
        (("walkways: walkways.geojson", "tags: {size_m: 0.2}"), "lab", 222, "wear a printed tag"),
        (("u003:", "u003:"), "lab", 222, "No tags are read"),
        (("u003:", "u003:"), "fr-voie-publique", 215, "720 h (30 days)"),
        (("u003:", "u003:"), "fr-voie-publique", 212, "No basis in force is loaded"),
        (("u003:", "u003:"), "closed-site", 113, "Legal profile closed-site"),
        (("u003:", "u003:"), "lab", 214, "precision 70.1 %"),
    ],
)
def test_an_answer_follows_from_the_configuration(tmp_path: Path, change: tuple[str, str], profile: str, question: int, said: str) -> None:
    changes = [change] if change[0] != "u003:" or change[1] == "u003:" else [change, ("unit: u003", "unit: u033")]
    answers = imported(as_json(facts_of(tmp_path, *changes, profile=profile), "en", NOW))
    assert said in Page("<!doctype html>\n" + answers[question]["text"]).text.replace("  ", " ")


def test_every_value_is_escaped(tmp_path: Path) -> None:
    controller = CONTROLLER.replace("Ville d’Exemple", '"<script>alert(1)</script>"')
    answers = imported(as_json(facts_of(tmp_path, controller=controller), "en", NOW))
    assert "&lt;script&gt;" in answers[112]["text"]
    assert not any("<script" in answer["text"] for answer in answers.values())
