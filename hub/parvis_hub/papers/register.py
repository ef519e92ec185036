"""The public register: a registration by the Algorithmic Transparency Standard 0.3.1, as JSON and as a page. Pure."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Iterator

from parvis_contract.profile import Source

from .controller import Language
from .facts import Facts
from .page import Markup, document, items, table, tag
from .standard import CATEGORIES, FIELDS, LONGEST_DESCRIPTION, VERSION
from .words import Say, figures, in_memory, kept_lines, never, retention, rules_of, sense_name, title_of

#: Key of the registration: key of the controller's file.
_CONTROLLERS = {
    "publication_date": "publication_date",
    "last_change_date": "last_change_date",
    "revision_date": "revision_date",
    "organization": "organisation",
    "department": "department",
    "country": "country",
    "contact_email": "contact_email",
    "contact_phone": "contact_phone",
    "website": "register_url",
    "status": "status",
    "decision_making_process": "decision_making_process",
    "domain": "domain",
    "area": "area",
    "goal": "goal",
    "impact": "impact",
    "risks": "risks",
    "risk_category": "risk_category",
    "proportionality": "proportionality",
    "DPIA_url": "impact_assessment_url",
    "objection_procedure": "objection_procedure",
}
#: What the standard requires and only the controller knows.
NEEDED = tuple(_CONTROLLERS[field.name] for field in FIELDS if field.required and field.name in _CONTROLLERS)


def registration(facts: Facts, lang: Language) -> dict[str, str]:
    """The registration. What the controller has not said is left out, so that a validator names it; see ``Controller.missing``.

    Args:
        facts: Of the site.
        lang: Of its prose; the values of the standard's lists are English in either.
    """
    say = Say(lang)
    found = {"standard_version": VERSION, "lang": lang, **_derived(say, facts)}
    for name, key in _CONTROLLERS.items():
        if (said := facts.controller.said(key, lang)) is not None:
            found[name] = said
    if (address := facts.controller.register_url) is not None:
        found["uuid"] = str(uuid.uuid5(uuid.NAMESPACE_URL, address))
    return {field.name: found[field.name] for field in FIELDS if field.name in found}


def as_json(facts: Facts, lang: Language) -> str:
    """The registration as a file."""
    return json.dumps(registration(facts, lang), indent=2, ensure_ascii=False) + "\n"


def _derived(say: Say, facts: Facts) -> dict[str, str]:
    """What follows from plan, profile and cards."""
    units, with_ = facts.units(), ", ".join(sense_name(say, sense) for sense in facts.senses) or "–"
    short = say(
        f"Tells {len(facts.running)} kinds of event at {len(units)} units ({with_}). A person decides. Nothing is recorded.",
        f"Signale {len(facts.running)} sortes d’événements, {len(units)} unités ({with_}). La décision revient à une"
        " personne. Rien n’est enregistré.",
    )
    learns = facts.runs("level.unusual")
    return {
        "name": f"Parvis – {facts.site.site}",
        "description_short": short,
        "lawful_basis": "\n".join((say.not_a_claim, *source_lines(say, facts))),
        "training_data": "\n".join(_training(say, facts)),
        "source_data": "\n".join(_source_data(say, facts)),
        "data_bias": _of_cards(say, (f"{card.name}: {failure}" for card in facts.cards for failure in card.known_failures))
        or say("No trained model runs.", "Aucun modèle entraîné n’est utilisé."),
        "connected_data_sources": connections(say, facts),
        "description": _description(say, facts),
        # Models that were trained before and are not trained here, judged by fixed rules; the usual course of a level alone is learnt here.
        "algorithm_type": "hybrid" if facts.cards or learns else "rule-based",
        "methods_and_models": _of_cards(say, (f"{card.name} {card.version}: {card.task}" for card in facts.cards))
        or say("Fixed rules on measured quantities.", "Règles fixes sur des grandeurs mesurées."),
        "performance": _of_cards(say, (line for card in facts.cards for line in figures(say, card)))
        or say("No trained model runs; see the monthly report.", "Aucun modèle entraîné n’est utilisé ; voir le rapport mensuel."),
        # It says what was measured; it foretells and advises nothing.
        "type": "descriptive",
        "monitoring": say(
            "The hub counts by month the alerts of each type, what people decided of them, and the share of false alarms with its 95 %"
            " interval, and publishes the report.",
            "Le concentrateur compte par mois les alertes de chaque type, ce que des humains en ont décidé, et la part de"
            " fausses alertes avec son"
            " intervalle à 95 %, et publie le rapport.",
        ),
        "human_intervention": say(
            "An alert is a proposal. A person in the control room confirms or dismisses it with a reason. The program sets nothing in"
            " motion; what a person has confirmed, other systems of the city may read. Who decided what, and when, is in a log that shows"
            " when it has been altered.",
            "Une alerte est une proposition. Une personne de la salle de contrôle la confirme ou l’écarte avec un motif. Le programme ne"
            " déclenche rien ; ce qu’une personne a confirmé, d’autres systèmes de la ville peuvent le lire. Qui a décidé quoi, et quand,"
            " figure dans un journal qui montre s’il a été altéré.",
        ),
        "rollback": say(
            "A decision can be taken back; the log keeps both. What units said, and what was made of it, is deleted when its time is over.",
            "Une décision peut être retirée ; le journal garde les deux. Ce que les unités ont dit, et ce qui en a été tiré, est supprimé à"
            " l’échéance.",
        ),
    }


def connections(say: Say, facts: Facts) -> str:
    """Which other data the hub reads."""
    if facts.runs("tag.sighting"):
        return say(
            "The hub’s own register of consents: of those who asked for a route, and which tag they wear. No other register, file or list.",
            "Le registre des consentements du concentrateur : qui a demandé un parcours, et quelle balise cette personne porte."
            " Aucun autre registre, fichier ou"
            " liste.",
        )
    return say(
        "None. The hub reads the messages of its units, which have no field that could hold an identity, and no register, file or list.",
        "Aucune. Le concentrateur lit les messages de ses unités, qui n’ont pas de champ pouvant contenir une identité, et"
        " aucun registre, fichier"
        " ou liste.",
    )


def source_lines(say: Say, facts: Facts) -> Iterator[str]:
    """The profile's texts that what runs rests on, as the profile has them, in English; what nobody has verified is said to be so."""
    title = facts.law.title.get(say.lang, facts.law.name)
    yield say(
        f"Legal profile {facts.law.name} ({title}), in force from {facts.law.valid_from} to {facts.law.valid_to}.",
        f"Profil juridique {facts.law.name} ({title}), en vigueur du {facts.law.valid_from} au {facts.law.valid_to}.",
    )
    if facts.law.recorded_only:
        yield say(
            "Recorded files only: no live camera or microphone.", "Fichiers enregistrés seulement : ni caméra ni microphone en direct."
        )
    if not facts.in_force:
        yield say(f"Not in force on {facts.on}: nothing may run.", f"N’est pas en vigueur le {facts.on} : rien ne peut fonctionner.")
    for source in facts.sources:
        yield _source(say, source)


def _source(say: Say, source: Source) -> str:
    doubt = "" if source.verified else say(" (nobody has verified this text yet)", " (texte que personne n’a encore vérifié)")
    return source.text + (f" {source.link}" if source.link else "") + doubt


def _of_cards(say: Say, lines: Iterable[str]) -> str:
    """What the models' cards say, in English, which is said where the rest is not."""
    found = list(lines)
    return "\n".join((say("From the models' cards:", "D’après les fiches des modèles, qui sont en anglais :"), *found)) if found else ""


def _training(say: Say, facts: Facts) -> Iterator[str]:
    if said := _of_cards(say, (f"{card.name} {card.version}: {card.source.training_data}" for card in facts.cards)):
        yield said
    yield say("Nothing is trained on what the units see or hear.", "Rien n’est entraîné sur ce que les unités voient ou entendent.")


def _source_data(say: Say, facts: Facts) -> Iterator[str]:
    for sense in facts.senses:
        names = ", ".join(title_of(say, each.name) for each in facts.running if each.sense == sense)
        yield say.pair(sense_name(say, sense), names)
    if not facts.running:
        yield say("None: nothing runs.", "Aucune : rien ne fonctionne.")
    yield in_memory(say, facts.running)


def _description(say: Say, facts: Facts) -> str:
    """How it works; of a site with so many places that it would be too long for the standard, without their names."""
    whole = "\n".join(_described(say, facts, named=True))
    return whole if len(whole) <= LONGEST_DESCRIPTION else "\n".join(_described(say, facts, named=False))


def _described(say: Say, facts: Facts, *, named: bool) -> Iterator[str]:
    yield say("What is told, from when on, and where:", "Ce qui est signalé, à partir de quand, et où :")
    for running in facts.running:
        for places, rule, _ in rules_of(say, facts, running):
            where = f" [{places}]" if places and named else ""
            yield say.pair(f"– {title_of(say, running.name)} ({running.name}, {sense_name(say, running.sense)}){where}", f"{rule}.")
    joined = facts.law.sound_with_image.allow
    yield say(
        "The hub joins messages that speak of one thing into an incident with a place, a time and their uncertainty. What was seen is"
        f" {'joined' if joined else 'never joined'} with what was heard.",
        "Le concentrateur réunit les messages qui parlent d’une même chose en un incident, avec un lieu, une heure et leur"
        " incertitude. Ce qui est"
        f" vu {'peut être réuni à' if joined else 'n’est jamais réuni à'} ce qui est entendu.",
    )
    yield say("Never: ", "Jamais : ") + "; ".join(never(say)) + "."
    yield say("Kept: ", "Conservation : ") + "; ".join(kept_lines(say, facts)) + "."


# --- the page -----------------------------------------------------------------------------------------------------------------


def as_page(facts: Facts, lang: Language, *, stylesheet: str | None = None) -> str:
    """The registration as a page, with what is missing shown as not stated.

    Args:
        facts: Of the site.
        lang: Of the page.
        stylesheet: See :func:`parvis_hub.papers.page.document`.
    """
    say = Say(lang)
    record = registration(facts, lang)
    title = say(f"Public register: {record['name']}", f"Registre public : {record['name']}")
    body: list[str] = [tag("h1", title)]
    body.append(
        tag("p", say("What is sensed here, why, and who answers for it.", "Ce qui est mesuré ici, pourquoi, et qui en est responsable."))
    )
    body += [tag("h2", say("What is never done", "Ce qui n’est jamais fait")), items(never(say))]
    body += [tag("h2", say("What is told, from when on", "Ce qui est signalé, à partir de quand")), _running_table(say, facts)]
    body += [tag("h2", say("What is kept", "Données conservées et durées"))]
    body.append(table([say("data", "données"), say("for how long", "durée")], retention(say, facts), words=2))
    for category, fields in CATEGORIES.items():
        body.append(tag("h2", _category(say, category)))
        rows = [(field.name, record.get(field.name)) for field in fields if field.required or field.name in record]
        body.append(tag("dl", *(part for name, value in rows for part in (tag("dt", tag("code", name)), _said(say, value)))))
    body.append(
        tag(
            "p",
            say("Configuration ", "Configuration "),
            tag("code", facts.digest),
            say(
                ". Fields by the Algorithmic Transparency Standard 0.3.1 of Eurocities.",
                ". Champs selon l’Algorithmic Transparency Standard 0.3.1 d’Eurocities.",
            ),
            class_="note",
        )
    )
    return document(lang, title, *body, stylesheet=stylesheet)


def _said(say: Say, value: str | None) -> Markup:
    return tag("dd", value) if value is not None else tag("dd", tag("span", say.not_stated, class_="missing"))


def _running_table(say: Say, facts: Facts) -> Markup:
    if not facts.running:
        return tag("p", say("Nothing: the law allows nothing here today.", "Rien : la loi n’autorise rien ici aujourd’hui."))
    head = [say("what", "quoi"), say("with", "avec"), say("where", "où"), say("from when on", "à partir de quand"), say("units", "unités")]
    rows = [
        [title_of(say, each.name), sense_name(say, each.sense), places, rule, units]
        for each in facts.running
        for places, rule, units in rules_of(say, facts, each)
    ]
    return table(head, rows, words=5)


def _category(say: Say, category: str) -> str:
    return {
        "metadata": say("About this registration", "À propos de cette inscription"),
        "basic": say("Who answers for it", "Responsable du traitement"),
        "use": say("Why, and by which right", "Finalité et base juridique"),
        "data": say("Data", "Données"),
        "algorithm": say("How it works", "Fonctionnement"),
        "oversight": say("Oversight", "Contrôle"),
    }[category]
