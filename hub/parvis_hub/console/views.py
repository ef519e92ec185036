"""What the page is given, as JSON: the contract's own models, and beside them what the hub knows."""

from __future__ import annotations

import json
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from parvis_contract import EVENT_TYPES, Envelope, EventData, Incident, ModelRef, Phase, Site, format_time
from pydantic import BaseModel

from parvis_hub.store import REASONS, Command, IncidentDetail, IncidentRow, Outcome, UnitView

from .basemap import Feature
from .cards import Cards, class_of
from .criteria import criteria

View = dict[str, Any]

#: What a unit names as its model where its own program decided, without one.
PROGRAM = "parvis-edge"


def dump(view: View) -> str:
    """Compact JSON. A NaN would be refused rather than written."""
    return json.dumps(view, allow_nan=False, separators=(",", ":"))


def _plain(model: BaseModel | None) -> Any:
    return None if model is None else model.model_dump(mode="json", by_alias=True)


def _time(time: datetime | None) -> str | None:
    return None if time is None else format_time(time)


def site_view(site: Site, basemap: Feature, today: date) -> View:
    """What does not change while the hub runs: the plan, the profile, the closed lists."""
    law = site.law
    return {
        "site": site.site,
        "timezone": site.timezone,
        "profile": {
            "name": law.name,
            "title": law.title,
            "valid_from": law.valid_from.isoformat(),
            "valid_to": law.valid_to.isoformat(),
            "in_force": law.valid_from <= today <= law.valid_to,
            "recorded_only": law.recorded_only,
            "allow": {sense: sorted(rule.allow) if rule else [] for sense, rule in _rules(site).items()},
        },
        "units": [
            {"name": name, "position": _plain(unit.position), "senses": unit.senses, "range_m": unit.range_m}
            for name, unit in site.units.items()
        ],
        "event_types": [{"name": entry.name, "senses": sorted(entry.senses)} for entry in EVENT_TYPES.values()],
        "reasons": {verdict.value: [reason.value for reason in reasons] for verdict, reasons in REASONS.items()},
        "basemap": basemap,
    }


def _rules(site: Site) -> Mapping[str, Any]:
    return {"camera": site.law.camera, "microphone": site.law.microphone}


def incident_view(row: IncidentRow) -> View:
    """An incident as it stands, for the list and the map: without the ids of its events and its course, which may be thousands."""
    return {"incident": row.message.data.model_dump(mode="json", exclude={"events", "course"}), "revision": row.revision}


def detail_view(detail: IncidentDetail, site: Site, cards: Cards, outcomes: Mapping[str, Outcome]) -> View:
    """An incident with what it rests on: thresholds, models and their error rates, who said what when, earlier outcomes, decisions."""
    incident: Incident = detail.row.message.data
    said = [message for message in detail.events if isinstance(message.data, EventData)]
    models = list(dict.fromkeys(message.data.model for message in said))
    return incident_view(detail.row) | {
        "course": [_plain(point) for point in incident.course or ()],
        "criteria": [asdict(criterion) for criterion in criteria(incident, site)],
        "models": [_model_view(model, incident, cards) for model in models],
        "messages": [{"unit": unit, "count": count} for unit, count in sorted(Counter(message.unit for message in said).items())],
        "timeline": timeline(said),
        "moves": [{**asdict(move), "at": format_time(move.at)} for move in detail.moves],
        "outcomes": [asdict(outcomes.get(unit, Outcome(unit, 0, 0))) for unit in incident.units],
        "decisions": [{**asdict(decision), "at": format_time(decision.at)} for decision in detail.decisions],
        "plates": [{"id": str(plate.id), "time": format_time(plate.time)} for plate in detail.plates],
    }


def timeline(said: Sequence[Envelope[Any]]) -> list[View]:
    """Which unit said what when.

    Args:
        said: The messages of an incident's events, in order of time.

    Returns:
        An entry per message, in order of time; but an event's updates are one entry, with how many there were and when the last was.
    """
    told: list[View] = []
    going_on: dict[uuid.UUID, View] = {}
    for message in said:
        data = message.data
        if data.phase is Phase.UPDATE and message.event_id in going_on:
            going_on[message.event_id]["until"] = format_time(message.time)
            going_on[message.event_id]["count"] += 1
            continue
        at = format_time(message.time)
        told.append({"time": at, "until": at, "unit": message.unit, "phase": data.phase.value, "count": 1, "confidence": data.confidence})
        if data.phase is Phase.UPDATE:
            going_on[message.event_id] = told[-1]
    return told


def _model_view(model: ModelRef, incident: Incident, cards: Cards) -> View:
    figures = cards.figures(model, class_of(incident))
    return {"name": model.name, "version": model.version, "rule": model.name == PROGRAM, "figures": asdict(figures) if figures else None}


def unit_view(unit: UnitView, site: Site) -> View:
    """A unit and the last that is known of it."""
    plan = site.units[unit.name]
    return {
        "name": unit.name,
        "position": _plain(unit.position),
        "senses": list(unit.senses),
        "range_m": unit.range_m,
        "heading_deg": plan.heading_deg,
        "calibrated": plan.ground_plane is not None,
        "state": unit.state.value if unit.state else None,
        "reason": unit.reason.value if unit.reason else None,
        "camera": _plain(unit.camera),
        "microphone": _plain(unit.microphone),
        "software": unit.software,
        "last_seen": _time(unit.last_seen),
        "silent": unit.silent,
        "missing": unit.missing,
        "allowlist": _allowlist_view(unit.allowlist),
        "wrong_clock": {"off_s": unit.wrong_clock.off_s, "found": format_time(unit.wrong_clock.found)} if unit.wrong_clock else None,
    }


def _allowlist_view(issued: Command | None) -> View | None:
    """How many tags a unit may read, until when, and whether it knows; which tags these are is of no use on a wall."""
    if issued is None:
        return None
    return {
        "tags": len(issued.tags),
        "until": format_time(issued.expires),
        "acknowledged": issued.acknowledged is not None,
        "refused": issued.refused,
    }
