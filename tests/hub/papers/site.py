"""A site for papers: the console's, with a controller who has said everything, and changes of either."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path

from parvis_contract import Site, load_site
from parvis_contract.card import Card
from parvis_contract.config_file import ConfigFile
from parvis_hub.console.cards import load_cards, zoo_folder
from parvis_hub.papers.controller import Controller
from parvis_hub.papers.facts import Facts, gather

from tests.hub.console.hub import plan

ON = date(2026, 12, 1)
CONTROLLER = """
organisation: Ville d’Exemple
department: Sécurité civile
country: France
area: Vieux-Port
contact_email: registre@exemple.test
contact_phone: "+33 4 00 00 00 00"
data_protection_officer: dpd@exemple.test
register_url: https://exemple.test/registre/parvis
impact_assessment_url: https://exemple.test/aipd
publication_date: 2026-11-01
last_change_date: 2026-11-20
revision_date: 2027-05-01
status: pilot
domain: public safety
risk_category: limited risk
goal: {en: To see quickly when the quay is too crowded., fr: Voir vite quand le quai est trop dense.}
decision_making_process: {en: The duty officer decides., fr: L’officier de service décide.}
impact: {en: Stewards come sooner., fr: Les stadiers arrivent plus tôt.}
risks: {en: False alarms., fr: De fausses alertes.}
proportionality: {en: Stewards cannot see the whole quay., fr: Les stadiers ne voient pas tout le quai.}
objection_procedure: {en: In writing to the town hall., fr: Par écrit à la mairie.}
rights: {en: At the counter., fr: Au guichet.}
hosting: {en: A server of the city., fr: Un serveur de la ville.}
recipients: {en: Nobody., fr: Personne.}
processors: {en: There are none., fr: Il n’y en a pas.}
transfers: {en: There are none., fr: Il n’y en a pas.}
"""


def write(folder: Path, *changes: tuple[str, str], profile: str = "lab", controller: str = CONTROLLER) -> Site:
    """Writes plan and controller's file, with some text replaced; and reads the plan."""
    text = plan(profile)
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new)
    path = folder / "site.yaml"
    path.write_text(text, encoding="utf-8")
    (folder / "controller.yaml").write_text(controller, encoding="utf-8")
    return load_site(path)


def said(folder: Path, text: str = CONTROLLER) -> Controller:
    """A controller's file, read."""
    path = folder / "controller.yaml"
    path.write_text(text, encoding="utf-8")
    return ConfigFile(path).read(Controller)


def cards() -> Iterable[Card]:
    """Of the shipped models."""
    return load_cards(zoo_folder()).all


def facts_of(folder: Path, *changes: tuple[str, str], profile: str = "lab", controller: str = CONTROLLER, on: date = ON) -> Facts:
    """What the papers of such a site speak of."""
    site = write(folder, *changes, profile=profile, controller=controller)
    return gather(site, said(folder, controller), cards(), on)
