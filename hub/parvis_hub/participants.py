"""The command `parvis-hub consent`: who wears which tag, for what and until when; and the end of that."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer
from parvis_contract import Site, format_time

from .command_line import DATA_DIR, By, SitePlan, StoreUrl, fail, open_store
from .consent.consents import Purpose
from .consent.until import parse_until
from .governance import ExportFormat, RenewalReason

if TYPE_CHECKING:
    from .store import Store

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)

DataDir = Annotated[Path, typer.Option(help="The hub's data folder: the keys are in it, and the store, if --store does not say otherwise.")]
Participant = Annotated[str, typer.Argument(help="Your own reference for them, such as steward-07.", metavar="PARTICIPANT")]
Until = Annotated[str, typer.Option(help="When it ends: a time with its zone, or a span from now; 31 days at most.", metavar="TIME|12h|7d")]
Proof = Annotated[str, typer.Option(help="Under which number the signed paper is filed.", metavar="NUMBER")]
KeyFile = Annotated[
    Path | None,
    typer.Option("--key", help="Sign the units' new list at once; not needed where the hub runs with --signing-key.", metavar="KEYFILE"),
]


@app.callback()
def _consent() -> None:
    """Enrol those who asked for a route, and let them go.

    Whoever wants one signs a paper, is enrolled, and wears a printed tag. The register holds references of your own and the paper's
    number, no names. What cameras see of the tag is encrypted under a key that is that person's alone; when they withdraw, or their
    time is over, the key is destroyed, the sightings are deleted, the route is cleared at the broker, and units are told to read the tag
    no more.

      parvis-hub keys new hub-signing.key                    once; its line goes into the site plan
      parvis-hub run --site site.yaml --signing-key hub-signing.key
      parvis-hub consent enrol steward-07 --site site.yaml --tag 17 --purpose stewarding --proof 2026-114 --until 3d
      parvis-hub consent sheet steward-07 --site site.yaml steward-07.pdf
      parvis-hub consent withdraw steward-07 --site site.yaml

    All may be used while the hub runs.
    """


@app.command()
def enrol(
    participant: Participant,
    *,
    site: SitePlan,
    tag: Annotated[int, typer.Option(help="The number of the tag that they are given, 0 to 586.")],
    purpose: Annotated[Purpose, typer.Option(help="What for.")],
    proof: Proof,
    until: Until,
    since: Annotated[str | None, typer.Option("--from", help="From when on, if not from now.", metavar="TIME")] = None,
    by: By = "hub",
    key: KeyFile = None,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Register somebody's consent, and give them a tag. One tag is one participant's at a time.

    Give out tags whose numbers follow each other: a unit's list has room for 16 ranges.
    """
    from .store import Enrolment

    with _store(site, store, data_dir) as (plan, opened):
        begins = None if since is None else _time("--from", since)
        asked = Enrolment(participant=participant, tag=tag, purpose=purpose, proof=proof, since=begins, until=_time("--until", until))
        consent = opened.consents.enrol(asked, by)
        sys.stdout.write(f"{participant} is enrolled with tag {consent.tag} until {format_time(consent.until)}\n")
        _issue(plan, opened, key)


@app.command("list")
def list_consents(*, site: SitePlan, data_dir: DataDir = DATA_DIR, store: StoreUrl = None) -> None:
    """Show every consent that is kept, how it stands, and how many sightings there are of it.

    `without_key`: withdrawn after the backup was made that this store was restored from, or --data-dir is another folder than the hub's.
    It counts as ended.
    """
    with _store(site, store, data_dir) as (_, opened):
        kept = opened.consents.all()
        for consent in kept:
            sys.stdout.write(
                f"{consent.participant}: tag {consent.tag}, {consent.purpose}, paper {consent.proof}, {format_time(consent.since)} to "
                f"{format_time(consent.until)}: {consent.status}, {consent.sightings} sightings\n"
            )
        if not kept:
            sys.stdout.write("nobody is enrolled; see `parvis-hub consent enrol --help`\n")


@app.command()
def renew(
    participant: Participant,
    *,
    site: SitePlan,
    proof: Proof,
    until: Until,
    reason: Annotated[RenewalReason, typer.Option(help="Why they were asked again.")] = RenewalReason.LASTS_LONGER,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Register that somebody was asked again and agreed."""
    with _store(site, store, data_dir) as (_, opened):
        consent = opened.consents.renew(participant, _time("--until", until), proof, by, reason)
        sys.stdout.write(f"{participant} is enrolled with tag {consent.tag} until {format_time(consent.until)}\n")


@app.command()
def withdraw(
    participant: Participant, *, site: SitePlan, by: By = "hub", key: KeyFile = None, data_dir: DataDir = DATA_DIR, store: StoreUrl = None
) -> None:
    """End somebody's consent now, delete what there is of them, and print their receipt.

    The receipt names the entry of the accountability log that says the same: `parvis-hub audit verify --head NUMBER:DIGEST` shows,
    also in a year, that it is there unchanged. Where the hub runs with --signing-key, units are told by it; otherwise give --key.
    """
    with _store(site, store, data_dir) as (plan, opened):
        receipt = opened.consents.withdraw(participant, by)
        sys.stdout.write(
            f"withdrawn: {receipt.participant}, tag {receipt.tag}, {format_time(receipt.at)}\n"
            f"consent {receipt.consent}: key destroyed, {receipt.sightings} sightings deleted\n"
            f"accountability log: {receipt.entry}\n"
        )
        _issue(plan, opened, key)


@app.command()
def sheet(
    participant: Participant,
    file: Annotated[Path, typer.Argument(help="The PDF to write.", metavar="FILE.pdf")],
    *,
    site: SitePlan,
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Write the tag to print, at its true size, and the wearer's notice in English and French.

    Print at 100 %, not fitted to the page, and measure the line of 100 mm. A tag larger than the paper comes in parts to glue together. The
    last page is the notice: write on it who answers for the processing and how to reach them.
    """
    from .consent.sheet import TooLarge, tag_sheet

    with _store(site, store, data_dir) as (plan, opened):
        consent = opened.consents.of(participant)
        if plan.tags is None:
            fail(f"{plan.path}: no `tags`, so it is not known how large they are printed")
        try:
            pdf = tag_sheet(
                consent,
                site=plan.site,
                size_m=plan.tags.size_m,
                kept_h=plan.law.retention.sightings_h,
                zone=ZoneInfo(plan.timezone),
            )
        except TooLarge as error:
            fail(str(error))
        file.write_bytes(pdf)
        sys.stdout.write(f"{file}: tag {consent.tag}, {plan.tags.size_m * 1000:g} mm\n")


@app.command()
def export(
    participant: Participant,
    *,
    site: SitePlan,
    format: Annotated[ExportFormat, typer.Option(help="In what.")] = ExportFormat.GEOJSON,
    by: By = "hub",
    data_dir: DataDir = DATA_DIR,
    store: StoreUrl = None,
) -> None:
    """Write somebody's route and all sightings of them to standard output, for them; the accountability log has it."""
    from .publish.routes import exported

    with _store(site, store, data_dir) as (plan, opened):
        sys.stdout.write(exported(plan, opened.consents, participant, format, by))


def _issue(plan: Site, opened: Store, key: Path | None) -> None:
    from parvis_contract.signing import SigningKey

    from .store import follow_register

    if key is None:
        return
    for command in follow_register(opened.database, plan, SigningKey.load(key), opened.consents.all(), datetime.now(UTC)):
        sys.stdout.write(f"{command.unit}: a list of {len(command.tags)} tags until {format_time(command.expires)}\n")


def _time(option: str, text: str) -> datetime:
    return parse_until(option, text, datetime.now(UTC))


@contextmanager
def _store(site: Path, store: str | None, data_dir: Path) -> Iterator[tuple[Site, Store]]:
    from parvis_contract.signing import KeyFileError

    from .consent.keyring import Keyring, keys_folder
    from .store import NotIssued, Store, UnknownParticipant

    with open_store(site, data_dir, store, KeyFileError, NotIssued, UnknownParticipant) as (plan, database):
        yield plan, Store(database, plan, keys=Keyring(keys_folder(data_dir)))
