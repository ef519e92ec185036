"""What the pages say exists: links, folders, commands and their options, targets of make, tests."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.docs.pages import ROOT, Command, anchors, commands, links, pages, prose, text_of

PAGES = pages()
COMMANDS = [command for page in PAGES for command in commands(page)]
#: Where each program's command line is.
PROGRAMS = {
    "parvis": "parvis.cli",
    "parvis-edge": "parvis_edge.cli",
    "parvis-hub": "parvis_hub.cli",
    "parvis-models": "parvis_models.cli",
    "parvis-contract": "parvis_contract.cli",
}


def _name(value: Path | Command) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else str(value)


def test_the_pages_are_there() -> None:
    names = {_name(page) for page in PAGES}
    assert {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/installer.md", "docs/control-room.md"} <= names
    assert {"docs/maintainer.md", "docs/data-protection.md", "docs/contract.md", "docs/adr/README.md", "deploy/profiles/README.md"} <= names


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in links(page):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{_name(page)}: {link}"
        assert target.is_relative_to(ROOT), f"{_name(page)}: {link} leaves the repository"
        if anchor:
            assert anchor in anchors(target), f"{_name(page)}: {link}; there are {sorted(anchors(target))}"


@pytest.mark.parametrize("page", [page for page in PAGES if page.parent.name == "docs" and page.name != "README.md"], ids=_name)
def test_every_page_of_the_folder_is_in_its_list(page: Path) -> None:
    assert page.name in links(ROOT / "docs" / "README.md")


def test_every_decision_is_in_its_list_and_has_the_same_parts() -> None:
    listed = [link for link in links(ROOT / "docs" / "adr" / "README.md") if link[0].isdigit()]
    decisions = sorted(path for path in (ROOT / "docs" / "adr").glob("0*.md"))
    assert listed == [path.name for path in decisions]
    for path in decisions:
        headings = re.findall(r"^## (.+)$", text_of(path), flags=re.MULTILINE)
        assert headings == ["Context", "Decision", "What was measured", "Consequences"], path.name


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_folder_or_file_that_is_named_is_there(page: Path) -> None:
    rooms = "contract|edge|hub|models|deploy|parvis|tests|docs|tools"
    for code in re.findall(r"`([^`\n]+)`", prose(page)):
        path = code.split("::")[0]
        # A room's own page names what is in the room.
        near = [ROOT / path, page.parent / path]
        if re.fullmatch(rf"(?:{rooms})(?:/[\w.\-*]+)+/?", path) and not path.startswith("parvis/v1"):
            found = any(list(each.parent.parent.glob(f"{each.parent.name}/{each.name}")) for each in near) if "*" in path else False
            assert found or any(each.exists() for each in near) or ("*" in path and list(ROOT.glob(path))), f"{_name(page)}: {code}"


def _options(command: Any) -> set[str]:
    return {option for param in command.params for option in (*param.opts, *param.secondary_opts)} | {"--help"}


@pytest.mark.parametrize("command", COMMANDS, ids=_name)
def test_every_command_and_option_exists(command: Command) -> None:
    program, *words = command.words
    click_command: Any = typer.main.get_command(importlib.import_module(PROGRAMS[program]).app)
    named = [word for word in words if not word.startswith("-")]
    if named and re.fullmatch(r"[a-z][a-z-]*", named[0]) and hasattr(click_command, "commands"):
        for each in named[0].split("|"):
            assert each in click_command.commands, f"{command}: there are {sorted(click_command.commands)}"
        click_command = click_command.commands[named[0]]
        if named[1:] and hasattr(click_command, "commands"):
            assert named[1] in click_command.commands, f"{command}: there are {sorted(click_command.commands)}"
            click_command = click_command.commands[named[1]]
    for word in words:
        if word.startswith("--"):
            option = word.split("=")[0].strip("[]")
            assert option in _options(click_command), f"{command}: {option} is none of {sorted(_options(click_command))}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_target_of_make_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", text_of(ROOT / "Makefile"), flags=re.MULTILINE))
    named = re.findall(r"`make ([a-z-]+)", text_of(page)) + re.findall(r"^make ([a-z-]+)", text_of(page), flags=re.MULTILINE)
    assert set(named) <= targets, _name(page)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    for path, name in re.findall(r"`(tests/[\w/.]+\.py)(?:::(\w+))?`", text_of(page)):
        assert (ROOT / path).is_file(), f"{_name(page)}: {path}"
        if name:
            assert f"def {name}(" in text_of(ROOT / path), f"{_name(page)}: {path}::{name}"


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_module_that_a_page_runs_exists(page: Path) -> None:
    for module in re.findall(r"python -m ([\w.]+)", text_of(page)):
        if module in ("venv", "pip", "pytest"):
            continue
        base = ROOT / module.replace(".", "/")
        assert base.with_suffix(".py").is_file() or (base / "__main__.py").is_file(), f"{_name(page)}: {module}"
