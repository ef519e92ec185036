"""Reads the repository's pages: their links, headings, code blocks and commands."""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block of code.

    Attributes:
        page: Where it stands.
        line: Of its first line of code, from 1.
        language: After the fence; may be empty.
        text: What stands in it.
    """

    page: Path
    line: int
    language: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A call of one of our programs.

    Attributes:
        page, line: Where it stands.
        words: Program and arguments.
    """

    page: Path
    line: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}: {' '.join(self.words)}"


@cache
def pages() -> tuple[Path, ...]:
    """Every page that is checked in, or would be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    names = listed.stdout.split() or [
        str(path.relative_to(ROOT)) for path in ROOT.rglob("*.md") if not {".venv", ".git", "node_modules"} & set(path.parts)
    ]
    return tuple(sorted(ROOT / name for name in names if (ROOT / name).exists()))


def text_of(page: Path) -> str:
    """A page's text."""
    return page.read_text(encoding="utf-8")


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, lines, start, language = [], text_of(page).splitlines(), None, ""
    for number, line in enumerate(lines, 1):
        if line.startswith("```"):
            if start is None:
                start, language = number, line[3:].strip()
            else:
                found.append(Block(page, start + 1, language, "\n".join(lines[start : number - 1]) + "\n"))
                start = None
    assert start is None, f"{page}: a block of code has no end"
    return found


def prose(page: Path) -> str:
    """A page without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text_of(page), flags=re.MULTILINE | re.DOTALL)


def links(page: Path) -> list[str]:
    """Where a page's links and pictures point."""
    return re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(page)))


def anchors(page: Path) -> set[str]:
    """The names of a page's headings, as links to them are written."""
    headings = re.findall(r"^#+ (.+)$", prose(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


_PROGRAM = re.compile(r"(?:\S+/bin/)?(parvis(?:-edge|-hub|-models|-contract)?)$")


def commands(page: Path) -> list[Command]:
    """Every call of one of our programs in a page: in a shell's block, or as inline code."""
    found = []
    for block in blocks(page):
        if block.language in ("sh", "bash", "console"):
            joined = block.text.replace("\\\n", "  ")
            found += [_command(page, block.line + number, line) for number, line in enumerate(joined.splitlines())]
    for number, line in enumerate(prose(page).splitlines(), 1):
        found += [_command(page, number, code) for code in re.findall(r"`([^`\n]+)`", line)]
    return [command for command in found if command is not None]


def _command(page: Path, line: int, code: str) -> Command | None:
    try:
        words = shlex.split(code, comments=True)
    except ValueError:
        return None
    for cut in (">", "<", "|", ">>", "&"):
        if cut in words:
            words = words[: words.index(cut)]
    match = _PROGRAM.match(words[0]) if words else None
    return Command(page, line, (match[1], *words[1:])) if match else None


def rows(page: str, head: str) -> list[list[str]]:
    """The rows of the table of a page that begins with this cell."""
    lines = page.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith(f"| {head} |")) + 2
    table = takewhile(lambda line: line.startswith("|"), lines[begin:])
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
