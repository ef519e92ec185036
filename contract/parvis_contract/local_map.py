"""A flat map in metres around the site's origin: the geometry of a street, for unit and hub alike, without a projection library."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .site import Point

#: WGS 84: semi-major axis in metres, first eccentricity squared.
_A_M, _E2 = 6_378_137.0, 0.006_694_379_990_14


@dataclass(frozen=True, slots=True)
class LocalMap:
    """East and north of an origin, in metres, on the ellipsoid's tangent radii there.

    Within 10 km of the origin a distance is wrong by less than one part in a thousand.
    """

    lon_deg: float
    lat_deg: float
    east_m_per_deg: float
    north_m_per_deg: float

    @classmethod
    def around(cls, origin: Point) -> LocalMap:
        """The map around a point, by the radii of curvature in the prime vertical and in the meridian."""
        phi = math.radians(origin.lat)
        w2 = 1.0 - _E2 * math.sin(phi) ** 2
        across_m = _A_M / math.sqrt(w2)
        along_m = _A_M * (1.0 - _E2) / w2**1.5
        # At a pole every longitude is the same place; a degree of it still needs a length to divide by.
        east = max(math.radians(1.0) * across_m * math.cos(phi), 1e-6)
        return cls(origin.lon, origin.lat, east, math.radians(1.0) * along_m)

    def to_m(self, lon_deg: float, lat_deg: float) -> tuple[float, float]:
        """East and north in metres."""
        turned = (lon_deg - self.lon_deg + 180.0) % 360.0 - 180.0
        return turned * self.east_m_per_deg, (lat_deg - self.lat_deg) * self.north_m_per_deg

    def to_deg(self, east_m: float, north_m: float) -> tuple[float, float]:
        """Longitude and latitude in degrees."""
        lon = (self.lon_deg + east_m / self.east_m_per_deg + 180.0) % 360.0 - 180.0
        return lon, min(90.0, max(-90.0, self.lat_deg + north_m / self.north_m_per_deg))
