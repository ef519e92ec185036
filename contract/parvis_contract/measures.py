"""What each type of event measures: one closed model per type, each quantity named with its unit.

A quantity that needs a calibrated ground plane is ``None`` where the unit has none; it is then left to the reader, who sees
that it is unknown, rather than guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from .base import (
    Closed,
    Count,
    Decibels,
    Fraction,
    Metres,
    MetresPerSecond,
    Milliseconds,
    Name,
    PeoplePerSquareMetre,
    Seconds,
    SquareMetres,
)


class Measure(Closed):
    """The measured quantities of one event."""


class FurnitureChange(StrEnum):
    """What became of a piece of street furniture."""

    MISSING = "missing"
    MOVED = "moved"
    ALTERED = "altered"


class LevelOfService(StrEnum):
    """Fruin's walkway level of service (Pedestrian Planning and Design, 1971), by density in people per square metre."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"

    @classmethod
    def of(cls, density_p_m2: float) -> LevelOfService:
        """The level of a density: 35, 25, 15, 10 and 5 square feet a person are the limits between A and F."""
        for level, below_p_m2 in zip("ABCDE", (0.31, 0.43, 0.72, 1.08, 2.15), strict=True):
            if density_p_m2 < below_p_m2:
                return cls(level)
        return cls.F


class ObjectClass(StrEnum):
    """What is told apart among things that move by themselves. Nothing finer exists."""

    PERSON = "person"
    BICYCLE = "bicycle"
    VEHICLE = "vehicle"


class LevelQuantity(StrEnum):
    """A counted level that has a usual course over the week."""

    PERSON_COUNT = "person_count"
    VEHICLE_COUNT = "vehicle_count"
    LAEQ_DB = "laeq_db"


class ImpulseClass(StrEnum):
    """The impulsive sounds that have a name here."""

    GUNSHOT = "gunshot"
    EXPLOSION = "explosion"
    GLASS_BREAKING = "glass_breaking"
    FIREWORK = "firework"
    CRASH = "crash"


class AlarmClass(StrEnum):
    """The sustained alarm sounds that have a name here."""

    SIREN = "siren"
    FIRE_ALARM = "fire_alarm"
    VEHICLE_HORN = "vehicle_horn"


class TamperCause(StrEnum):
    """Why a unit can no longer see or hear what it should."""

    COVERED = "covered"
    MOVED = "moved"
    DEFOCUSED = "defocused"
    DARK = "dark"
    FROZEN = "frozen"
    SILENT = "silent"


class ObjectUnattended(Measure):
    """A thing that was not there has stayed still, nobody near it."""

    dwell_s: Seconds = Field(description="How long it has stood.")
    area_m2: SquareMetres | None = Field(description="Of the ground that it covers.")
    nearest_person_m: Metres | None = Field(description="Distance of whoever is nearest now.")


class FurnitureChanged(Measure):
    """A listed bench, bin, sign … is gone, moved or altered."""

    asset: Name = Field(description="From the site plan.")
    changed_fraction: Fraction = Field(description="Of the asset's area in the picture.")
    change: FurnitureChange


class SurfaceMarked(Measure):
    """A listed wall or shutter carries a mark that it did not carry."""

    asset: Name = Field(description="From the site plan.")
    changed_area_m2: SquareMetres | None = Field(description="Of the mark.")
    changed_fraction: Fraction = Field(description="Of the asset's area in the picture.")


class CrowdDensity(Measure):
    """A zone is over its density step."""

    density_p_m2: PeoplePerSquareMetre | None
    area_m2: SquareMetres | None = Field(description="Of the zone, as far as it is seen.")
    count: Count = Field(description="People in it.")
    los: LevelOfService | None


class CrowdSurge(Measure):
    """Many people suddenly move fast, apart or together."""

    speed_m_s: MetresPerSecond | None = Field(description="Median speed of the flow now.")
    baseline_speed_m_s: MetresPerSecond | None = Field(description="What it usually is there.")
    divergence_per_s: Annotated[float, Field(ge=-50.0, le=50.0, description="Per second; positive: apart.")]
    area_m2: SquareMetres | None = Field(description="Of the ground that moves so.")


class PersonOnGround(Measure):
    """Somebody is lying still where people walk."""

    duration_s: Seconds = Field(description="How long so far.")


class ZoneIntrusion(Measure):
    """Presence in a closed zone."""

    zone: Name = Field(description="From the site plan.")
    object_class: ObjectClass
    duration_s: Seconds = Field(description="How long so far.")


class TrafficWrongWay(Measure):
    """A vehicle drives against its lane."""

    lane: Name = Field(description="From the site plan.")
    object_class: ObjectClass
    heading_error_deg: Annotated[float, Field(ge=0.0, le=180.0, description="Between its heading and the lane's.")]
    speed_m_s: MetresPerSecond | None


class LevelUnusual(Measure):
    """A counted level is far from what this hour of this weekday has been."""

    quantity: LevelQuantity
    observed: Annotated[float, Field(ge=-20.0, le=1.0e6, description="In the unit of the quantity: a count, or dB.")]
    expected: Annotated[float, Field(ge=-20.0, le=1.0e6, description="Of this hour of this weekday, in the same unit.")]
    z_score: Annotated[float, Field(ge=-1.0e4, le=1.0e4, description="Robust standard deviations from what is expected.")]


class SoundImpulse(Measure):
    """An impulsive sound of a listed class."""

    sound_class: ImpulseClass
    lcpeak_db: Decibels = Field(description="C-weighted peak level, dB re 20 µPa.")
    onset_uncertainty_ms: Milliseconds = Field(description="1-sigma, of the envelope's time.")


class SoundAlarm(Measure):
    """A sustained alarm sound."""

    sound_class: AlarmClass
    laeq_db: Decibels = Field(description="A-weighted equivalent level over its duration, dB re 20 µPa.")
    duration_s: Seconds = Field(description="How long so far.")


class SoundLevel(Measure):
    """Noise over the zone's limit."""

    laeq_db: Decibels = Field(description="A-weighted equivalent level over the period, dB re 20 µPa.")
    lafmax_db: Decibels = Field(description="Highest A-weighted level, time weighting F, dB re 20 µPa.")
    lcpeak_db: Decibels = Field(description="C-weighted peak level, dB re 20 µPa.")
    period_s: Seconds = Field(description="What the levels are taken over.")
    limit_db: Decibels = Field(description="The zone's limit of laeq_db, from the site plan.")


class UnitTampered(Measure):
    """The unit can no longer see or hear what it should."""

    cause: TamperCause


class LocatedImpulse(Measure):
    """What an incident says of an impulse that several units heard: the class by pooled evidence, the level at the loudest."""

    sound_class: ImpulseClass
    lcpeak_db: Decibels


@dataclass(frozen=True, slots=True)
class EventType:
    """An entry of the closed list.

    Attributes:
        name: Short name, ``object.unattended``.
        lasts: True if it has a start and an end; False if it is an instant.
        measure: The model of its measured quantities.
        senses: What can sense it: ``camera``, ``microphone`` or both.
    """

    name: str
    lasts: bool
    measure: type[Measure]
    senses: frozenset[str]

    @property
    def full_name(self) -> str:
        """The CloudEvents ``type``: ``org.parvis.object.unattended.v1``."""
        return f"org.parvis.{self.name}.v1"

    @property
    def incident_measure(self) -> type[Measure]:
        """The model of what an incident of this type measures."""
        return LocatedImpulse if self.measure is SoundImpulse else self.measure


_CAMERA, _MICROPHONE = frozenset({"camera"}), frozenset({"microphone"})

#: The closed list, by short name. There is no other event.
EVENT_TYPES: dict[str, EventType] = {
    entry.name: entry
    for entry in (
        EventType("object.unattended", True, ObjectUnattended, _CAMERA),
        EventType("furniture.changed", True, FurnitureChanged, _CAMERA),
        EventType("surface.marked", True, SurfaceMarked, _CAMERA),
        EventType("crowd.density", True, CrowdDensity, _CAMERA),
        EventType("crowd.surge", True, CrowdSurge, _CAMERA),
        EventType("person.on_ground", True, PersonOnGround, _CAMERA),
        EventType("zone.intrusion", True, ZoneIntrusion, _CAMERA),
        EventType("traffic.wrong_way", True, TrafficWrongWay, _CAMERA),
        EventType("level.unusual", True, LevelUnusual, _CAMERA | _MICROPHONE),
        EventType("sound.impulse", False, SoundImpulse, _MICROPHONE),
        EventType("sound.alarm", True, SoundAlarm, _MICROPHONE),
        EventType("sound.level", True, SoundLevel, _MICROPHONE),
        EventType("unit.tampered", True, UnitTampered, _CAMERA | _MICROPHONE),
    )
}
