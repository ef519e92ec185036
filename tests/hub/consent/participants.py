"""A site with walkways, tags and a signing key; its hub's intake, store and keys; and sightings of tags, as units say them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from parvis_contract import (
    Clock,
    ClockSource,
    Envelope,
    LocalMap,
    Point,
    Position,
    Site,
    TagSighting,
    derived_id,
    dump_message,
    load_site,
    make_message,
    to_datetime,
    topic_of,
    unit_source,
)
from parvis_contract.signing import SigningKey
from parvis_hub.consent.consents import Consent, Purpose
from parvis_hub.consent.keyring import Keyring, keys_folder
from parvis_hub.intake import Delivery, Intake
from parvis_hub.store import Database, Enrolment, Store, issue_allowlist

PLANE = LocalMap.around(Point(lon=5.37, lat=43.296))
START_S = 1_782_000_000.0
HOUR_US = 3_600_000_000
PROFILE = """\
name: test
title: {en: Test, fr: Essai}
jurisdiction: none; nobody is there
basis: {text: "Nobody is there."}
valid_from: 2020-01-01
valid_to: 2100-01-01
camera: {allow: [tag.sighting], source: {text: "A test."}}
sound_with_image: {allow: false, source: {text: "Not needed."}}
retention: {events_h: 72, incidents_h: 72, evidence_h: 72, sightings_h: 72, audit_h: 8760, source: {text: "A test."}}
"""


def write_site(folder: Path, key: SigningKey, *, profile: str = "profile.yaml") -> Site:
    """Writes the plan of a square with three walkways, and reads it."""

    def line(name: str, *places: tuple[float, float]) -> dict[str, object]:
        coordinates = [list(PLANE.to_deg(*place)) for place in places]
        return {"type": "Feature", "properties": {"id": name}, "geometry": {"type": "LineString", "coordinates": coordinates}}

    features = [line("w001", (0, 0), (60, 0)), line("w002", (60, 0), (60, 60)), line("w003", (60, 0), (120, 0))]
    (folder / "walkways.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    (folder / "profile.yaml").write_text(PROFILE)
    (folder / "site.yaml").write_text(
        f"site: square\nprofile: {profile}\ntimezone: Europe/Paris\norigin: {{lon: 5.37, lat: 43.296}}\nwalkways: walkways.geojson\n"
        f"tags: {{size_m: 0.16, allow: [99]}}\nhub_keys: [{key.public_key}]\n"
        "units: {u1: {position: {lon: 5.37, lat: 43.296}, senses: [camera]}}\n"
    )
    return load_site(folder / "site.yaml")


def sighting(tag: int, second: float, x_m: float, y_m: float, *, start_s: float = START_S) -> Envelope[Any]:
    """What u1 says of a tag."""
    lon, lat = PLANE.to_deg(x_m, y_m)
    data = TagSighting(
        sequence=round(second) % 100_000,
        tag=tag,
        position=Position(lon=lon, lat=lat, uncertainty_m=0.8),
        clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0),
    )
    time_s = start_s + second
    return make_message(
        "tag.sighting", source=unit_source("square", "u1"), time=to_datetime(time_s), data=data, id=derived_id(time_s, str(tag))
    )


def walk(tag: int, *, start_s: float = START_S) -> list[Envelope[Any]]:
    """Along w001, and then w002."""
    return [sighting(tag, k, min(1.3 * k, 60.0), max(1.3 * k - 60.0, 0.0), start_s=start_s) for k in range(80)]


class Square:
    """The hub of the square, at a time that the test sets.

    Attributes:
        now_us: The hub's time.
    """

    def __init__(self, folder: Path, url: str, *, profile: str = "profile.yaml") -> None:
        self.folder = folder
        self.key = SigningKey.make()
        self.site = write_site(folder, self.key, profile=profile)
        self.keys = keys_folder(folder)
        self.now_us = round(START_S * 1e6)
        self.database = Database(url, self.site.site)
        self.store = Store(self.database, self.site, lambda: self.now_us, Keyring(self.keys))
        self.intake = Intake(self.site, self.store)

    @property
    def now(self) -> datetime:
        return to_datetime(self.now_us / 1e6)

    def enrol(self, participant: str = "steward-07", tag: int = 17, *, days: float = 3.0, since_h: float | None = None) -> Consent:
        since = None if since_h is None else self.now + timedelta(hours=since_h)
        asked = Enrolment(
            participant=participant,
            tag=tag,
            purpose=Purpose.STEWARDING,
            proof="2026-114",
            since=since,
            until=(since or self.now) + timedelta(days=days),
        )
        return self.store.consents.enrol(asked, "a-martin")

    def allow(self, *tags: int) -> None:
        """Issues a list by hand."""
        until = self.now + timedelta(days=5)
        issue_allowlist(self.database, self.site, self.key, units=["u1"], tags=tags, until=until, now=self.now)

    def receive(self, messages: Iterable[Envelope[Any]], *, later_s: float = 0.0) -> dict[str, int]:
        """Takes messages as they come from the broker; what was counted."""
        deliveries = [Delivery(topic_of(message), dump_message(message), self.now_us + round(later_s * 1e6)) for message in messages]
        prepared = self.intake.prepare(deliveries, self.now_us)
        self.store.commit(prepared.batch)
        return dict(prepared.batch.counts)
