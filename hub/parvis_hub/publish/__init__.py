"""Publishes incidents and refusals until the broker has confirmed them; commands until their unit has; routes; and what stands."""

from .commands import CommandSender
from .publisher import Publisher
from .routes import RouteKeeper, Told, exported, route_of, routes_now
from .standing import Standing

__all__ = ["CommandSender", "Publisher", "RouteKeeper", "Standing", "Told", "exported", "route_of", "routes_now"]
