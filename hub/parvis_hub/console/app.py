"""Makes the console: routes, files and guard, and the stream of changes for as long as it runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from fastapi import FastAPI, Response
from fastapi.staticfiles import StaticFiles
from parvis_contract import Site
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from parvis_hub.papers.controller import load_controller
from parvis_hub.store import Desk

from .access import Access, NotAdmitted, not_admitted
from .answers import no_store
from .basemap import basemap
from .cards import Cards
from .fleet import fleet
from .guard import LOOPBACK, Guard
from .live import HEARTBEAT_S, Live
from .outlets import outlets
from .participants import printing, registering, routing
from .public import public
from .record import recording
from .replaying import replaying
from .routes import STATIC, accounting, deciding, health, page, reading
from .signing import elsewhere, signing, told_elsewhere

#: Python's own table of types differs between systems, and a browser refuses a module under another type.
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".md": "text/plain; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".woff2": "font/woff2",
}


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        kind = _TYPES.get(Path(path).suffix)
        if kind and response.status_code == 200:
            response.headers["content-type"] = kind
        return response


def create_app(
    desk: Desk,
    site: Site,
    *,
    access: Access,
    cards: Cards | None = None,
    repository: Path | None = None,
    hosts: Iterable[str] = LOOPBACK,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    heartbeat_s: float = HEARTBEAT_S,
) -> FastAPI:
    """Makes the console.

    Args:
        desk: What it reads, and where decisions go.
        site: The site plan; drawn as the map's ground.
        access: Who may do what.
        cards: Of the models, for thresholds and error rates; without them the console says that it has none.
        repository: Folder that units take models from, of which the Fleet page says when what was signed ends; None for none.
        hosts: Names, without port, under which the hub answers; ``*`` for any.
        now: The time, which decisions bear and pages show.
        heartbeat_s: How often a browser hears that the hub is there; the page gives up after 15 seconds.

    Raises:
        parvis_contract.ConfigError: The site plan names a file of walkways that is not there, or is not one; or something in the
            controller's file beside it is wrong.
    """
    ground = basemap(site)
    live = Live(desk, site, now, heartbeat_s=heartbeat_s)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        following = asyncio.create_task(live.run())
        try:
            yield
        finally:
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    app = FastAPI(title="Parvis console", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json", lifespan=lifespan)
    app.state.access = access
    app.add_exception_handler(NotAdmitted, not_admitted)
    app.add_exception_handler(SQLAlchemyError, no_store)
    app.add_middleware(Guard, hosts=tuple(hosts))
    app.mount("/static", _Files(directory=STATIC), name="static")
    app.include_router(page())
    app.include_router(signing())
    app.include_router(elsewhere())
    app.include_router(told_elsewhere())
    app.include_router(health(desk, now, repository))
    app.include_router(reading(desk, site, ground=ground, cards=cards or Cards(), live=live, now=now))
    app.include_router(replaying(desk, site, now))
    app.include_router(accounting(desk))
    app.include_router(recording(desk.database, site, now))
    app.include_router(deciding(desk, now))
    app.include_router(registering(desk.consents))
    app.include_router(printing(desk.consents, site))
    app.include_router(routing(desk.consents, site))
    app.include_router(fleet(desk.database, site, now, repository))
    app.include_router(outlets(desk, site, now))
    app.include_router(public(desk, site, load_controller(site.path), (cards or Cards()).all, now))
    return app
