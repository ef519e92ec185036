"""Runs an update that is killed before its n-th write to the disk, for every n; a program of its own, since it forks.

What writes is wrapped: each opening for writing, sync, rename, removal and making of a folder counts one, and so does each write to an open
file. At the count that is given the process kills itself with SIGKILL, or the disk is full from then on.
"""

from __future__ import annotations

import errno
import io
import json
import os
import pathlib
import shutil
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from parvis_contract import ModelRef
from parvis_edge.bundle import load_folder
from parvis_edge.update.errors import UpdateError
from parvis_edge.update.fetcher import Fetcher
from parvis_edge.update.golden import check
from parvis_edge.update.installer import install
from parvis_edge.update.repository import Repository
from parvis_edge.update.shelf import Shelf
from parvis_edge.update.state import Held

Step = Callable[[], None]


def wrap(step: Step) -> None:
    """Has ``step`` called before whatever changes the disk."""

    def before(function: Callable[..., Any], counts: Callable[..., bool] = lambda *_, **__: True) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if counts(*arguments, **options):
                step()
            return function(*arguments, **options)

        return wrapped

    def writes(*arguments: Any, **options: Any) -> bool:
        mode = options.get("mode", arguments[1] if len(arguments) > 1 else "r")
        return isinstance(mode, str) and any(letter in mode for letter in "wxa+")

    for name in ("fsync", "replace", "rename", "unlink", "remove", "mkdir", "rmdir", "symlink"):
        setattr(os, name, before(getattr(os, name)))
    opened = io.open

    def open_(*arguments: Any, **options: Any) -> Any:
        if not writes(*arguments, **options):
            return opened(*arguments, **options)
        step()
        file = opened(*arguments, **options)
        if isinstance(file, (io.BufferedWriter, io.BufferedRandom)):
            return Counted(file, step)
        return file

    io.open = open_  # type: ignore[assignment]
    pathlib.io.open = open_  # type: ignore[attr-defined]


class Counted:
    """A file whose writes count; a kill in the middle of one leaves its first half."""

    def __init__(self, file: Any, step: Step) -> None:
        self._file, self._step = file, step

    def write(self, raw: bytes) -> int:
        """Half, and the other half."""
        half = len(raw) // 2
        self._file.write(raw[:half])
        self._file.flush()
        self._step()
        self._file.write(raw[half:])
        return len(raw)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()


def prove_here(folder: Path) -> None:
    """Golden samples, without a process of their own."""
    why = check(folder)
    if why is not None:
        raise UpdateError(None, why)


def update(data: Path, url: str, root: bytes, version: str, sha256: str) -> None:
    """One update, from the release to the end of the trial."""
    shelf, model = Shelf(data), ModelRef(name="yamnet", version=version)
    shelf.change(model.name, lambda state: state.asked(Held(version=version, sha256=sha256)))
    install(shelf, Repository(url, data / "metadata", root, Fetcher(), wait=lambda _: None), model, sha256, prove_here)
    shelf.change(model.name, lambda state: state.taken("good"))


def run(kind: str, at: int, do: Step) -> None:
    """In a child: dies, or finds the disk full, at write number ``at``; exits with 0 where the update came to its end before."""
    left = at

    def step() -> None:
        nonlocal left
        left -= 1
        if left >= 0:
            return
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(errno.ENOSPC, "No space left on device")

    wrap(step)
    try:
        do()
    except (UpdateError, OSError) as error:
        os._exit(0 if isinstance(error, UpdateError) and error.refusal is None else 3)
    os._exit(0 if left >= 0 else 3)


def every(kind: str, url: str, root: Path, versions: list[tuple[str, str]], work: Path) -> dict[str, Any]:
    """For every n: from the first version taken, the second is interrupted; then what runs is looked at, and the update done again.

    Returns:
        How many writes there are, and what is wrong: a line for each n.
    """
    (first, first_sha256), (second, second_sha256) = versions
    raw, before = root.read_bytes(), work / "before"
    update(before, url, raw, first, first_sha256)
    wrong: list[str] = []
    ran = {first: 0, second: 0}
    at, ended = 0, False
    while not ended:
        data = work / "data"
        shutil.rmtree(data, ignore_errors=True)
        shutil.copytree(before, data, symlinks=True)
        child = os.fork()
        if child == 0:
            run(kind, at, lambda: update(work / "data", url, raw, second, second_sha256))
        status = os.waitpid(child, 0)[1]
        ended = os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0
        if kind == "kill" and not ended and not os.WIFSIGNALED(status):
            wrong.append(f"{at}: ended with {status}")
        running = Shelf(data, lambda _: load_folder(before / "none")).load("yamnet").card.version
        ran[running] += 1
        with suppress(UpdateError, OSError):
            update(data, url, raw, second, second_sha256)
        after = Shelf(data)
        if after.load("yamnet").card.version != second or after.state("yamnet").trial is not None:
            wrong.append(f"{at}: not taken afterwards: {after.state('yamnet')}")
        left = [path.name for path in data.rglob("*") if path.name.endswith((".part", ".new")) and path.is_dir()]
        if left:
            wrong.append(f"{at}: left behind {left}")
        at += 1
    return {"writes": at - 1, "ran": ran, "wrong": wrong}


if __name__ == "__main__":
    kind, url, root, work, *named = sys.argv[1:]
    pairs = [(named[0], named[1]), (named[2], named[3])]
    print(json.dumps(every(kind, url, Path(root), pairs, Path(work))))  # noqa: T201
