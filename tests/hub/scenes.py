"""What happens in a simulated city: shots, things left, crowds that run, sirens that drive by; and what the units say of it.

Nothing here is taken from what the hub assumes: figures are what a street may have.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from parvis_contract import (
    AlarmClass,
    CrowdDensity,
    CrowdSurge,
    ImpulseClass,
    ObjectUnattended,
    PersonOnGround,
    Phase,
    SoundAlarm,
    SoundImpulse,
)

from tests.hub.city import City, Point, Unit
from tests.hub.street import START_S

_SOUND_M_S = 340.27
_HEIGHT_M = 3.0
_ECHO_SHARE, _MISSING_SHARE = 1 / 8, 0.08


# --- impulses -----------------------------------------------------------------------------------------------------------------


def impulse(city: City, at_s: float, place_m: Point, kind: ImpulseClass, range_m: float) -> None:
    """An impulse: each unit within earshot hears it directly, or a wall's echo instead, or not at all."""
    rng, number = city.rng, city.happens("sound.impulse", [(at_s, place_m)])
    for unit in city.near(place_m, range_m):
        if rng.random() < _MISSING_SHARE:
            continue
        path_m = math.hypot(math.dist(place_m, unit.place_m), _HEIGHT_M)
        echo = rng.random() < _ECHO_SHARE
        detour_m = rng.choice([rng.uniform(4.0, 50.0), min(80.0, rng.expovariate(1 / 20.0))]) if echo else 0.0
        onset_ms = rng.uniform(0.2, 1.0)
        heard_s = at_s + (path_m + detour_m) / _SOUND_M_S + rng.gauss(0, onset_ms / 1e3)
        # One unit in seven takes a shot for a firework, or the other way round.
        other = ImpulseClass.FIREWORK if kind is ImpulseClass.GUNSHOT else ImpulseClass.GUNSHOT
        measure = SoundImpulse(
            sound_class=kind if rng.random() < 6 / 7 else other,
            lcpeak_db=round(150 - 20 * math.log10(path_m) + rng.gauss(0, 4), 1),
            onset_uncertainty_ms=round(onset_ms, 2),
        )
        city.say(unit, "sound.impulse", Phase.INSTANT, heard_s, measure, unit.place_m, unit.hears_m, number, lossy=False)
        if city.echoes and rng.random() < city.echoes:
            again = measure.model_copy(update={"lcpeak_db": round(measure.lcpeak_db - rng.uniform(1.0, 12.0), 1)})
            city.say(
                unit,
                "sound.impulse",
                Phase.INSTANT,
                heard_s + rng.uniform(0.01, 0.2),
                again,
                unit.place_m,
                unit.hears_m,
                number,
                lossy=False,
            )


def shot(city: City, at_s: float) -> None:
    """One shot."""
    impulse(city, at_s, city.anywhere(), ImpulseClass.GUNSHOT, city.rng.uniform(150.0, 400.0))


def shots(city: City, at_s: float) -> None:
    """Several shots within a second, anywhere."""
    for _ in range(city.rng.randint(2, 4)):
        shot(city, at_s + city.rng.uniform(0, 1))


def burst(city: City, at_s: float) -> None:
    """An automatic weapon: ten shots a second from one place."""
    place_m, range_m = city.anywhere(), city.rng.uniform(150.0, 400.0)
    for number in range(city.rng.randint(3, 6)):
        impulse(city, at_s + 0.1 * number, place_m, ImpulseClass.GUNSHOT, range_m)


def pistol(city: City, at_s: float) -> None:
    """A pistol: a few shots from one place, as fast as a finger pulls."""
    place_m, range_m = city.anywhere(), city.rng.uniform(150.0, 400.0)
    for _ in range(city.rng.randint(2, 4)):
        impulse(city, at_s, place_m, ImpulseClass.GUNSHOT, range_m)
        at_s += city.rng.uniform(0.25, 1.2)


def fireworks(city: City, at_s: float) -> None:
    """A shot while fireworks go off elsewhere."""
    shot(city, at_s)
    show_m = city.anywhere()
    for _ in range(4):
        impulse(city, at_s + city.rng.uniform(-1, 2), show_m, ImpulseClass.FIREWORK, 250.0)


# --- what lies ----------------------------------------------------------------------------------------------------------------


def _seen(city: City, unit: Unit, place_m: Point) -> tuple[Point, float]:
    """Where a unit says that it sees something, and how sure: the farther the less; its own place if it is not calibrated."""
    if not unit.calibrated:
        return unit.place_m, 60.0
    sigma_m = round(city.rng.uniform(0.4, 1.0) + math.dist(unit.place_m, place_m) / 40.0, 2)
    return (place_m[0] + city.rng.gauss(0, sigma_m), place_m[1] + city.rng.gauss(0, sigma_m)), sigma_m


def thing(city: City, at_s: float, place_m: Point, lasts_s: float) -> None:
    """An object, seen by one to four units; one view in ten is hidden at first."""
    rng, number = city.rng, city.happens("object.unattended", [(at_s, place_m), (at_s + lasts_s, place_m)])
    for unit in city.near(place_m, 60.0)[: rng.randint(1, 4)]:
        begun_s = at_s + abs(rng.gauss(0, 2.0)) + (rng.uniform(20.0, 100.0) if rng.random() < 0.1 else 0.0)
        seen_m, sigma_m = _seen(city, unit, place_m)
        ended_s = at_s + lasts_s + abs(rng.gauss(0, 2.0))
        if begun_s + 10.0 > ended_s:
            continue

        moments, when_s = [(Phase.START, begun_s)], begun_s + rng.uniform(30.0, 60.0)
        while when_s < ended_s - 5.0:
            moments.append((Phase.UPDATE, when_s))
            when_s += rng.uniform(30.0, 60.0)
        if rng.random() < 0.9:
            moments.append((Phase.END, ended_s))
        start = None
        for phase, when_s in moments:
            measure = ObjectUnattended(dwell_s=round(when_s - begun_s + 60.0, 1), area_m2=0.2, nearest_person_m=None)
            said = city.say(unit, "object.unattended", phase, when_s, measure, seen_m, sigma_m, number, start)
            start = start or said


def object_(city: City, at_s: float) -> None:
    """One object."""
    thing(city, at_s, city.anywhere(), city.rng.uniform(60.0, 900.0))


def pair(city: City, at_s: float) -> None:
    """Two or three objects near one another, at about the same time."""
    place_m = city.anywhere()
    for _ in range(city.rng.randint(2, 3)):
        thing(city, at_s + city.rng.uniform(0, 120), place_m, city.rng.uniform(120.0, 600.0))
        turn, far_m = city.rng.uniform(0, 2 * math.pi), city.rng.uniform(3.0, 10.0)
        place_m = place_m[0] + far_m * math.cos(turn), place_m[1] + far_m * math.sin(turn)


def replaced(city: City, at_s: float) -> None:
    """An object is taken away, and another left in its place a minute or more later."""
    place_m, lasts_s = city.anywhere(), city.rng.uniform(60.0, 400.0)
    thing(city, at_s, place_m, lasts_s)
    again_m = place_m[0] + city.rng.gauss(0, 0.7), place_m[1] + city.rng.gauss(0, 0.7)
    thing(city, at_s + lasts_s + city.rng.uniform(60.0, 400.0), again_m, city.rng.uniform(60.0, 400.0))


def fallen(city: City, at_s: float) -> None:
    """Somebody lies on the ground, seen by one to four units."""
    rng, place_m, lasts_s = city.rng, city.anywhere(), city.rng.uniform(20.0, 300.0)
    number = city.happens("person.on_ground", [(at_s, place_m)])
    for unit in city.near(place_m, 60.0)[: rng.randint(1, 4)]:
        begun_s, (seen_m, sigma_m) = at_s + abs(rng.gauss(0, 3.0)), _seen(city, unit, place_m)
        start = city.say(unit, "person.on_ground", Phase.START, begun_s, PersonOnGround(duration_s=5.0), seen_m, sigma_m, number)
        measure = PersonOnGround(duration_s=round(lasts_s, 1))
        city.say(unit, "person.on_ground", Phase.END, at_s + lasts_s + rng.gauss(0, 2.0), measure, seen_m, sigma_m, number, start)


# --- what spreads and moves ---------------------------------------------------------------------------------------------------


def _along(path: list[tuple[float, Point]], at_s: float) -> Point:
    """Where on a path something is at a time."""
    for (from_s, from_m), (to_s, to_m) in pairwise(path):
        if at_s <= to_s:
            part = max(0.0, (at_s - from_s) / max(to_s - from_s, 1e-9))
            return from_m[0] + part * (to_m[0] - from_m[0]), from_m[1] + part * (to_m[1] - from_m[1])
    return path[-1][1]


def _street(city: City, at_s: float, speed_m_s: float, length_m: float, *, turns: bool) -> list[tuple[float, Point]]:
    """A path along streets, which run along both axes."""
    rng, place_m, path = city.rng, city.anywhere(), []
    axis = rng.randrange(2)
    while length_m > 0.0:
        path.append((at_s, place_m))
        leg_m = min(length_m, rng.uniform(80.0, 250.0)) if turns else length_m
        sign = 1.0 if place_m[axis] < city.size_m[axis] / 2 else -1.0
        step_m = [0.0, 0.0]
        step_m[axis] = sign * leg_m
        place_m = place_m[0] + step_m[0], place_m[1] + step_m[1]
        at_s += leg_m / speed_m_s
        length_m -= leg_m
        axis = 1 - axis
    return [*path, (at_s, place_m)]


def surge(city: City, at_s: float) -> None:
    """A crowd runs along a street, and one unit after the other sees it."""
    rng = city.rng
    speed_m_s = rng.uniform(1.0, 6.0)
    path = _street(city, at_s, speed_m_s, rng.uniform(100.0, 400.0), turns=False)
    number = city.happens("crowd.surge", path)
    reach_m = rng.uniform(25.0, 50.0)
    for unit in city.units:
        times_s = [t for t in _ticks(path, 0.5) if math.dist(_along(path, t), unit.place_m) <= reach_m]
        if len(times_s) < 3:
            continue
        start = None
        for when_s in [*times_s[:: rng.randint(4, 10)], times_s[-1]]:
            phase = Phase.START if start is None else Phase.END if when_s == times_s[-1] else Phase.UPDATE
            front_m = _along(path, when_s)
            seen_m = (front_m[0] + rng.gauss(0, 3.0), front_m[1] + rng.gauss(0, 3.0)) if unit.calibrated else unit.place_m
            measure = CrowdSurge(
                speed_m_s=round(max(0.3, speed_m_s * rng.gauss(1.0, 0.15)), 2) if unit.calibrated else None,
                baseline_speed_m_s=1.2,
                divergence_per_s=round(rng.uniform(-0.5, 0.5), 2),
                area_m2=round(rng.uniform(30.0, 200.0), 1) if unit.calibrated else None,
            )
            said = city.say(unit, "crowd.surge", phase, when_s, measure, seen_m, 3.0 if unit.calibrated else 60.0, number, start)
            start = start or said


def _ticks(path: list[tuple[float, Point]], every_s: float) -> list[float]:
    count = int((path[-1][0] - path[0][0]) / every_s)
    return [path[0][0] + every_s * k for k in range(count + 1)]


def surges(city: City, at_s: float) -> None:
    """Two surges at once, anywhere."""
    surge(city, at_s)
    surge(city, at_s + city.rng.uniform(0, 20))


def crowd(city: City, at_s: float) -> None:
    """A square fills and empties, seen by one to four units."""
    rng, place_m = city.rng, city.anywhere()
    radius_m, lasts_s = rng.uniform(6.0, 20.0), rng.uniform(120.0, 900.0)
    number = city.happens("crowd.density", [(at_s, place_m), (at_s + lasts_s, place_m)])

    def measure(area_m2: float = math.pi * radius_m**2) -> CrowdDensity:
        count = round(area_m2 * rng.uniform(2.0, 5.0))
        return CrowdDensity(density_p_m2=round(count / area_m2, 2), area_m2=round(area_m2, 1), count=count, los=None)

    for unit in city.near(place_m, 60.0)[: rng.randint(1, 4)]:
        begun_s, ended_s = at_s + rng.uniform(0, 30), at_s + lasts_s - rng.uniform(0, 30)
        seen_m, sigma_m = (place_m[0] + rng.gauss(0, radius_m / 3), place_m[1] + rng.gauss(0, radius_m / 3)), radius_m / 2
        if not unit.calibrated:
            seen_m, sigma_m = unit.place_m, 60.0

        start = city.say(unit, "crowd.density", Phase.START, begun_s, measure(), seen_m, sigma_m, number)
        when_s = begun_s + 60.0
        while when_s < ended_s:
            city.say(unit, "crowd.density", Phase.UPDATE, when_s, measure(), seen_m, sigma_m, number, start)
            when_s += 60.0
        city.say(unit, "crowd.density", Phase.END, max(ended_s, begun_s + 1.0), measure(), seen_m, sigma_m, number, start)


def siren(city: City, at_s: float) -> None:
    """An ambulance drives through, heard by one unit after the other."""
    speed_m_s = city.rng.uniform(6.0, 16.0)
    path = _street(city, at_s, speed_m_s, city.rng.uniform(300.0, 900.0), turns=True)
    _alarm(city, path, AlarmClass.SIREN, city.rng.uniform(80.0, 200.0))


def sirens(city: City, at_s: float) -> None:
    """A siren drives through while a fire alarm rings somewhere."""
    siren(city, at_s)
    place_m, lasts_s = city.anywhere(), city.rng.uniform(30.0, 300.0)
    _alarm(city, [(at_s, place_m), (at_s + lasts_s, place_m)], AlarmClass.FIRE_ALARM, city.rng.uniform(60.0, 120.0))


def _alarm(city: City, path: list[tuple[float, Point]], kind: AlarmClass, range_m: float) -> None:
    rng, number = city.rng, city.happens("sound.alarm", path)
    for unit in city.units:
        times_s = [t for t in _ticks(path, 0.5) if math.dist(_along(path, t), unit.place_m) <= range_m]
        if len(times_s) < 6:
            continue
        start, began_s = None, times_s[0] + rng.uniform(0, 2)
        for when_s in [*(t for t in times_s[1:-1:10] if t > began_s), times_s[-1] + rng.uniform(0.1, 2)]:
            phase = Phase.START if start is None else Phase.END if when_s > times_s[-1] else Phase.UPDATE
            distance_m = max(3.0, math.dist(_along(path, when_s), unit.place_m))
            measure = SoundAlarm(
                sound_class=kind,
                laeq_db=round(115 - 20 * math.log10(distance_m) + rng.gauss(0, 2), 1),
                duration_s=round(max(0.5, when_s - began_s), 1),
            )
            spoken_s = began_s if start is None else when_s
            said = city.say(unit, "sound.alarm", phase, spoken_s, measure, unit.place_m, range_m, number, start)
            start = start or said


# --- all of it ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Layout:
    """A city for a kind of scene: units along a side, how far apart they may be, and the seconds from one scene to the next."""

    side: int = 6
    spacing_m: tuple[float, float] = (50.0, 100.0)
    every_s: float = 20.0


SCENES: dict[str, Callable[[City, float], None]] = {
    "shot": shot,
    "shots": shots,
    "burst": burst,
    "pistol": pistol,
    "fireworks": fireworks,
    "object": object_,
    "pair": pair,
    "replaced": replaced,
    "fallen": fallen,
    "surge": surge,
    "surges": surges,
    "crowd": crowd,
    "siren": siren,
    "sirens": sirens,
}
_SEEN = Layout(side=7, spacing_m=(20.0, 60.0), every_s=45.0)
_GATHERS = Layout(side=8, spacing_m=(30.0, 90.0), every_s=400.0)
_MOVES = Layout(side=8, spacing_m=(30.0, 90.0), every_s=200.0)
_DRIVES = Layout(side=8, spacing_m=(40.0, 150.0), every_s=200.0)
LAYOUTS: dict[str, Layout] = (
    {kind: Layout() for kind in ("shot", "shots", "burst", "pistol", "fireworks")}
    | dict.fromkeys(("object", "pair", "replaced", "fallen"), _SEEN)
    | {"crowd": _GATHERS}
    | dict.fromkeys(("surge", "surges"), _MOVES)
    | dict.fromkeys(("siren", "sirens"), _DRIVES)
)


def play(city: City, kind: str, scenes: int) -> City:
    """Lets so many scenes of a kind happen in a city, one after the other."""
    every_s = LAYOUTS[kind].every_s
    for scene in range(scenes):
        SCENES[kind](city, START_S + every_s * scene + city.rng.uniform(0, every_s / 4))
    city.arrive()
    return city


def random_city(seed: int, kind: str, scenes: int, *, side: int | None = None, echoes: float = 0.0) -> City:
    """A city of a kind of scene, with so many of them; of this share of sounds a unit tells an echo besides."""
    from tests.hub.city import make_city

    layout = LAYOUTS[kind]
    spacing_m = random.Random(seed).uniform(*layout.spacing_m)
    city = make_city(seed, side=side or layout.side, spacing_m=spacing_m)
    city.echoes = echoes
    return play(city, kind, scenes)
