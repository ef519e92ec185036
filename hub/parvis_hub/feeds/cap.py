"""Alerts in the Common Alerting Protocol 1.2 (OASIS, 1 July 2010), and the Atom feed that lists them. Pure.

Only what a person has confirmed becomes an alert. `urgency` and `severity` are `Unknown` always: how much an incident matters is for
whoever reads it to decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from parvis_contract import Incident, Site, format_time, hub_source, to_datetime

from parvis_hub.store import Alert, AlertKind

from .words import CATEGORIES, TITLES

CAP = "urn:oasis:names:tc:emergency:cap:1.2"
ATOM = "http://www.w3.org/2005/Atom"
#: After this an alert says nothing any more, if no update has come.
VALID_H = 24.0
#: An area is drawn so much larger than one sigma: 95 % of a two-dimensional error.
SIGMAS = 2.45
_LANGUAGES = {"en": "en-GB", "fr": "fr-FR"}
_PLACE = {
    "en": "within {radius_m:.0f} m of {lat:.5f}, {lon:.5f}",
    "fr": "à moins de {radius_m:.0f} m de {lat:.5f}, {lon:.5f}",
}
_SAYS = {
    "en": "Reported by {units} and confirmed by a person. First observed {first}, last observed {last}.",
    "fr": "Signalé par {units} et confirmé par une personne. Observé la première fois le {first}, la dernière fois le {last}.",
}
_RESTRICTION = "Control room of the site; the alert speaks of an incident, and of no person."


def identifier(alert: Alert) -> str:
    """Unlike any other alert's of this sender."""
    return f"{alert.incident}.{alert.number}"


def alert_xml(alert: Alert, before: Sequence[Alert], site: Site) -> bytes:
    """One alert.

    Args:
        alert: What is told now.
        before: The earlier ones of the same incident, which it updates or cancels.
        site: Whose incident it is.
    """
    root = Element("alert", {"xmlns": CAP})
    _add(root, "identifier", identifier(alert))
    _add(root, "sender", hub_source(site.site))
    _add(root, "sent", _time(alert.sent))
    # Under a profile for recorded material nothing has happened in the street.
    _add(root, "status", "Test" if site.law.recorded_only else "Actual")
    _add(root, "msgType", alert.kind.value)
    _add(root, "scope", "Restricted")
    _add(root, "restriction", _RESTRICTION)
    if before:
        _add(root, "references", " ".join(f"{hub_source(site.site)},{identifier(each)},{_time(each.sent)}" for each in before))
    _add(root, "incidents", str(alert.incident))
    for language in TITLES:
        _info(root, language, alert)
    return _document(root)


def _info(root: Element, language: str, alert: Alert) -> None:
    incident = alert.message.data
    info = SubElement(root, "info")
    _add(info, "language", _LANGUAGES[language])
    _add(info, "category", CATEGORIES[incident.type])
    _add(info, "event", TITLES[language][incident.type])
    _add(info, "urgency", "Unknown")
    _add(info, "severity", "Unknown")
    _add(info, "certainty", "Unlikely" if alert.kind is AlertKind.CANCEL else "Observed")
    code = SubElement(info, "eventCode")
    _add(code, "valueName", "org.parvis")
    _add(code, "value", incident.type)
    _add(info, "onset", _time(incident.first_observed))
    _add(info, "expires", _time(alert.sent + timedelta(hours=VALID_H)))
    _add(info, "senderName", f"Parvis, {alert.message.site}")
    _add(info, "headline", f"{TITLES[language][incident.type]} ({alert.message.site})")
    first, last = (time.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC") for time in (incident.first_observed, incident.last_observed))
    _add(info, "description", _SAYS[language].format(units=", ".join(incident.units), first=first, last=last))
    for name, value in _parameters(incident):
        parameter = SubElement(info, "parameter")
        _add(parameter, "valueName", f"org.parvis.{name}")
        _add(parameter, "value", value)
    place, radius_m = incident.position, SIGMAS * incident.position.uncertainty_m
    area = SubElement(info, "area")
    _add(area, "areaDesc", _PLACE[language].format(radius_m=radius_m, lat=place.lat, lon=place.lon))
    _add(area, "circle", f"{place.lat:.7f},{place.lon:.7f} {radius_m / 1e3:.4f}")


def _parameters(incident: Incident) -> Iterable[tuple[str, str]]:
    measured: dict[str, Any] = incident.measure.model_dump(mode="json")
    yield from ((name, str(value)) for name, value in measured.items() if value is not None)
    yield "state", incident.state.value
    yield "confidence", f"{incident.confidence:.2f}"
    yield "located_by", incident.located_by.value


def feed_xml(alerts: Sequence[Alert], site: Site, base: str, now: datetime) -> bytes:
    """An Atom feed (RFC 4287) of alerts, the newest first.

    Args:
        alerts: The last of each incident.
        site: Whose they are.
        base: Address of the feeds, without a slash at its end.
        now: When the feed was asked for; its date where it is empty.
    """
    feed = Element("feed", {"xmlns": ATOM})
    _add(feed, "id", f"{hub_source(site.site)}:cap")
    _add(feed, "title", f"Parvis, {site.site}: CAP 1.2")
    _add(feed, "updated", format_time(max((alert.sent for alert in alerts), default=now)))
    author = SubElement(feed, "author")
    _add(author, "name", f"Parvis, {site.site}")
    SubElement(feed, "link", {"rel": "self", "href": f"{base}/cap.atom"})
    for alert in sorted(alerts, key=lambda each: (each.sent, each.number), reverse=True):
        entry = SubElement(feed, "entry")
        _add(entry, "id", f"urn:uuid:{alert.incident}:{alert.number}")
        _add(entry, "title", f"{alert.kind.value}: {TITLES['en'][alert.message.data.type]}")
        _add(entry, "updated", format_time(alert.sent))
        href = f"{base}/cap/{identifier(alert)}.xml"
        SubElement(entry, "link", {"rel": "alternate", "type": "application/cap+xml", "href": href})
    return _document(feed)


def _add(parent: Element, name: str, text: str) -> None:
    SubElement(parent, name).text = text


def _time(time: datetime) -> str:
    """As CAP has it: whole seconds, and the zone in figures."""
    return to_datetime(int(time.timestamp())).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _document(root: Element) -> bytes:
    indent(root)
    text: str = tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
