"""A release of a card's root, from the unit that is told of it to the service that takes it, and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal, ModelRef
from parvis_edge.card.asking import CardReleases, running_root
from parvis_edge.card.record import Outcome, RootState, read_outcome, read_wish, write_outcome

ROOT, NEW, YAMNET = (
    ModelRef(name=name, version=version) for name, version in (("root-generic", "0.1.0"), ("root-generic", "0.2.0"), ("yamnet", "1.1.0"))
)
SHA256 = "a" * 64


class Models:
    """What the unit does with models: it refuses all of them."""

    refused = CommandRefusal.NOT_PERMITTED

    def __init__(self) -> None:
        self.asked: list[ModelRef] = []

    def take(self, model: ModelRef, sha256: str) -> None:
        del sha256
        self.asked.append(model)

    resume = take


@pytest.fixture
def models() -> Models:
    return Models()


@pytest.fixture
def wish(tmp_path: Path) -> Path:
    return tmp_path / "update" / "wanted-root.json"


@pytest.fixture
def releases(models: Models, wish: Path, tmp_path: Path) -> CardReleases:
    return CardReleases(ROOT, models, wish, tmp_path / "outcome.json")


def test_a_root_is_asked_for_and_a_model_is_taken_as_ever(releases: CardReleases, models: Models, wish: Path) -> None:
    releases.take(YAMNET, SHA256)
    assert (models.asked, releases.refused, wish.exists()) == ([YAMNET], CommandRefusal.NOT_PERMITTED, False)
    releases.take(NEW, SHA256)
    assert (models.asked, releases.refused) == ([YAMNET], None)
    asked = read_wish(wish)
    assert asked is not None
    assert (asked.version, asked.sha256) == ("0.2.0", SHA256)


def outcome(state: RootState, refusal: CommandRefusal | None = None, sha256: str = SHA256) -> Outcome:
    return Outcome(version="0.2.0", sha256=sha256, state=state, refusal=refusal)


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        (outcome(RootState.FETCHING), None),
        (outcome(RootState.FETCHING, CommandRefusal.DISK_FULL), CommandRefusal.DISK_FULL),
        (outcome(RootState.GOOD), None),
        (outcome(RootState.REFUSED, CommandRefusal.NOT_SUPPORTED), CommandRefusal.NOT_SUPPORTED),
        (outcome(RootState.REFUSED, CommandRefusal.NOT_SUPPORTED, "b" * 64), None),
    ],
)
def test_what_became_of_it_is_told(kept: Outcome, told: CommandRefusal | None, releases: CardReleases, tmp_path: Path) -> None:
    write_outcome(tmp_path / "outcome.json", kept)
    releases.take(NEW, SHA256)
    assert releases.refused is told


def test_what_was_heard_of_is_not_asked_for_again_at_a_start(releases: CardReleases, wish: Path, tmp_path: Path, models: Models) -> None:
    write_outcome(tmp_path / "outcome.json", outcome(RootState.REFUSED, CommandRefusal.NOT_SUPPORTED))
    releases.resume(NEW, SHA256)
    assert (wish.exists(), releases.refused) == (False, CommandRefusal.NOT_SUPPORTED)
    releases.resume(NEW, "c" * 64)
    assert (wish.exists(), releases.refused) == (True, None)
    releases.resume(YAMNET, SHA256)
    assert models.asked == [YAMNET]


def test_a_disk_that_takes_no_wish_is_told_of(models: Models, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    releases = CardReleases(ROOT, models, tmp_path / "file" / "wanted-root.json", tmp_path / "outcome.json")
    releases.take(NEW, SHA256)
    assert releases.refused is CommandRefusal.DISK_FULL


def test_the_root_that_runs_is_named_by_its_card(tmp_path: Path) -> None:
    assert running_root(tmp_path) is None
    for name, text in (("flavour", "generic"), ("version", "0.1.0")):
        (tmp_path / name).write_text(text + "\n")
    assert running_root(tmp_path) == ROOT


def test_what_a_newer_root_has_written_can_be_read_by_the_one_that_it_fell_back_to(tmp_path: Path) -> None:
    path = tmp_path / "outcome.json"
    path.write_text(json.dumps({"version": "0.3.0", "sha256": SHA256, "state": "trying", "slot": "b", "of_tomorrow": 1}))
    found = read_outcome(path)
    assert found is not None
    assert found.state is RootState.TRYING
