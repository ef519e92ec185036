"""The command `parvis-models`."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from parvis_contract.card import Card
from parvis_edge.bundle import BundleError
from rich.console import Console
from rich.status import Status
from rich.table import Table

from . import zoo
from .fetch import FetchError
from .publish.commands import app as publish
from .sources import MODELS_FOLDER, Sources, SourcesError, read_sources

if TYPE_CHECKING:
    # What builds and measures takes a second to import; each command brings what it needs.
    from .evaluate import Measured

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_show_locals=False,
    help=(
        "From a pinned public source to a quantised, measured model with a card.\n\n"
        "`build` makes a bundle in `models/zoo/`, `evaluate` measures it beside its float original, `publish` offers it to units that "
        "run already. A unit needs none of it to start: the bundles are part of Parvis.\n\n"
        "Usual order after a change of a source or a recipe:\n\n"
        "`parvis-models build yamnet`, then `parvis-models evaluate yamnet --data FOLDER --write`"
    ),
)

app.add_typer(publish, name="publish")

#: Where development material lies beside a checkout.
DEFAULT_DATA = MODELS_FOLDER.parent.parent / "shared" / "data" / "dev"

NAME = Annotated[
    str | None, typer.Argument(metavar="[NAME]", help="A model of `sources.toml`; without it, all of them.", show_default=False)
]


@app.command()
def build(name: NAME = None) -> None:
    """Fetch, convert and quantise, and write the bundle: model.onnx, card.json, LICENSE, golden.npz.

    Packages are fetched by name with pip and npm (which have to be installed) and checked against the checksums in
    `models/sources.toml`; what was fetched stays in `.cache/models`. The converters (TensorFlow, tf2onnx) get an environment of their
    own there, once: 1.4 GB, some minutes, Python 3.11 on an x86-64 machine.

    The same sources give the same file, bit for bit. What `evaluate --write` wrote into the card of the same file is kept.
    """
    from .build import build as build_model

    console = Console()
    with _explained(console):
        sources = read_sources()
        for each in _names(name, sources):
            with console.status(each) as status:
                card = build_model(each, sources, partial(_tell, console, status, each))
            folder = zoo.folder_of(each, card.version)
            console.print(f"[bold]{each} {card.version}[/bold]: {card.size_bytes / 1e6:.2f} MB, SHA-256 {card.sha256[:16]}…, in {folder}")
            if card.accuracy is None:
                console.print(f"  not measured yet; its thresholds are not chosen: parvis-models evaluate {each} --data FOLDER --write")


@app.command()
def golden(name: NAME = None) -> None:
    """Make the golden samples of a bundle: what a unit asks of the model, on its own processor, before it uses it.

    `build` makes them too; this is for a bundle that was built without. Inputs are drawn or synthesised, the answers are the model's.
    """
    from .golden import write_golden

    console = Console()
    with _explained(console):
        sources = read_sources()
        for each in _names(name, sources):
            card = write_golden(zoo.folder_of(each, sources.models[each].version))
            console.print(f"[bold]{each} {card.version}[/bold]: {card.golden.file if card.golden else None}")


@app.command()
def evaluate(
    name: NAME = None,
    data: Annotated[
        Path, typer.Option(help="Folder with `coco/images`, `coco/labels`, and `audio/SOURCES.tsv` with its sounds.", show_default=False)
    ] = DEFAULT_DATA,
    write: Annotated[
        bool, typer.Option("--write", help="Write what was measured, and the thresholds chosen on it, into the card.")
    ] = False,
) -> None:
    """Measure float and 8 bits side by side: accuracy with the unit's own code, and time on one core.

    Needs what `build` leaves in `models/build/`, and data with ground truth: photographs with boxes in YOLO's form for the detector,
    sounds with a list for the tagger. Exits 1 where 8 bits cost more than a point of mean average precision, or are not at least
    1.8 times as fast.
    """
    from .evaluate import evaluate as evaluate_model

    console = Console()
    good_enough = True
    with _explained(console):
        sources = read_sources()
        for each in _names(name, sources):
            version = sources.models[each].version
            with console.status(each) as status:
                measured = evaluate_model(each, version, data, partial(_tell, console, status, each))
            card = measured.written_into(zoo.read_card(zoo.folder_of(each, version)))
            _show(console, card, measured)
            good_enough = good_enough and measured.good_enough
            if write:
                zoo.write_card(zoo.folder_of(each, version), card)
                console.print(f"written into {zoo.folder_of(each, version) / 'card.json'}")
    if not good_enough:
        raise typer.Exit(1)


def _names(name: str | None, sources: Sources) -> list[str]:
    if name is None:
        return list(sources.models)
    if name not in sources.models:
        raise SourcesError(f"there is no model {name!r} in sources.toml; it has {', '.join(sources.models)}")
    return [name]


def _tell(console: Console, status: Status, name: str, text: str) -> None:
    status.update(f"{name}: {text} …")
    if not console.is_terminal:
        console.print(f"{name}: {text}")


def _show(console: Console, card: Card, measured: Measured) -> None:
    from .evaluate import LEAST_RATIO, MOST_LOSS

    table = Table(title=f"{card.name} {card.version}: {measured.accuracy.data}", title_justify="left")
    for column in ("class", "examples", "AP float", "AP int8", "threshold", "precision", "recall", "false alarms/h"):
        table.add_column(column, justify="left" if column == "class" else "right")
    for key, one in measured.accuracy.classes.items():
        values = (
            one.ap_float,
            one.ap_int8,
            card.thresholds[key].score,
            one.precision_int8,
            one.recall_int8,
            one.false_alarms_per_hour_int8,
        )
        table.add_row(key, str(one.examples), *("–" if value is None else f"{value:g}" for value in values))
    table.add_section()
    table.add_row("mean", "", f"{measured.accuracy.ap_float:g}", f"{measured.accuracy.ap_int8:g}")
    console.print(table)
    speed = measured.speed
    console.print(f"8 bits cost {measured.loss:.2f} points of mean AP (at most {MOST_LOSS:g} allowed)")
    console.print(
        f"{speed.float_ms:g} ms in float, {speed.int8_ms:g} ms in 8 bits: {speed.ratio:g} times as fast (at least {LEAST_RATIO:g})"
    )
    if not measured.good_enough:
        console.print("[bold red]falls short[/bold red]")


class _explained:  # noqa: N801 - reads as a statement
    """Turns errors that the reader can do something about into one line on standard error, and exit code 1."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        from .photographs import DataError

        if isinstance(error, (SourcesError, FetchError, zoo.CardError, DataError, BundleError)):
            Console(stderr=True).print(f"[bold red]error:[/bold red] {error}", soft_wrap=True, markup=True)
            raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
