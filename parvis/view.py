"""How incidents and units look in a terminal. Pure: from what was heard to tables of rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import tzinfo

from parvis_contract import Incident, Measure, UnitState, UnitStatus
from rich.table import Table
from rich.text import Text

#: How the end of a quantity's name reads beside its value; the longest first.
_UNITS = (
    ("_per_s", "/s"),
    ("_p_m2", "/m²"),
    ("_m_s", "m/s"),
    ("_deg", "°"),
    ("_ms", "ms"),
    ("_m2", "m²"),
    ("_db", "dB"),
    ("_m", "m"),
    ("_s", "s"),
)
_COLOURS = {UnitState.HEALTHY: "green", UnitState.STARTING: "cyan", UnitState.DEGRADED: "yellow", UnitState.STOPPED: "dim"}


def quantity(name: str, value: object) -> str:
    """A measured quantity as a person reads it: ``lcpeak_db``, 117.26 → ``lcpeak 117.3 dB``."""
    if value is None:
        return ""
    for suffix, unit in _UNITS:
        if name.endswith(suffix) and isinstance(value, int | float):
            return f"{name.removesuffix(suffix).replace('_', ' ')} {_number(value)} {unit}"
    shown = _number(value) if isinstance(value, int | float) else str(value)
    return f"{name.replace('_', ' ')} {shown}"


def _number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 10 and value != int(value) else f"{value:.1f}".removesuffix(".0")


def measure(of: Measure) -> str:
    """All quantities of a measure; what is unknown is left out."""
    return ", ".join(text for name, value in of if (text := quantity(name, value)))


def place(incident: Incident) -> str:
    """Where it is, and how exactly that is known."""
    position = incident.position
    return f"{position.lat:.5f}, {position.lon:.5f} ± {position.uncertainty_m:.1f} m\nby {incident.located_by.replace('_', ' ')}"


def incidents_table(incidents: Iterable[Incident], zone: tzinfo, title: str | None = None) -> Table:
    """Incidents as a table, in the order given.

    Args:
        incidents: Of the contract.
        zone: In which times are shown.
        title: Above it.
    """
    table = Table(title=title, expand=True, header_style="bold", title_justify="left", pad_edge=False)
    table.add_column("time", no_wrap=True)
    table.add_column("incident and measure", ratio=3)
    table.add_column("where", ratio=2, overflow="fold")
    table.add_column("units", max_width=10)
    table.add_column("conf.", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for each in incidents:
        table.add_row(
            each.first_observed.astimezone(zone).strftime("%H:%M:%S"),
            Text.assemble((each.type, "bold"), "\n", measure(each.measure)),
            place(each),
            " ".join(each.units),
            f"{each.confidence:.2f}",
            each.state.value if each.operator.verdict == "unconfirmed" else each.operator.verdict.value,
        )
    return table


def units_line(names: Sequence[str], known: dict[str, UnitStatus]) -> Text:
    """Each unit with its state, and why it is not healthy."""
    line = Text()
    for name in names:
        status = known.get(name)
        state = status.state if status else None
        why = f" ({status.reason.replace('_', ' ')})" if status and status.reason else ""
        line.append(f"{name} {state.value if state else 'starting'}{why}   ", style=_COLOURS.get(state, "red") if state else "cyan")
    return line
