"""The sign says in both languages what is sensed beside it, and bears the digest by which it can be held against the hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from parvis_hub.papers.controller import Language
from parvis_hub.papers.sign import as_sign

from tests.hub.papers.html import check
from tests.hub.papers.site import CONTROLLER, facts_of

CATEGORIES = {
    "en": ("Purpose", "Technology", "Data", "Process", "Access", "Storage", "Retention", "Accountable"),
    "fr": ("Finalité", "Technologie", "Données", "Traitement", "Accès", "Stockage", "Conservation", "Responsable"),
}


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_it_has_every_category_in_both_languages_the_asked_one_first(tmp_path: Path, lang: Language) -> None:
    facts = facts_of(tmp_path)
    text = check(as_sign(facts, lang), lang).text
    for names in CATEGORIES.values():
        assert all(name in text for name in names)
    first, second = ("Sensed here", "Capteurs ici") if lang == "en" else ("Capteurs ici", "Sensed here")
    assert text.index(first) < text.index(second)
    for said in ("To see quickly", "Voir vite", "A server of the city.", "Un serveur de la ville.", "Ville d’Exemple", "dpd@exemple.test"):
        assert said in text
    assert "DTPR (dtpr.io), Helpful Places, CC BY 4.0" in text
    assert "not stated" not in text
    assert "non indiqué" not in text


def test_it_bears_the_digest(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    assert facts.digest in check(as_sign(facts, "en"), "en").text.replace(" ", "")


def test_a_unit_s_sign_speaks_of_that_unit(tmp_path: Path) -> None:
    facts = facts_of(tmp_path)
    whole, ear = (check(as_sign(facts, "en", unit=unit), "en") for unit in (None, "u003"))
    assert "Sensed here: camera and microphone" in whole.text
    assert "Object left" in whole.text
    assert "Sensed here: microphone" in ear.text
    assert "Object left" not in ear.text
    assert "person_detection" not in ear.text
    with pytest.raises(KeyError, match="no unit u999; the site plan has u003"):
        as_sign(facts, "en", unit="u999")


def test_where_only_levels_are_allowed_the_microphone_is_a_meter(tmp_path: Path) -> None:
    text = check(as_sign(facts_of(tmp_path, profile="fr-voie-publique"), "fr"), "fr").text
    assert "sound_level_meter" in text
    assert "Capteurs ici : microphone" in text
    assert "messages d’événements : 720 h (30 jours)" in text
    camera = check(as_sign(facts_of(tmp_path, profile="fr-voie-publique"), "fr", unit="u017"), "fr").text
    assert "Rien n’est capté ici" in camera


def test_it_leads_to_the_register_by_a_code_of_its_own(tmp_path: Path) -> None:
    with_address = as_sign(facts_of(tmp_path), "en")
    without = as_sign(facts_of(tmp_path, controller="country: France\n"), "en")
    assert "https://exemple.test/registre/parvis" in with_address
    assert ('class="segno"' in with_address, 'class="segno"' in without) == (True, False)
    page = check(without, "en")
    assert page.text.count("not stated") == page.text.count("non indiqué") == 7


def test_every_value_is_escaped(tmp_path: Path) -> None:
    nasty = "<img src=x onerror=alert(1)>"
    page = check(as_sign(facts_of(tmp_path, controller=CONTROLLER.replace("Ville d’Exemple", f'"{nasty}"')), "en"), "en")
    assert page.text.count(nasty) == 2
