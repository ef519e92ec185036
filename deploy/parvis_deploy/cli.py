"""The command ``parvis-deploy``: builds the image of a card, and writes cards."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Annotated

import typer
from parvis_edge.card.settings import CLAIM, SETTINGS, TRUSTED, Settings, Wifi
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from .build import BuildError, build, check_machine, check_room
from .compare import compare as compared
from .flash import FlashError, look_at, personalise, read_claim, read_image, read_trusted, refuse, write
from .image import digest
from .layout import Flavour, LayoutError

_IMAGE_HELP = """\
Build the image of a card: an arm64 Debian that starts the unit and nothing else. Needs root's rights, and 8 GB of room.

What is missing on this machine is named, with the command that installs it. Debian comes from its mirrors, by apt, with its signatures;
Python's packages by pip, with the checksums of requirements.lock. A quarter of an hour for both flavours; with --keep-base a third of it.

\b
  sudo parvis-deploy image --flavour raspberry-pi
  sudo parvis-deploy image --flavour generic --version 0.2.0 --keep-base
"""
_FLASH_HELP = """\
Write one unit's card: the image, and the claim that makes it this unit's.

Shows first what is on the card, which will be lost, and asks. Refuses the system's own disk, a disk of which something is in use, and a
part of a disk. What was written is read back and compared.

\b
Which device is the card?
  lsblk
A Raspberry Pi with a camera and a microphone of its own:
  sudo parvis-deploy flash /dev/sdb --unit u017 --claim u017-claim.json \\
      --video /dev/video0 --audio mic
A machine that starts by UEFI, with a camera in a network of fixed addresses:
  sudo parvis-deploy flash /dev/sdb --unit u018 --claim u018-claim.json \\
      --flavour generic --video rtsp://camera.example/stream \\
      --address 192.0.2.18/24 --gateway 192.0.2.1 --resolver 192.0.2.1
"""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_show_locals=False,
    help="Build the image of a unit's card, compare two images, and write cards.",
)
_console = Console(stderr=True, highlight=False)
REPOSITORY = Path(__file__).resolve().parents[2]
OUT = Path(".parvis/image")


@app.command(help=_IMAGE_HELP)
def image(
    *,
    flavour: Annotated[list[str] | None, typer.Option(help="generic (UEFI) or raspberry-pi; repeated; both unless told.")] = None,
    version: Annotated[str | None, typer.Option(help="Of the root; the unit's own unless told.")] = None,
    out: Annotated[Path, typer.Option(help="Where the images go.", metavar="DIR")] = OUT,
    keep_base: Annotated[bool, typer.Option("--keep-base", help="Take the Debian of the last build.")] = False,
) -> None:
    """Builds one flavour or both."""
    begun_s = time.monotonic()
    try:
        check_machine()
        check_room(out)
        for each in flavour or ["generic", "raspberry-pi"]:
            made = build(
                REPOSITORY,
                out,
                out / "work",
                flavour=_flavour(each),
                version=version or version_of("parvis-edge"),
                epoch=_epoch(),
                told=_console.print,
                fresh=not keep_base,
            )
            _console.print(f"{made}: {made.stat().st_size / 1e6:.0f} MB, {time.monotonic() - begun_s:.0f} s since the beginning")
    except BuildError as error:
        _console.print(f"parvis-deploy: {error}")
        raise typer.Exit(2) from None


@app.command()
def compare(
    first: Annotated[Path, typer.Argument(help="An image, packed or not.", metavar="IMAGE")],
    second: Annotated[Path, typer.Argument(help="Another.", metavar="IMAGE")],
) -> None:
    """Say whether two images are the same bytes, and if not, which files and packages differ. Needs root's rights, and 15 GB of room.

    Of one commit, on one day, two builds are the same. Debian's packages change from day to day; what else differs is a fault.

    Ends with 0 if they are the same, with 1 if not.
    """
    try:
        with tempfile.TemporaryDirectory(prefix="parvis-compare-") as work:
            lines = list(compared(first, second, Path(work)))
    except (OSError, LayoutError, subprocess.CalledProcessError) as error:
        _console.print(f"parvis-deploy: {error}")
        raise typer.Exit(2) from None
    for line in lines or [f"the same: {digest(first)}"]:
        typer.echo(line)
    raise typer.Exit(1 if lines else 0)


@app.command(help=_FLASH_HELP)
def flash(
    target: Annotated[Path, typer.Argument(help="The card's device, such as /dev/sdb; or a file.", metavar="DEVICE|FILE")],
    *,
    unit: Annotated[str, typer.Option(help="Whose card it is.")],
    claim: Annotated[Path, typer.Option(help="From `parvis-hub fleet claim`.", metavar="FILE")],
    site: Annotated[str | None, typer.Option(help="Name of the site; the claim's unless told.")] = None,
    flavour: Annotated[str, typer.Option(help="generic (UEFI) or raspberry-pi.")] = "raspberry-pi",
    image_file: Annotated[
        Path | None, typer.Option("--image", help="The newest of the flavour in .parvis/image unless told.", metavar="IMG.ZST")
    ] = None,
    size_gb: Annotated[float, typer.Option(help="Of a file that is not there yet.")] = 8.0,
    update_root: Annotated[
        Path | None,
        typer.Option(help="Whose updates it takes: 1.root.json of `parvis-models publish init`. Without it, none.", metavar="FILE"),
    ] = None,
    video: Annotated[str | None, typer.Option(help="The unit's camera, as for parvis-edge watch.")] = None,
    audio: Annotated[str | None, typer.Option(help="The unit's microphone.")] = None,
    address: Annotated[str | None, typer.Option(help="A fixed address, 192.0.2.17/24; given by the network unless told.")] = None,
    gateway: Annotated[str | None, typer.Option(help="Goes with --address.")] = None,
    resolver: Annotated[str | None, typer.Option(help="Looks up names; goes with --address.")] = None,
    time_server: Annotated[str | None, typer.Option(help="Debian's unless told.")] = None,
    wifi: Annotated[str | None, typer.Option(help="Name of a wireless network; its passphrase is asked for, or in PARVIS_WIFI.")] = None,
    wifi_country: Annotated[str, typer.Option(help="Whose rules of radio hold.")] = "FR",
    restart_between: Annotated[str, typer.Option(help="When a new root may be started, UTC; or `any`.")] = "02:00-04:00",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Writes a card."""
    begun_s = time.monotonic()
    try:
        _flavour(flavour)
        claimed = read_claim(claim, site, unit)
        settings = Settings(
            video=video,
            audio=audio,
            address=address,
            gateway=gateway,
            resolver=resolver,
            time_server=time_server,
            quiet=restart_between,
            wifi=None if wifi is None else Wifi(ssid=wifi, passphrase=_passphrase(wifi), country=wifi_country),
        )
        files = {CLAIM: claimed, SETTINGS: settings.model_dump_json(exclude_none=True, indent=2).encode() + b"\n"}
        if update_root is not None:
            files[TRUSTED] = read_trusted(update_root)
        found = look_at(target)
        refuse(found)
        source = read_image(image_file or _newest(flavour))
        if source.flavour != flavour:
            raise FlashError(f"{source.path}: is for {source.flavour}, and --flavour is {flavour}")
        _console.print(f"{target} will be overwritten. On it now:", *(f"  {line}" for line in found.lines), sep="\n")
        if not yes and not typer.confirm(f"Write {source.path.name} for unit {unit}? All of this is lost."):
            raise typer.Exit(1)
        if not found.device and not found.size_bytes:
            with target.open("ab") as file:
                file.truncate(int(size_gb * 1e9) // (1 << 20) * (1 << 20))
            found = look_at(target)
        columns = (TextColumn("{task.description:14}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
        with Progress(*columns, console=_console) as progress:
            tasks: dict[str, int] = {}

            def told(what: str, done: int, of: int) -> None:
                task = tasks.setdefault(what, -1)
                if task < 0:
                    task = tasks[what] = progress.add_task(what, total=of)
                progress.update(task, completed=done)  # type: ignore[arg-type]

            parts = write(source, found, told)
        personalise(target, parts, files)
    except (FlashError, ValidationError) as error:
        _console.print(f"parvis-deploy: {error}")
        raise typer.Exit(2) from None
    _console.print(f"{target}: card of unit {unit}, Parvis {source.version}, written and read back in {time.monotonic() - begun_s:.0f} s.")


def _flavour(text: str) -> Flavour:
    if text == "generic":
        return "generic"
    if text == "raspberry-pi":
        return "raspberry-pi"
    raise typer.BadParameter(f"--flavour {text}: generic or raspberry-pi")


def _newest(flavour: str) -> Path:
    found = sorted(OUT.glob(f"parvis-{flavour}-*.img.zst"), key=lambda each: each.stat().st_mtime)
    if not found:
        raise FlashError(f"no image of {flavour} in {OUT}; `sudo make image` builds it, or name one with --image")
    return found[-1]


def _passphrase(ssid: str) -> str:
    return os.environ.get("PARVIS_WIFI") or str(typer.prompt(f"Passphrase of {ssid}", hide_input=True))


def _epoch() -> int:
    """The time of all files: SOURCE_DATE_EPOCH, or that of the last commit.

    Raises:
        BuildError: There is neither.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    asked = ["git", "-c", f"safe.directory={REPOSITORY}", "-C", str(REPOSITORY), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(asked, check=True, capture_output=True, text=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        raise BuildError(f"{REPOSITORY}: no git tells the time of its last commit; give one:\n  SOURCE_DATE_EPOCH=$(date +%s)") from None
