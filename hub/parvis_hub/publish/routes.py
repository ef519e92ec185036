"""Does what follows from the register of consents: ends what is over, keeps the units' lists to it, publishes routes and clears them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from parvis_contract import ConfigError, Envelope, LocalMap, Route, Site, TagSighting, dump_message, format_time, route_topic, to_datetime
from parvis_contract.signing import SigningKey

from parvis_hub.consent.consents import Consent, Status
from parvis_hub.consent.export import to_geojson, to_gpx
from parvis_hub.consent.router import Router
from parvis_hub.consent.walkways import load_walkways
from parvis_hub.governance import ExportFormat
from parvis_hub.intake import Broker
from parvis_hub.store import ConsentStore, NotIssued, Store, follow_register

#: How often it is looked whether something has changed.
LOOK_S = 2.0
#: Routes are told anew no sooner than so many times as long as the last time took: a site with much traffic has them less often, and the
#: hub has its processor for other things.
REST = 5.0

log = structlog.get_logger("parvis.hub.routes")


@dataclass(frozen=True, slots=True)
class Told:
    """A participant's route as it is now.

    Attributes:
        consent: Under which consent.
        route: None while nothing has been seen.
        sightings: What it rests on, those that it refuses among them.
        damaged: Numbers of rows that were kept and can no longer be read; the route is told of the rest.
    """

    consent: Consent
    route: Envelope[Route] | None
    sightings: list[Envelope[TagSighting]]
    damaged: tuple[int, ...] = ()


def routes_now(site: Site, consents: ConsentStore, register: list[Consent]) -> dict[str, Told]:
    """The routes of all whose consent is in force, by participant: how one walks shows which ways others can have taken unseen.

    Raises:
        sqlalchemy.exc.SQLAlchemyError: The store cannot be used.
        ConfigError: The walkways cannot be read.
    """
    active = {consent.tag: consent for consent in register if consent.status is Status.ACTIVE}
    if not active:
        return {}
    router = Router(site, active) if site.walkways is not None else None
    seen = {consent.id: consents.sightings(consent.id) for consent in active.values()}
    routes: dict[int, Envelope[Route]] = {}
    if router is not None:
        for opened in seen.values():
            for message in opened.messages:
                router.add(message)
        routes = {message.data.tag: message for message in router.routes()}
    return {
        consent.participant: Told(consent, routes.get(tag), seen[consent.id].messages, seen[consent.id].damaged)
        for tag, consent in active.items()
    }


def route_of(site: Site, consents: ConsentStore, participant: str) -> Told:
    """Somebody's route as it is now.

    Raises:
        UnknownParticipant: They are not enrolled.
        sqlalchemy.exc.SQLAlchemyError: The store cannot be used.
        ConfigError: The walkways cannot be read.
    """
    consent = consents.of(participant)
    return routes_now(site, consents, consents.all()).get(participant) or Told(consent, None, [])


def exported(site: Site, consents: ConsentStore, participant: str, format: ExportFormat, by: str) -> str:
    """Somebody's route and the sightings that it rests on as a file; that it was given away is recorded before.

    Raises:
        As :func:`route_of`; and pydantic.ValidationError: `by` is not a Name.
    """
    told = route_of(site, consents, participant)
    consents.exported(told.consent.id, format, by)
    if format is ExportFormat.GPX:
        return to_gpx(told.route, told.sightings, participant)
    return to_geojson(told.route, told.sightings, _lines(site))


def _lines(site: Site) -> dict[str, list[tuple[float, float]]]:
    """The walkways in degrees, by name."""
    if site.walkways is None:
        return {}
    plane = LocalMap.around(site.origin)
    lines: dict[str, list[tuple[float, float]]] = {}
    for stretch in load_walkways(site.path.parent / site.walkways, plane).stretches:
        # In order along each walkway; one begins where the one before ends.
        line = lines.setdefault(stretch.walkway, [])
        line += [_degrees(plane, *place) for place in list(stretch.line.coords)[1 if line else 0 :]]
    return lines


def _degrees(plane: LocalMap, x_m: float, y_m: float) -> tuple[float, float]:
    lon, lat = plane.to_deg(x_m, y_m)
    return round(lon, 7), round(lat, 7)


class RouteKeeper:
    """Between register and broker; for one thread.

    Args:
        site: The site plan.
        store: The hub's.
        broker: Whom to give routes to.
        key: With which lists are signed; without one, lists are issued by hand.
        now_us: Microseconds since 1970.
    """

    def __init__(self, site: Site, store: Store, broker: Broker, key: SigningKey | None, now_us: Callable[[], int]) -> None:
        self._site, self._store, self._broker, self._key, self._now_us = site, store, broker, key, now_us
        self._state: object = None
        #: By participant: under which consent, and what the broker is to retain.
        self._wanted: dict[str, tuple[str, bytes]] = {}
        self._sent: dict[str, bytes] = {}
        self._connections = 0
        self._rested_s = 0.0
        self._not_issued = ""
        #: By consent, the rows that cannot be read, as it was said last.
        self._damaged: dict[str, tuple[int, ...]] = {}

    def turn(self) -> None:
        """Does what is to be done now.

        Raises:
            sqlalchemy.exc.SQLAlchemyError: The store cannot be used; nothing is lost, call again.
            OSError: A key cannot be destroyed; call again.
        """
        for receipt in self._store.consents.expire():
            log.info("a consent has ended by itself", consent=receipt.consent, sightings_deleted=receipt.sightings)
        register = self._store.consents.all()
        self._keep_lists(register)
        self._tell(register)
        # Telling takes its time, and somebody may have withdrawn meanwhile.
        self._clear(self._store.consents.all())
        self._publish()

    def _keep_lists(self, register: list[Consent]) -> None:
        if self._key is None:
            return
        try:
            issued = follow_register(self._store.database, self._site, self._key, register, to_datetime(self._now_us() / 1e6))
        except NotIssued as error:
            # Once, and not with every turn.
            if self._not_issued != str(error):
                log.warning("the units' lists cannot follow the register", reason=str(error))
            self._not_issued = str(error)
            return
        self._not_issued = ""
        for command in issued:
            log.info("a list follows the register", unit=command.unit, tags=len(command.tags), until=format_time(command.expires))

    def _tell(self, register: list[Consent]) -> None:
        state = (sorted((consent.id, consent.status) for consent in register), self._store.consents.state())
        started_s = time.monotonic()
        if state == self._state or started_s < self._rested_s:
            return
        told = self._routes(register)
        for participant, each in told.items():
            if each.damaged and self._damaged.get(each.consent.id) != each.damaged:
                log.warning("sightings cannot be read: they were altered", consent=each.consent.id, rows=list(each.damaged))
                self._damaged[each.consent.id] = each.damaged
            self._wanted[participant] = each.consent.id, dump_message(each.route) if each.route else b""
        self._state = state
        self._rested_s = time.monotonic() + REST * (time.monotonic() - started_s)

    def _routes(self, register: list[Consent]) -> dict[str, Told]:
        """The routes; none where walkways cannot be read, which must not end the hub."""
        try:
            return routes_now(self._site, self._store.consents, register)
        except ConfigError as error:
            log.warning("no route can be told", reason=str(error))
            return {}

    def _clear(self, register: list[Consent]) -> None:
        """What was told under a consent that is no more is gone at once, whether or not the participant has another."""
        standing = {consent.participant: consent.id for consent in register if consent.status is Status.ACTIVE}
        for participant in {consent.participant for consent in register} | self._wanted.keys():
            consent = standing.get(participant, "")
            if participant not in self._wanted or self._wanted[participant][0] != consent:
                self._wanted[participant] = consent, b""

    def _publish(self) -> None:
        if not self._broker.connected.is_set():
            return
        if self._broker.connections > self._connections:
            # It may have lost what it retained, or hold what it should not.
            self._connections, self._sent = self._broker.connections, {}
        for participant, (_, payload) in self._wanted.items():
            if self._sent.get(participant) != payload:
                self._broker.publish(route_topic(self._site.site, participant), payload, retain=True)
                self._sent[participant] = payload
