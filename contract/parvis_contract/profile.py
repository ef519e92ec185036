"""The law as data: what may run, where, until when, and by which text. Nothing starts that a profile does not allow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from .config_file import ConfigError, ConfigFile, ConfigProblem, FileModel
from .measures import EVENT_TYPES

Sense = Literal["camera", "microphone"]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
#: What a profile may name besides the closed list of events.
ALSO_NAMED = {"flow.count": frozenset({"camera"}), "tag.sighting": frozenset({"camera"})}


class Source(FileModel):
    """The text that a rule rests on."""

    text: Text
    link: Annotated[str, Field(pattern=r"^https://", max_length=300)] | None = None
    verified: bool = Field(
        default=True,
        strict=True,
        description="False: nobody has read the text itself yet, or it is a reading of ours that nobody has confirmed.",
    )
    see: tuple[Source, ...] = Field(default=(), max_length=10, description="Further texts.")


class SenseRule(FileModel):
    """What one kind of sensor may report, and by which text; and of what it may not, what speaks against it.

    What `allow` does not name is not allowed, whether or not `refuse` says why.
    """

    allow: tuple[str, ...]
    source: Source
    refuse: dict[str, Source] = {}

    @field_validator("allow", "refuse")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        unknown = [name for name in value if name not in EVENT_TYPES and name not in ALSO_NAMED]
        if unknown:
            raise ValueError(f"{', '.join(unknown)}: not on the closed list of event types")
        return value

    @model_validator(mode="after")
    def _one_or_the_other(self) -> SenseRule:
        both = [name for name in self.allow if name in self.refuse]
        if both:
            raise ValueError(f"{', '.join(both)}: allowed and refused; keep one")
        return self


class Correlation(FileModel):
    """Whether sound and image may be joined."""

    allow: Annotated[bool, Field(strict=True)]
    source: Source


class Retention(FileModel):
    """How long each kind of row is kept."""

    events_h: Annotated[float, Field(gt=0.0, le=8_784.0)]
    incidents_h: Annotated[float, Field(gt=0.0, le=8_784.0)]
    evidence_h: Annotated[float, Field(gt=0.0, le=8_784.0)]
    sightings_h: Annotated[float, Field(gt=0.0, le=8_784.0)]
    audit_h: Annotated[float, Field(gt=0.0, le=87_840.0)]
    source: Source


class OpticalCap(FileModel):
    """How finely a camera may resolve a standing person (EN 62676-4), in pixels per metre."""

    px_per_m: Annotated[float, Field(gt=0.0, le=62.5)]
    source: Source


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a detector does not start.

    Attributes:
        file, line: Where the profile says so, or fails to.
        reason: What is missing.
    """

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.reason}"


class Profile(FileModel):
    """What a jurisdiction, or a site's own rules, allow."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    title: dict[Literal["en", "fr"], Text]
    jurisdiction: Text
    basis: Source
    valid_from: date
    valid_to: date
    recorded_only: bool = Field(default=False, strict=True, description="Files only: no live camera or microphone is opened.")
    camera: SenseRule | None = None
    microphone: SenseRule | None = None
    sound_with_image: Correlation
    retention: Retention
    optical_cap: OpticalCap | None = None

    _file: ConfigFile | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _remember(self, info: ValidationInfo) -> Profile:
        if isinstance(info.context, ConfigFile):
            self._file = info.context
        return self

    @model_validator(mode="after")
    def _ordered(self) -> Profile:
        if self.valid_to < self.valid_from:
            raise ValueError("valid_to is before valid_from")
        for sense, rule in (("camera", self.camera), ("microphone", self.microphone)):
            for name in (*rule.allow, *rule.refuse) if rule else ():
                senses = EVENT_TYPES[name].senses if name in EVENT_TYPES else ALSO_NAMED[name]
                if sense not in senses:
                    raise ValueError(f"{sense}: {name} is not sensed by a {sense}")
        return self

    @property
    def path(self) -> Path:
        """The file that it was read from; empty for one that was made in the program."""
        return self._file.path if self._file else Path()

    def refusal(self, sense: Sense, event_type: str, *, on: date, recorded: bool) -> Refusal | None:
        """Says why a detector may not start; None if it may.

        Args:
            sense: The sensor that it needs.
            event_type: Short name of what it would report.
            on: Today, where the unit stands. Not the date of a recording: processing it is done today.
            recorded: True if the source is a file, False if it is live.
        """
        if not self.valid_from <= on <= self.valid_to:
            key = "valid_from" if on < self.valid_from else "valid_to"
            return self._at(key, f"{key} is {getattr(self, key)}: profile {self.name} is not in force on {on}")
        if self.recorded_only and not recorded:
            return self._at("recorded_only", f"profile {self.name} allows recorded files only, and this source is live")
        rule: SenseRule | None = getattr(self, sense)
        if rule is None:
            return self._at(sense, f"profile {self.name} has no key `{sense}`: nothing with a {sense} may start")
        if event_type in rule.refuse:
            why = rule.refuse[event_type].text
            return self._at(sense, f"profile {self.name}: `{sense}.refuse` names {event_type}: {why}", "refuse", event_type)
        if event_type not in rule.allow:
            return self._at(sense, f"profile {self.name}: `{sense}.allow` does not name {event_type} ({rule.source.text})", "allow")
        return None

    def detail_refusal(self, px_per_m: float) -> Refusal | None:
        """Says why a camera may not see people in such detail; None if it may.

        Args:
            px_per_m: Pixels per metre of whoever stands nearest (EN 62676-4).
        """
        cap = self.optical_cap
        if cap is None or px_per_m <= cap.px_per_m:
            return None
        reason = f"optical_cap.px_per_m is {cap.px_per_m:g}, and whoever stands nearest is seen with {px_per_m:.0f} pixels per metre"
        return self._at("optical_cap", reason, "px_per_m")

    def permitted(self, sense: Sense, *, on: date, recorded: bool) -> frozenset[str]:
        """The event types, and `flow.count` and `tag.sighting`, that one sense may report."""
        names = [*EVENT_TYPES, *ALSO_NAMED]
        return frozenset(name for name in names if self.refusal(sense, name, on=on, recorded=recorded) is None)

    def _at(self, key: str, reason: str, *below: str) -> Refusal:
        return Refusal(self.path, self._file.line((key, *below)) if self._file else 1, reason)


def profiles_folder() -> Path:
    """Where the shipped profiles are: inside the installed package, or in `deploy/` of a checkout."""
    installed = Path(__file__).parent / "profiles"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "deploy" / "profiles"


def load_profile(name: str, beside: Path | None = None) -> Profile:
    """Reads a profile.

    Args:
        name: Of a shipped profile, or the path of a file; a relative path starts at the folder of ``beside``.
        beside: The site plan that names it.

    Raises:
        ConfigError: It is not there, or something in it is wrong. Nothing may start then.
    """
    if name.endswith((".yaml", ".yml")) or "/" in name:
        path = (beside.parent if beside else Path()) / name
    else:
        path = profiles_folder() / f"{name}.yaml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in profiles_folder().glob("*.yaml")))
        expected = f"no such profile ({path}); shipped are {shipped}. Without a profile nothing starts"
        raise ConfigError([ConfigProblem(path, 1, "", "", expected)])
    return ConfigFile(path).read(Profile)
