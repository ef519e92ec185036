"""The real program: it takes a model while it listens, is killed in the trial, and goes on with it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parvis_edge.update.shelf import Shelf
from parvis_edge.update.state import Held

from tests.edge.program import write_plan
from tests.edge.update.simulator import NAME, Simulator


@contextmanager
def listening(folder: Path, simulator: Simulator) -> Iterator[tuple[subprocess.Popen[bytes], list[dict[str, Any]]]]:
    """A unit that hears a minute of silence at its pace; and what it writes to its log."""
    command = [str(Path(sys.executable).with_name("parvis-edge")), "watch", "--site", str(folder / "site.yaml"), "--unit", "u001"]
    command += ["--audio", str(folder / "quiet.wav"), "--stdout", "--pace", "real", "--data-dir", str(folder / "data")]
    command += ["--update-repository", simulator.url, "--update-root", str(folder / "root.json")]
    unit = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    lines: list[dict[str, Any]] = []

    def read() -> None:
        assert unit.stderr is not None
        for line in unit.stderr:
            told = json.loads(line) if line.startswith(b"{") else {"event": line.decode(), "level": "error"}
            lines.append(told)

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield unit, lines
    finally:
        unit.kill()
        unit.wait()
        reader.join(10)
        assert unit.stderr is not None
        unit.stderr.close()


def wait_for(lines: list[dict[str, Any]], event: str) -> dict[str, Any]:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        for line in list(lines):
            if line["event"] == event:
                return line
        time.sleep(0.05)
    raise AssertionError(f"{event!r} was not said: {[line['event'] for line in lines]}")


def test_a_unit_takes_a_model_while_it_listens(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.add(bundles["2.0.0"])
    write_plan(tmp_path)
    with wave.open(str(tmp_path / "quiet.wav"), "wb") as sound:
        sound.setparams((1, 2, 16_000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 16_000 * 60))
    (tmp_path / "root.json").write_bytes(simulator.root)
    shelf = Shelf(tmp_path / "data" / "update")
    shelf.change(NAME, lambda state: state.asked(Held(version="2.0.0", sha256=simulator.digest(bundles["2.0.0"]))))
    with listening(tmp_path, simulator) as (unit, lines):
        assert wait_for(lines, "another model is in")["version"] == "2.0.0"
        time.sleep(0.5)
        assert unit.poll() is None
        # From here on a power cut.
        unit.kill()
    assert not [line for line in lines if line["level"] == "error"]
    state = shelf.state(NAME)
    assert (state.trial, state.starts) == ("a", 0)
    with listening(tmp_path, simulator) as (unit, lines):
        wait_for(lines, "the first is judged")
        assert shelf.state(NAME).starts == 1
        unit.terminate()
        assert unit.wait(30) == 0
    assert not [line for line in lines if line["level"] == "error"]
