"""The command `parvis-hub papers`: write what a city publishes of its site."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from parvis_contract import ConfigError, Site

from .command_line import DATA_DIR, DataDir, SitePlan, StoreUrl, fail, load_plan

if TYPE_CHECKING:
    from .papers.controller import Language
    from .papers.facts import Facts
    from .store.tallies import Month

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


class Lang(StrEnum):
    """Languages of the papers."""

    EN = "en"
    FR = "fr"


class Form(StrEnum):
    """Of the register."""

    JSON = "json"
    HTML = "html"


class ReportForm(StrEnum):
    """Of the report."""

    CSV = "csv"
    HTML = "html"


ControllerFile = Annotated[
    Path | None,
    typer.Option("--controller", help="What only the controller knows; controller.yaml beside the site plan unless said.", metavar="FILE"),
]
Language_ = Annotated[Lang, typer.Option("--lang", help="Of the paper.")]
Unit = Annotated[str | None, typer.Option(help="The unit beside which it hangs; without it, the sign is of the whole site.")]
MonthName = Annotated[str | None, typer.Option(help="By the site's calendar; the last one that is over unless said.", metavar="2026-10")]


@app.callback()
def _papers() -> None:
    """Write what a city publishes of its site: register, street sign, impact assessment, monthly report.

    Everything in them follows from the site plan, the legal profile, the models' cards and the store: change the plan, and the papers
    change. What only the controller knows (who answers for the site, why it is there, how to object) stands in controller.yaml beside
    the site plan. What that file does not say, a paper calls "not stated", and the command lists on standard error. Nothing is made up.

    Each command writes to standard output. A running hub shows the same at /public/ of its console.
    """


@app.command()
def register(
    *,
    site: SitePlan,
    controller: ControllerFile = None,
    lang: Language_ = Lang.EN,
    form: Annotated[Form, typer.Option("--format", help="The file, or a page.")] = Form.JSON,
) -> None:
    """Write the registration by Eurocities' Algorithmic Transparency Standard 0.3.1.

      parvis-hub papers register --site site.yaml > register.json
      parvis-hub papers register --site site.yaml --lang fr --format html > registre.html

    The file lacks what the controller has not said: a validator names it, as this command does.
    """
    from .papers import register as paper

    facts = _facts(site, controller)
    _say_missing(facts, paper.NEEDED, lang.value)
    revision = facts.controller.revision_date
    if revision is not None and revision <= facts.on:
        sys.stderr.write(f"revision_date: {revision} has passed; look at the registration again, and set the next date\n")
    sys.stdout.write(paper.as_json(facts, lang.value) if form is Form.JSON else paper.as_page(facts, lang.value))


@app.command()
def sign(*, site: SitePlan, controller: ControllerFile = None, lang: Language_ = Lang.EN, unit: Unit = None) -> None:
    """Write the sign for the street: one A4 page in both languages, with DTPR's categories; print it from a browser.

      parvis-hub papers sign --site site.yaml --unit u003 --lang fr > panneau-u003.html

    Its configuration digest is the one at /public/status.json of a hub that runs this site plan: if they differ, the sign is out of date.
    With `register_url` in controller.yaml it has a QR code that leads there.
    """
    from .papers import sign as paper

    facts = _facts(site, controller)
    if unit is not None and unit not in facts.site.units:
        fail(f"--unit {unit}: the site plan has {', '.join(sorted(facts.site.units))}")
    for each in ("en", "fr"):
        _say_missing(facts, paper.NEEDED, each)
    sys.stdout.write(paper.as_sign(facts, lang.value, unit=unit))


@app.command()
def impact(*, site: SitePlan, controller: ControllerFile = None, lang: Language_ = Lang.EN) -> None:
    """Write the factual part of an impact assessment, which the CNIL's PIA tool imports.

      parvis-hub papers impact --site site.yaml --lang fr > aipd.json

    Then: "Import" in the tool. Questions whose answer does not follow from the configuration say "to be answered by the controller"; their
    numbers are listed. No risk is rated: gauges are the controller's.
    """
    from .papers import impact as paper

    facts = _facts(site, controller)
    _say_missing(facts, paper.NEEDED, lang.value)
    left = ", ".join(str(question) for question in paper.open_questions(facts, lang.value))
    sys.stderr.write(f"questions for the controller to answer in the tool: {left}\n")
    sys.stdout.write(paper.as_json(facts, lang.value, datetime.now(UTC)))


@app.command()
def report(
    *,
    site: SitePlan,
    month: MonthName = None,
    form: Annotated[ReportForm, typer.Option("--format", help="Figures, or a page.")] = ReportForm.HTML,
    lang: Language_ = Lang.EN,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Write the open report of a month: alerts, decisions, false alarms with their 95 % interval, hours of units, refusals, deletions.

      parvis-hub papers report --site site.yaml --data-dir /var/lib/parvis --month 2026-10 --format csv > 2026-10.csv

    It only reads, and may be used while the hub runs. Counts outlast the incidents that they are of: they are kept as long as the
    accountability log.
    """
    from .papers import report as paper

    plan = load_plan(site)
    this_month = f"{datetime.now(ZoneInfo(plan.timezone)):%Y-%m}"
    if month is None:
        year, number = int(this_month[:4]), int(this_month[5:])
        month = f"{year}-{number - 1:02}" if number > 1 else f"{year - 1}-12"
    found = _month(plan, month, store, data_dir)
    if form is ReportForm.CSV:
        sys.stdout.write(paper.as_csv(found, plan))
    else:
        sys.stdout.write(paper.as_page(found, plan, lang.value, over=month < this_month))


def _month(plan: Site, month: str, store: str | None, data_dir: Path) -> Month:
    from sqlalchemy.exc import SQLAlchemyError

    from .governance import LogBroken
    from .store import StoreError, default_url, open_existing
    from .store.tallies import bounds_us, read_month

    try:
        bounds_us(month, plan.timezone)
    except ValueError:
        fail(f"--month {month}: expected a month, such as 2026-10")
    try:
        engine = open_existing(store or default_url(data_dir.absolute()))
        with engine.connect() as connection:
            return read_month(connection, month, plan.timezone)
    except (StoreError, SQLAlchemyError, LogBroken) as error:
        fail(str(error))


def _facts(site: Path, file: Path | None) -> Facts:
    from .console.cards import load_cards, zoo_folder
    from .papers.controller import load_controller
    from .papers.facts import gather

    plan = load_plan(site)
    try:
        controller = load_controller(plan.path, file)
    except ConfigError as error:
        fail(str(error))
    return gather(plan, controller, load_cards(zoo_folder()).all, datetime.now(ZoneInfo(plan.timezone)).date())


def _say_missing(facts: Facts, needed: tuple[str, ...], lang: Language) -> None:
    for key in facts.controller.missing(needed, lang):
        sys.stderr.write(f"the controller still has to say: {key}\n")
