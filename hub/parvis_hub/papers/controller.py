"""What only the controller knows, read from `controller.yaml`: who answers for the site, why it is there, how to object."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Annotated, Literal

from parvis_contract.config_file import ConfigFile, FileModel
from pydantic import Field, model_validator

Language = Literal["en", "fr"]
Line = Annotated[str, Field(strict=True, min_length=1, max_length=200)]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=10_000)]
Address = Annotated[str, Field(strict=True, pattern=r"^https://[^\s<>\"]+$", max_length=300, description="Begins with https://.")]
#: Its name beside the site plan.
FILE_NAME = "controller.yaml"


class Prose(FileModel):
    """The same in English and in French; what one language lacks is missing in that language's papers."""

    en: Text | None = None
    fr: Text | None = None

    @model_validator(mode="after")
    def _something(self) -> Prose:
        if self.en is None and self.fr is None:
            raise ValueError("expected `en`, `fr` or both, such as {en: In writing to the town hall., fr: Par écrit à la mairie.}")
        return self


Status = Literal["planned", "design", "development", "pilot", "evaluation", "operational", "retired"]
RiskCategory = Literal["minimal risk", "limited risk", "high risk", "unacceptable"]
#: The standard's own list of domains.
Domain = Literal[
    "taxes",
    "housing, living and living environment",
    "culture, sports and leisure",
    "defence",
    "economy and entrepreneurship",
    "family, youth and households",
    "finance",
    "generic",
    "health and health care",
    "immigration and integration",
    "international collaboration and development aid",
    "agriculture, nature and food",
    "environment, spacial planning and water",
    "education and science",
    "public safety",
    "government",
    "justice",
    "travel, living and working abroad",
    "subsidies, benefits and allowances",
    "traffic and transportation",
    "work and career",
]


class Controller(FileModel):
    """What the controller says. Nothing is required to read the file: each paper lists what it lacks, and makes nothing up."""

    organisation: Line | None = None
    department: Line | None = None
    country: Line | None = None
    area: Line | None = Field(default=None, description="Official name of the area.")
    contact_email: Annotated[str, Field(strict=True, pattern=r"^[^@\s<>\"]+@[^@\s<>\"]+\.[^@\s<>\"]+$", max_length=200)] | None = None
    contact_phone: Line | None = None
    data_protection_officer: Line | None = Field(default=None, description="How to reach them.")
    register_url: Address | None = Field(default=None, description="Where the register page is published; the sign leads there.")
    impact_assessment_url: Address | None = None
    publication_date: date | None = None
    last_change_date: date | None = None
    revision_date: date | None = Field(default=None, description="Before this day the registration is looked at again.")
    status: Status | None = None
    domain: Domain | None = None
    risk_category: RiskCategory | None = None
    goal: Prose | None = None
    decision_making_process: Prose | None = None
    impact: Prose | None = None
    risks: Prose | None = None
    proportionality: Prose | None = None
    objection_procedure: Prose | None = None
    rights: Prose | None = Field(default=None, description="How people exercise access, rectification, erasure, limitation.")
    hosting: Prose | None = Field(default=None, description="Where the hub's store is, and who keeps it.")
    recipients: Prose | None = Field(default=None, description="Who sees what, besides the control room.")
    processors: Prose | None = Field(
        default=None, description="Who works on behalf of the controller, by which contract; or that nobody does."
    )
    transfers: Prose | None = Field(default=None, description="What goes outside the European Union; or that nothing does.")

    @model_validator(mode="after")
    def _in_order(self) -> Controller:
        first, last, next_ = self.publication_date, self.last_change_date, self.revision_date
        if first and last and last < first:
            raise ValueError("last_change_date is before publication_date")
        if last and next_ and next_ <= last:
            raise ValueError("revision_date is not after last_change_date")
        return self

    def said(self, key: str, lang: Language) -> str | None:
        """What stands at a key, in one language; None if nothing does."""
        value = getattr(self, key)
        if isinstance(value, Prose):
            return getattr(value, lang)  # type: ignore[no-any-return]
        return None if value is None else str(value)

    def missing(self, keys: Iterable[str], lang: Language) -> list[str]:
        """Which of these keys say nothing, as they are written in the file: ``department``, ``goal.fr``."""
        prose = {name for name, field in type(self).model_fields.items() if field.annotation == Prose | None}
        return [f"{key}.{lang}" if key in prose else key for key in keys if self.said(key, lang) is None]


def load_controller(site_plan: Path, file: Path | None = None) -> Controller:
    """Reads what the controller says.

    Args:
        site_plan: The site plan's file.
        file: Where; None takes ``controller.yaml`` beside the site plan, or nothing if there is none.

    Raises:
        ConfigError: Every problem found, each with file, line, key, value and what was expected.
    """
    beside = site_plan.parent / FILE_NAME
    # A plan that was made in the program is beside nothing.
    if file is None and (site_plan == Path() or not beside.is_file()):
        return Controller()
    return ConfigFile(file or beside).read(Controller)
