"""A flashed card from within: slots and tries, an update with its interruptions, whom it may reach, its settings."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from parvis_edge.card.goodness import PATIENCE_S, verdict
from parvis_edge.card.loader import SystemdBoot, autoboot, running_slot
from parvis_edge.card.peers import PeerError, addresses_of, cameras_of, commands
from parvis_edge.card.places import CardError
from parvis_edge.card.quiet import quiet
from parvis_edge.card.record import Outcome, RootState, Wish, read_outcome, read_wish
from parvis_edge.card.settings import Settings, SettingsError, read_settings
from parvis_edge.card.slot_image import SlotError, check, write
from parvis_edge.card.update import Card, take
from parvis_edge.update.errors import UpdateError

needs_tools = pytest.mark.skipif(
    any(shutil.which(each) is None and not Path(f"/usr/sbin/{each}").exists() for each in ("zstd", "mke2fs", "debugfs")),
    reason="zstd and e2fsprogs are not both installed: apt install zstd e2fsprogs",
)


def entries(boot: Path) -> list[str]:
    return sorted(each.name for each in (boot / "loader/entries").iterdir())


def test_the_slot_is_the_command_lines() -> None:
    assert running_slot("root=PARTLABEL=parvis-root-b ro parvis.slot=b panic=10") == "b"
    with pytest.raises(CardError, match="no flashed card"):
        running_slot("root=/dev/sda1")


def test_a_new_root_has_tries_and_the_higher_number(tmp_path: Path) -> None:
    loader = SystemdBoot(tmp_path)
    loader.offer("a", "0.1.0", tries=None)
    loader.offer("b", "0.2.0")
    assert entries(tmp_path) == ["parvis-a.conf", "parvis-b+3.conf"]
    assert "version 2\n" in (tmp_path / "loader/entries/parvis-b+3.conf").read_text()
    # systemd-boot has counted, and given up.
    (tmp_path / "loader/entries/parvis-b+3.conf").rename(tmp_path / "loader/entries/parvis-b+0-3.conf")
    loader.withdraw("b")
    assert entries(tmp_path) == ["parvis-a.conf"]


def test_autoboot_fits_what_the_firmware_reads_and_is_always_as_long() -> None:
    assert len(autoboot("a")) == len(autoboot("b")) < 512


@pytest.mark.parametrize(
    ("unit", "before", "waited_s", "judged"),
    [
        ({"ActiveState": "active", "NRestarts": "0", "StatusText": "healthy [camera healthy]"}, "", 5.0, "good"),
        ({"ActiveState": "active", "StatusText": "degraded: no_data; check [camera stalled (no_data)]"}, "healthy", 5.0, "wait"),
        ({"ActiveState": "active", "StatusText": "degraded: no_data; check [x]"}, "degraded: no_data; check [y]", 5.0, "good"),
        ({"ActiveState": "active", "StatusText": "starting [camera healthy]"}, "starting [x]", 5.0, "wait"),
        ({"ActiveState": "active", "StatusText": "degraded: no_data; check"}, "healthy", PATIENCE_S, "bad"),
        ({"ActiveState": "failed", "NRestarts": "0", "StatusText": ""}, "", 1.0, "bad"),
        ({"ActiveState": "activating", "NRestarts": "5", "StatusText": ""}, "", 1.0, "bad"),
        ({}, "", 1.0, "wait"),
    ],
)
def test_a_root_is_good_when_the_unit_is_no_worse_under_it(unit: dict[str, str], before: str, waited_s: float, judged: str) -> None:
    assert verdict(unit, before, waited_s) == judged


@pytest.mark.parametrize(
    ("window", "hour", "expected"),
    [("02:00-04:00", 3, True), ("02:00-04:00", 4, False), ("22:00-04:00", 23, True), ("22:00-04:00", 12, False), ("any", 12, True)],
)
def test_quiet_times(window: str, hour: int, expected: bool) -> None:
    assert quiet(window, datetime(2026, 6, 21, hour, tzinfo=UTC)) is expected


HUB = json.dumps({"hub": "https://hub.example:8884", "broker": "[2001:db8::1]:8883"})


def test_only_hub_broker_and_cameras_are_reached() -> None:
    peers = addresses_of(HUB)
    assert peers == [("hub.example", 8884), ("2001:db8::1", 8883)]
    cameras = cameras_of("--video 'rtsp://user:word@camera.local/stream' --audio mic")
    names = {"hub.example": ["192.0.2.1"], "2001:db8::1": ["2001:db8::1"], "camera.local": ["192.0.2.7"]}
    said = commands(peers, cameras, lambda host: names[host])
    assert "add element inet parvis peers4 { 192.0.2.1 . 8884 }" in said
    assert "add element inet parvis peers6 { 2001:db8::1 . 8883 }" in said
    assert "add element inet parvis cameras4 { 192.0.2.7 }" in said
    with pytest.raises(PeerError, match="looked up"):
        commands(peers, cameras, lambda _: [])


@pytest.mark.parametrize("text", ["{}", "[]", "no", '{"hub": "", "broker": ""}'])
def test_a_hub_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(PeerError):
        addresses_of(text)


def test_settings_become_files(tmp_path: Path) -> None:
    path = tmp_path / "parvis-settings.json"
    assert read_settings(path) == Settings()
    raw = {
        "video": "rtsp://camera/a b",
        "address": "192.0.2.17/24",
        "gateway": "192.0.2.1",
        "wifi": {"ssid": "quay", "passphrase": "12345678"},
    }
    path.write_text(json.dumps(raw))
    found = read_settings(path)
    assert found.environment() == "PARVIS_OPTIONS=\"--video 'rtsp://camera/a b'\"\n"
    assert "Address=192.0.2.17/24\nGateway=192.0.2.1\n" in found.network()
    assert 'ssid="quay"' in (found.wifi_configuration() or "")


@pytest.mark.parametrize(
    "settings",
    [
        {"video": "--stdout"},
        {"audio": "mic\n--stdout"},
        {"address": "192.0.2.17"},
        {"gateway": "gate"},
        {"quiet": "always"},
        {"time_server": "a b"},
        {"wifi": {"ssid": 'a"\n', "passphrase": "12345678"}},
        {"wifi": {"ssid": "a", "passphrase": "short"}},
        {"unknown": 1},
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "parvis-settings.json"
    path.write_text(json.dumps(settings))
    with pytest.raises(SettingsError, match="parvis-settings"):
        read_settings(path)


def test_a_wish_is_the_units_word_and_little_is_believed_of_it(tmp_path: Path) -> None:
    path = tmp_path / "wanted-root.json"
    assert read_wish(path) is None
    path.symlink_to("/etc/shadow")
    with pytest.raises(ValueError, match="wanted-root"):
        read_wish(path)
    path.unlink()
    for text in ("{}", json.dumps({"version": "../x", "sha256": "0" * 64}), "x" * 10_000):
        path.write_text(text)
        with pytest.raises(ValueError, match="validation error"):
            read_wish(path)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A root of a few megabytes that has what an update looks for."""
    ours = tmp_path / "root/usr/lib/parvis"
    (ours / "boot").mkdir(parents=True)
    for name, text in (("version", "0.2.0\n"), ("flavour", "generic\n"), ("boot/linux", "kernel"), ("boot/initrd", "initial")):
        (ours / name).write_text(text)
    image = tmp_path / "new.img"
    subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", tmp_path / "root", image, "12M"], check=True)
    subprocess.run(["zstd", "-q", image], check=True)
    return tmp_path / "new.img.zst"


@pytest.fixture
def card(tmp_path: Path) -> Card:
    (tmp_path / "state").mkdir()
    slot = tmp_path / "slot-b"
    slot.write_bytes(b"\xff" * (16 << 20))
    loader = SystemdBoot(tmp_path / "boot")
    loader.offer("a", "0.1.0", tries=None)
    loader.offer("b", "0.0.9")
    return Card("generic", "0.1.0", "a", lambda _: slot, loader, tmp_path / "state")


WISH = Wish(version="0.2.0", sha256="1" * 64)


def fetcher(archive: Path) -> Callable[[str, Path], str]:
    def fetch(name: str, destination: Path) -> str:
        assert name == "roots/generic/0.2.0.img.zst"
        shutil.copy(archive, destination)
        return WISH.sha256

    return fetch


@needs_tools
def test_a_root_is_written_read_back_and_offered(card: Card, archive: Path) -> None:
    outcome = take(card, WISH, None, fetcher(archive), "healthy")
    assert (outcome.state, outcome.slot, outcome.before) == (RootState.TRYING, "b", "healthy")
    assert read_outcome(card.outcome) == outcome
    boot = card.state.parent / "boot"
    assert entries(boot) == ["parvis-a.conf", "parvis-b+3.conf"]
    assert (boot / "parvis/b/linux").read_text() == "kernel"


@needs_tools
@pytest.mark.parametrize("step", ["write", "check", "_boot_files"])
def test_a_power_cut_leaves_the_old_root_alone_and_the_rest_is_gone_on_with(
    step: str, card: Card, archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class PowerCut(BaseException):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    from parvis_edge.card import slot_image, update

    monkeypatch.setattr(update if step == "_boot_files" else slot_image, step, cut)
    with pytest.raises(PowerCut):
        take(card, WISH, None, fetcher(archive), "")
    monkeypatch.undo()
    assert entries(card.state.parent / "boot") == ["parvis-a.conf"]
    assert take(card, WISH, read_outcome(card.outcome), fetcher(archive), "").state is RootState.TRYING


@needs_tools
def test_what_stands_already_is_not_written_again(card: Card, archive: Path) -> None:
    device = card.device("b")
    assert write(archive, device, lambda _: None) == 12 << 20
    assert write(archive, device, lambda _: None) == 0
    check(archive, device, lambda _: None)
    with device.open("r+b") as file:
        file.seek(9 << 20)
        file.write(b"\x55")
    with pytest.raises(SlotError, match="reads back otherwise"):
        check(archive, device, lambda _: None)


@needs_tools
def test_an_image_that_is_damaged_or_too_large_is_refused(card: Card, archive: Path) -> None:
    device = card.device("b")
    archive.write_bytes(archive.read_bytes()[:-20])
    with pytest.raises(SlotError, match="cannot be unpacked"):
        write(archive, device, lambda _: None)
    small = device.with_name("small")
    small.write_bytes(b"\0" * (1 << 20))
    with pytest.raises(SlotError, match="larger than the slot"):
        write(archive, small, lambda _: None)


@needs_tools
def test_what_is_not_as_asked_is_refused_and_never_started(card: Card, archive: Path) -> None:
    fetch = fetcher(archive)
    with pytest.raises(UpdateError, match="the repository lists"):
        take(card, WISH.model_copy(update={"sha256": "2" * 64}), None, fetch, "")
    fallen = Outcome(**WISH.model_dump(), state=RootState.REFUSED, fallen=[WISH.sha256])
    with pytest.raises(UpdateError, match="was not good"):
        take(card, WISH, fallen, fetch, "")
    other = Card("raspberry-pi", card.version, card.slot, card.device, card.loader, card.state)
    with pytest.raises(UpdateError, match="calls itself generic"):
        take(other, WISH, None, lambda _, destination: fetch("roots/generic/0.2.0.img.zst", destination), "")
    assert entries(card.state.parent / "boot") == ["parvis-a.conf"]


@pytest.mark.parametrize(("module", "not_loaded"), [("network", "parvis_contract"), ("root", "onnxruntime"), ("root", "tuf")])
def test_a_start_waits_for_no_more_than_it_needs(module: str, not_loaded: str) -> None:
    script = f"import sys, parvis_edge.card.{module}; sys.exit({not_loaded!r} in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)
