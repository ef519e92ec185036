"""Makes HTML in which every value is escaped: text becomes markup in one place, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

#: For screen and paper, in the browser's own fonts. Nothing is loaded.
STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 52rem; padding: 0 1rem; color: #111; background: #fff; }
h1 { line-height: 1.2; } h2 { margin-top: 2rem; border-bottom: 2px solid #111; }
dt { font-weight: 600; margin-top: .8rem; } dd { margin: 0; white-space: pre-line; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; border: 1px solid #767676; padding: .25rem .5rem; } td.n, th.n { text-align: right; }
.missing { background: #fff3cd; color: #5c4400; padding: 0 .3rem; } .note { color: #444; font-size: .9em; }
code { overflow-wrap: anywhere; }
.columns { display: grid; grid-template-columns: 1fr 1fr; gap: 6mm; } .columns dt { margin-top: 1.6mm; }
.sign { font-size: 11.5px; line-height: 1.25; max-width: 190mm; } .sign h1 { font-size: 22px; margin: 0; } .sign p { margin: 1mm 0; }
.sign h2 { font-size: 14px; margin: 2.2mm 0 .8mm; display: flex; justify-content: space-between; align-items: baseline; gap: 3mm; }
.sign h2 .note { font-size: 8.5px; font-weight: 400; text-align: right; } .sign ul { columns: 2; }
.sign .foot { display: flex; gap: 6mm; align-items: center; border-top: 2px solid #111; padding-top: 3mm; }
.sign svg { flex: none; } .sign ul { margin: 0; padding-left: 1.2em; }
@page { size: A4; margin: 10mm; }
@media print { body { margin: 0; max-width: none; padding: 0; } a { color: inherit; text-decoration: none; } }
"""


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str) -> Markup:
    """An element.

    Args:
        name: Of the element.
        children: Text, which is escaped, and markup, which is not.
        attributes: With a trailing underscore where Python has the word; escaped.
    """
    given = "".join(f' {key.rstrip("_")}="{escape(value)}"' for key, value in attributes.items())
    inner = join(children)
    return Markup(f"<{name}{given}>") if name in {"meta", "link"} else Markup(f"<{name}{given}>{inner}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """Parts one after another, text escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def items(values: Iterable[str]) -> Markup:
    """A list."""
    return tag("ul", *(tag("li", value) for value in values))


def terms(pairs: Iterable[tuple[str, str]]) -> Markup:
    """A list of terms, each with what is said of it."""
    return tag("dl", *(part for term, said in pairs for part in (tag("dt", term), tag("dd", said))))


def table(head: Iterable[str], rows: Iterable[Iterable[str]], *, words: int = 1) -> Markup:
    """A table whose first columns are words and whose others are numbers."""

    def cells(kind: str, values: Iterable[str]) -> list[Markup]:
        return [tag(kind, value, **({"class_": "n"} if at >= words else {})) for at, value in enumerate(values)]

    return tag("table", tag("thead", tag("tr", *cells("th", head))), tag("tbody", *(tag("tr", *cells("td", row)) for row in rows)))


def document(lang: str, title: str, *body: str, stylesheet: str | None = None) -> str:
    """A whole page.

    Args:
        lang: Its language, ``en`` or ``fr``.
        title: Of the page.
        body: What stands on it.
        stylesheet: Where a server has :data:`STYLE`; None puts it into the page, which then needs no other file.
    """
    style = tag("style", Markup(STYLE)) if stylesheet is None else tag("link", rel="stylesheet", href=stylesheet)
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        style,
    )
    return "<!doctype html>\n" + tag("html", head, tag("body", tag("main", *body)), lang=lang) + "\n"
