"""The fleet: rings of a rollout, what units run and were asked, how long certificates last; and a rollout steered."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated

from anyio import to_thread
from fastapi import APIRouter, Request, Response
from parvis_contract import Closed, Name, Site, format_time, to_datetime, to_posix_us
from pydantic import ValidationError

from parvis_hub.fleet import Kind
from parvis_hub.fleet.endings import Ending, certificate_endings, repository_endings
from parvis_hub.governance import CONSOLE, May
from parvis_hub.rollout import NotPossible, Rollout, RolloutShelf, UnknownRollout
from parvis_hub.rollout.decide import Step, UnitNow, back, pause, resume
from parvis_hub.store import Command, CommandStore, Database

from .access import Who, may
from .answers import answer, body_of, refusal, takes
from .views import View

_MOST_BYTES = 256


class Steered(Closed):
    """Who does it, where nobody signs in."""

    by: Name | None = None


def fleet(database: Database, site: Site, now: Callable[[], datetime], repository: Path | None = None) -> APIRouter:
    """What the page "Fleet" shows, and does.

    Args:
        database: The hub's.
        site: The site plan.
        now: The time.
        repository: Folder that units take models from; None for none.
    """
    router = APIRouter(prefix="/api", tags=["fleet"])
    shelf = RolloutShelf(database, lambda: to_posix_us(now()))
    acts: Mapping[str, Callable[[Rollout], Step]] = {
        "pause": pause,
        "resume": lambda rollout: resume(rollout, to_posix_us(now())),
        "back": back,
    }

    @router.get("/fleet")
    def read_fleet(_: Annotated[Who, may(May.SEE_UNITS)]) -> Response:
        """The units with what they run and were asked, the rollouts, the last first, and what else ends soon."""
        at = now()
        with database.read() as connection:
            there = shelf.now(connection, "release")
            endings = certificate_endings(connection, at)
        commands: dict[str, list[Command]] = {}
        for command in CommandStore(database).all():
            commands.setdefault(command.unit, []).append(command)
        shown = [_unit(name, there.get(name, UnitNow()), commands.get(name, [])) for name in sorted(site.units)]
        for unit in shown:
            ending = endings.get((unit["name"], Kind.UNIT))
            unit["certificate"] = ending and _ending(ending) | {"revoked": ending.revoked}
        others = {name: ending for (name, kind), ending in endings.items() if kind is not Kind.UNIT and ending.soon}
        signatures = repository_endings(repository, at) if repository else {}
        ends_soon = [
            *({"what": "certificate", "name": name} | _ending(ending) for name, ending in sorted(others.items())),
            *({"what": "repository", "name": role} | _ending(ending) for role, ending in signatures.items() if ending.soon),
        ]
        return answer({"units": shown, "rollouts": [_rollout(each) for each in shelf.all()[:10]], "ends_soon": ends_soon})

    @router.post("/rollouts/{id}/{act}", openapi_extra=takes(Steered))
    async def steer(id: uuid.UUID, act: str, request: Request, who: Annotated[Who, may(May.MANAGE_FLEET)]) -> Response:
        """Pauses a rollout, resumes it, or sends its units back."""
        if act not in acts:
            return refusal(404, f"a rollout can be told to {', '.join(acts)}")
        body = await body_of(request, _MOST_BYTES)
        if body is None:
            return refusal(413, f"at most {_MOST_BYTES} bytes")
        try:
            by = who.name or Steered.model_validate_json(body).by or CONSOLE
            return answer(_rollout(await to_thread.run_sync(lambda: shelf.change(id, acts[act], by))))
        except ValidationError:
            return refusal(422, "by: a name has small letters, digits and hyphens")
        except NotPossible as error:
            return refusal(422, str(error))
        except UnknownRollout as error:
            return refusal(404, str(error.args[0]))

    return router


def _unit(name: str, now: UnitNow, commands: list[Command]) -> View:
    return {
        "name": name,
        "present": now.present,
        "state": now.state and now.state.value,
        "models": dict(now.versions),
        "commands": [
            {
                "kind": command.kind.removeprefix("command."),
                "until": format_time(command.expires),
                "acknowledged": command.acknowledged is not None,
                "refused": command.refused,
            }
            for command in commands
        ],
    }


def _ending(ending: Ending) -> View:
    return {"until": ending.until and format_time(ending.until), "soon": ending.soon}


def _rollout(rollout: Rollout) -> View:
    """With the steps of each unit in one word, for the picture."""
    going = rollout.back.members if rollout.back else {}
    members = rollout.members | going
    return {
        "id": str(rollout.id),
        "what": str(rollout.target),
        "back_to": rollout.back_to and str(rollout.back_to),
        "phase": rollout.phase.value,
        "started": _time(rollout.started_us),
        "soak_h": rollout.soak_us / 3.6e9,
        "soaking_since": rollout.soaking_since_us and _time(rollout.soaking_since_us),
        "ring": rollout.ring,
        "halt": rollout.halt and rollout.halt.model_dump(mode="json", exclude={"at_us"}) | {"at": _time(rollout.halt.at_us)},
        "rings": [
            {
                "share": ring.share,
                "units": [{"name": unit, "step": _step(rollout, unit), "refusal": members[unit].refusal} for unit in ring.units],
            }
            for ring in rollout.rings
        ],
    }


def _step(rollout: Rollout, unit: str) -> str:
    back_asked = rollout.back is not None and unit in rollout.back.members
    member = rollout.back.members[unit] if rollout.back and back_asked else rollout.members[unit]
    if member.problem is not None:
        return member.problem.value
    if member.taken_us is not None:
        return "back" if back_asked else "taken"
    return "asked" if member.sent_us is not None else "waits"


def _time(at_us: int) -> str:
    return format_time(to_datetime(at_us / 1e6))
