"""Versions and site plans that are good, or bad in one way each, brought to units in rings: what became of them."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

from parvis_contract import profiles_folder
from parvis_models.publish.keys import read_signer
from parvis_models.publish.repository import RepositoryFolder

from tests.edge.calibration.scene import SIX, Camera, known
from tests.rollout import bundles
from tests.rollout.street import MODEL, Street, wait_for

#: An idle machine needs a tenth of these.
SOON_S, LATER_S = 240.0, 600.0


@dataclass(frozen=True, slots=True)
class Line:
    """What one trial showed.

    Attributes:
        what: Was tried.
        found: What came of it.
        holds: Whether that is what has to.
    """

    what: str
    found: str
    holds: bool


def begin(street: Street, *names: str) -> None:
    """These units run, and are well."""
    for name in names:
        street.units[name].start()
    wait_for(lambda: street.healthy(*names), SOON_S, lambda: street.asked("units"))


def complete(street: Street, name: str, more: int = 2) -> Line:
    """Whether the hub has of a unit what one says that takes no update, from its first event to the last that came."""
    heard = len(street.events(name))
    wait_for(lambda: len(street.events(name)) >= heard + more, SOON_S, f"{name} says nothing more")
    came = street.events(name)
    same = came == street.undisturbed(street.units[name], len(came))
    missing = street.missing()[name]
    which = "those of" if same else "NOT those of"
    return Line(f"{name}: events over all exchanges", f"{len(came)}, {which} an undisturbed unit; {missing} missing", same and not missing)


def whole(street: Street) -> Line:
    """Whether the hub has every sequence number of every unit."""
    missing = {name: count for name, count in street.missing().items() if count}
    return Line("sequence numbers that the hub has not received", str(missing or "none"), not missing)


def good(street: Street, version: str, canary: str) -> Iterator[Line]:
    """From the canary to all, ring by ring."""
    street.publish(bundles.bundle(street.folder / version, version))
    street.begin(version, canary)
    phase = street.until("done", "halted", within_s=LATER_S)["phase"]
    has = {street.versions()[name] for name in street.members} == {version}
    rings = " → ".join(f"{ring['share']:.0%}" for ring in street.rollout()["rings"])
    steps = set(street.steps().values())
    yield Line("a good version, ring by ring", f"{rings}: {phase}; all run it: {has}", phase == "done" and has and steps == {"taken"})
    told = street.hub("rollout", "status")
    said = told.count("took it")
    yield Line(
        "the command line says the same", f"{told.splitlines()[0]}; {said} took it", said == len(street.members) and ", done" in told
    )


def _halted(street: Street) -> str:
    """Waits until it is halted: why, and who had been asked."""
    rollout = street.until("done", "halted", within_s=LATER_S)
    asked = [each for ring in rollout["rings"] for each in ring["units"] if each["step"] != "waits"]
    why = {each["refusal"] for each in asked if each["refusal"]}
    return f"{rollout['phase']}: {(rollout['halt'] or {}).get('problem')} ({', '.join(why)}) at {', '.join(each['name'] for each in asked)}"


def _back(street: Street, canary: str, before: str | None) -> Line:
    """Rolled back at the console; the canary runs what it did."""
    phase = street.steer("back")["phase"]
    street.until("back", within_s=LATER_S)
    wait_for(lambda: street.healthy(canary) and street.versions()[canary] == before, SOON_S, street.versions)
    return Line("rolled back at the console", f"{phase}, back; {canary} runs {before}", True)


def unlike(street: Street, version: str, canary: str) -> Iterator[Line]:
    """Golden samples that fail on the unit, signed by two holders who did not try them."""
    folder = bundles.bundle(street.folder / version, version, bundles.deaf, golden=False)
    signers = [read_signer(street.keys / f"targets-{number}.pem", lambda _: b"") for number in (1, 2)]
    repository = RepositoryFolder(street.repository)
    bundles.list_unproved(repository, folder, version, signers)
    repository.refresh(*([read_signer(street.keys / "online" / f"{role}.pem", lambda _: b"")] for role in ("snapshot", "timestamp")))
    before = street.versions()[canary]
    street.begin(version, canary)
    found, why = _halted(street), street.units[canary].state()["ended"]["detail"]
    holds = found == f"halted: refused (not_supported) at {canary}" and "golden" in why
    yield Line("golden samples that fail", f"{found}: {why}", holds)
    yield _back(street, canary, before)


def rotten(street: Street, version: str, canary: str) -> Iterator[Line]:
    """Weights that are damaged on the server after they were signed; mended, and resumed."""
    street.publish(bundles.bundle(street.folder / version, version))
    _flip(street, version)
    street.begin(version, canary)
    found = _halted(street)
    yield Line("weights damaged after they were signed", found, found == f"halted: refused (bad_signature) at {canary}")
    _flip(street, version)
    street.steer("resume")
    phase = street.until("done", "halted", within_s=LATER_S)["phase"]
    yield Line("mended, and resumed at the console", phase, phase == "done")


def _flip(street: Street, version: str) -> None:
    (path,) = (street.repository / "targets" / "models" / MODEL).glob(f"*.{version}.tar")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def hangs(street: Street, version: str, canary: str) -> Iterator[Line]:
    """Answers its golden samples, and hangs at the street's sound: the unit is killed and started again, until it gives the model back."""
    street.publish(bundles.bundle(street.folder / version, version, bundles.hanging))
    unit, before = street.units[canary], street.versions()[canary]
    ends, silences = len(unit.ends), unit.silences
    street.begin(version, canary, soak="1h")
    found, why = _halted(street), unit.state()["ended"]["detail"]
    times = len(unit.ends) - ends
    holds = found == f"halted: refused (not_supported) at {canary}" and times == unit.silences - silences == 3
    yield Line("hangs once it runs", f"{times} times killed by who watches over it; {found}: {why}", holds)
    yield _back(street, canary, before)


def paused(street: Street, version: str, canary: str) -> Iterator[Line]:
    """Paused after the canary, resumed, rolled back."""
    street.publish(bundles.bundle(street.folder / version, version))
    before = street.versions()
    street.begin(version, canary, soak="1h")
    wait_for(lambda: street.steps()[canary] == "taken", LATER_S, street.steps)
    phase = street.steer("pause")["phase"]
    asked = [name for name, step in street.steps().items() if step != "waits"]
    yield Line("paused at the console", f"{phase}; asked: {', '.join(asked)}", phase == "paused" and asked == [canary])
    phase = street.steer("resume")["phase"]
    yield Line("resumed at the console", phase, phase == "running")
    street.hub("rollout", "back", "--by", "m-roux")
    street.until("back", within_s=LATER_S)
    wait_for(lambda: street.versions() == before, SOON_S, street.versions)
    yield Line("rolled back by the command line", f"back; {canary} runs {before[canary]}", True)


def jump(street: Street, version: str, canary: str, since_s: float) -> Iterator[Line]:
    """Events all but stop, at a unit that has been heard for ten minutes."""
    unit, before = street.units[canary], street.versions()[canary]
    street.publish(bundles.bundle(street.folder / version, version, bundles.deaf))
    wait_for(lambda: time.monotonic() - since_s > 640.0, 700.0, "ten minutes have passed")
    street.begin(version, canary, soak="1h", units=[canary])
    found, why = _halted(street), unit.state()["ended"]["detail"]
    holds = found == f"halted: refused (not_supported) at {canary}" and "events come too rarely" in why
    yield Line("events all but stop", f"{found}: {why}", holds)
    yield _back(street, canary, before)


def unwell_plan(street: Street, name: str, wanted: str) -> Iterator[Line]:
    """A site plan under which a unit is never well: it goes back to its own by itself.

    The law caps the detail in which people may be seen. The camera is said to have been calibrated in small pictures, which keep the cap;
    those that come are larger, which shows only when they come.
    """
    strict, new, unit = street.folder / "strict.yaml", street.folder / "new.yaml", street.units[name]
    strict.write_text((profiles_folder() / "lab.yaml").read_text() + 'optical_cap: {px_per_m: 50.0, source: {text: "A trial."}}\n')
    small = Camera(size_px=(320, 180), focal_px=225.0)
    points = known(small, [(x / 4, y / 4) for x, y in SIX])
    at = ", ".join(f"{{px: [{each.px[0]}, {each.px[1]}], at: {{lon: {each.at.lon}, lat: {each.at.lat}}}}}" for each in points)
    calibrated = f", height_m: {small.height_m}, ground_plane: {{image_size: [320, 180], points: [{at}]}}"
    new.write_text(street.plan_text(str(strict), {name: calibrated}))
    plan, ends = unit.identity / "site.yaml", len(unit.ends)
    before = hashlib.sha256(plan.read_bytes()).hexdigest()
    street.hub("config", "push", new, "--fleet-dir", street.town.folder.path, "--unit", name, "--soak", "0h", "--by", "m-roux")
    rollout = street.until("done", "halted", within_s=2 * LATER_S)
    wait_for(lambda: street.healthy(name), SOON_S, lambda: street.asked("units"))
    ended = json.loads(next(unit.data.glob(f"*/{name}.commands/plan.json")).read_bytes())["ended"]["detail"]
    same = hashlib.sha256(plan.read_bytes()).hexdigest() == before
    problem = (rollout["halt"] or {}).get("problem")
    found = f"{rollout['phase']}: {problem}; {ended}; started again {len(unit.ends) - ends} times; its own plan: {same}; healthy"
    yield Line(f"a plan that {name} is never well on", found, rollout["phase"] == "halted" and wanted in ended and same)
    street.steer("back")
    street.until("back", within_s=LATER_S)
