"""A unit against a hostile or a broken repository: what it refuses, why, and that it keeps what it has."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from parvis_contract import CommandRefusal
from parvis_edge.update.errors import UpdateError
from parvis_edge.update.fetcher import Fetcher, Pace, Patience
from parvis_edge.update.repository import RESERVE_BYTES
from parvis_edge.update.trusted_time import check_clock
from parvis_models.publish import offer
from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Metadata, Root, Targets, Timestamp

from tests.edge.update.simulator import QUICK, Simulator, model, target_name

NAME = target_name(model("1.1.0"))


def refusal(simulator: Simulator, folder: Path, do: Callable[[Simulator, Path], None] | None = None) -> UpdateError:
    with pytest.raises(UpdateError) as caught:
        (do or (lambda simulator, folder: simulator.client(folder).refresh()))(simulator, folder)
    return caught.value


def metadata(simulator: Simulator, name: str) -> bytes:
    return (simulator.folder.metadata / name).read_bytes()


# --- attacks on the metadata ----------------------------------------------------------------------------------------------------


def older_timestamp(simulator: Simulator) -> None:
    old = metadata(simulator, "timestamp.json")
    simulator.refresh()
    yield_to_unit(simulator)
    (simulator.folder.metadata / "timestamp.json").write_bytes(old)


def older_targets(simulator: Simulator) -> None:
    """Online keys that were stolen say that the newest targets are the first."""
    yield_to_unit(simulator)
    snapshot = simulator.folder.snapshot()
    assert snapshot is not None
    made = snapshot.signed
    made.version += 1
    made.meta["targets.json"].version = 1
    simulator.write(f"{made.version}.snapshot.json", made, [simulator.holders.snapshot])
    stamp = simulator.folder.timestamp()
    assert stamp is not None
    stamp.signed.version += 1
    stamp.signed.snapshot_meta.version = made.version
    simulator.write("timestamp.json", stamp.signed, [simulator.holders.timestamp])


def mixed(simulator: Simulator) -> None:
    """A snapshot of one moment with the list of another."""
    newest = simulator.folder.last_version("targets")
    (simulator.folder.metadata / f"{newest}.targets.json").write_bytes(metadata(simulator, "1.targets.json"))


def altered(simulator: Simulator) -> None:
    newest = simulator.folder.last_version("targets")
    path = simulator.folder.metadata / f"{newest}.targets.json"
    whole = json.loads(path.read_bytes())
    whole["signed"]["targets"][NAME]["length"] += 1
    path.write_text(json.dumps(whole))


def foreign_key(simulator: Simulator) -> None:
    targets = simulator.folder.targets().signed
    simulator.write(f"{targets.version}.targets.json", targets, [CryptoSigner.generate_ed25519(), CryptoSigner.generate_ed25519()])


def below_threshold(simulator: Simulator) -> None:
    """One of the two that have to sign, twice."""
    targets = simulator.folder.targets().signed
    simulator.write(f"{targets.version}.targets.json", targets, [simulator.holders.targets[0], simulator.holders.targets[0]])


def foreign_root(simulator: Simulator) -> None:
    """A root that nobody of the old one has signed."""
    thieves = [CryptoSigner.generate_ed25519() for _ in range(2)]
    root = Root.from_dict(simulator.folder.root().signed.to_dict())
    root.version += 1
    root.roles["root"].keyids = []
    for thief in thieves:
        root.add_key(thief.public_key, "root")
    simulator.write("2.root.json", root, thieves)


def endless_timestamp(simulator: Simulator) -> None:
    simulator.faults.replaced["metadata/timestamp.json"] = b"{" * 1_000_000


def no_json(simulator: Simulator) -> None:
    simulator.faults.replaced["metadata/timestamp.json"] = b"\xff\x00{["


def yield_to_unit(simulator: Simulator) -> None:
    simulator.client(simulator.folder.folder.parent / "unit").refresh()


@pytest.mark.parametrize(
    "attack",
    [older_timestamp, older_targets, mixed, altered, foreign_key, below_threshold, foreign_root, no_json],
)
def test_metadata_that_are_not_right_are_refused(
    attack: Callable[[Simulator], None], simulator: Simulator, bundles: dict[str, Path], tmp_path: Path
) -> None:
    simulator.add(bundles["1.1.0"])
    attack(simulator)
    error = refusal(simulator, tmp_path / "unit")
    assert error.refusal is CommandRefusal.BAD_SIGNATURE, error
    assert not any(path.startswith("targets/") for path, _ in simulator.asked)


def test_metadata_without_an_end_are_cut_off(simulator: Simulator, tmp_path: Path) -> None:
    endless_timestamp(simulator)
    error = refusal(simulator, tmp_path / "unit")
    assert error.again
    assert "exceeding" in str(error)


def test_what_was_trusted_before_an_attack_is_trusted_after_it(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.add(bundles["1.1.0"])
    simulator.client(tmp_path / "unit").refresh()
    stamp = metadata(simulator, "timestamp.json")
    no_json(simulator)
    refusal(simulator, tmp_path / "unit")
    assert (tmp_path / "unit" / "timestamp.json").read_bytes() == stamp
    (tmp_path / "unit" / "tmpleft").write_bytes(b"{")
    simulator.faults.replaced.clear()
    assert simulator.client(tmp_path / "unit").find(NAME).sha256 == simulator.digest(bundles["1.1.0"])
    assert not (tmp_path / "unit" / "tmpleft").exists()


# --- time -----------------------------------------------------------------------------------------------------------------------


def test_expired_metadata_are_refused_until_they_are_signed_anew(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.now = datetime.now(UTC) - timedelta(days=5)
    simulator.add(bundles["1.1.0"])
    error = refusal(simulator, tmp_path / "unit")
    assert (error.refusal, error.again) == (CommandRefusal.EXPIRED, True)
    simulator.now = datetime.now(UTC)
    simulator.refresh()
    assert simulator.client(tmp_path / "unit").find(NAME)


def test_a_freeze_ends_with_the_timestamp(simulator: Simulator, tmp_path: Path) -> None:
    simulator.client(tmp_path / "unit").refresh()
    stamp = simulator.folder.timestamp()
    assert stamp is not None
    # The unit's own client reads the system's clock; here it is the signer's that lies in the past.
    simulator.now = datetime.now(UTC) - timedelta(days=4, minutes=1)
    simulator.refresh()
    assert refusal(simulator, tmp_path / "unit").refusal is CommandRefusal.EXPIRED


def test_a_unit_that_was_away_for_years_follows_the_roots(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.client(tmp_path / "unit").refresh()
    for turn in range(3):
        old, new = simulator.holders.root[0], CryptoSigner.generate_ed25519()
        signers = [*simulator.holders.root, new]
        assert offer.rotate(simulator.folder, "root", [old.public_key], [new.public_key], signers), turn
        simulator.holders.root = [*simulator.holders.root[1:], new]
    new = CryptoSigner.generate_ed25519()
    out = simulator.holders.targets[0]
    simulator.holders.targets = [*simulator.holders.targets[1:], new]
    everybody = [*simulator.holders.root, *simulator.holders.targets]
    offer.rotate(simulator.folder, "targets", [out.public_key], [new.public_key], everybody)
    simulator.refresh()
    for role in ("snapshot", "timestamp"):
        new = CryptoSigner.generate_ed25519()
        old = getattr(simulator.holders, role)
        offer.rotate(simulator.folder, role, [old.public_key], [new.public_key], simulator.holders.root)  # type: ignore[arg-type]
        if role == "snapshot":
            simulator.folder.refresh([old, new], [simulator.holders.timestamp])
        setattr(simulator.holders, role, new)
    simulator.add(bundles["1.1.0"])
    client = simulator.client(tmp_path / "unit")
    assert client.find(NAME)
    assert Metadata[Root].from_file(str(tmp_path / "unit" / "root.json")).signed.version == 7
    # And with nothing but the first root.
    assert simulator.client(tmp_path / "other").find(NAME)


@pytest.mark.parametrize("away", [timedelta(minutes=6), timedelta(days=20_000)])
def test_a_clock_behind_what_was_signed_takes_nothing_and_asks_nobody(away: timedelta, simulator: Simulator, tmp_path: Path) -> None:
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder, now=datetime.now(UTC) - away).refresh())
    assert (error.refusal, error.again) == (CommandRefusal.CLOCK_BEHIND, True)
    assert not simulator.asked


def test_time_does_not_go_back_behind_the_newest_timestamp(simulator: Simulator, tmp_path: Path) -> None:
    root_time = datetime.now(UTC)
    simulator.now = root_time + timedelta(hours=2)
    simulator.refresh()
    later = simulator.client(tmp_path / "unit", now=root_time + timedelta(hours=3))
    later.refresh()
    with pytest.raises(UpdateError, match="clock shows") as caught:
        simulator.client(tmp_path / "unit", now=root_time + timedelta(hours=1)).refresh()
    assert caught.value.refusal is CommandRefusal.CLOCK_BEHIND
    # A few minutes are forgiven.
    simulator.client(tmp_path / "unit", now=root_time + timedelta(hours=2, minutes=-4)).refresh()


def test_a_date_that_a_thief_of_the_timestamps_key_gave_is_forgotten_with_that_timestamp(
    simulator: Simulator, bundles: dict[str, Path], tmp_path: Path
) -> None:
    unit, honest, thief = tmp_path / "unit", simulator.now, simulator.holders.timestamp
    simulator.add(bundles["1.1.0"])
    simulator.client(unit).refresh()

    def forge(version: int) -> None:
        good = metadata(simulator, "timestamp.json")
        simulator.now = honest + timedelta(days=5_000)
        stamp = simulator.folder.fresh(Metadata[Timestamp].from_bytes(good).signed)
        stamp.version = version
        simulator.write("timestamp.json", stamp, [thief])
        error = refusal(simulator, unit)
        assert (error.refusal, error.again) == (CommandRefusal.CLOCK_BEHIND, True)
        assert "publish rotate" in str(error)
        simulator.now = honest
        (simulator.folder.metadata / "timestamp.json").write_bytes(good)

    # Once it is the hub's turn again, all is well.
    forge(metadata_version(simulator) + 1)
    simulator.refresh()
    simulator.refresh()
    assert simulator.client(unit).find(NAME)
    # And where its turn never comes, since the thief counted ahead too, as soon as the root names another key.
    forge(10**9)
    simulator.refresh()
    assert refusal(simulator, unit).refusal is CommandRefusal.BAD_SIGNATURE
    new = CryptoSigner.generate_ed25519()
    offer.rotate(simulator.folder, "timestamp", [thief.public_key], [new.public_key], simulator.holders.root)
    simulator.folder.refresh([simulator.holders.snapshot], [thief, new])
    assert simulator.client(unit).find(NAME)


def metadata_version(simulator: Simulator) -> int:
    stamp = simulator.folder.timestamp()
    assert stamp is not None
    return stamp.signed.version


YEAR_ONE = b'{"signed": {"x-parvis-issued": "0001-01-01T00:00:00+00:00"}}'


def test_metadata_that_do_not_say_when_they_were_signed_prove_nothing() -> None:
    for told in (
        b"",
        b"[]",
        b'{"signed": {}}',
        b'{"signed": {"x-parvis-issued": 7}}',
        b'{"signed": {"x-parvis-issued": "tomorrow"}}',
        YEAR_ONE,
    ):
        check_clock(datetime.now(UTC) - timedelta(days=5_000), told)


# --- targets --------------------------------------------------------------------------------------------------------------------


def test_a_target_that_nobody_signed_is_not_asked_for(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.folder.put_target(NAME, b"anything")
    simulator.add(bundles["1.0.0"])
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(NAME, folder / "x"))
    assert (error.refusal, error.again) == (CommandRefusal.NOT_PERMITTED, False)
    assert not any(path.startswith("targets/") for path, _ in simulator.asked)


def big(simulator: Simulator, tmp_path: Path, size: int = 300_000) -> tuple[str, bytes]:
    raw = bytes(place * 7 % 251 for place in range(size))
    (tmp_path / "big").write_bytes(raw)
    simulator.add(files=[("roots/generic/0.2.0.img.zst", tmp_path / "big")])
    return "roots/generic/0.2.0.img.zst", raw


def test_a_download_goes_on_where_it_was_cut(simulator: Simulator, tmp_path: Path) -> None:
    name, raw = big(simulator, tmp_path)
    simulator.faults.cut = [100_000, 1, 0, 50_000]
    listed = simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == raw
    assert listed.length == len(raw)
    ranges = [asked for path, asked in simulator.asked if path.startswith("targets/")]
    assert ranges == [None, "bytes=100000-", "bytes=100001-", "bytes=100001-", "bytes=150001-"]
    assert not list(tmp_path.glob("*.part"))


def test_one_connection_serves_a_whole_update(simulator: Simulator, bundles: dict[str, Path], tmp_path: Path) -> None:
    simulator.add(bundles["1.1.0"])
    simulator.client(tmp_path / "m").fetch_target(NAME, tmp_path / "got")
    paths = [path.split("/")[-1] for path, _ in simulator.asked]
    assert paths[:4] == ["2.root.json", "timestamp.json", "2.snapshot.json", "2.targets.json"]
    assert len(paths) == 5


def test_another_client_goes_on_with_what_a_dead_one_left(simulator: Simulator, tmp_path: Path) -> None:
    name, raw = big(simulator, tmp_path)
    digest = simulator.client(tmp_path / "m").find(name).sha256
    (tmp_path / f"{digest}.part").write_bytes(raw[:123_456])
    (tmp_path / f"{'0' * 64}.part").write_bytes(b"of another release")
    simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == raw
    assert simulator.asked[-1][1] == "bytes=123456-"
    assert not list(tmp_path.glob("*.part"))
    # And nothing at all is asked for what is there.
    before = len([path for path, _ in simulator.asked if path.startswith("targets/")])
    simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")
    assert len([path for path, _ in simulator.asked if path.startswith("targets/")]) == before


@pytest.mark.parametrize("left", [b"\0" * 1_000, b"\0" * 300_000, b"\0" * 400_000], ids=["begun", "whole", "longer"])
def test_what_a_power_cut_spoilt_is_fetched_anew(left: bytes, simulator: Simulator, tmp_path: Path) -> None:
    name, raw = big(simulator, tmp_path)
    digest = simulator.client(tmp_path / "m").find(name).sha256
    (tmp_path / f"{digest}.part").write_bytes(left)
    simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == raw


def test_a_server_without_ranges_sends_all_again(simulator: Simulator, tmp_path: Path) -> None:
    name, raw = big(simulator, tmp_path)
    simulator.faults.cut, simulator.faults.whole = [200_000], True
    simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == raw


def test_an_endless_target_is_cut_off(simulator: Simulator, tmp_path: Path) -> None:
    name, _ = big(simulator, tmp_path)
    simulator.faults.endless = True
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(name, folder / "got"))
    assert error.refusal is CommandRefusal.BAD_SIGNATURE
    assert not (tmp_path / "got").exists()
    assert not list(tmp_path.glob("*.part"))
    assert simulator.sent < 10_000_000


def test_other_content_of_the_right_length_is_refused(simulator: Simulator, tmp_path: Path) -> None:
    name, raw = big(simulator, tmp_path)
    digest = simulator.client(tmp_path / "m").find(name).sha256
    simulator.faults.replaced[f"targets/roots/generic/{digest}.0.2.0.img.zst"] = bytes(len(raw))
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(name, folder / "got"))
    assert (error.refusal, error.again) == (CommandRefusal.BAD_SIGNATURE, True)
    assert not (tmp_path / "got").exists()
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("fault", ["drip_s", "head_drip_s"])
def test_a_slow_server_is_given_up_and_what_came_is_kept(fault: str, simulator: Simulator, tmp_path: Path) -> None:
    name, _ = big(simulator, tmp_path)
    setattr(simulator.faults, fault, 0.05)
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(name, folder / "got"))
    assert (error.refusal, error.again) == (None, True)
    assert bool(sum(path.stat().st_size for path in tmp_path.glob("*.part"))) is (fault == "drip_s")


@pytest.mark.parametrize(("status", "again"), [(404, True), (503, True), (301, True)])
def test_a_server_that_says_no_is_asked_later(status: int, again: bool, simulator: Simulator, tmp_path: Path) -> None:
    name, _ = big(simulator, tmp_path)
    digest = simulator.client(tmp_path / "m").find(name).sha256
    simulator.faults.status[f"targets/roots/generic/{digest}.0.2.0.img.zst"] = status
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(name, folder / "got"))
    assert error.again is again


def test_a_repository_that_is_away_is_asked_later(simulator: Simulator, tmp_path: Path) -> None:
    simulator.url = "http://127.0.0.1:9"
    error = refusal(simulator, tmp_path / "unit")
    assert (error.refusal, error.again) == (None, True)


def test_room_for_events_is_left_on_the_disk(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name, _ = big(simulator, tmp_path)

    class Usage:
        free = RESERVE_BYTES + 2 * 300_000 - 1

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    error = refusal(simulator, tmp_path, lambda simulator, folder: simulator.client(folder / "m").fetch_target(name, folder / "got"))
    assert (error.refusal, error.again) == (CommandRefusal.DISK_FULL, True)
    assert not list(tmp_path.glob("*.part"))
    Usage.free += 1
    simulator.client(tmp_path / "m").fetch_target(name, tmp_path / "got")


def test_pace() -> None:
    pace = Pace(Patience(window_s=10.0, least_bytes_s=100.0), 0.0)
    assert pace.enough(0, 9.9)
    assert pace.enough(1_000, 10.0)
    # What came fast before does not count for later.
    assert pace.enough(100_000, 12.0)
    assert pace.enough(0, 19.9)
    assert pace.enough(0, 20.0)
    assert not pace.enough(999, 30.0)


def test_no_server_but_of_the_web() -> None:
    with pytest.raises(Exception, match="not an http"):
        Fetcher(patience=QUICK).open("file:///etc/passwd")


def test_the_simulator_lists_what_was_added(simulator: Simulator, bundles: dict[str, Path]) -> None:
    simulator.add(bundles["1.0.0"])
    assert list(simulator.folder.targets().signed.targets) == [target_name(model("1.0.0"))]
    assert isinstance(simulator.folder.targets().signed, Targets)
