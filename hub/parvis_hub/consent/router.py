"""Gathers the sightings of enrolled tags and tells their routes."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from parvis_contract import Envelope, LocalMap, Site, TagSighting, derived_id, hub_source, make_message, to_datetime, to_posix_s

from .matching import Sighting, match
from .route import seen_stretches, told
from .walkways import load_walkways


class Router:
    """Sightings in, routes out; the same for the same sightings in whatever order, however often they come.

    Args:
        site: The site plan; it names the walkways.
        tags: Enrolled ones; a sighting of any other is dropped at once.

    Raises:
        ConfigError: The walkways cannot be read.
        ValueError: The site plan names none.
    """

    def __init__(self, site: Site, tags: Iterable[int]) -> None:
        if site.walkways is None:
            raise ValueError(f"{site.path} names no `walkways`: without a network there is no route")
        self._site = site
        self._plane = LocalMap.around(site.origin)
        self._walkways = load_walkways(site.path.parent / site.walkways, self._plane)
        self._sightings: dict[int, dict[uuid.UUID, Sighting]] = {tag: {} for tag in sorted(set(tags))}

    def add(self, message: Envelope[Any]) -> None:
        """Takes a message; only sightings of enrolled tags are kept."""
        data = message.data
        if not isinstance(data, TagSighting) or data.tag not in self._sightings:
            return
        x_m, y_m = self._plane.to_m(data.position.lon, data.position.lat)
        self._sightings[data.tag][message.id] = Sighting(
            id=message.id,
            time_s=to_posix_s(message.time),
            x_m=x_m,
            y_m=y_m,
            sigma_m=data.position.uncertainty_m,
            clock_s=data.clock.uncertainty_ms / 1000.0,
        )

    def routes(self) -> list[Envelope[Any]]:
        """The route of every enrolled tag that was seen, in order of the tags."""
        messages = []
        matched = {tag: match(list(sightings.values()), self._walkways) for tag, sightings in self._sightings.items() if sightings}
        seen = seen_stretches(matched.values(), self._walkways)
        for tag, walk in matched.items():
            sightings = self._sightings[tag]
            last_s = max(sighting.time_s for sighting in sightings.values())
            route = told(tag, walk, self._walkways, seen)
            identity = derived_id(last_s, self._site.site, "route", str(tag), *sorted(map(str, sightings)))
            messages.append(make_message("route", source=hub_source(self._site.site), time=to_datetime(last_s), data=route, id=identity))
        return messages
