"""The command line of a unit."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TextIO, cast

import structlog
import typer
from parvis_contract import ConfigError, load_site

from .capture.source import SenseName, Source, SourceError, parse_source
from .options import default_data_dir, parse_metrics, parse_start, plans_from, who_is_asked
from .update.commands import DEFAULT_ROOT
from .update.commands import app as update

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # A traceback shows code, never what was in the variables.
    pretty_exceptions_show_locals=False,
    help="A Parvis unit: sees and hears, forgets, and says what happened in short typed messages.",
)

DEFAULT_IDENTITY = Path("/var/lib/parvis/identity")
IdentityDir = Annotated[
    Path | None,
    typer.Option(help="Folder of `parvis-edge enrol`: site, unit, broker and TLS come from there where no option says.", metavar="DIR"),
]
#: Options, law, model, site plan: something that a person has to change before it can start.
CANNOT_START = 2


#: A line of its own with a backspace keeps the lines after it as they are.
_WATCH_HELP = """Watch a camera, a microphone or both, or recordings of them, and say what happens.

Nothing that is seen or heard is stored: messages leave, pictures and sound never do. What may be watched, where, and until when
stands in the legal profile that the site plan names; what it does not allow is not started.

\b
A film and its sound, messages on the terminal, as fast as it goes:
  parvis-edge watch --site site.yaml --unit u017 --stdout \\
      --video street.mp4 --audio street.mp4
One photograph:
  parvis-edge watch --site site.yaml --unit u017 --stdout --video square.jpg
A recording that began at a known time:
  parvis-edge watch --site site.yaml --unit u017 --stdout \\
      --audio night.wav --start 2026-06-21T23:00:00+02:00
A camera and a microphone on the street, published over TLS, by a unit that has enrolled (`parvis-edge enrol --help`):
  parvis-edge watch --identity /var/lib/parvis/identity \\
      --video rtsp://camera.local/stream --audio mic
Sound from another program (a WAV file, or raw 16 kHz, 16 bits, mono):
  arecord -f S16_LE -r 16000 -t raw |
      parvis-edge watch --site site.yaml --unit u017 --audio -

Exits with 0 at a recording's end or when stopped (Ctrl-C, SIGTERM), with 1 if a source could not be read or a sense broke down,
with 2 if something that was asked for cannot be done.
"""

_ENROL_HELP = """Get this unit its certificate, with the claim that its hub made for it.

The unit makes its own key, which never leaves it, and is given a certificate for it, the addresses of hub and broker, and the site plan.
Each step is shown with its result. The code counts once; should the answer be lost, or the power go, the same command goes on where it was.

\b
With the file that `parvis-hub fleet claim --write` wrote:
  parvis-edge enrol --claim u017-claim.json
And then, whoever the claim was for:
  parvis-edge watch --identity /var/lib/parvis/identity \\
      --video rtsp://camera.local/stream --audio mic

`watch` renews the certificate by itself when two thirds of its time are over. Exits with 0 if the unit is enrolled, with 1 if a step
failed, with 2 if the claim cannot be read.
"""

_CALIBRATE_HELP = """Calibrate a camera on the ground that it sees, and a microphone on a level that is known.

The camera's view is shown as a line drawing on a page of this machine: edges only, people left out, kept in memory, never a stored
picture. Click marks on the ground (corners of paving, feet of posts, ends of road markings) and say where they are: longitude and latitude,
typed or clicked on the map. What comes of it is a ground plane with its error in metres; it is refused, with the reason, where it is not
good enough, or where the camera would show people in more detail than the profile's optical cap allows.

\b
The page, with the camera that is watched:
  parvis-edge calibrate --site site.yaml --unit u017 \\
      --video rtsp://camera.local/stream
From another computer (the page listens on the unit's loopback alone):
  ssh -L 8090:127.0.0.1:8090 unit
  parvis-edge calibrate --site site.yaml --unit u017 --port 8090 \\
      --video /dev/video0 --write
Without a page, from points known already (picture = longitude, latitude):
  parvis-edge calibrate --site site.yaml --unit u017 --video view.jpg \\
      --point 102,655=5.36991,43.29650 --point 1180,640=5.36999,43.29640 \\
      --point 860,310=5.37023,43.29656 --point 420,300=5.37012,43.29666
Tags on the ground, each at a place that was measured:
  parvis-edge calibrate --site site.yaml --unit u017 --video /dev/video0 \\
      --tag 1=5.36991,43.29650 --tag 2=5.36999,43.29640 \\
      --tag 3=5.37023,43.29656 --tag 4=5.37012,43.29666
A board of tags in rows: 3 across, 2 deep, 2 m from middle to middle,
the first at a known place, the rows leading away to the north-east:
  parvis-edge calibrate --site site.yaml --unit u017 --video /dev/video0 \\
      --board 3x2 --board-tag-m 0.4 --board-spacing-m 2 \\
      --board-at 5.36991,43.29650 --board-heading-deg 45
A microphone with a calibrator of 94 dB at 1 kHz on it:
  parvis-edge calibrate --site site.yaml --unit u017 --audio mic \\
      --reference-db 94

The report goes to standard error, the block for the site plan to standard output; --write puts it into the site plan itself, and leaves
everything else there as it stands. The clock is looked at each time.

Exits with 0 if it is good enough, with 1 if not, with 2 if something that was asked for cannot be done.
"""

_DOCTOR_HELP = """Walk from the camera to the broker, and say for the first thing that fails what to do.

Camera, microphone, clock, disk, heat, DNS, TCP, TLS, MQTT, publish, in this order; each with what was measured. What the legal profile
does not allow is not opened, and the line that says so is shown. Nothing is stopped or changed: a unit that runs keeps its connection,
what is written to the disk is removed again, and what is published is one telemetry message. At the end: what of the site plan this unit
cannot judge, and what a calibration would add.

\b
Everything that the unit will be run with:
  parvis-edge doctor --identity /var/lib/parvis/identity \\
      --video rtsp://camera.local/stream --audio mic
The way to the broker alone:
  parvis-edge doctor --site site.yaml --unit u017 --broker hub.local:1883
For a program:
  parvis-edge doctor --site site.yaml --unit u017 --video street.mp4 --json

Exits with 0 if nothing failed, with 1 if something did, with 2 if the site plan cannot be used.
"""


class PaceChoice(StrEnum):
    """How fast a recording is played."""

    REAL = "real"
    FAST = "fast"


app.add_typer(update, name="update")


@app.callback()
def _main() -> None:
    """Keeps `watch` a command of its own while there is only one."""


@contextmanager
def _told(*kinds: type[Exception]) -> Iterator[None]:
    """Tells an error of these kinds, which say what a person has to change, and leaves with its code."""
    try:
        yield
    except kinds as error:
        typer.echo(f"parvis-edge: {error}", err=True)
        raise typer.Exit(CANNOT_START) from None


@app.command(no_args_is_help=True, help=_WATCH_HELP)
def watch(
    *,
    site: Annotated[Path | None, typer.Option(help="The site plan, a YAML file.", metavar="SITE.yaml")] = None,
    unit: Annotated[str | None, typer.Option(help="Which unit of the site plan this is.")] = None,
    identity: IdentityDir = None,
    video: Annotated[
        str | None, typer.Option(help="Pictures: a film, a still picture, rtsp://…, /dev/video0 or its number.", metavar="FILE|URL|DEVICE")
    ] = None,
    audio: Annotated[
        str | None,
        typer.Option(
            help="Sound: a file (a film's sound too), rtsp://…, mic, mic:2, mic:NAME, or - for standard input.", metavar="FILE|DEVICE"
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option(help="When a recording began, with its zone: 2026-06-21T18:04:05Z. Without it: now.", metavar="TIME")
    ] = None,
    stdout: Annotated[bool, typer.Option("--stdout", help="Print messages, one a line, instead of publishing them.")] = False,
    pace: Annotated[
        PaceChoice | None,
        typer.Option(help="Play recordings at their own speed, or as fast as they can be judged. Published: real; printed: fast."),
    ] = None,
    broker: Annotated[str | None, typer.Option(help="Where to publish; 127.0.0.1:1883 if nothing says.", metavar="HOST:PORT")] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="Who signed the broker's certificate; turns TLS on.", metavar="PEM")] = None,
    tls_cert: Annotated[
        Path | None, typer.Option(help="This unit's certificate; its common name is the unit's name.", metavar="PEM")
    ] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key.", metavar="PEM")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where undelivered events are kept. As root: /var/lib/parvis; else ~/.local/share/parvis.")
    ] = None,
    telemetry_s: Annotated[float, typer.Option(help="Seconds from one telemetry message to the next.", min=0.1, max=3600.0)] = 10.0,
    drain_s: Annotated[
        float, typer.Option(help="After a recording: seconds to wait at most for the broker.", min=0.0, max=86_400.0)
    ] = 30.0,
    metrics: Annotated[
        str | None, typer.Option(help="Tell Prometheus how it is: 9108 for this machine alone, or an address of it.", metavar="[HOST:]PORT")
    ] = None,
    update_repository: Annotated[str | None, typer.Option(help="Take models from here when the hub releases one.", metavar="URL")] = None,
    update_root: Annotated[
        Path, typer.Option(help="Root metadata of that repository: whom this unit trusts with its models.", metavar="FILE")
    ] = DEFAULT_ROOT,
    baselines: Annotated[
        Path | None,
        typer.Option(
            help="Folder of what is usual at each hour of the week (level.unusual). Live: beside the undelivered events; recordings: none.",
            metavar="DIR",
        ),
    ] = None,
) -> None:
    """Watches, and exits with 0, 1 or 2 as :data:`_WATCH_HELP` says."""
    _log_to_standard_error()
    # Heavy parts (the model runtime, ffmpeg's libraries) come after the options have been understood.
    from .bundle import BundleError
    from .delivery.outbox import OutboxError
    from .enrolment.identity import IdentityError
    from .plan import Updates
    from .process import private_standard_output
    from .supervisor import Supervisor
    from .unit import RESTART, CannotStart, Watch, run, start_on_trial

    with _told(CannotStart, ConfigError, SourceError, BundleError, IdentityError, OutboxError, typer.BadParameter):
        who = who_is_asked(identity, site, unit, broker, tls_ca, tls_cert, tls_key)
        if who.repository is not None and update_repository is None and update_root.exists():
            update_repository, tls_ca = who.repository, who.broker.ca
        sources: dict[SenseName, Source] = {}
        if video is not None:
            sources["camera"] = parse_source(video, "camera")
        if audio is not None:
            sources["microphone"] = parse_source(audio, "microphone")
        asked = Watch(
            site=load_site(who.site),
            unit=who.unit,
            sources=sources,
            start_s=None if start is None else parse_start(start),
            standard_output=stdout,
            real_pace=not stdout if pace is None else pace is PaceChoice.REAL,
            broker=who.broker,
            data_dir=data_dir or default_data_dir(),
            telemetry_s=telemetry_s,
            drain_s=drain_s,
            metrics=None if metrics is None else parse_metrics(metrics),
            baselines=baselines,
            updates=None if update_repository is None else Updates(update_repository, update_root, tls_ca),
            fetch_plan=None if identity is None else plans_from(identity),
        )
        asked = start_on_trial(asked)
        descriptor = private_standard_output() if stdout else 1
        if identity is not None:
            from .enrolment.identity import Identity
            from .enrolment.renewal import Renewal

            Renewal(Identity(identity)).start()
        try:
            code = run(asked, descriptor=descriptor, supervisor=Supervisor(os.environ))
        except (CannotStart, ConfigError, SourceError) as error:
            if asked.plans is None or asked.plans.state.trial is None:
                raise
            asked.plans.give_back(str(error))
            code = RESTART
        if code == RESTART:
            # The same process, so that whoever started it sees none of this; but nothing of the plan before is left in it.
            os.execv(sys.executable, sys.orig_argv)  # noqa: S606 - itself
    raise typer.Exit(code)


@app.command(no_args_is_help=True, help=_ENROL_HELP)
def enrol(
    *,
    claim: Annotated[Path, typer.Option(help="The claim.", metavar="FILE")],
    identity: Annotated[Path, typer.Option(help="Where key and certificate are to be.", metavar="DIR")] = DEFAULT_IDENTITY,
    again: Annotated[bool, typer.Option("--again", help="Enrol anew, though there is a certificate that is in force.")] = False,
    wait_s: Annotated[float, typer.Option(help="While the hub cannot be reached, ask again for so many seconds.", min=0.0)] = 0.0,
) -> None:
    """Enrols, and exits with 0, 1 or 2 as :data:`_ENROL_HELP` says."""
    from .enrolment.enrol import NotEnrolled, read_claim, walk
    from .enrolment.identity import Identity, IdentityError

    with _told(IdentityError):
        read = read_claim(claim)
    try:
        walk(read, Identity(identity), typer.echo, again=again, wait_s=wait_s)
    except NotEnrolled:
        raise typer.Exit(1) from None


@app.command(no_args_is_help=True, help=_CALIBRATE_HELP)
def calibrate(
    *,
    site: Annotated[Path, typer.Option(help="The site plan, a YAML file.", metavar="SITE.yaml")],
    unit: Annotated[str, typer.Option(help="Which unit of the site plan this is.")],
    video: Annotated[str | None, typer.Option(help="The view, as for watch.", metavar="FILE|URL|DEVICE")] = None,
    audio: Annotated[str | None, typer.Option(help="Where the calibrator is heard, as for watch.", metavar="FILE|DEVICE")] = None,
    point: Annotated[
        list[str] | None, typer.Option(help="A known point; four times or more, and no page is served.", metavar="PX,PY=LON,LAT")
    ] = None,
    tag: Annotated[
        list[str] | None,
        typer.Option(help="The middle of an AprilTag 36h11 on the ground, at a known place; repeated.", metavar="NUMBER=LON,LAT"),
    ] = None,
    board: Annotated[
        str | None, typer.Option(help="AprilTags 36h11 on the ground, in rows; all turned the same way.", metavar="COLUMNSxROWS")
    ] = None,
    board_tag_m: Annotated[float, typer.Option(help="Side of a tag's black square, metres.", min=0.02, max=5.0)] = 0.4,
    board_spacing_m: Annotated[float, typer.Option(help="From the middle of one tag to the next, metres.", min=0.03, max=50.0)] = 2.0,
    board_at: Annotated[str, typer.Option(help="Where the middle of the first tag is.", metavar="LON,LAT")] = "",
    board_heading_deg: Annotated[
        float, typer.Option(help="Where the rows lead from the first, clockwise from north; the columns go to the right of it.")
    ] = 0.0,
    board_first: Annotated[int, typer.Option(help="Number of the first tag; the next are in its row.", min=0, max=586)] = 0,
    page: Annotated[bool, typer.Option("--page", help="Serve the page too, with the points that were given.")] = False,
    port: Annotated[int, typer.Option(help="The page's port on 127.0.0.1; 0 takes a free one.", min=0, max=65_535)] = 0,
    reference_db: Annotated[float, typer.Option(help="What the sound calibrator is marked with.", min=60.0, max=140.0)] = 94.0,
    write: Annotated[bool, typer.Option("--write", help="Put what is good enough into the site plan.")] = False,
) -> None:
    """Calibrates, and exits with 0, 1 or 2 as :data:`_CALIBRATE_HELP` says."""
    _log_to_standard_error()
    from .bundle import BundleError
    from .calibration.points import PointError, parse_board, parse_point, parse_tag
    from .calibration.run import Calibration, CannotCalibrate
    from .calibration.run import run as run_calibration

    with _told(BundleError, CannotCalibrate, ConfigError, PointError, SourceError, OSError):
        asked = Calibration(
            site=load_site(site),
            unit=unit,
            video=None if video is None else parse_source(video, "camera"),
            audio=None if audio is None else parse_source(audio, "microphone"),
            points=tuple(parse_point(each) for each in point or ()),
            tags=dict(parse_tag(each) for each in tag or ()),
            board=None
            if board is None
            else parse_board(
                board, tag_m=board_tag_m, spacing_m=board_spacing_m, at=board_at, heading_deg=board_heading_deg, first=board_first
            ),
            page=page,
            port=port,
            reference_db=reference_db,
            write=write,
        )
        code = run_calibration(asked, lambda line: typer.echo(line, err=True), typer.echo)
    raise typer.Exit(code)


@app.command(no_args_is_help=True, help=_DOCTOR_HELP)
def doctor(
    *,
    site: Annotated[Path | None, typer.Option(help="The site plan, a YAML file.", metavar="SITE.yaml")] = None,
    unit: Annotated[str | None, typer.Option(help="Which unit of the site plan this is.")] = None,
    identity: IdentityDir = None,
    video: Annotated[str | None, typer.Option(help="Pictures, as for watch.", metavar="FILE|URL|DEVICE")] = None,
    audio: Annotated[str | None, typer.Option(help="Sound, as for watch.", metavar="FILE|DEVICE")] = None,
    broker: Annotated[str | None, typer.Option(help="Where it publishes; 127.0.0.1:1883 if nothing says.", metavar="HOST:PORT")] = None,
    tls_ca: Annotated[Path | None, typer.Option(help="Who signed the broker's certificate.", metavar="PEM")] = None,
    tls_cert: Annotated[Path | None, typer.Option(help="This unit's certificate.", metavar="PEM")] = None,
    tls_key: Annotated[Path | None, typer.Option(help="Its private key.", metavar="PEM")] = None,
    data_dir: Annotated[Path | None, typer.Option(help="Where undelivered events are kept, as for watch.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of rows.")] = False,
) -> None:
    """Examines, and exits with 0, 1 or 2 as :data:`_DOCTOR_HELP` says."""
    _log_to_standard_error(logging.CRITICAL)
    import json

    from .doctor.finding import as_data, closing_lines, first_failure
    from .doctor.walk import CannotExamine, Examination, examine
    from .enrolment.identity import IdentityError

    with _told(CannotExamine, ConfigError, IdentityError, typer.BadParameter):
        who = who_is_asked(identity, site, unit, broker, tls_ca, tls_cert, tls_key, readable=False)
        plan = load_site(who.site)
        asked = Examination(plan, who.unit, video, audio, who.broker, data_dir or default_data_dir())
        findings, notes = examine(asked, (lambda _: None) if as_json else (lambda finding: typer.echo(finding.line())))
    if as_json:
        typer.echo(json.dumps(as_data(plan.site, who.unit, findings, notes), indent=2, ensure_ascii=False))
    else:
        typer.echo("\n".join(closing_lines(findings, notes)))
    raise typer.Exit(1 if first_failure(findings) else 0)


class _Unbroken:
    """Standard error for the log: where it cannot be written to (a file on a full disk, a reader that is gone), the unit goes on."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._file.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._file.flush()


def _log_to_standard_error(level: int = logging.INFO) -> None:
    """JSON for a machine, columns for a person; never on standard output, which belongs to messages."""
    person = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if person else [structlog.processors.dict_tracebacks]),
            structlog.dev.ConsoleRenderer() if person else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _Unbroken(sys.stderr))),
    )


if __name__ == "__main__":
    app()
