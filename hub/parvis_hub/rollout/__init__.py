"""Brings a model or a site plan to the units in rings: a few first, then shares, and no further where something goes wrong."""

from .decide import NotPossible
from .keeper import RolloutKeeper
from .rates import Jump
from .rings import NotStarted, Order, new_rollout
from .shelf import RolloutShelf, UnknownRollout
from .state import Back, Halt, Member, Phase, PlanTarget, Problem, ReleaseTarget, Ring, Rollout, Target

__all__ = [
    "Back",
    "Halt",
    "Jump",
    "Member",
    "NotPossible",
    "NotStarted",
    "Order",
    "Phase",
    "PlanTarget",
    "Problem",
    "ReleaseTarget",
    "Ring",
    "Rollout",
    "RolloutKeeper",
    "RolloutShelf",
    "Target",
    "UnknownRollout",
    "new_rollout",
]
