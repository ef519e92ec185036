"""What a site's papers speak of, derived from its plan, its profile and the models' cards: what runs where, and from when on. Pure.

What a unit judges is decided by the unit (`parvis_edge.analysers`); the same rules are told here from what hub and unit both read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from parvis_contract import EVENT_TYPES, Site
from parvis_contract.card import Card, ImageInput
from parvis_contract.profile import ALSO_NAMED, Profile, Sense, Source
from parvis_contract.site import Asset, Lane, NoiseZone, Zone

from parvis_hub.governance.entry import canonical, digest_of_configuration

from .controller import Controller

_ZONES = {
    "object.unattended": "watched",
    "zone.intrusion": "closed",
    "person.on_ground": "walked",
    "crowd.density": "crowd",
    "crowd.surge": "crowd",
    "sound.level": "noise",
}
_ASSETS = {"furniture.changed": "furniture", "surface.marked": "surface"}
#: Told of a whole sense, wherever it is.
_EVERYWHERE = frozenset({"sound.impulse", "sound.alarm", "unit.tampered"})
#: Told without a model that was trained.
WITHOUT_DETECTOR = frozenset({"unit.tampered", "tag.sighting"})
_HEARD_BY_MODEL = frozenset({"sound.impulse", "sound.alarm"})
SENSES: tuple[Sense, ...] = ("camera", "microphone")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a type is told.

    Attributes:
        name: Of the zone, lane or asset; empty for all that a unit sees or hears.
        plan: It, as the site plan has it; None likewise.
        units: Which units may judge it.
    """

    name: str
    plan: Zone | Lane | Asset | None
    units: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Running:
    """A type that is sensed on this site.

    Attributes:
        name: Its short name.
        sense: With what.
        places: Where.
    """

    name: str
    sense: Sense
    places: tuple[Place, ...]

    @property
    def units(self) -> tuple[str, ...]:
        """Every unit that may tell it."""
        return tuple(sorted({unit for place in self.places for unit in place.units}))


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the papers are made of, but what happened.

    Attributes:
        site: The site plan, under its profile.
        on: The day for which it holds.
        controller: What the controller says.
        running: What is sensed, in the order of the closed list; empty if the law allows nothing on that day.
        cards: Of the models that this needs.
        digest: SHA-256 of plan, profile and what the controller says, in hexadecimal.
    """

    site: Site
    on: date
    controller: Controller
    running: tuple[Running, ...]
    cards: tuple[Card, ...]
    digest: str

    @property
    def law(self) -> Profile:
        """The legal profile."""
        return self.site.law

    @property
    def in_force(self) -> bool:
        """True if the profile is, on that day."""
        return self.law.valid_from <= self.on <= self.law.valid_to

    @property
    def senses(self) -> tuple[Sense, ...]:
        """What something is sensed with."""
        return tuple(sense for sense in SENSES if any(each.sense == sense for each in self.running))

    def units(self, sense: Sense | None = None) -> tuple[str, ...]:
        """The units at which something is sensed, with one sense if given."""
        return tuple(sorted({unit for each in self.running if sense in {None, each.sense} for unit in each.units}))

    def at(self, unit: str) -> tuple[Running, ...]:
        """What one unit senses, and where."""
        found = (Running(each.name, each.sense, tuple(place for place in each.places if unit in place.units)) for each in self.running)
        return tuple(each for each in found if each.places)

    def runs(self, *names: str) -> bool:
        """True if any of these types is sensed."""
        return any(each.name in names for each in self.running)

    @property
    def sources(self) -> tuple[Source, ...]:
        """The texts that what runs rests on: the profile's basis, and the rule of each sense that something is sensed with."""
        rules = [rule.source for sense in self.senses if (rule := getattr(self.law, sense)) is not None]
        return tuple(dict.fromkeys((self.law.basis, *rules)))


def gather(site: Site, controller: Controller, cards: Iterable[Card], on: date) -> Facts:
    """Puts together what the papers speak of.

    Args:
        site: The site plan, under its profile.
        controller: What the controller says.
        cards: Of every model there is.
        on: For which day: what a profile allows ends.
    """
    running = tuple(_running(site, on))
    return Facts(site, on, controller, running, tuple(_cards(running, cards)), configuration_digest(site, controller))


def configuration_digest(site: Site, controller: Controller) -> str:
    """SHA-256 of all that the papers are made from; spaces and comments of the files do not matter."""
    log = digest_of_configuration(site)
    whole = {"site": log.site, "profile": log.profile, "controller": controller.model_dump(mode="json")}
    return hashlib.sha256(canonical(whole).encode()).hexdigest()


def _running(site: Site, on: date) -> Iterator[Running]:
    # A profile for recordings alone allows nothing live; what is told then is told of recordings.
    allowed = {sense: site.law.permitted(sense, on=on, recorded=site.law.recorded_only) for sense in SENSES}
    for name in (*EVENT_TYPES, *ALSO_NAMED):
        for sense in SENSES:
            if name in allowed[sense] and (places := tuple(_places(site, sense, name))):
                yield Running(name, sense, places)


def _places(site: Site, sense: Sense, name: str) -> Iterator[Place]:
    having = tuple(sorted(unit for unit, plan in site.units.items() if sense in plan.senses))
    if not having or (sense == "camera" and site.blind and name != "tag.sighting"):
        return
    if name in _EVERYWHERE or (name == "tag.sighting" and site.tags is not None and (site.law.name == "lab" or site.hub_keys)):
        yield Place("", None, having)
    for key, plan in _drawn(site, sense, name):
        # What is drawn on the map is seen where the ground plane is known; what is drawn in a picture is that unit's.
        units = (plan.unit,) if plan.unit is not None else tuple(unit for unit in having if site.units[unit].ground_plane is not None)
        if seen := tuple(unit for unit in units if unit in having):
            yield Place(key, plan, seen)


def _drawn(site: Site, sense: Sense, name: str) -> Iterator[tuple[str, Zone | Lane | Asset]]:
    if name == "traffic.wrong_way":
        yield from site.lanes.items()
    elif name in _ASSETS:
        yield from ((key, asset) for key, asset in site.assets.items() if asset.kind == _ASSETS[name])
    elif name in _ZONES:
        yield from ((key, zone) for key, zone in site.zones.items() if zone.kind == _ZONES[name])
    elif name in {"level.unusual", "flow.count"}:
        for key, zone in site.zones.items():
            heard = isinstance(zone, NoiseZone)
            if heard == (sense == "microphone") and (name == "flow.count" or zone.unusual is not None):
                yield key, zone


def _cards(running: Iterable[Running], cards: Iterable[Card]) -> Iterator[Card]:
    sees = any(each.sense == "camera" and each.name not in WITHOUT_DETECTOR for each in running)
    hears = any(each.name in _HEARD_BY_MODEL for each in running)
    newest: dict[str, Card] = {}
    for card in cards:
        known = newest.get(card.name)
        if known is None or _version(card) > _version(known):
            newest[card.name] = card
    yield from (card for card in newest.values() if (sees if isinstance(card.input, ImageInput) else hears))


def _version(card: Card) -> list[int]:
    return [int(part) for part in card.version.split(".")]
