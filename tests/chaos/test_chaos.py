"""A short kill test; `make chaos` is the long one."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.chaos.__main__ import say, told
from tests.chaos.kill import KillTest
from tests.e2e.brokers import mosquitto_broker


@pytest.fixture
def seed() -> int:
    """Another each time; pytest shows what was printed where the test fails."""
    number = random.SystemRandom().randrange(1_000_000)
    say(f"seed {number}: python -m tests.chaos --kills 6 --seed {number} --autosave-s {number % 10 + 1}")
    return number


@pytest.mark.timeout(300)
def test_kills_lose_nothing_and_count_nothing_twice(mosquitto: Path, tmp_path: Path, seed: int) -> None:
    verdict = KillTest(tmp_path, mosquitto_broker(mosquitto, tmp_path / "broker", autosave_s=seed % 10 + 1), seed, say).run(6)
    assert verdict.expected > 100
    assert set(verdict.accidents) == {"kill -9: unit", "kill -9: hub", "kill -9: broker"}
    assert verdict.flawless, told(verdict)
