"""`crowd.surge`: many people suddenly move fast, apart or together.

Where people are (what differs from the empty scene, vehicles left out), the picture's flow is put on the ground: a speed at each place. A
place is fast above the zone's `surge_speed_m_s`, and above what the zone has been used to over minutes and over the last seconds, so that
a race is not a surge and neither is a crowd that gathers pace gently. It is a surge when what moves fast amounts to
`surge_people` or more, is a good share of all who are there, and the detector has recognised people who move so: a bus, a shadow, a
tree or a camera that shakes are not people, and a runner is not many. A crowd that bursts apart or closes in, against what
the zone is used to, needs three quarters of that speed. All of it is a field's: nobody is followed.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from parvis_contract import CrowdSurge, CrowdZone, Position

from parvis_edge.perception import Judgement
from parvis_edge.vision.area import Area
from parvis_edge.vision.background import Mask
from parvis_edge.vision.bodies import BODY_SHAPE, Floats
from parvis_edge.vision.crowd_flow import CrowdFlow
from parvis_edge.vision.sight import Scene

from .occupancy import occupancy_of, vehicles
from .view import Lasting, View

#: Walking in public space: mean and standard deviation (Weidmann, Transporttechnik der Fussgänger, 1993). What a zone is taken to be
#: used to before it has been watched for :data:`LEAST_SAMPLES`.
WALK_M_S, WALK_SPREAD_M_S = 1.34, 0.26
#: Slower is swaying and noise; faster is nobody on foot (a sprinter's best is 12 m/s, a good runner's 6).
LEAST_M_S, MOST_M_S = 0.4, 8.0
#: The zone's own past: one sample a second, of so many minutes; and so many before it counts.
SAMPLE_S, REMEMBERED_S, LEAST_SAMPLES = 1.0, 600.0, 30
#: Above what the zone is used to by so many robust standard deviations (1.4826 times the median absolute deviation).
SPREADS = 4.0
#: Suddenly: faster than the median of the last seconds by this factor, leaving out the very last ones.
SUDDEN_FACTOR, RECENT_FROM_S, RECENT_TO_S = 1.4, 15.0, 3.0
#: A crowd that moves apart or together: least divergence that says so (people who scatter at 2 m/s over 10 m: 2 × 2 / 10 m), and
#: how much less speed it then takes.
LEAST_DIVERGENCE_PER_S, HURRIED = 0.3, 0.75
#: So many flows in a row have to agree, over at least this time. Scattering people leave a small zone within two seconds.
AGREEING, AGREEING_S = 3, 0.4
#: Flow is measured this often; and at every look once as much as one person seems to run.
FLOW_EVERY_S, ALERT = 0.4, 1.0
#: A detected person is fast if this share of what is seen in the box is; and so many must be, of certainties summed, in these seconds.
FAST_SHARE, LEAST_RUNNERS, RUNNERS_S = 0.4, 1.5, 1.5
#: Half as many as it takes to start keep a surge going; it is over when there have been fewer for this long.
KEEPS_GOING, OVER_AFTER_S = 0.5, 3.0
#: Cells of the ground over which those who move are counted, and how much of a person makes one count.
SQUARE_M, LEAST_IN_SQUARE = 1.0, 0.1
#: Error of a stature, as a share: what a body's middle tells about its feet.
STATURE_ERROR = 0.1
#: Flow's error, as a share of the speed; without a ground plane, with the lens guessed.
SPEED_ERROR, UNCALIBRATED_ERROR = 0.15, 0.35
#: Of a normal distribution's standard deviation, the median absolute deviation.
_PER_MAD = 1.4826


@dataclass(frozen=True, slots=True)
class _Flow:
    """One measurement of a zone.

    Attributes:
        time_s: When.
        speed_m_s: Median over what moves.
        moving: People who move, as an amount.
        fast: And who move fast.
        share: Of all who are there, standing or moving.
        fast_speed_m_s: Median over what is fast.
        divergence_per_s: Of what is fast, or of what moves where nothing is.
        area_m2: Of ground that moves fast.
        middle_px: Feet below the middle of what is fast, and the spread of people about it, in pixels; None where nothing is.
        error_px: 1 sigma of the middle, from the bodies' height and from how few they are.
        drift_m_s: Mean velocity of what is fast.
    """

    time_s: float
    speed_m_s: float = 0.0
    moving: float = 0.0
    fast: float = 0.0
    share: float = 0.0
    fast_speed_m_s: float = 0.0
    divergence_per_s: float = 0.0
    area_m2: float = 0.0
    middle_px: tuple[float, float] | None = None
    error_px: tuple[float, float] = (0.0, 0.0)
    drift_m_s: tuple[float, float] = (0.0, 0.0)


@dataclass(slots=True)
class _Zone:
    """What is remembered of one zone: numbers of the whole field."""

    past: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=round(REMEMBERED_S / SAMPLE_S)))
    latest: deque[_Flow] = field(default_factory=lambda: deque(maxlen=AGREEING))
    runners: deque[tuple[float, float]] = field(default_factory=deque)
    baseline_m_s: float = WALK_M_S
    fast_s: float = -math.inf
    episode: int = 0


class CrowdSurgeAnalyser:
    """Judges the crowd zones of one view.

    Args:
        zones: By name, with where they are in the picture.
        view: The camera's.
    """

    def __init__(self, zones: dict[str, tuple[CrowdZone, Area]], view: View) -> None:
        self._plans = zones
        self._view = view
        self._lasting = Lasting("crowd.surge", view.model)
        self._zones = {name: _Zone() for name in zones}
        self._occupancy = occupancy_of(view)
        self._flow = CrowdFlow()
        self._measured_s = -math.inf

    def judge(self, scene: Scene) -> list[Judgement]:
        """Takes the next scene."""
        self._occupancy.learn(scene)
        since_s = scene.time_s - self._measured_s
        alert = any(zone.latest and zone.latest[-1].fast >= ALERT for zone in self._zones.values())
        if scene.change is None or scene.earlier is None or (0 <= since_s < FLOW_EVERY_S - 0.01 and not alert):
            return []
        self._measured_s = scene.time_s
        return [judgement for name in self._zones for judgement in self._judge_zone(name, scene)]

    def finish(self, time_s: float) -> list[Judgement]:
        """Ends what is open."""
        return self._lasting.finish(time_s)

    def _judge_zone(self, name: str, scene: Scene) -> list[Judgement]:
        plan, area = self._plans[name]
        zone = self._zones[name]
        key = (name, zone.episode)
        flow = self._measure(plan, area, zone, scene)
        zone.latest.append(flow)
        while zone.runners and not 0 <= scene.time_s - zone.runners[0][0] <= RUNNERS_S:
            zone.runners.popleft()
        if key not in self._lasting:
            self._remember(zone, flow)
            return self._started(key, plan, zone)
        if flow.fast >= KEEPS_GOING * plan.surge_people and flow.share >= KEEPS_GOING * plan.surge_share:
            zone.fast_s = flow.time_s
            confidence = self._confidence(plan, zone, flow)
            return self._lasting.update(key, flow.time_s, confidence, self._said(zone, flow), self._position(flow))
        if scene.time_s - zone.fast_s > OVER_AFTER_S:
            zone.episode += 1
            return [self._lasting.end(key, zone.fast_s)]
        return []

    def _started(self, key: tuple[str, int], plan: CrowdZone, zone: _Zone) -> list[Judgement]:
        flows = list(zone.latest)
        if len(flows) < AGREEING or flows[-1].time_s - flows[0].time_s < AGREEING_S - 0.01:
            return []
        # As much as keeps it going at all of them, and as much as starts it at most: the first may be half begun, the last half gone.
        people, shares = (sorted(getattr(flow, name) for flow in flows) for name in ("fast", "share"))
        least = people[0] >= KEEPS_GOING * plan.surge_people and shares[0] >= KEEPS_GOING * plan.surge_share
        if not least or people[AGREEING // 2] < plan.surge_people or shares[AGREEING // 2] < plan.surge_share:
            return []
        if max((sure for _, sure in zone.runners), default=0.0) < LEAST_RUNNERS or _is_to_and_fro(flows):
            return []
        most = max(flows, key=lambda flow: flow.fast)
        zone.fast_s = flows[-1].time_s
        confidence = self._confidence(plan, zone, most)
        return [self._lasting.start(key, flows[0].time_s, flows[-1].time_s, confidence, self._said(zone, most), self._position(most))]

    def _measure(self, plan: CrowdZone, area: Area, zone: _Zone, scene: Scene) -> _Flow:
        """Speeds of the zone at one moment."""
        geometry, change, earlier = self._occupancy.bodies, scene.change, scene.earlier
        if geometry is None or change is None or earlier is None or not (change.moving & self._occupancy.where(area)).any():
            return _Flow(scene.time_s)
        people = change.changed & self._occupancy.where(area) & ~vehicles(scene)
        people[1::2] = False  # Every second row tells as much.
        if not people.any():
            return _Flow(scene.time_s)
        passed_s = scene.time_s - earlier.time_s
        flow = self._flow.between(earlier.small, scene.small, passed_s, people, changed=change.changed, moving=change.moving)
        steps = geometry.m_per_cell[people]
        velocity = steps[:, :, 0] * flow[:, :1] + steps[:, :, 1] * flow[:, 1:]
        speed = np.linalg.norm(velocity, axis=1)
        weight = 2.0 / (geometry.cells[people] * self._occupancy.cover)
        crowding = self._occupancy.crowding(area, scene)
        if crowding is not None:
            # Who is hidden by others goes with them.
            weight *= max(1.0, crowding.people / float(weight.sum()))
        ground = geometry.ground_m[people]
        moving = (speed >= LEAST_M_S) & (speed <= MOST_M_S)
        if not moving.any():
            return _Flow(scene.time_s)
        limit = self._limit(plan, zone, scene.time_s)
        fast = moving & (speed >= limit)
        hurried = moving & (speed >= HURRIED * limit)
        divergence = _divergence(ground[hurried], velocity[hurried])
        if abs(divergence) >= self._divergence_limit(zone):
            fast = hurried
        chosen = fast if fast.any() else moving
        if fast.any():
            self._note_runners(zone, scene, people, fast)
        feet = geometry.foot_px[people][chosen]
        share = weight[chosen] / weight[chosen].sum()
        middle = (feet * share[:, None]).sum(axis=0)
        spread = np.sqrt(((feet - middle) ** 2 * share[:, None]).sum(axis=0) / max(float(weight[chosen].sum()), 1.0))
        height = 2 * float((np.sqrt(geometry.cells[people][chosen] / BODY_SHAPE) * share).sum()) * scene.cell_px
        return _Flow(
            scene.time_s,
            speed_m_s=float(np.median(speed[moving])),
            moving=float(weight[moving].sum()),
            fast=float(weight[fast].sum()),
            share=float(weight[fast].sum() / weight.sum()),
            fast_speed_m_s=float(np.median(speed[chosen])),
            divergence_per_s=_divergence(ground[chosen], velocity[chosen]),
            area_m2=_area_m2(ground[fast], weight[fast]),
            middle_px=(float(middle[0]), float(middle[1])),
            error_px=(float(spread[0]), math.hypot(float(spread[1]), STATURE_ERROR * height / 2)),
            drift_m_s=(float(velocity[chosen, 0].mean()), float(velocity[chosen, 1].mean())),
        )

    def _note_runners(self, zone: _Zone, scene: Scene, people: Mask, fast: Mask) -> None:
        """People that the detector found now, who are as fast as that."""
        runs = np.zeros(people.shape, np.bool_)
        runs[people] = fast
        sure = 0.0
        for box, kind, confidence in zip(scene.detections.boxes_px, scene.kinds, scene.confidences, strict=True):
            if kind != "person":
                continue
            x0, y0, x1, y1 = (max(0, round(float(side) / scene.cell_px)) for side in box)
            seen = np.count_nonzero(people[y0:y1, x0:x1])
            if seen and np.count_nonzero(runs[y0:y1, x0:x1]) >= FAST_SHARE * seen:
                sure += float(confidence)
        zone.runners.append((scene.time_s, sure))

    def _remember(self, zone: _Zone, flow: _Flow) -> None:
        """Takes a sample of what the zone is used to, once a second, while nothing surges and somebody moves."""
        if flow.moving < 1.0 or (zone.past and 0 <= flow.time_s - zone.past[-1][0] < SAMPLE_S):
            return
        zone.past.append((flow.time_s, flow.speed_m_s, flow.divergence_per_s))
        if len(zone.past) >= LEAST_SAMPLES:
            zone.baseline_m_s = float(np.median([entry[1] for entry in zone.past]))

    def _limit(self, plan: CrowdZone, zone: _Zone, now_s: float) -> float:
        """Speed, in m/s, from which on a place is fast."""
        speeds = np.array([entry[1] for entry in zone.past])
        known = len(speeds) >= LEAST_SAMPLES
        spread = _PER_MAD * float(np.median(np.abs(speeds - zone.baseline_m_s))) if known else WALK_SPREAD_M_S
        recent = [entry[1] for entry in zone.past if RECENT_TO_S <= now_s - entry[0] <= RECENT_FROM_S]
        sudden = SUDDEN_FACTOR * float(np.median(recent)) if len(recent) >= 3 else 0.0
        return max(plan.surge_speed_m_s, zone.baseline_m_s + SPREADS * spread if known else 0.0, sudden)

    @staticmethod
    def _divergence_limit(zone: _Zone) -> float:
        if len(zone.past) < LEAST_SAMPLES:
            return LEAST_DIVERGENCE_PER_S
        past = np.abs([entry[2] for entry in zone.past])
        usual = float(np.median(past))
        return max(LEAST_DIVERGENCE_PER_S, usual + SPREADS * _PER_MAD * float(np.median(np.abs(past - usual))))

    def _confidence(self, plan: CrowdZone, zone: _Zone, flow: _Flow) -> float:
        """Probability that as many, recognised as people, are as fast as that."""
        calibrated = self._view.ground is not None
        many = _above(flow.fast, plan.surge_people, 0.3 * flow.fast)
        error = SPEED_ERROR if calibrated else UNCALIBRATED_ERROR
        quick = _above(flow.fast_speed_m_s, HURRIED * plan.surge_speed_m_s, error * flow.fast_speed_m_s)
        seen = max((sure for _, sure in zone.runners), default=LEAST_RUNNERS)
        return many * quick * (1.0 - math.exp(-seen))

    def _said(self, zone: _Zone, flow: _Flow) -> CrowdSurge:
        divergence = min(max(flow.divergence_per_s, -50.0), 50.0)
        if self._view.ground is None:
            return CrowdSurge(speed_m_s=None, baseline_speed_m_s=None, divergence_per_s=divergence, area_m2=None)
        return CrowdSurge(
            speed_m_s=flow.fast_speed_m_s, baseline_speed_m_s=zone.baseline_m_s, divergence_per_s=divergence, area_m2=flow.area_m2
        )

    def _position(self, flow: _Flow) -> Position | None:
        return None if flow.middle_px is None else self._view.position_of_ground(flow.middle_px, flow.error_px)


def _is_to_and_fro(flows: list[_Flow]) -> bool:
    """True if all goes one way and at the next moment back: the picture shakes."""
    pairs = pairwise(flows)
    together = 0.5 * min(flow.fast_speed_m_s for flow in flows)
    return any(
        min(math.hypot(*one.drift_m_s), math.hypot(*other.drift_m_s)) > together
        and one.drift_m_s[0] * other.drift_m_s[0] + one.drift_m_s[1] * other.drift_m_s[1] < 0
        for one, other in pairs
    )


def _divergence(ground_m: Floats, velocity_m_s: Floats) -> float:
    """Divergence, per second, of the affine field that fits velocities best: the trace of its gradient; 0 where too little is known.

    Any linear change of the ground's coordinates leaves it as it is, so that a guessed scale or lens does not matter.
    """
    if len(ground_m) < 12:
        return 0.0
    here = ground_m - ground_m.mean(axis=0)
    moments = here.T @ here + 0.1 * len(here) * np.eye(2)  # People within 0.3 m of each other have no gradient.
    gradient = np.linalg.solve(moments, here.T @ (velocity_m_s - velocity_m_s.mean(axis=0)))
    return float(np.trace(gradient))


def _area_m2(ground_m: Floats, weight: Floats) -> float:
    """Of the squares of ground on which somebody is."""
    if not len(ground_m):
        return 0.0
    _, square = np.unique(np.floor(ground_m / SQUARE_M).astype(np.int64), axis=0, return_inverse=True)
    return float(np.count_nonzero(np.bincount(square.ravel(), weight) >= LEAST_IN_SQUARE)) * SQUARE_M**2


def _above(value: float, limit: float, sigma: float) -> float:
    """Probability that what was measured as ``value`` is above a limit."""
    return 0.5 * (1.0 + math.erf((value - limit) / (max(sigma, 1e-6) * math.sqrt(2.0)))) if value else 0.0
