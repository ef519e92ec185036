"""The containers of ``deploy/compose`` in a project of their own, made from a copy of the checkout, and their page's commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.docs.pages import ROOT, Block, blocks

PAGE = ROOT / "deploy" / "compose" / "README.md"
#: What the page writes, and what stands for it here.
_HERE = {"hub.example": "localhost"}


class StackError(Exception):
    """Something is not as the page says; the message has the command and its last words."""


def say(line: str) -> None:
    """Tells whoever runs it."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def engine_missing() -> str | None:
    """What to do to have an engine here; None if there is one."""
    for command in (["docker", "info", "--format", "{{.ServerVersion}}"], ["docker", "compose", "version", "--short"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            return "docker is not here: apt install docker.io docker-compose (Debian 13), or Docker's own packages"
        if done.returncode:
            return f"`{' '.join(command)}` says: {done.stderr.strip() or done.stdout.strip()}"
        say(f"  {' '.join(command[:2])}: {done.stdout.strip()}")
    return None


def wait(what: str, done: Callable[[], Any], limit_s: float = 120.0) -> None:
    """Asks until the answer is true; says how long it took.

    Raises:
        StackError: It never was.
    """
    begun_s = time.monotonic()
    while not done():
        if time.monotonic() - begun_s > limit_s:
            raise StackError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(0.5)
    say(f"  {what}: {time.monotonic() - begun_s:.0f} s")


class Stack:
    """A copy of the checkout, and the project that is run from it.

    Args:
        folder: For both; it must be where the engine sees it under the same name.
        plan: The site plan.
    """

    def __init__(self, folder: Path, plan: str) -> None:
        self.home = folder
        self.folder = folder / "checkout" / "deploy" / "compose"
        # Beside an installation on the same machine nothing of it may be touched; its ports would be in the way, and docker says so.
        self.environment = os.environ | {"COMPOSE_PROJECT_NAME": "parvis-test", "HOME": str(folder), "COLUMNS": "200"}
        self.environment.setdefault("DOCKER_CONFIG", str(Path.home() / ".docker"))
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "contract", "deploy", "hub", "requirements.lock"],
            cwd=ROOT, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                copy = folder / "checkout" / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes((ROOT / name).read_bytes())
        (folder / "site.yaml").write_text(plan)

    def call(self, command: str, given: str = "") -> str:
        """What a shell's command prints, in the page's folder.

        Raises:
            StackError: It fails.
        """
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise StackError(f"{command}\nended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}")
        return done.stdout

    def compose(self, *words: str) -> str:
        """`docker compose` with these words."""
        return self.call(" ".join(["docker", "compose", *words]))

    def follow(self, beginning: str, given: str = "") -> None:
        """Runs the commands of the page's block that begins so, one by one; `given` is what is typed where a password is asked for."""
        (block,) = [each for each in page() if each.text.startswith(beginning)]
        for line in block.text.splitlines():
            for there, here in _HERE.items():
                line = line.replace(there, here)  # noqa: PLW2901
            if line.startswith(("cd ", "umask ")):
                continue
            begun_s = time.monotonic()
            self.call(line, given if " users add " in line else "")
            say(f"  {time.monotonic() - begun_s:4.0f} s  {line}")

    def inside(self, service: str, *words: str) -> str:
        """What a command in a container that runs prints."""
        return self.compose("exec", "-T", service, *words)

    def sql(self, question: str) -> str:
        """The database's answer, asked as its own user."""
        return self.inside("postgresql", "psql", "-U", "postgres", "-d", "parvis", "-Atqc", f'"{question}"').strip()

    def query(self, expression: str) -> list[Any]:
        """What Prometheus answers."""
        words = ("promtool", "query", "instant", "--format=json", "http://127.0.0.1:9090", f"'{expression}'")
        answer = json.loads(self.inside("prometheus", *words))
        assert isinstance(answer, list)
        return answer

    def logs(self) -> str:
        """The last that each container said."""
        return self.compose("logs", "--tail", "30")

    def remove(self) -> None:
        """Ends all, and throws away all that the project has written."""
        self.compose("--profile", "grafana", "down", "--volumes", "--timeout", "5")


def page() -> list[Block]:
    """The page's blocks."""
    return blocks(PAGE)
