"""A unit that is killed at any instruction of an update, or whose disk is full from there on, comes back with one good model."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.update.simulator import Simulator


@pytest.mark.parametrize("kind", ["kill", "full"])
def test_at_every_write(kind: str, simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.add(bundles["1.0.0"], bundles["1.1.0"])
    (tmp_path / "root.json").write_bytes(simulator.root)
    (tmp_path / "work").mkdir()
    versions = [word for version in ("1.0.0", "1.1.0") for word in (version, simulator.digest(bundles[version]))]
    command = [sys.executable, "-m", "tests.edge.update.dying", kind, simulator.url, str(tmp_path / "root.json"), str(tmp_path / "work")]
    done = subprocess.run([*command, *versions], capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-2_000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["wrong"] == []
    # Before, and after; nothing else, and both of them.
    assert told["writes"] > 40
    assert told["ran"]["1.0.0"] > 30
    assert told["ran"]["1.1.0"] > 3
