"""Processes are started, watched and ended by their own ids, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from parvis.broker import HOST, BrokerPorts, free_ports
from parvis.children import Child, ChildDied, Family, wait_for_port

SLEEPER = [sys.executable, "-c", "import time; print('asleep'); time.sleep(60)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
]


def wait_until(true: object, timeout_s: float = 20.0) -> None:
    until_s = time.monotonic() + timeout_s
    while not true():  # type: ignore[operator]
        assert time.monotonic() < until_s, "it took too long"
        time.sleep(0.02)


def test_a_family_ends_together_even_who_does_not_listen(tmp_path: Path) -> None:
    with Family(tmp_path) as family:
        sleeper, stubborn = family.start("sleeper", SLEEPER), family.start("stubborn", STUBBORN)
        wait_until(lambda: "deaf" in stubborn.last_lines())
        stubborn.end(grace_s=0.2)
        assert stubborn.returncode == -signal.SIGKILL
        assert sleeper.returncode is None
    assert sleeper.returncode == -signal.SIGTERM
    assert not psutil.pid_exists(sleeper.pid)


def test_a_family_ends_when_something_goes_wrong(tmp_path: Path) -> None:
    family = Family(tmp_path)
    sleeper = family.start("sleeper", SLEEPER)
    with pytest.raises(ChildDied), family:
        raise sleeper.died()
    assert sleeper.returncode is not None


def test_a_death_is_reported_with_the_last_words(tmp_path: Path) -> None:
    child = Child(
        "talker", [sys.executable, "-c", "print(*range(100), sep='\\n'); raise SystemExit('out of paper')"], tmp_path / "talker.log"
    )
    assert child.wait(20.0) == 1
    told = str(child.died())
    child.kill()
    assert "talker ended with status 1" in told
    assert told.splitlines()[-3:] == ["98", "99", "out of paper"]
    assert "\n10\n" not in told


def test_waiting_for_a_port_tells_a_death_from_a_delay(tmp_path: Path) -> None:
    [port] = free_ports(1)
    with Family(tmp_path) as family:
        dead = family.start("dead", [sys.executable, "-c", "raise SystemExit('no such file')"])
        with pytest.raises(ChildDied, match="no such file"):
            wait_for_port(dead, HOST, port, 20.0)
        deaf = family.start("deaf", SLEEPER)
        with pytest.raises(ChildDied, match="does not listen"):
            wait_for_port(deaf, HOST, port, 0.3)


def test_nothing_outlives_a_demonstration_that_is_killed(tmp_path: Path) -> None:
    if not Path("/usr/bin/setpriv").exists():
        pytest.skip("setpriv is missing: apt install util-linux")
    program = (
        "import sys, time; from pathlib import Path; from parvis.broker import BrokerPorts, HOST; from parvis.children import *\n"
        f"family = Family(Path({str(tmp_path)!r})); ports = BrokerPorts.free(); child = family.start('broker', ports.command())\n"
        "wait_for_port(child, HOST, ports.mqtt5, 20); print(child.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert psutil.pid_exists(pid)
        os.kill(parent.pid, signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)


def test_the_broker_says_why_it_cannot_listen(tmp_path: Path) -> None:
    ports = BrokerPorts.free()
    with Family(tmp_path) as family:
        wait_for_port(family.start("first", ports.command()), HOST, ports.mqtt5, 20.0)
        second = family.start("second", ports.command())
        assert second.wait(20.0) not in (0, None)
        assert "use" in str(second.died())
