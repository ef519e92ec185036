"""The command `parvis`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from .children import ChildDied
from .demo import Demo, Stopped, run_folder

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Senses incidents in public space, not people.")


@app.callback()
def _root() -> None:
    """Keeps `demo` a command of its own beside those to come."""


@app.command()
def demo(
    *,
    once: Annotated[bool, typer.Option("--once", help="Play to the end without a browser, print the incidents, and stop.")] = False,
    port: Annotated[int | None, typer.Option(min=1, max=65_535, help="The console's port; a free one if not given.")] = None,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the console in a browser.")] = True,
    keep: Annotated[Path | None, typer.Option(help="Keep site plan, data and logs in this folder.")] = None,
) -> None:
    """Play one street corner on this machine: broker, hub, console and units, on recorded material."""
    console = Console()
    try:
        with run_folder(keep) as folder:
            run = Demo(console, folder, port)
            if once:
                if not run.once():
                    console.print("[red]No incidents: something is wrong. Run it again with --keep and look at the logs.[/red]")
                    raise typer.Exit(1)
            else:
                run.endless(browser=browser)
    except ChildDied as problem:
        console.print(f"[red]{problem}[/red]", markup=True, highlight=False)
        raise typer.Exit(1) from None
    except (Stopped, KeyboardInterrupt):
        console.print("Stopped; every process has ended.")
