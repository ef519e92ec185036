"""The site plan: where the units are, what they watch, and under which law. One YAML file per site."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from .base import RESERVED_UNIT_NAMES, Decibels, Degrees, Latitude, Longitude, Metres, Name, Seconds, SquareMetres
from .config_file import ConfigError, ConfigFile, ConfigProblem, FileModel, KeyPath
from .profile import Profile, load_profile
from .unit_messages import Tag

Pixel = Annotated[float, Field(strict=True, ge=-100_000.0, le=100_000.0)]
PixelPoint = tuple[Pixel, Pixel]
LonLat = tuple[Longitude, Latitude]
Side = Annotated[int, Field(strict=True, ge=16, le=16_384, description="Pixels.")]
DensityStep = Annotated[float, Field(strict=True, gt=0.0, le=10.0, description="People per square metre.")]
ImageSize = tuple[Side, Side]
#: `parvis-hub keys show` gives it.
PublicKey = Annotated[str, Field(strict=True, pattern=r"^[0-9a-f]{64}$", description="An Ed25519 public key, 64 hexadecimal digits.")]


class Point(FileModel):
    """A place, WGS 84."""

    lon: Longitude
    lat: Latitude


class GroundPoint(FileModel):
    """A point of the picture whose place on the ground is known."""

    px: PixelPoint
    at: Point


class GroundPlane(FileModel):
    """What `parvis-edge calibrate` found out: at least four points of the picture and where they are."""

    image_size: ImageSize
    points: Annotated[tuple[GroundPoint, ...], Field(min_length=4, max_length=100)]


class Microphone(FileModel):
    """How loud the loudest sound is that the microphone can convert."""

    full_scale_db: Decibels = Field(default=120.0, description="Sound pressure level of a full-scale sine's peak, dB re 20 µPa.")


class Unit(FileModel):
    """A unit on the street."""

    position: Point
    height_m: Metres = 4.0
    heading_deg: Degrees = 0.0
    senses: Annotated[tuple[Literal["camera", "microphone"], ...], Field(min_length=1, max_length=2)]
    range_m: Annotated[float, Field(strict=True, gt=0.0, le=5_000.0)] = 50.0
    ground_plane: GroundPlane | None = None
    microphone: Microphone = Microphone()


class _Area(FileModel):
    """On the map (``polygon``), or in one unit's picture (``unit``, ``image_size``, ``polygon_px``)."""

    polygon: Annotated[tuple[LonLat, ...], Field(min_length=3, max_length=200)] | None = None
    unit: Name | None = None
    image_size: ImageSize | None = None
    polygon_px: Annotated[tuple[PixelPoint, ...], Field(min_length=3, max_length=200)] | None = None

    @property
    def in_picture(self) -> bool:
        """True if it is drawn in a unit's picture, False if on the map."""
        return self.polygon_px is not None

    @model_validator(mode="after")
    def _somewhere(self) -> _Area:
        in_picture = [self.unit is not None, self.image_size is not None, self.polygon_px is not None]
        if (self.polygon is not None and any(in_picture)) or (self.polygon is None and not all(in_picture)):
            raise ValueError("give either `polygon` (on the map), or `unit`, `image_size` and `polygon_px` (in its picture)")
        return self


class Unusual(FileModel):
    """When a level is far from what this hour of this weekday has been: `level.unusual`."""

    z_score: float = Field(default=4.5, strict=True, ge=3.0, le=100.0, description="Spreads from what is usual.")
    learn_weeks: int = Field(
        default=2, strict=True, ge=1, le=8, description="An hour of the week is judged once it has been seen or heard in so many weeks."
    )


class _Zone(_Area):
    """A zone that a camera sees."""

    unusual: Unusual | None = Field(default=Unusual(), description="Of the people and vehicles in it; null leaves them unjudged.")


class WatchedZone(_Zone):
    """Where a thing left behind matters: `object.unattended`."""

    kind: Literal["watched"]
    dwell_s: Seconds = 60.0


class ClosedZone(_Zone):
    """Where nobody may be: `zone.intrusion`."""

    kind: Literal["closed"]
    after_s: Seconds = 0.5


class WalkedZone(_Zone):
    """Where people walk, and nobody should lie: `person.on_ground`."""

    kind: Literal["walked"]
    after_s: Seconds = 5.0


class CrowdZone(_Zone):
    """Where it can become crowded: `crowd.density` and `crowd.surge`."""

    kind: Literal["crowd"]
    density_steps_p_m2: Annotated[tuple[DensityStep, ...], Field(min_length=1, max_length=8)] = (
        2.0,
        3.5,
        5.0,
    )
    area_m2: SquareMetres | None = Field(default=None, description="Of a zone in a picture without ground plane, if known.")
    surge_speed_m_s: Annotated[float, Field(strict=True, ge=1.0, le=8.0)] = Field(
        default=2.2, description="From here on, a place moves fast: at about 2.1 m/s, people begin to run (Diedrich and Warren, 1995)."
    )
    surge_people: Annotated[int, Field(strict=True, ge=3, le=10_000)] = Field(default=8, description="So many are many people.")
    surge_share: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] = Field(
        default=0.4, description="Of all who are in the zone, so many move fast."
    )

    @field_validator("density_steps_p_m2")
    @classmethod
    def _rising(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if list(value) != sorted(set(value)):
            raise ValueError("steps rise from one to the next, such as [2.0, 3.5, 5.0]")
        return value


class NoiseZone(FileModel):
    """Where noise has a limit, at one unit's microphone: `sound.level`."""

    kind: Literal["noise"]
    unit: Name
    limit_db: Decibels
    period_s: Annotated[float, Field(strict=True, ge=1.0, le=86_400.0)] = 60.0
    unusual: Unusual | None = Field(default=Unusual(), description="Of its level; null leaves it unjudged.")


Zone = Annotated[WatchedZone | ClosedZone | WalkedZone | CrowdZone | NoiseZone, Field(discriminator="kind")]


class Lane(_Area):
    """Where vehicles drive one way: `traffic.wrong_way`."""

    heading_deg: Degrees | None = None
    heading_px: PixelPoint | None = Field(default=None, description="Direction in the picture, x to the right and y down.")

    @model_validator(mode="after")
    def _one_heading(self) -> Lane:
        if self.in_picture and (self.heading_px is None or self.heading_deg is not None):
            raise ValueError("a lane in a picture has a `heading_px`, such as [0, -1] for upwards")
        if not self.in_picture and (self.heading_deg is None or self.heading_px is not None):
            raise ValueError("a lane on the map has a `heading_deg`, clockwise from north")
        if self.heading_px == (0.0, 0.0):
            raise ValueError("`heading_px` [0, 0] has no direction")
        return self


class Asset(FileModel):
    """A listed piece of furniture or a surface, in one unit's picture: `furniture.changed`, `surface.marked`."""

    kind: Literal["furniture", "surface"]
    unit: Name
    image_size: ImageSize
    polygon_px: Annotated[tuple[PixelPoint, ...], Field(min_length=3, max_length=200)]
    after_s: Seconds = Field(default=30.0, description="How long a change has stood, nobody before it, until it is told.")
    least_fraction: Annotated[float, Field(strict=True, gt=0.0, le=1.0)] | None = Field(
        default=None, description="Of the asset that has to be changed; 0.25 of furniture and 0.005 of a surface unless said."
    )
    area_m2: SquareMetres | None = Field(default=None, description="Of a surface, if known: what gives a mark its size.")

    @property
    def polygon(self) -> None:
        """Nothing: an asset is drawn in a picture, never on the map."""
        return

    @model_validator(mode="after")
    def _of_a_surface(self) -> Asset:
        if self.area_m2 is not None and self.kind != "surface":
            raise ValueError("`area_m2` is a surface's; of furniture, no area is told")
        return self


class Tags(FileModel):
    """The printed tags of consenting wearers."""

    family: Literal["tag36h11"] = "tag36h11"
    size_m: Annotated[float, Field(strict=True, gt=0.0, le=5.0)]
    allow: Annotated[tuple[Tag, ...], Field(max_length=587)] = Field(
        default=(), description="Counts under the profile `lab` only; elsewhere the signed allowlist does."
    )
    retro_reflective: Annotated[bool, Field(strict=True)] = Field(
        default=False, description="True makes every camera of the site blind but for tags that throw light back; nothing else is judged."
    )
    exposure_us: Annotated[float, Field(strict=True, ge=1.0, le=20_000.0)] | None = Field(
        default=None, description="What a camera that is plugged in is set to; others are set in themselves."
    )

    @model_validator(mode="after")
    def _blind(self) -> Tags:
        if self.exposure_us is not None and not self.retro_reflective:
            raise ValueError("`exposure_us` is for tags that throw light back: say `retro_reflective: true` too")
        return self


class Site(FileModel):
    """A site plan."""

    site: Name
    timezone: str = "UTC"
    profile: str
    origin: Point
    temperature_c: Annotated[float, Field(strict=True, ge=-60.0, le=60.0)] = 15.0
    units: Annotated[dict[Name, Unit], Field(min_length=1)]
    zones: dict[Name, Zone] = {}
    lanes: dict[Name, Lane] = {}
    assets: dict[Name, Asset] = {}
    walkways: str | None = None
    count_floor: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10, description='Counts of `flow.count` below it are sent as "<n": small numbers single people out.'
    )
    tags: Tags | None = None
    hub_keys: Annotated[tuple[PublicKey, ...], Field(max_length=4)] = Field(
        default=(), description="Whose commands units obey. Two while one key takes the place of another."
    )

    _path: Path = PrivateAttr(default=Path())
    _profile: Profile | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _remember(self, info: ValidationInfo) -> Site:
        if isinstance(info.context, ConfigFile):
            self._path = info.context.path
        return self

    @property
    def path(self) -> Path:
        """The file that it was read from."""
        return self._path

    @property
    def law(self) -> Profile:
        """The legal profile that its `profile` names.

        Raises:
            LookupError: The plan was made in the program, and none was given to :meth:`under`.
        """
        if self._profile is None:
            raise LookupError(f"site {self.site} has no profile loaded: nothing may start")
        return self._profile

    @property
    def blind(self) -> bool:
        """True if the site's cameras show nothing but tags that throw light back."""
        return self.tags is not None and self.tags.retro_reflective

    def under(self, profile: Profile) -> Site:
        """Puts this plan under a profile."""
        self._profile = profile
        return self

    def zones_of(self, unit: str) -> dict[str, Zone]:
        """The zones that a unit may have to judge: those on the map, and those in its own picture or at its microphone."""
        return {name: zone for name, zone in self.zones.items() if zone.unit in (None, unit)}

    def lanes_of(self, unit: str) -> dict[str, Lane]:
        """The lanes that a unit may have to judge."""
        return {name: lane for name, lane in self.lanes.items() if lane.unit in (None, unit)}

    def assets_of(self, unit: str) -> dict[str, Asset]:
        """The assets in a unit's picture."""
        return {name: asset for name, asset in self.assets.items() if asset.unit == unit}

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("a name of the time zone database, such as Europe/Paris")
        return value


def load_site(path: str | Path) -> Site:
    """Reads a site plan and the profile that it names.

    Raises:
        ConfigError: Every problem found, each with file, line, key, value and what was expected.
    """
    file = ConfigFile(Path(path))
    site = file.read(Site)
    problems = list(_contradictions(file, site))
    if problems:
        raise ConfigError(problems)
    try:
        return site.under(load_profile(site.profile, beside=file.path))
    except ConfigError as error:
        if error.problems[0].file.exists():
            raise
        raise ConfigError([file.problem(("profile",), repr(site.profile), error.problems[0].expected)]) from None


def _contradictions(file: ConfigFile, site: Site) -> Iterator[ConfigProblem]:
    """What no single key shows: names of units that do not exist, senses that a zone needs."""
    for name in site.units:
        if name in RESERVED_UNIT_NAMES:
            yield file.problem(("units", name), "", "this name is the hub's; choose another")
    needing: list[tuple[KeyPath, str | None, str]] = [
        (("zones", name, "unit"), zone.unit, "microphone" if zone.kind == "noise" else "camera") for name, zone in site.zones.items()
    ]
    needing += [(("lanes", name, "unit"), lane.unit, "camera") for name, lane in site.lanes.items()]
    needing += [(("assets", name, "unit"), asset.unit, "camera") for name, asset in site.assets.items()]
    for path, unit, sense in needing:
        if unit is None:
            continue
        if unit not in site.units:
            yield file.problem(path, repr(unit), f"no such unit; `units` has {', '.join(sorted(site.units))}")
        elif sense not in site.units[unit].senses:
            yield file.problem(path, repr(unit), f"this unit has no {sense}; its `senses` are {', '.join(site.units[unit].senses)}")
