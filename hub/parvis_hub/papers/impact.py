"""The factual part of an impact assessment, as a file that the CNIL's PIA tool imports. Pure.

The tool (https://github.com/LINCnil/pia) reads `{pia, answers, measures, evaluations, comments, attachments}`; an answer names its question
in `reference_to` and has `data: {text, gauge, list}`. The questions' numbers are those of its `pia_architecture.json`; nothing else of it
is here. What follows from the configuration is answered; what is for the controller to judge is left to them, and said to be.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal

from parvis_contract import format_time

from .controller import Language
from .facts import Facts
from .page import Markup, items, join, tag
from .register import connections, source_lines
from .words import Say, figures, in_memory, kept_lines, never, rules_of, sense_name, title_of

#: What the controller has to say for it.
NEEDED = (
    "organisation",
    "data_protection_officer",
    "goal",
    "proportionality",
    "rights",
    "objection_procedure",
    "hosting",
    "recipients",
    "processors",
    "transfers",
)
Kind = Literal["text", "list", "measures", "gauge"]
_TEXTS = (111, 112, 113, 121, 122, 123, 211, 212, 213, 214, 215, 221, 222, 223, 224, 225, 226, 227)
_OF_A_RISK: tuple[Kind, ...] = ("list", "list", "list", "measures", "gauge", "gauge")
_OF_RISKS: dict[int, Kind] = {risk * 10 + number: kind for risk in (32, 33, 34) for number, kind in enumerate(_OF_A_RISK, 1)}
_OF_CONTEXT: dict[int, Kind] = dict.fromkeys(_TEXTS, "text")
#: Every question of the tool, with the kind of its answer.
QUESTIONS = _OF_CONTEXT | _OF_RISKS


def as_json(facts: Facts, lang: Language, now: datetime) -> str:
    """The file."""
    return json.dumps(assessment(facts, lang, now), indent=2, ensure_ascii=False) + "\n"


def assessment(facts: Facts, lang: Language, now: datetime) -> dict[str, Any]:
    """What the file holds.

    Args:
        facts: Of the site.
        lang: Of its prose.
        now: When it is made; the tool shows it.
    """
    say = Say(lang)
    at = format_time(now)
    measures = list(_measures(say, facts))
    titles = [title for title, _ in measures]
    answered = dict(_answers(say, facts))

    def data(question: int, kind: Kind) -> dict[str, Any]:
        if kind == "measures":
            return {"text": "", "gauge": 0, "list": titles}
        text = answered.get(question, Markup(""))
        return {"text": text or tag("p", say.by_the_controller), "gauge": 0, "list": []}

    return {
        "pia": {
            "id": 1,
            "status": 0,
            "name": f"Parvis – {facts.site.site}",
            "category": say("Video protection and sound sensors in public space", "Capteurs d’images et de sons dans l’espace public"),
            "author_name": say.not_stated,
            "evaluator_name": say.not_stated,
            "validator_name": say.not_stated,
            "dpo_status": None,
            "dpo_opinion": None,
            "dpos_names": None,
            "people_names": None,
            "concerned_people_status": None,
            "concerned_people_opinion": None,
            "concerned_people_searched_opinion": None,
            "concerned_people_searched_content": None,
            "created_at": at,
            "updated_at": at,
        },
        "answers": [
            {"id": at_, "pia_id": 1, "reference_to": question, "data": data(question, kind), "created_at": at, "updated_at": at}
            for at_, (question, kind) in enumerate(QUESTIONS.items(), 1)
        ],
        "measures": [
            {"id": at_, "pia_id": 1, "title": title, "content": content, "placeholder": "", "created_at": at, "updated_at": at}
            for at_, (title, content) in enumerate(measures, 1)
        ],
        "evaluations": [],
        "comments": [],
        "attachments": [],
    }


def open_questions(facts: Facts, lang: Language) -> list[int]:
    """The questions that the file leaves to the controller."""
    answered = dict(_answers(Say(lang), facts))
    return [question for question, kind in QUESTIONS.items() if kind != "measures" and question not in answered]


def _answers(say: Say, facts: Facts) -> Iterator[tuple[int, Markup]]:
    """The questions whose answer follows from configuration and design, or is the controller's own words; in HTML, as the tool has it."""
    for question, made in _DERIVED.items():
        yield question, join((made(say, facts), _stated(say, facts, question)))
    for question, keys in _STATED.items():
        if question not in _DERIVED and any(facts.controller.said(key, say.lang) is not None for key in keys):
            yield question, _stated(say, facts, question)


#: Which of the controller's statements belong to which question.
_STATED: dict[int, tuple[str, ...]] = {
    111: ("goal",),
    112: ("organisation", "data_protection_officer"),
    121: ("recipients",),
    123: ("hosting",),
    211: ("goal",),
    213: ("proportionality",),
    223: ("rights",),
    224: ("rights",),
    225: ("objection_procedure",),
    226: ("processors",),
    227: ("transfers",),
}


def _stated(say: Say, facts: Facts, question: int) -> Markup:
    """What the controller says on a question, or that they have not said it."""
    parts = []
    for key in _STATED.get(question, ()):
        said = facts.controller.said(key, say.lang)
        parts.append(tag("p", tag("strong", f"{key}: "), said if said is not None else f"{say.not_stated}. {say.by_the_controller}"))
    return join(parts)


def _processing(say: Say, facts: Facts) -> Markup:
    told = [
        say.pair(f"{title_of(say, each.name)} ({sense_name(say, each.sense)}{f', {places}' if places else ''})", rule)
        for each in facts.running
        for places, rule, _ in rules_of(say, facts, each)
    ]
    return join(
        (
            tag("p", say(f"Site {facts.site.site}, on {facts.on}. It tells:", f"Site {facts.site.site}, au {facts.on}. Il signale :")),
            items(told) if told else tag("p", say("Nothing: the law allows nothing here.", "Rien : la loi n’autorise rien ici.")),
            tag("p", say("Never:", "Jamais :")),
            items(never(say)),
            tag("p", say("Configuration ", "Configuration "), facts.digest),
        )
    )


def _texts(say: Say, facts: Facts) -> Markup:
    return join((tag("p", say.not_a_claim), items(source_lines(say, facts))))


def _data(say: Say, facts: Facts) -> Markup:
    return join((tag("p", in_memory(say, facts.running)), items(kept_lines(say, facts)), tag("p", connections(say, facts))))


def _life_cycle(say: Say, facts: Facts) -> Markup:
    steps = [
        in_memory(say, facts.running),
        say(
            "Messages go to the site’s broker and wait on the unit’s disk until it has them.",
            "Les messages vont au serveur du site et attendent sur le disque de l’unité qu’il les ait reçus.",
        ),
        say(
            "The hub refuses what is not of the contract, joins the rest into incidents and keeps them with their expiry.",
            "Le concentrateur refuse ce qui n’est pas du contrat, réunit le reste en incidents et les conserve jusqu’à leur échéance.",
        ),
        say(
            "A person confirms or dismisses each incident, with a reason from a closed list.",
            "Une personne confirme ou écarte chaque incident, avec un motif d’une liste fermée.",
        ),
        say(
            "Every minute, what has expired is deleted; the accountability log says how many rows of which table.",
            "Chaque minute, ce qui est échu est supprimé ; le journal de traçabilité dit combien de lignes de quelle table.",
        ),
    ]
    return tag("ol", *(tag("li", step) for step in steps))


def _supports(say: Say, facts: Facts) -> Markup:
    named = ", ".join(f"{name} ({', '.join(sense_name(say, sense) for sense in unit.senses)})" for name, unit in facts.site.units.items())
    return items(
        (
            say(f"Units: {named}", f"Unités : {named}"),
            say(
                "An MQTT broker, a hub with one database, and the browsers of the control room.",
                "Un serveur MQTT, un concentrateur (le serveur qui réunit les messages) avec une base de données, et les"
                " navigateurs de la salle de contrôle.",
            ),
        )
    )


def _minimisation(say: Say, facts: Facts) -> Markup:
    cap = facts.law.optical_cap
    said = [
        say(
            "A message can say only what is on a closed list of measured quantities: no free text, no bytes, no identifier of a person.",
            "Un message ne peut dire que ce qui figure sur une liste fermée de grandeurs mesurées : ni texte libre, ni octets, ni"
            " identifiant d’une personne.",
        ),
        say(
            f"Counts of people below {facts.site.count_floor} are sent as “<{facts.site.count_floor}”.",
            f"Les comptages de personnes en dessous de {facts.site.count_floor} sont envoyés comme « <{facts.site.count_floor} ».",
        ),
    ]
    if cap is not None and "camera" in facts.senses:
        limit = say.number(cap.px_per_m)
        said.append(
            say(
                f"A calibrated camera that shows people in more than {limit} pixels per metre is not opened.",
                f"Une caméra étalonnée qui montre des personnes à plus de {limit} pixels par mètre n’est pas ouverte.",
            )
        )
    return items(said)


def _exactness(say: Say, facts: Facts) -> Markup:
    lines = [line for card in facts.cards for line in figures(say, card)]
    lines += [f"{card.name}: {failure}" for card in facts.cards for failure in card.known_failures]
    return join(
        (
            tag(
                "p",
                say(
                    "Every alert carries its measured value, the threshold, the model with its version, and the uncertainty of place and"
                    " time. What was measured of the models:",
                    "Chaque alerte porte sa valeur mesurée, le seuil, le modèle avec sa version, et l’incertitude du lieu et de l’heure."
                    " Ce qui a été mesuré des modèles :",
                ),
            ),
            items(lines or [say("No trained model runs.", "Aucun modèle entraîné n’est utilisé.")]),
        )
    )


def _keeping(say: Say, facts: Facts) -> Markup:
    source = facts.law.retention.source
    doubt = "" if source.verified else say(" (nobody has verified this text yet)", " (texte que personne n’a encore vérifié)")
    return join((items(kept_lines(say, facts)), tag("p", source.text + doubt)))


def _information(say: Say, facts: Facts) -> Markup:
    address = facts.controller.register_url
    return join(
        (
            tag(
                "p",
                say(
                    "A sign at the units, a public register and a monthly report, made from the running configuration; the sign’s digest"
                    " can be compared with the hub’s public status.",
                    "Un panneau près des unités, un registre public et un rapport mensuel, tirés de la configuration en service ;"
                    " l’empreinte du panneau se compare à l’état public du concentrateur.",
                ),
            ),
            tag("p", address if address is not None else f"register_url: {say.not_stated}. {say.by_the_controller}"),
        )
    )


def _consent(say: Say, facts: Facts) -> Markup:
    if facts.runs("tag.sighting"):
        return tag(
            "p",
            say(
                "Only those who asked for a route and wear a printed tag; they can withdraw at any time. It covers nobody else in the"
                " picture.",
                "Seulement les personnes qui ont demandé un parcours et portent une balise imprimée ; ils peuvent retirer leur"
                " consentement à tout moment. Il ne vaut"
                " pour personne d’autre dans l’image.",
            ),
        )
    return tag(
        "p", say("No tags are read: nothing here rests on consent.", "Aucune balise n’est lue : rien ne repose ici sur le consentement.")
    )


_DERIVED: dict[int, Callable[[Say, Facts], Markup]] = {
    111: _processing,
    113: _texts,
    121: _data,
    122: _life_cycle,
    123: _supports,
    212: _texts,
    213: _minimisation,
    214: _exactness,
    215: _keeping,
    221: _information,
    222: _consent,
}


def _measures(say: Say, facts: Facts) -> Iterator[tuple[str, str]]:
    """What is built against the risks; measures that somebody takes by hand are the controller's to add."""
    yield (
        say("Nothing to take: pictures and sound stay in memory", "Rien à prendre : images et sons restent en mémoire"),
        in_memory(say, facts.running),
    )
    yield (
        say("Closed messages", "Messages à contenu fermé"),
        say(
            "The unit before sending and the hub on receipt refuse what is not of the contract, and repeat nothing of it.",
            "L’unité avant l’envoi et le concentrateur à la réception refusent ce qui n’est pas du contrat, et n’en répètent rien.",
        ),
    )
    yield (
        say("Deletion by itself", "Suppression automatique"),
        "; ".join(kept_lines(say, facts)),
    )
    yield (
        say("Accountability log", "Journal de traçabilité"),
        say(
            "Decisions, views of pictures, starts and deletions are in a chain of digests that shows when it has been altered.",
            "Décisions, consultations d’images, démarrages et suppressions figurent dans une chaîne d’empreintes qui montre si elle a été"
            " altérée.",
        ),
    )
    yield (
        say("Nothing lost", "Aucune perte"),
        say(
            "A message is acknowledged only when it is on disk; the store can be backed up while it is used.",
            "Un message n’est acquitté qu’une fois sur disque ; la base peut être sauvegardée en service.",
        ),
    )
    yield (
        say("The law as a file", "Le cadre légal sous forme de fichier"),
        say(
            f"Nothing starts that the profile {facts.law.name} does not allow, nor after {facts.law.valid_to}.",
            f"Rien ne démarre sans que le profil {facts.law.name} l’autorise, ni après le {facts.law.valid_to}.",
        ),
    )
