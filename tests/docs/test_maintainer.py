"""The maintainer's page, followed as written: a model is published by two holders, served by the hub, and taken by a unit."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import wave
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import CommandRefusal, ModelRef
from parvis_edge.update import health
from parvis_hub.governance import latest
from parvis_hub.rollout import Phase, RolloutShelf
from parvis_hub.store import Database, default_url
from parvis_models.publish.repository import VALID

from tests.docs.pages import ROOT, Block, blocks, rows, text_of
from tests.edge.program import write_plan
from tests.hub.console.hub import Hub
from tests.hub.fleet.town import Town
from tests.rollout.bundles import bundle

PAGE = ROOT / "docs" / "maintainer.md"
#: Where our programs are.
PROGRAMS = Path(sys.executable).parent


def block(beginning: str) -> Block:
    (found,) = [each for each in blocks(PAGE) if each.text.startswith(beginning)]
    return found


class Machine:
    """Runs the page's lines, with its absolute paths below a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places = {
            "/srv/parvis/repository": folder / "repository",
            "/var/lib/parvis/identity": folder / "identity",
            "models/zoo": ROOT / "models" / "zoo",
        }

    def follow(self, text: str, *more: str, typed: str = "") -> str:
        """Each line in turn; gives what they printed."""
        said = ""
        for place, stands_for in self.places.items():
            text = text.replace(place, str(stands_for))
        for line in text.strip().splitlines():
            words = shlex.split(line)
            command = [str(PROGRAMS / words[0]), *words[1:], *more]
            # Without a terminal the password is read from standard input.
            done = subprocess.run(
                command, cwd=self.folder, input=typed, capture_output=True, text=True, check=False, start_new_session=True, env=os.environ
            )
            assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
            said += done.stdout
        return said


def test_a_model_is_pushed_as_the_page_says(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.follow(block("parvis-models publish init").text, typed="correct horse\n")
    release = block("parvis-models publish add /srv/parvis/repository models/zoo").text.strip().splitlines()
    # The version before was listed in the same way.
    older = bundle(tmp_path / "before" / "1.0.0", "1.0.0")
    for line in release[:2]:
        machine.follow(line.replace("models/zoo/yamnet/1.1.0", str(older)), typed="correct horse\n")
    assert "lacks 1 more" in machine.follow(release[0], typed="correct horse\n")
    machine.follow(release[1], typed="correct horse\n")
    listed = machine.follow("\n".join(release[2:]))
    assert "models/yamnet/1.1.0.tar" in listed
    # What the timer starts, of which the page names the file.
    assert "deploy/systemd/parvis-refresh.service" in block("sudo chown").text
    [started] = re.findall(r"^ExecStart=\S+/(.*)$", text_of(ROOT / "deploy" / "systemd" / "parvis-refresh.service"), re.MULTILINE)
    assert "published" in machine.follow(started.replace("/etc/parvis/online", "keys/online"))
    _in_rings(machine)

    (tmp_path / "town").mkdir()
    town = Town.build(tmp_path / "town")
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "ca.pem").write_bytes(town.authority.certificate.public_bytes(Encoding.PEM))
    whose = {"site": "vieux-port", "unit": "u017", "hub": f"https://localhost:{town.hub_port}", "broker": f"localhost:{town.broker_port}"}
    (tmp_path / "identity" / "hub.json").write_text(json.dumps(whose))
    root = ("--root", str(tmp_path / "repository" / "metadata" / "1.root.json"))
    data = ("--data-dir", str(tmp_path / "data"))
    with town.listening(tmp_path / "repository"):
        check, status = block("parvis-edge update check").text.strip().splitlines()
        assert "models/yamnet/1.1.0.tar" in machine.follow(check, *root, *data)
        assert "shipped" in machine.follow(status, *data)
        machine.follow(block("parvis-edge update apply").text, *root, *data)
        assert "1.1.0 on trial" in machine.follow(status, *data)
        # The unit uses it at its next start, which is counted.
        with wave.open(str(tmp_path / "quiet.wav"), "wb") as sound:
            sound.setparams((1, 2, 16_000, 0, "NONE", ""))
            sound.writeframes(np.zeros(32_000, np.int16).tobytes())
        plan = write_plan(tmp_path)
        options = f"--update-repository https://localhost:{town.hub_port}/fleet/v1/repository --update-root {root[1]}"
        authority = f"--tls-ca {tmp_path / 'identity' / 'ca.pem'}"
        machine.follow(f"parvis-edge watch --site {plan} --unit u001 --audio quiet.wav --stdout {options} {authority}", *data)
    told = json.loads(machine.follow(status, *data, "--json"))
    assert (told["yamnet"]["trial"], told["yamnet"]["starts"]) == ("a", 1)


def _in_rings(machine: Machine) -> None:
    """The model that is listed is sent on its way, held up, let go on, and taken back to what the units had."""
    folder = machine.folder / "hub"
    folder.mkdir()
    hub = Hub(folder)
    site = hub.site
    for unit in site.units:
        hub.status(unit, models=(ModelRef(name="yamnet", version="1.0.0"),))
    hub.close()
    here = Machine(folder)
    here.places = machine.places
    start, status, pause, resume, back = block("parvis-hub rollout start").text.strip().splitlines()
    data = ("--data-dir", str(folder))
    assert "1.1.0" in here.follow(start, *data)
    assert "ring 1, to 25% (begun): u003 not asked yet" in here.follow(status, *data)
    for line, phase in ((pause, Phase.PAUSED), (resume, Phase.RUNNING)):
        here.follow(line, *data)
        assert f"yamnet 1.1.0, {phase}" in here.follow(status, *data)
        database = Database(default_url(folder), site.site)
        assert RolloutShelf(database, lambda: 0).one().phase is phase
        with database.read() as connection:
            assert [entry.by for entry in latest(connection, 1)] == ["a-martin"]
        database.close()
    here.follow(back, *data)
    assert f"yamnet 1.1.0, {Phase.GOING_BACK}" in here.follow(status, *data)
    database = Database(default_url(folder), site.site)
    assert str(RolloutShelf(database, lambda: 0).one().back_to) == "yamnet 1.0.0"
    database.close()


def test_the_tables_say_what_the_programs_do() -> None:
    text = text_of(PAGE)
    named = {row[0].strip("`"): row[1] for row in rows(text, "signs")}
    days = {"a year": 365, "half a year": 180, "two weeks": 14, "four days": 4}
    found = {role: next(days[words] for words in days if said.startswith(words)) for role, said in named.items()}
    assert found == {role: valid.days for role, valid in VALID.items()}
    assert {row[0].strip("`") for row in rows(text, "the status says")} <= {each.value for each in CommandRefusal}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (health.TRIAL_S == 600 and health.LEAST_RUNS == 100, "For ten minutes and a hundred runs"),
        (health.MOST_SLOWER == 4, "four times as slow"),
        (health.MOST_DROPPED == 0.2, "a fifth more of what comes dropped"),
        (health.RATE_FACTOR == 3, "more than three times as often or as rarely"),
    ],
)
def test_the_limits_of_a_trial_are_those_of_the_page(value: bool, words: str) -> None:
    assert value
    assert words in " ".join(text_of(PAGE).split())
