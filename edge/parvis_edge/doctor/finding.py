"""What was found at each step, for a person and for a program. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

#: In the order in which they are walked: each needs those before it that it names.
STEPS = ("camera", "microphone", "clock", "disk", "heat", "dns", "tcp", "tls", "mqtt", "publish")


class Outcome(StrEnum):
    """How a step went."""

    OK = "ok"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found at one step.

    Attributes:
        step: Of :data:`STEPS`.
        outcome: How it went.
        said: What was measured, or what went wrong, in words.
        advice: What to do; of a step that failed always, of another where something is worth a look.
        measured: The same as values, each named with its unit.
    """

    step: str
    outcome: Outcome
    said: str
    advice: str | None = None
    measured: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.step not in STEPS:
            raise ValueError(f"{self.step} is no step; there are {', '.join(STEPS)}")
        if self.outcome is Outcome.FAILED and not self.advice:
            raise ValueError(f"{self.step} failed, and nothing says what to do")

    def line(self) -> str:
        """As a row."""
        return f"{self.step:<11} {self.outcome:<8} {self.said}"


def ok(step: str, said: str, *, advice: str | None = None, **measured: Any) -> Finding:
    """A step that went well."""
    return Finding(step, Outcome.OK, said, advice, measured)


def failed(step: str, said: str, advice: str, **measured: Any) -> Finding:
    """A step that failed."""
    return Finding(step, Outcome.FAILED, said, advice, measured)


def skipped(step: str, said: str, **measured: Any) -> Finding:
    """A step that was not taken."""
    return Finding(step, Outcome.SKIPPED, said, None, measured)


def first_failure(findings: Iterable[Finding]) -> Finding | None:
    """The first step that failed: what comes after it may follow from it."""
    return next((finding for finding in findings if finding.outcome is Outcome.FAILED), None)


def closing_lines(findings: list[Finding], notes: list[str]) -> list[str]:
    """What stands below the rows."""
    lines = [f"look at this: {each.step}: {each.advice}" for each in findings if each.outcome is Outcome.OK and each.advice]
    lines += [f"site plan: {note}" for note in notes]
    first = first_failure(findings)
    if first is None:
        return [*lines, "nothing failed"]
    others = [each.step for each in findings if each.outcome is Outcome.FAILED and each is not first]
    return [*lines, f"do this first: {first.step}: {first.advice}", *([f"then look at: {', '.join(others)}"] if others else [])]


def as_data(site: str, unit: str, findings: list[Finding], notes: list[str]) -> dict[str, Any]:
    """The whole for JSON."""
    first = first_failure(findings)
    return {
        "site": site,
        "unit": unit,
        "findings": [
            {"step": each.step, "outcome": str(each.outcome), "said": each.said, "advice": each.advice, "measured": each.measured}
            for each in findings
        ],
        "first_failure": None if first is None else {"step": first.step, "advice": first.advice},
        "site_plan": notes,
    }
