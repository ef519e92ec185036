"""Says in English and in French what all papers say: what is sensed from when on, for how long it is kept, and what is never done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from parvis_contract import AlarmClass, ImpulseClass, Site
from parvis_contract.card import Card
from parvis_contract.profile import Sense
from parvis_contract.site import Asset, CrowdZone, Lane, NoiseZone, WatchedZone

from parvis_hub.feeds.words import TITLES

from .controller import Language
from .facts import Facts, Place, Running

#: The unit's own figures where the site plan gives no `least_fraction` (see the site plan's `assets`).
_LEAST_FRACTION = {"furniture": 0.25, "surface": 0.005}
#: Types of which one picture of the scene without people may be sent.
OF_THINGS = ("object.unattended", "furniture.changed", "surface.marked")
_SOUNDS_FR = {
    ImpulseClass.GUNSHOT: "coup de feu",
    ImpulseClass.EXPLOSION: "explosion",
    ImpulseClass.GLASS_BREAKING: "bris de verre",
    ImpulseClass.FIREWORK: "feu d’artifice",
    ImpulseClass.CRASH: "choc",
    AlarmClass.SIREN: "sirène",
    AlarmClass.FIRE_ALARM: "alarme incendie",
    AlarmClass.VEHICLE_HORN: "avertisseur de véhicule",
}


class Say:
    """Chooses between what is written in both languages, and writes numbers as each does."""

    def __init__(self, lang: Language) -> None:
        self.lang: Language = lang

    def __call__(self, en: str, fr: str) -> str:
        """The one of the paper's language."""
        return fr if self.lang == "fr" else en

    def number(self, value: float, digits: int | None = None) -> str:
        """A number with the language's decimal sign."""
        text = f"{value:g}" if digits is None else f"{value:.{digits}f}"
        return text.replace(".", ",") if self.lang == "fr" else text

    def percent(self, share: float, digits: int = 1) -> str:
        """A share as a percentage."""
        return self.number(100.0 * share, digits) + " %"

    def numbers(self, values: tuple[float, ...]) -> str:
        """Several numbers, as a choice."""
        said = [self.number(value) for value in values]
        return said[0] if len(said) == 1 else ("; " if self.lang == "fr" else ", ").join(said[:-1]) + self(" or ", " ou ") + said[-1]

    def hours(self, hours: float) -> str:
        """A time of keeping: hours, and days where they are whole."""
        days = f" ({self.number(hours / 24)} {self('days', 'jours')})" if hours > 24 and hours % 24 == 0 else ""
        return f"{self.number(hours)} h{days}"

    def pair(self, what: str, said: str) -> str:
        """Something, a colon, and what is said of it."""
        return what + self(": ", " : ") + said

    @property
    def not_stated(self) -> str:
        """In place of what only the controller knows and has not said."""
        return self("not stated", "non indiqué")

    @property
    def not_a_claim(self) -> str:
        """Before the texts that a profile names."""
        return self(
            "The texts that the legal profile names, as far as they were read; no legal advice.",
            "Les textes que nomme le profil juridique, en anglais, tels qu’ils ont été lus ; ceci n’est pas un avis juridique.",
        )

    @property
    def by_the_controller(self) -> str:
        """In place of an answer that does not follow from the configuration."""
        return self("To be answered by the controller.", "À compléter par le responsable du traitement.")


def title_of(say: Say, name: str) -> str:
    """What a type is called."""
    also = {
        "flow.count": say("Counts of people and vehicles", "Comptages de personnes et de véhicules"),
        "tag.sighting": say("Tags of people who asked for it", "Balises de personnes qui l’ont demandé"),
    }
    return also.get(name) or TITLES[say.lang][name]


def sense_name(say: Say, sense: Sense) -> str:
    """What senses."""
    return say("camera", "caméra") if sense == "camera" else say("microphone", "microphone")


def sound_name(say: Say, sound: ImpulseClass | AlarmClass) -> str:
    """What a listed sound is called."""
    return _SOUNDS_FR[sound] if say.lang == "fr" else sound.value.replace("_", " ")


def threshold(say: Say, running: Running, place: Place, site: Site) -> str:
    """From when on a type is told in one place: what is measured, and the threshold as the site plan has it."""
    plan, n = place.plan, say.number
    name = running.name
    if name == "object.unattended" and isinstance(plan, WatchedZone):
        return say(
            f"a thing that was not there has stayed still for {n(plan.dwell_s)} s, nobody near it",
            f"une chose qui n’était pas là reste immobile depuis {n(plan.dwell_s)} s, sans personne auprès",
        )
    if isinstance(plan, Asset):
        share = say.percent(plan.least_fraction or _LEAST_FRACTION[plan.kind], 1)
        return say(
            f"at least {share} of it has been changed for {n(plan.after_s)} s, nobody before it",
            f"au moins {share} en est modifié depuis {n(plan.after_s)} s, sans personne devant",
        )
    if name == "crowd.density" and isinstance(plan, CrowdZone):
        steps = say.numbers(plan.density_steps_p_m2)
        return say(f"more than {steps} people per m²", f"plus de {steps} personnes par m²")
    if name == "crowd.surge" and isinstance(plan, CrowdZone):
        share, speed = say.percent(plan.surge_share, 0), n(plan.surge_speed_m_s)
        return say(
            f"{plan.surge_people} people or more, and {share} of those there, move at {speed} m/s or faster",
            f"{plan.surge_people} personnes ou plus, et {share} des présents, se déplacent à {speed} m/s ou plus",
        )
    if name == "zone.intrusion":
        after = n(getattr(plan, "after_s", 0.0))
        return say(
            f"a person, a bicycle or a vehicle is in the closed zone for {after} s",
            f"une personne, un vélo ou un véhicule se trouve dans la zone fermée depuis {after} s",
        )
    if name == "person.on_ground":
        after = n(getattr(plan, "after_s", 0.0))
        return say(
            f"somebody has been lying still for {after} s where people walk",
            f"quelqu’un est allongé, immobile, depuis {after} s là où l’on marche",
        )
    if isinstance(plan, Lane):
        drawn = say("drawn in the picture", "tracé dans l’image") if plan.heading_deg is None else f"{n(plan.heading_deg)}°"
        return say(f"a vehicle drives against the lane’s direction ({drawn})", f"un véhicule roule contre le sens de la voie ({drawn})")
    if name == "sound.level" and isinstance(plan, NoiseZone):
        return say(
            f"LAeq over {n(plan.period_s)} s is above {n(plan.limit_db)} dB",
            f"le LAeq sur {n(plan.period_s)} s dépasse {n(plan.limit_db)} dB",
        )
    return _without_limit(say, name, place, site)


def _without_limit(say: Say, name: str, place: Place, site: Site) -> str:
    if name == "level.unusual":
        usual = getattr(place.plan, "unusual", None)
        z, weeks = (say.number(usual.z_score), usual.learn_weeks) if usual else ("", 0)
        of = say("the noise level", "le niveau sonore") if isinstance(place.plan, NoiseZone) else say("the number there", "l’effectif")
        return say(
            f"{of} is {z} spreads from what this hour of the week has been, learnt over {weeks} weeks or more",
            f"{of} s’écarte de {z} écarts types robustes de l’habitude de cette heure de la semaine, apprise sur {weeks} semaines ou plus",
        )
    if name in {"sound.impulse", "sound.alarm"}:
        listed: type[ImpulseClass | AlarmClass] = ImpulseClass if name == "sound.impulse" else AlarmClass
        sounds = ", ".join(sound_name(say, sound) for sound in listed)
        return say(f"a sound of one of these classes and no other: {sounds}", f"un son d’une de ces classes et d’aucune autre : {sounds}")
    if name == "flow.count":
        return say(
            f"how many people, bicycles and vehicles there are; below {site.count_floor}, only “<{site.count_floor}” is said",
            f"combien de personnes, de vélos et de véhicules ; en dessous de {site.count_floor}, seul « <{site.count_floor} » est dit",
        )
    if name == "tag.sighting":
        return say(
            "a printed tag of the signed list, worn by somebody who asked for a route; any other tag is dropped in memory",
            "une balise imprimée de la liste signée, portée par une personne qui a demandé un parcours ; toute autre balise est"
            " aussitôt oubliée",
        )
    return say(
        "the unit can no longer see or hear what it should: covered, moved, defocused, dark, frozen or silent",
        "l’unité ne voit ou n’entend plus ce qu’elle doit : couverte, déplacée, floue, dans le noir, figée ou muette",
    )


def rules_of(say: Say, facts: Facts, running: Running) -> Iterator[tuple[str, str, str]]:
    """Where a type is told, from when on, and by which units; places that have the same threshold together."""
    by_rule: dict[str, list[Place]] = {}
    for place in running.places:
        by_rule.setdefault(threshold(say, running, place, facts.site), []).append(place)
    for rule, places in by_rule.items():
        units = sorted({unit for place in places for unit in place.units})
        yield ", ".join(place.name for place in places if place.name), rule, ", ".join(units)


def in_memory(say: Say, running: Iterable[Running]) -> str:
    """What becomes of pictures and sound, and what leaves a unit."""
    if any(each.name in OF_THINGS for each in running):
        return say(
            "Pictures and sound are judged in the unit’s memory within seconds and forgotten. What leaves it are typed messages of measured"
            " values, and of a thing that was left, changed or marked one picture of the scene without people.",
            "Images et sons sont jugés en quelques secondes dans la mémoire de l’unité, puis oubliés. N’en sortent que des messages typés"
            " de valeurs mesurées et, d’une chose laissée, modifiée ou marquée, une image de la scène sans personne.",
        )
    return say(
        "Pictures and sound are judged in the unit’s memory within seconds and forgotten; only typed messages of measured values leave it.",
        "Images et sons sont jugés en quelques secondes dans la mémoire de l’unité, puis oubliés ; seuls des messages typés de valeurs"
        " mesurées en sortent.",
    )


def never(say: Say) -> tuple[str, ...]:
    """What the program cannot do, behind any switch."""
    return (
        say(
            "recognition or comparison of faces, gaits, silhouettes, clothing or any other appearance",
            "reconnaissance ou comparaison de visages, de démarches, de silhouettes, de vêtements ou de toute autre apparence",
        ),
        say("following anybody from one camera to another", "suivi d’une personne d’une caméra à l’autre"),
        say("search by photo or description", "recherche par photo ou par description"),
        say("scoring of behaviour", "notation des comportements"),
        say("recognition of speech or of speakers; number plates", "reconnaissance de la parole ou des voix ; plaques d’immatriculation"),
        say("recording of video or sound, on the unit or at the hub", "enregistrement d’image ou de son, dans l’unité ou au concentrateur"),
    )


def retention(say: Say, facts: Facts) -> tuple[tuple[str, str], ...]:
    """What is kept, and for how long."""
    keep = facts.law.retention
    rows = [
        (
            say("pictures and sound", "images et sons"),
            say("not kept: seconds, in the unit’s memory", "non conservés : quelques secondes, dans la mémoire de l’unité"),
        ),
        (say("messages of events", "messages d’événements"), say.hours(keep.events_h)),
        (say("incidents and decisions", "incidents et décisions"), say.hours(keep.incidents_h)),
    ]
    if facts.runs(*OF_THINGS):
        rows.append(
            (say("pictures of the empty scene (evidence plates)", "images de la scène vide (planches)"), say.hours(keep.evidence_h))
        )
    if facts.runs("tag.sighting"):
        rows.append((say("sightings of tags, by consent", "passages de balises, sur consentement"), say.hours(keep.sightings_h)))
        register = say("register of consents: who asked for a route", "registre des consentements : qui a demandé un parcours")
        rows.append((register, say("while it runs, then ", "tant qu’il court, puis ") + say.hours(keep.audit_h)))
    rows.append((say("accountability log and monthly counts", "journal de traçabilité et comptes mensuels"), say.hours(keep.audit_h)))
    return tuple(rows)


def kept_lines(say: Say, facts: Facts) -> list[str]:
    """The same, a line each."""
    return [say.pair(what, how_long) for what, how_long in retention(say, facts)]


def figures(say: Say, card: Card) -> Iterator[str]:
    """What a card says that was measured, class by class."""
    if card.accuracy is None:
        yield say(f"{card.name} {card.version}: not measured", f"{card.name} {card.version} : non mesuré")
        return
    yield say.pair(f"{card.name} {card.version}", f"{card.accuracy.data} ({card.accuracy.metric})")
    for label, found in card.accuracy.classes.items():
        said = [say(f"{found.examples} examples", f"{found.examples} exemples")]
        if found.precision_int8 is not None:
            said.append(say("precision ", "précision ") + say.percent(found.precision_int8 / 100))
        if found.recall_int8 is not None:
            said.append(say("recall ", "rappel ") + say.percent(found.recall_int8 / 100))
        if found.false_alarms_per_hour_int8 is not None:
            rate = say.number(found.false_alarms_per_hour_int8)
            said.append(say(f"{rate} false alarms per hour of that material", f"{rate} fausses alertes par heure de ces enregistrements"))
        yield say.pair(label, ", ".join(said))
