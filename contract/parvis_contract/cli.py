"""The `parvis-contract` command: print schemas, check a log of messages, write what is generated from the models."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
import yaml

from .asyncapi import asyncapi_document
from .envelope import ENVELOPES, MAX_LARGE_BYTES, Refused, parse_message, short_name
from .page import contract_page
from .schema import all_schemas, bundled_schema, message_schema

app = typer.Typer(
    help="The message contract: its JSON Schemas, and a check of messages against it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

#: Longer than any message: the rest of such a line is passed over without being held in memory.
_LINE_LIMIT_BYTES = MAX_LARGE_BYTES + 2


@app.command()
def schema(
    message: Annotated[str | None, typer.Argument(metavar="[TYPE]", help="Such as object.unattended; every type without one.")] = None,
) -> None:
    """Print the JSON Schema (2020-12) of one type of message, or of all."""
    if message is None:
        typer.echo(_json(bundled_schema()), nl=False)
        return
    name = short_name(message)
    if name not in ENVELOPES:
        typer.echo(f"{message}: no type of the contract. There are: {', '.join(ENVELOPES)}", err=True)
        raise typer.Exit(2)
    typer.echo(_json(message_schema(name)), nl=False)


@app.command()
def check(
    file: Annotated[str, typer.Argument(metavar="FILE.jsonl", help="One CloudEvent a line; - for standard input.")],
) -> None:
    """Print a line per refused message, `FILE:LINE: reason: field: detail`; exit 1 if there is any."""
    refusals: Counter[str] = Counter()
    accepted = 0
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            for number, line in _lines(stream):
                try:
                    parse_message(line)
                    accepted += 1
                except Refused as refused:
                    refusals[refused.reason] += 1
                    typer.echo(f"{file}:{number}: {refused.reason}: {refused.field or '-'}: {refused.detail}")
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(2) from None
    reasons = "".join(f", {count} {reason}" for reason, count in refusals.most_common())
    typer.echo(f"{accepted} accepted, {refusals.total()} refused{reasons}", err=True)
    if refusals:
        raise typer.Exit(1)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of a file with their numbers, blank ones left out; of an overlong one only the beginning."""
    number = 0
    while line := stream.readline(_LINE_LIMIT_BYTES):
        number += 1
        rest = line
        while not rest.endswith(b"\n") and (rest := stream.readline(_LINE_LIMIT_BYTES)):
            pass
        if line.strip():
            yield number, line.rstrip(b"\r\n")


@app.command()
def generate(
    folder: Annotated[Path, typer.Argument(help="Gets schemas/ and asyncapi.yaml.")],
    page: Annotated[Path | None, typer.Option(help="Also write the reference page to this file.")] = None,
) -> None:
    """Write the JSON Schemas, the AsyncAPI document and, with --page, the reference page."""
    for path, text in generated(folder, page).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        typer.echo(str(path))


def generated(folder: Path, page: Path | None = None) -> dict[Path, str]:
    """Every file that is generated from the models, and its content."""
    files = {folder / "schemas" / f"{name}.schema.json": _json(each) for name, each in all_schemas().items()}
    files[folder / "asyncapi.yaml"] = yaml.safe_dump(asyncapi_document(), sort_keys=False, allow_unicode=True, width=140)
    if page is not None:
        files[page] = contract_page()
    return files


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
