"""The sign for the street, one A4 page in both languages, with the categories of DTPR. Pure.

Categories and element identifiers: Digital Trust for Places and Routines, https://dtpr.io, by Helpful Places, CC BY 4.0; named on the
sign. Its icons are not used: the shapes here are our own.
"""

from __future__ import annotations

from collections.abc import Iterator

import segno
from parvis_contract.profile import Sense

from .controller import Language
from .facts import WITHOUT_DETECTOR, Facts, Running
from .page import Markup, document, items, tag
from .words import Say, in_memory, kept_lines, never, sense_name, title_of

#: What the controller has to say for the sign.
NEEDED = ("organisation", "contact_email", "data_protection_officer", "goal", "hosting", "recipients", "register_url")
#: DTPR's identifiers for the purposes of types.
_PURPOSES = {
    "sound.level": "ecology",
    "flow.count": "planning_decision_making",
    "traffic.wrong_way": "mobility",
    "tag.sighting": "mobility",
}
_ATTRIBUTION = "Categories: DTPR (dtpr.io), Helpful Places, CC BY 4.0"


def as_sign(facts: Facts, lang: Language, *, unit: str | None = None, stylesheet: str | None = None) -> str:
    """The sign, in both languages side by side.

    Args:
        facts: Of the site.
        lang: The language that stands first.
        unit: The unit beside which it hangs; None for the whole site.
        stylesheet: See :func:`parvis_hub.papers.page.document`.

    Raises:
        KeyError: The site plan has no such unit.
    """
    running = facts.running if unit is None else facts.at(_known(facts, unit))
    order: tuple[Language, Language] = ("en", "fr") if lang == "en" else ("fr", "en")
    columns = [tag("section", *_column(Say(each), facts, running), lang=each) for each in order]
    title = f"{facts.site.site}{f' – {unit}' if unit else ''}"
    head = tag("p", *(_shape(sense) for sense in facts.senses if any(each.sense == sense for each in running)))
    return document(
        lang, title, tag("div", head, tag("div", *columns, class_="columns"), _foot(facts), class_="sign"), stylesheet=stylesheet
    )


def _known(facts: Facts, unit: str) -> str:
    if unit not in facts.site.units:
        raise KeyError(f"no unit {unit}; the site plan has {', '.join(sorted(facts.site.units))}")
    return unit


def _column(say: Say, facts: Facts, running: tuple[Running, ...]) -> Iterator[Markup]:
    senses: list[Sense] = [sense for sense in facts.senses if any(each.sense == sense for each in running)]
    named = say(" and ", " et ").join(sense_name(say, sense) for sense in senses)
    if senses:
        yield tag("h1", say(f"Sensed here: {named}", f"Capteurs ici : {named}"))
    else:
        yield tag("h1", say("Nothing is sensed here", "Rien n’est capté ici"))
    yield tag("p", say("Incidents, not people.", "Des incidents, pas des personnes."))
    told = facts.controller.said
    yield _part(say("Purpose", "Finalité"), _purposes(running), _said(say, told("goal", say.lang)))
    yield _part(say("Technology", "Technologie"), _technologies(running), named or "–")
    yield _part(say("Data: measured values of", "Données : valeurs mesurées de"), (), items(_data(say, running)))
    yield _part(
        say("Process", "Traitement"),
        ("computer_vision",) if any(each.sense == "camera" for each in running) else (),
        in_memory(say, running) + say(" A person decides on every alert.", " La décision sur chaque alerte revient à une personne."),
        tag("p", tag("strong", say("Never: ", "Jamais : ")), "; ".join(never(say)), "."),
    )
    yield _part(
        say("Access", "Accès"),
        ("available_to_the_accountable_organization",),
        say("The control room. Besides: ", "La salle de contrôle. En outre : "),
        _said(say, told("recipients", say.lang)),
    )
    yield _part(say("Storage", "Stockage"), (), _said(say, told("hosting", say.lang)))
    yield _part(say("Retention", "Conservation"), ("data_retained",), items(kept_lines(say, facts)))
    yield _part(
        say("Accountable", "Responsable"),
        ("organization",),
        _said(say, told("organisation", say.lang)),
        " – ",
        _said(say, told("contact_email", say.lang)),
        say("; data protection officer: ", " ; délégué à la protection des données : "),
        _said(say, told("data_protection_officer", say.lang)),
    )


def _part(title: str, elements: tuple[str, ...], *said: str) -> Markup:
    return tag("div", tag("h2", title, " ", tag("span", " ".join(elements), class_="note")), *said)


def _said(say: Say, value: str | None) -> Markup:
    return tag("span", value) if value is not None else tag("span", say.not_stated, class_="missing")


def _purposes(running: tuple[Running, ...]) -> tuple[str, ...]:
    return tuple(sorted({_PURPOSES.get(each.name, "safety_security") for each in running if each.name != "unit.tampered"}))


def _technologies(running: tuple[Running, ...]) -> tuple[str, ...]:
    """A camera makes no footage here: it detects. A microphone that tells levels alone is a meter of them."""
    heard = {each.name for each in running if each.sense == "microphone"} - {"unit.tampered"}
    found = ["person_detection"] if any(each.sense == "camera" and each.name not in WITHOUT_DETECTOR for each in running) else []
    if heard:
        found.append("sound_level_meter" if heard <= {"sound.level", "level.unusual"} else "microphone")
    return tuple(found)


def _data(say: Say, running: tuple[Running, ...]) -> Iterator[str]:
    """What is told, by its name alone: a sign is read in passing, and the register that it leads to has the thresholds."""
    yield from dict.fromkeys(title_of(say, each.name) for each in running)


def _foot(facts: Facts) -> Markup:
    address = facts.controller.register_url
    code = Markup(segno.make(address, error="m").svg_inline(scale=3)) if address else Markup("")
    where = tag("p", tag("strong", address)) if address else tag("p", Say("en").not_stated + " / " + Say("fr").not_stated, class_="missing")
    short = " ".join(facts.digest[at : at + 8] for at in range(0, 64, 8))
    words = tag(
        "div",
        tag("p", "More, and whether this sign is up to date / En savoir plus, et vérifier que ce panneau est à jour :"),
        where,
        tag("p", "Configuration ", tag("code", short), f" ({facts.on.isoformat()})"),
        tag("p", _ATTRIBUTION, class_="note"),
    )
    return tag("div", code, words, class_="foot")


def _shape(sense: Sense) -> Markup:
    """A shape of our own for each sense: a lens, a capsule."""
    drawn = {
        "camera": '<rect x="6" y="14" width="52" height="36" rx="4" fill="#111"/><circle cx="32" cy="32" r="13" fill="#fff"/>'
        '<circle cx="32" cy="32" r="7" fill="#111"/>',
        "microphone": '<rect x="22" y="6" width="20" height="34" rx="10" fill="#111"/>'
        '<path d="M14 30v2a18 18 0 0 0 36 0v-2M32 50v8M22 58h20" fill="none" stroke="#111" stroke-width="5"/>',
    }[sense]
    return Markup(f'<svg width="56" height="56" viewBox="0 0 64 64" aria-hidden="true">{drawn}</svg>')
