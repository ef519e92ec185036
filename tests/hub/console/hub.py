"""A real hub around the console, without its broker: messages go through the intake into a store on disk, and a server shows them."""

from __future__ import annotations

import json
import math
import socket
import threading
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import uvicorn
from argon2 import PasswordHasher
from fastapi import FastAPI
from parvis_contract import (
    Clock,
    ClockSource,
    Closed,
    Envelope,
    EventData,
    Incident,
    Measure,
    ModelRef,
    Phase,
    Position,
    SenseStatus,
    Site,
    StatusReason,
    StreamState,
    UnitState,
    UnitStatus,
    dump_message,
    load_site,
    make_message,
    topic_of,
    unit_source,
)
from parvis_hub.accounts import Sessions, Tokens, Users
from parvis_hub.accounts.openid import SigningIn
from parvis_hub.console import Access, Cards, create_app
from parvis_hub.correlate import Change
from parvis_hub.intake import Delivery, Intake
from parvis_hub.store import Batch, Database, Desk, Notice, Notices, Store, default_url

ORIGIN = (5.3700, 43.2960)
_NORTH_M = 111_195.08
_EAST_M = _NORTH_M * math.cos(math.radians(ORIGIN[1]))
IMAGE_PX = (1280, 720)
#: Of the simulated camera of u011: a pinhole 5 m up, tilted 14° down, looking 300°.
_FOCAL_PX, _TILT, _HEADING = 900.0, math.radians(14.0), math.radians(300.0)
CAMERA_M = (20.0, 10.0)
#: As the hub's own, but for what it costs: what is tested is not how hard it is to guess.
QUICK = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
MODEL = ModelRef(name="nanodet-g-416", version="1.0.0")
TAGGER = ModelRef(name="yamnet", version="1.0.0")


def at(east_m: float, north_m: float) -> tuple[float, float]:
    """Metres east and north of the site's origin to lon, lat."""
    return round(ORIGIN[0] + east_m / _EAST_M, 7), round(ORIGIN[1] + north_m / _NORTH_M, 7)


def seen_at(east_m: float, north_m: float) -> tuple[float, float]:
    """Where the camera of u011 sees a place on the ground, in pixels."""
    x, y = east_m - CAMERA_M[0], north_m - CAMERA_M[1]
    ahead = x * math.sin(_HEADING) + y * math.cos(_HEADING)
    right = x * math.cos(_HEADING) - y * math.sin(_HEADING)
    depth = ahead * math.cos(_TILT) + 5.0 * math.sin(_TILT)
    down = 5.0 * math.cos(_TILT) - ahead * math.sin(_TILT)
    return IMAGE_PX[0] / 2 + _FOCAL_PX * right / depth, IMAGE_PX[1] / 2 + _FOCAL_PX * down / depth


def before_camera(ahead_m: float, right_m: float) -> tuple[float, float]:
    """A place before the camera of u011, in metres east and north of the origin."""
    return (
        CAMERA_M[0] + ahead_m * math.sin(_HEADING) + right_m * math.cos(_HEADING),
        CAMERA_M[1] + ahead_m * math.cos(_HEADING) - right_m * math.sin(_HEADING),
    )


def _px(points: Iterable[tuple[float, float]]) -> str:
    return "[" + ", ".join(f"[{x:.1f}, {y:.1f}]" for x, y in (seen_at(*before_camera(*point)) for point in points)) + "]"


def _map(*points: tuple[float, float]) -> str:
    return "[" + ", ".join(f"[{lon}, {lat}]" for lon, lat in (at(*point) for point in points)) + "]"


def plan(profile: str = "lab") -> str:
    """The site plan, YAML."""
    ground = ", ".join(
        f"{{px: [{x:.2f}, {y:.2f}], at: {{lon: {lon}, lat: {lat}}}}}"
        for (x, y), (lon, lat) in (
            (seen_at(*before_camera(*place)), at(*before_camera(*place))) for place in ((14, -6), (14, 7), (30, -12), (45, 16), (22, 1))
        )
    )
    units = ""
    for name, place, more in (
        ("u003", (-60, 42), "senses: [microphone], range_m: 110"),
        (
            "u011",
            CAMERA_M,
            f"senses: [camera, microphone], heading_deg: 300, range_m: 60, ground_plane: {{image_size: [1280, 720], points: [{ground}]}}",
        ),
        ("u017", (78, -24), "senses: [camera], heading_deg: 200, range_m: 40"),
        ("u020", (6, -88), "senses: [microphone], range_m: 110"),
    ):
        lon, lat = at(*place)
        units += f"  {name}: {{position: {{lon: {lon}, lat: {lat}}}, {more}}}\n"
    return f"""site: vieux-port
timezone: Europe/Paris
profile: {profile}
origin: {{lon: {ORIGIN[0]}, lat: {ORIGIN[1]}}}
temperature_c: 24
units:
{units}zones:
  quay-edge: {{kind: closed, polygon: {_map((-112, -96), (-98, -96), (-98, 96), (-112, 96))}}}
  square: {{kind: crowd, polygon: {_map((-52, -26), (12, -38), (26, 40), (-38, 52))}, density_steps_p_m2: [2.0, 3.5, 5.0]}}
  esplanade: {{kind: walked, polygon: {_map((40, 18), (112, 6), (118, 52), (46, 66))}, after_s: 5}}
  hall: {{kind: watched, unit: u017, image_size: [720, 480], polygon_px: [[0, 120], [720, 120], [720, 480], [0, 480]], dwell_s: 60}}
  terrace: {{kind: watched, unit: u011, image_size: [1280, 720], polygon_px: {_px(((10, -3), (10, 4), (26, 9), (26, -8)))}, dwell_s: 45}}
  kerb: {{kind: noise, unit: u003, limit_db: 68}}
lanes:
  bus-east: {{polygon: {_map((-96, -66), (120, -66), (120, -56), (-96, -56))}, heading_deg: 90}}
assets:
  bench-12: {{kind: furniture, unit: u011, image_size: [1280, 720], polygon_px: {_px(((20, -5), (20, -3), (20.6, -3), (20.6, -5)))}}}
walkways: walkways.geojson
"""


def write_plan(folder: Path, profile: str = "lab") -> Site:
    lines = [((-96, -46), (-40, -44), (30, -50), (120, -46)), ((-40, -44), (-56, 20), (-60, 96)), ((30, -50), (33, 10), (36, 96))]
    features = [
        {"type": "Feature", "properties": {}, "geometry": {"type": "LineString", "coordinates": [at(*point) for point in line]}}
        for line in lines
    ]
    (folder / "walkways.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    path = folder / "site.yaml"
    path.write_text(plan(profile), encoding="utf-8")
    return load_site(path)


class Hub:
    """What `parvis-hub run` puts together, with messages given to it by hand.

    Attributes:
        url: Where the console is, once :meth:`serve` has been called.
        later_us: So much later than it is do sessions believe it to be.
    """

    def __init__(self, folder: Path, *, profile: str = "lab", cards: Cards | None = None, silent_after_s: float = 90.0) -> None:
        self.site = write_plan(folder, profile)
        self.database = Database(default_url(folder), self.site.site)
        self.store = Store(self.database, self.site)
        self.intake = Intake(self.site, self.store)
        self.notices = Notices()
        self.desk = Desk(self.store, self.site, self.notices, silent_after_s=silent_after_s)
        self.cards = cards
        self.later_us = 0
        self.users = Users(self.database, self._now_us, QUICK)
        self.sessions = Sessions(self.database, self._now_us, QUICK)
        self.tokens = Tokens(self.database, self._now_us)
        self._sequences: dict[str, int] = {}
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0

    def app(self, *, always: bool = False, openid: SigningIn | None = None, secure: bool = False, **more: Any) -> FastAPI:
        """The console, anew: a hub that is started again has none of the last one's memory."""
        access = Access(self.users, self.sessions, self.tokens, always=always, openid=openid, secure=secure)
        return create_app(self.desk, self.site, access=access, cards=self.cards, **({"heartbeat_s": 0.5} | more))

    def _now_us(self) -> int:
        return time.time_ns() // 1000 + self.later_us

    # --- serving --------------------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def listen(self) -> socket.socket:
        """A free port; after :meth:`stop`, the same one again."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        return listening

    def serve(self, **more: Any) -> Hub:
        """Starts the server; further arguments are of :meth:`app`."""
        listening = self.listen()
        config = uvicorn.Config(self.app(**more), log_level="warning", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]}, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def stop(self) -> None:
        if self._server and self._thread:
            self._server.should_exit = True
            self._thread.join(timeout=20)
            assert not self._thread.is_alive()

    def close(self) -> None:
        self.stop()
        self.database.close()

    # --- what units say -------------------------------------------------------------------------------------------------------

    def receive(self, *messages: Envelope[Any]) -> list[str]:
        """Takes messages as if they came from the broker; returns the incidents that have changed."""
        now_us = time.time_ns() // 1000
        prepared = self.intake.prepare([Delivery(topic_of(message), dump_message(message), now_us) for message in messages], now_us)
        assert not prepared.rejections
        revised = self.store.commit(prepared.batch)
        self.notices.tell(*(Notice("incident", each) for each in revised), *(Notice("unit", name) for name in prepared.batch.units))
        return revised

    def event(
        self,
        unit: str,
        name: str,
        measure: Measure,
        *,
        phase: Phase = Phase.START,
        place_m: tuple[float, float] | None = None,
        sigma_m: float = 1.4,
        ago_s: float = 5.0,
        confidence: float = 0.87,
        model: ModelRef = MODEL,
        start: Envelope[Any] | None = None,
        now: datetime | None = None,
    ) -> Envelope[Any]:
        """An event as a unit would say it; without a place, at the unit with its range."""
        self._sequences[unit] = self._sequences.get(unit, -1) + 1
        entry = self.site.units[unit]
        lon, lat = at(*place_m) if place_m else (entry.position.lon, entry.position.lat)
        data: EventData[Any] = EventData[type(measure)](  # type: ignore[misc]
            phase=phase,
            event=start.id if start else None,
            sequence=self._sequences[unit],
            confidence=confidence,
            position=Position(lon=lon, lat=lat, uncertainty_m=sigma_m if place_m else entry.range_m),
            clock=Clock(source=ClockSource.NTP, uncertainty_ms=3.0),
            model=model,
            measure=measure,
        )
        return self._message(unit, name, data, (now or datetime.now(UTC)) - timedelta(seconds=ago_s))

    def report(self, unit: str, name: str, measure: Measure, **more: Any) -> str:
        """Says an event, and returns the incident that it made or joined."""
        message = self.event(unit, name, measure, **more)
        self.receive(message)
        for row in self.desk.incidents():
            if message.event_id in row.message.data.events:
                return str(row.message.data.incident)
        raise AssertionError("no incident has this event")

    def put(self, incident: Incident) -> str:
        """Puts an incident into the store as the correlator would, for what no few messages lead to."""
        batch = Batch(incidents=[Change(id=incident.incident, incident=incident)])
        self.notices.tell(*(Notice("incident", each) for each in self.store.commit(batch)))
        return str(incident.incident)

    def status(
        self,
        unit: str,
        state: UnitState = UnitState.HEALTHY,
        reason: StatusReason | None = None,
        *,
        camera: tuple[StreamState, StatusReason | None] | None = None,
        microphone: tuple[StreamState, StatusReason | None] | None = None,
        models: tuple[ModelRef, ...] = (MODEL,),
    ) -> None:
        senses = self.site.units[unit].senses

        def sense(name: str, given: tuple[StreamState, StatusReason | None] | None) -> SenseStatus | None:
            if name not in senses:
                return None
            state, why = given or (StreamState.HEALTHY, None)
            return SenseStatus(state=state, reason=why)

        data = UnitStatus(
            state=state,
            reason=reason,
            camera=sense("camera", camera),
            microphone=sense("microphone", microphone),
            software="0.1.0",
            models=models,
        )
        self.receive(self._message(unit, "unit.status", data, datetime.now(UTC)))

    def all_alive(self) -> None:
        for unit in self.site.units:
            self.status(unit)

    def incident(self, id: str) -> Any:
        detail = self.desk.incident(uuid.UUID(id))
        assert detail is not None
        return detail

    def _message(self, unit: str, name: str, data: Closed, time: datetime) -> Envelope[Any]:
        return make_message(name, source=unit_source(self.site.site, unit), time=time, data=data)
