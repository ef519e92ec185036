"""The monthly open report: alerts, what people decided of them, and how often they were false; as CSV and as a page. Pure.

Figures are given by type over all units, and by unit over all types, and never of one type at one unit: somebody on the ground, or in a
closed zone, is one person, and a count of one at one place would speak of them. For the same reason none is below a month. The counts
themselves are exact: alerts are not people, and a floor on them would hide the rare failures that the report is for.
"""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from parvis_contract import EVENT_TYPES, Site, Verdict, to_datetime

from parvis_hub.store.tallies import Month, Outcome, Outcomes

from .controller import Language
from .page import Markup, document, table, tag
from .words import Say, title_of

#: Of these a person has said whether what was told was there. Tests and duplicates say nothing of that.
_JUDGED = (Outcome.CONFIRMED, Outcome.FALSE_ALARM, Outcome.KNOWN_ACTIVITY, Outcome.NOT_RELEVANT)
#: 97.5 % quantile of the standard normal distribution.
_Z = 1.959964


@dataclass(frozen=True, slots=True)
class Rate:
    """A share with its 95 % interval, each in [0, 1]."""

    share: float
    low: float
    high: float


def false_alarms(outcomes: Outcomes) -> Rate | None:
    """The share of false alarms among those that a person has judged; None if none was.

    The interval is Wilson's (1927), which holds for few and for extreme counts.
    """
    n, k = sum(outcomes[each] for each in _JUDGED), outcomes[Outcome.FALSE_ALARM]
    if n == 0:
        return None
    centre, spread = (k + _Z**2 / 2) / (n + _Z**2), _Z / (n + _Z**2) * math.sqrt(k * (n - k) / n + _Z**2 / 4)
    return Rate(k / n, max(0.0, centre - spread), min(1.0, centre + spread))


def total(month: Month) -> Outcomes:
    """Of all alerts; by type, for one that two units told counts for both."""
    return sum(month.types.values(), Counter())


def as_csv(month: Month, site: Site) -> str:
    """The report as CSV, one figure a line: month, section, name, quantity, value. Names are the contract's own."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("month", "section", "name", "quantity", "value"))
    for section, name, quantity, value in _figures(month, site):
        writer.writerow((month.name, section, name, quantity, f"{value:.6g}" if isinstance(value, float) else value))
    return out.getvalue()


def _figures(month: Month, site: Site) -> Iterator[tuple[str, str, str, str | int | float]]:
    counted, logged = month.counted_from_us, month.log_from_us
    yield "coverage", "counters", "from", "never" if counted is None else _time(max(counted, month.from_us))
    yield "coverage", "log", "from", _time(month.from_us if logged is None else logged)
    yield from _of("total", "all", total(month))
    for name, outcomes in _by_type(month):
        yield from _of("type", name, outcomes)
    for name, outcomes in _by_unit(month, site):
        yield from _of("unit", name, outcomes)
        yield "unit", name, "heard_h", round(month.heard_h.get(name, 0.0), 2)
    for name, count in (("received", month.received), ("duplicates", month.duplicates), ("too_late", month.too_late)):
        yield "messages", name, "count", count
    for name, count in month.refused.items():
        yield "refused", name, "count", count
    for verdict in Verdict:
        yield "decisions", verdict.value, "count", month.verdicts.get(verdict, 0)
    for name, count in month.deleted.items():
        yield "deleted", name, "rows", count


def _time(at_us: int) -> str:
    return f"{to_datetime(at_us / 1e6):%Y-%m-%dT%H:%MZ}"


def _of(section: str, name: str, outcomes: Outcomes) -> Iterator[tuple[str, str, str, int | float]]:
    yield section, name, "alerts", outcomes.total()
    for outcome in Outcome:
        yield section, name, outcome.value, outcomes[outcome]
    if (rate := false_alarms(outcomes)) is not None:
        yield section, name, "false_alarm_share", rate.share
        yield section, name, "false_alarm_share_low_95", rate.low
        yield section, name, "false_alarm_share_high_95", rate.high


def _by_type(month: Month) -> Iterator[tuple[str, Outcomes]]:
    yield from ((name, month.types[name]) for name in EVENT_TYPES if name in month.types)


def _by_unit(month: Month, site: Site) -> Iterator[tuple[str, Outcomes]]:
    """Every unit of the plan, and any other that told something then."""
    for name in sorted({*site.units, *month.units, *month.heard_h}):
        yield name, month.units.get(name, Counter())


def as_page(month: Month, site: Site, lang: Language, *, over: bool, stylesheet: str | None = None) -> str:
    """The report as a page.

    Args:
        month: What the store and its log say of it.
        site: The site plan.
        lang: Of the page.
        over: False if the month is still running.
        stylesheet: See :func:`parvis_hub.papers.page.document`.
    """
    say = Say(lang)
    title = say(f"Open report of {site.site}, {month.name}", f"Rapport public de {site.site}, {month.name}")
    rate = false_alarms(total(month))
    body: list[str] = [tag("h1", title), *(tag("p", note, class_="missing") for note in _gaps(say, month, over=over))]
    body.append(
        tag(
            "p",
            say("Alerts: ", "Alertes : "),
            str(total(month).total()),
            say(". False alarms among those that a person judged: ", ". Fausses alertes parmi celles qu’une personne a jugées : "),
            _rate(say, rate),
            ".",
        )
    )
    names = [(title_of(say, name), outcomes) for name, outcomes in _by_type(month)]
    body += [tag("h2", say("By type", "Par type")), _outcome_table(say, say("type", "type"), names)]
    units = list(_by_unit(month, site))
    hours = {name: say.number(month.heard_h.get(name, 0.0), 1) for name, _ in units}
    body += [tag("h2", say("By unit", "Par unité")), _outcome_table(say, say("unit", "unité"), units, hours)]
    body += [tag("h2", say("Messages, decisions and deletions", "Messages, décisions et suppressions"))]
    body.append(table([say("what", "quoi"), say("number", "nombre")], _numbers(say, month)))
    body += [tag("p", note, class_="note") for note in _notes(say)]
    return document(lang, title, *body, stylesheet=stylesheet)


def as_index(months: Iterable[str], site: Site, lang: Language, *, stylesheet: str | None = None) -> str:
    """A page that leads to the reports of the months that are over."""
    say = Say(lang)
    title = say(f"Open reports of {site.site}", f"Rapports publics de {site.site}")
    rows = [
        tag("li", tag("a", name, href=f"report-{name}.html?lang={lang}"), " – ", tag("a", "CSV", href=f"report-{name}.csv"))
        for name in months
    ]
    listed = tag("ul", *rows) if rows else tag("p", say("No month is over yet.", "Aucun mois n’est encore révolu."))
    return document(lang, title, tag("h1", title), listed, stylesheet=stylesheet)


def _gaps(say: Say, month: Month, *, over: bool) -> Iterator[str]:
    """What the figures do not cover."""
    if not over:
        yield say("This month is not over.", "Ce mois n’est pas terminé.")
    counted = month.counted_from_us
    if counted is None:
        yield say("No hub counted on this store in this month.", "Aucun concentrateur n’a compté sur cette base ce mois-ci.")
    elif counted > month.from_us + 3_600_000_000:
        at = _time(counted)
        yield say(f"Messages and hours are counted from {at} on.", f"Messages et heures sont comptés à partir du {at}.")
    if month.log_from_us is not None:
        at = _time(month.log_from_us)
        yield say(
            f"The accountability log goes back to {at}: decisions and deletions before are not counted.",
            f"Le journal de traçabilité remonte au {at} : décisions et suppressions d’avant ne sont pas comptées.",
        )


def _outcome_table(say: Say, first: str, rows: Iterable[tuple[str, Outcomes]], hours: dict[str, str] | None = None) -> Markup:
    head = [
        first,
        *((say("hours", "heures"),) if hours is not None else ()),
        say("alerts", "alertes"),
        *(_outcome(say, outcome) for outcome in Outcome),
        say("false alarms, 95 % interval", "fausses alertes, intervalle à 95 %"),
    ]
    body = [
        [
            name,
            *((hours[name],) if hours is not None else ()),
            str(outcomes.total()),
            *(str(outcomes[outcome]) for outcome in Outcome),
            _rate(say, false_alarms(outcomes)),
        ]
        for name, outcomes in rows
    ]
    return table(head, body) if body else tag("p", say("None.", "Aucune."))


def _numbers(say: Say, month: Month) -> Iterator[tuple[str, str]]:
    yield say("messages received", "messages reçus"), str(month.received)
    yield say("of these, received before", "dont déjà reçus"), str(month.duplicates)
    yield say("of these, too late to be part of an incident", "dont trop tardifs pour un incident"), str(month.too_late)
    for reason, count in month.refused.items():
        yield say(f"of these, refused: {reason}", f"dont refusés : {reason}"), str(count)
    for verdict in Verdict:
        name = {
            Verdict.UNCONFIRMED: say("decisions taken back", "décisions retirées"),
            Verdict.CONFIRMED: say("decisions: confirmed", "décisions : confirmé"),
            Verdict.DISMISSED: say("decisions: dismissed", "décisions : écarté"),
        }[verdict]
        yield name, str(month.verdicts.get(verdict, 0))
    for name, count in month.deleted.items():
        yield say(f"rows deleted, their time being over: {name}", f"lignes supprimées à l’échéance : {name}"), str(count)


def _outcome(say: Say, outcome: Outcome) -> str:
    return {
        Outcome.UNCONFIRMED: say("not decided", "non décidées"),
        Outcome.CONFIRMED: say("confirmed", "confirmées"),
        Outcome.FALSE_ALARM: say("false alarm", "fausse alerte"),
        Outcome.TEST: say("test", "essai"),
        Outcome.KNOWN_ACTIVITY: say("known activity", "activité connue"),
        Outcome.DUPLICATE: say("duplicate", "doublon"),
        Outcome.NOT_RELEVANT: say("not relevant", "sans objet"),
        Outcome.REASON_NOT_KEPT: say("dismissed, reason not kept", "écartées, motif non conservé"),
    }[outcome]


def _rate(say: Say, rate: Rate | None) -> str:
    if rate is None:
        return say("none judged", "aucune jugée")
    return f"{say.percent(rate.share)} ({say.percent(rate.low)} – {say.percent(rate.high)})"


def _notes(say: Say) -> Iterator[str]:
    yield say(
        "Judged are alerts that were confirmed, or dismissed as false alarm, known activity or not relevant. Tests and duplicates are not.",
        "Sont jugées les alertes confirmées, ou écartées comme fausse alerte, activité connue ou sans objet. Essais et doublons ne le sont"
        " pas.",
    )
    yield say(
        "An alert that several units told counts for each, and once in its type. Hours are those in which the hub heard from a unit.",
        "Une alerte signalée par plusieurs unités compte pour chacune, et une fois dans son type. Les heures sont celles où"
        " le concentrateur a"
        " entendu l’unité.",
    )
    yield say(
        "An alert belongs to the month in which it was first observed, a decision to the month in which it was taken.",
        "Une alerte relève du mois de sa première observation, une décision de celui où elle a été prise.",
    )
