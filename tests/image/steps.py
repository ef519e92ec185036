"""The steps of the trial, in their order. Each leaves a unit that is well."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from parvis_edge.bundle import load_bundle
from parvis_edge.card.loader import TRIES, kernel_options

from tests.deploy.test_card_units import EXPOSURE
from tests.image.disk import Moment
from tests.image.hub import REPOSITORY, UNIT
from tests.image.machine import CORTEX_A72, Kernel, Machine, say
from tests.image.roots import bare, broken
from tests.image.trial import Trial, after

YAMNET = "yamnet"
#: How full the data partition is made.
_LITTLE_BYTES = 100_000_000
#: The broker is away for so long: the unit has something to say every ten seconds, some twenty seconds after it has heard it.
_AWAY_S = 60.0


def first_event(trial: Trial) -> None:
    """Flash, enrol, first event on the hub's console."""
    begun_s = time.monotonic()
    trial.flash()
    trial.power_on()
    trial.machine.wait("the root is found, and starts", lambda: trial.machine.said("Welcome to"))
    trial.machine.wait("enrolled", lambda: b"enrol" in (trial.hub.folder / "hub.log").read_bytes().lower())
    trial.machine.wait("first event at the hub", lambda: trial.hub.events() > 0)
    say(f"  from flash to first event: {time.monotonic() - begun_s:.0f} s")
    trial.well(trial.version)


def services(trial: Trial) -> None:
    """How far each service of the card is shut in."""
    with trial.mounted("parvis-root-a") as folder:
        for name, most in EXPOSURE.items():
            asked = ["systemd-analyze", "security", "--offline=true", f"--root={folder}", f"--threshold={most}", f"parvis-{name}.service"]
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.returncode:
                raise SystemExit(done.stdout)
            say(f"  {done.stdout.strip().splitlines()[-1].encode('ascii', 'ignore').decode().strip()}; at most {most / 10}")


def golden(trial: Trial) -> None:
    """The golden samples of the shipped models, on arm64; the card's own Python, models and runtime are asked."""
    trial.take_out()
    card = trial.folder / "golden.img"
    subprocess.run(["cp", "--sparse=always", trial.card, card], check=True)
    script = trial.folder / "golden.py"
    script.write_text(
        "import json, pathlib, sys\n"
        "sys.path.insert(0, '/opt/parvis/lib')\n"
        "from parvis_edge.bundle import load_folder\n"
        "from parvis_edge.update.golden import check, difference\n"
        "with open('/dev/console', 'w') as console:\n"
        "    for folder in sorted(pathlib.Path('/opt/parvis/lib/parvis_edge/zoo').glob('*/*')):\n"
        "        bundle = load_folder(folder)\n"
        "        apart = difference(bundle, (folder / bundle.card.golden.file).read_bytes())\n"
        "        told = {'model': folder.parent.name, 'wrong': check(folder), 'apart': apart, 'at_most': bundle.card.golden.tolerances}\n"
        "        print('golden ' + json.dumps(told), file=console, flush=True)\n"
        "    print('golden end', file=console, flush=True)\n"
    )
    at = f"{card}@@{trial.part('parvis-boot').first_byte}"
    subprocess.run(["mcopy", "-o", "-i", at, script, "::golden.py"], check=True)
    kernel = _kernel(trial, 'systemd.run="/usr/bin/python3 /boot/golden.py" systemd.mask=parvis-unit.service')
    machine = Machine(card, trial.folder, lambda: kernel, CORTEX_A72)
    machine.start()
    try:
        machine.wait("the golden samples were run", lambda: b"golden end" in machine.fresh())
        lines = [json.loads(each.partition(b"golden ")[2]) for each in machine.fresh().splitlines() if each.startswith(b"golden {")]
    finally:
        machine.close()
        card.unlink()
    for told in lines:
        figures = ", ".join(f"{name} {value:.4g} (at most {told['at_most'][name]:g})" for name, value in told["apart"].items())
        say(f"  {told['model']}: {told['wrong'] or 'right'}; apart: {figures}")
    if not lines or any(told["wrong"] for told in lines):
        raise SystemExit("a shipped model does not answer on arm64 as its card promises")


def bad_update(trial: Trial) -> None:
    """A root whose unit cannot start, as a rollout of the hub's: tried three times, given up, and the hub says so."""
    _falls_back(trial, broken)


def dead_update(trial: Trial) -> None:
    """A root that has no first program: the same, without any of it having run."""
    _falls_back(trial, bare)


def _falls_back(trial: Trial, make: Callable[..., Path]) -> None:
    trial.power_on()
    trial.well(trial.version)
    _list_own(trial)
    version = trial.list_root(make)
    trial.hub.release(trial.root, version, soak="1h")
    before = trial.machine.starts()
    _written(trial)
    trial.machine.wait("refused, after it was tried", lambda: trial.hub.status().get("commands", {}).get("refused") is not None)
    trial.well(trial.version)
    say(f"  roots started meanwhile: {trial.machine.starts() - before}, the last of them the old one")
    trial.machine.wait("the rollout is halted", lambda: "halted" in trial.hub.rollout())
    say("".join(f"    {line}\n" for line in trial.hub.rollout().splitlines()).rstrip())
    trial.hub.back()
    trial.machine.wait("rolled back", lambda: ", back" in trial.hub.rollout())
    say(f"  the loader's files: {trial.loader()}")


def _written(trial: Trial) -> None:
    trial.machine.wait("fetched, written into the spare slot and read back", lambda: trial.machine.said("is tried at a quiet time"))


def good_update(trial: Trial) -> None:
    """The same root under another version: it is started, proves good, and stays."""
    trial.power_on()
    trial.well(trial.version)
    _list_own(trial)
    version = trial.list_root()
    trial.machine.disk.hold(None)
    trial.hub.release(trial.root, version)
    _written(trial)
    say(f"    written meanwhile, bytes: {trial.machine.disk.written}")
    trial.well(version)
    trial.machine.wait("it says that it is good", lambda: trial.machine.said("this root is good"))
    time.sleep(20)
    trial.take_out()
    loader = trial.loader()
    say(f"  the loader's files: {loader}")
    if loader.get("parvis-trial") or any("+" in name for name in loader):
        raise SystemExit("a root that proved good still has its tries counted")
    trial.power_on()
    trial.well(version)
    say("  it is started again by itself after the power was cut")
    trial.machine.wait("the rollout is done", lambda: ", done" in trial.hub.rollout())
    trial.version = version


def root_cuts(trial: Trial) -> None:
    """The power is cut at five moments of one root update, and once more as it is started; every time it is gone on with."""
    old = trial.version
    trial.empty_spare()
    version = trial.list_root()
    moments = _moments(trial, version)
    trial.power_on()
    trial.well(old)
    trial.machine.disk.hold(moments[0][1])
    trial.hub.release(trial.root, version)
    for (what, moment), upcoming in zip(moments, [each for _, each in moments[1:]] + [None], strict=True):
        trial.machine.wait(what, trial.machine.disk.reached.is_set)
        if moment.partition == "parvis-data":
            # Nothing reaches the outbox any more.
            trial.machine.cut()
            came = None
        else:
            came = _cut_speechless(trial)
        trial.machine.disk.hold(upcoming)
        trial.power_on()
        if came:
            trial.machine.wait("  what was in the outbox has come", came)
        if upcoming:
            trial.well(old)
    _written(trial)
    trial.machine.wait("the new root starts", lambda: trial.machine.said("Welcome to"))
    trial.machine.cut()
    trial.power_on()
    trial.well(version)
    trial.version = version


def _moments(trial: Trial, version: str) -> list[tuple[str, Moment]]:
    """Of an update of the root, in their order."""
    spare = trial.spare
    if trial.is_generic:
        kernels = "parvis-boot"
        # A name that is removed from a FAT directory has 0xE5 before it; a spare slot that never was one has none to remove.
        withdrawn = b"\xe5" + "parvi".encode("utf-16-le") if len(trial.loader()) > 1 else b""
        offered = f"title Parvis {version}".encode()
    else:
        kernels, withdrawn, offered = f"parvis-firmware-{spare}", b"boot_partition=", f"{spare} {TRIES}\n".encode()
    return [
        ("60 MB of the archive are fetched", Moment("parvis-data", 60_000_000)),
        *([("the spare slot is withdrawn", Moment("parvis-boot", having=withdrawn))] if withdrawn else []),
        ("300 MB of the root are written", Moment(f"parvis-root-{spare}", 300_000_000)),
        ("the kernel is half copied", Moment(kernels, 20_000_000)),
        ("the slot is offered", Moment("parvis-boot", having=offered)),
    ]


def _cut_speechless(trial: Trial) -> Callable[[], bool]:
    """Cuts the power after the broker has been away for a while; gives what says whether anything of that while has come."""
    trial.hub.stop_broker()
    away_us = time.time_ns() // 1000
    time.sleep(_AWAY_S)
    trial.machine.cut()
    asked = f"SELECT count(*) FROM events WHERE unit = '{UNIT}' AND time_us BETWEEN {away_us} AND {time.time_ns() // 1000}"
    trial.hub.start_broker()
    return lambda: trial.hub.rows(asked)[0][0] > 0


def model_cuts(trial: Trial) -> None:
    """The power is cut while a model is fetched, as it is unpacked, and in its trial."""
    trial.power_on()
    trial.well(trial.version)
    old = load_bundle(YAMNET).card.version
    new = after(old)
    bundle = _renamed(trial, old, new)
    trial.hub.publish(bundle)
    model = (bundle / "model.onnx").read_bytes()
    third = len(model) // 3
    # In a directory of ext4: a name of five letters, of a directory; nothing has been fetched before, so that it is slot a.
    unpacking = b"\x05\x02a.new"
    trial.machine.disk.hold(Moment("parvis-data", having=model[third : third + 32]))
    trial.hub.release(YAMNET, new)
    trial.machine.wait("a third of the model is fetched", trial.machine.disk.reached.is_set)
    trial.machine.cut()
    trial.machine.disk.hold(Moment("parvis-data", having=unpacking))
    trial.power_on()
    trial.machine.wait("the model is unpacked", trial.machine.disk.reached.is_set)
    trial.machine.cut()
    trial.power_on()
    trial.well(trial.version)
    say(f"    it runs {YAMNET} {trial.hub.version(YAMNET)}")
    trial.machine.wait("the new model is put in", lambda: trial.hub.version(YAMNET) == new)
    trial.machine.cut()
    trial.power_on()
    trial.well(trial.version)
    say(f"    it runs {YAMNET} {trial.hub.version(YAMNET)} after a cut in its trial")


def _renamed(trial: Trial, old: str, new: str) -> Path:
    """The shipped model under another version."""
    bundle = trial.folder / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    shutil.copytree(REPOSITORY / "models/zoo" / YAMNET / old, bundle)
    card = json.loads((bundle / "card.json").read_text())
    (bundle / "card.json").write_text(json.dumps(card | {"version": new}, indent=2))
    return bundle


def full_disk(trial: Trial) -> None:
    """The data partition is full to the last block, then nearly so; the unit goes on, says so, and takes the update once there is room."""
    trial.power_on()
    trial.well(trial.version)
    version = trial.list_root()
    _fill(trial, 0)
    trial.power_on()
    trial.machine.wait("full: the unit says so", lambda: trial.hub.status().get("reason") == "disk_full")
    trial.hub.release(trial.root, version)
    trial.machine.wait("full: the release is refused for it", lambda: trial.hub.status().get("commands", {}).get("refused") == "disk_full")
    _fill(trial, _LITTLE_BYTES)
    trial.power_on()
    trial.well(trial.version)
    trial.machine.wait("nearly full: the update is late for it", lambda: trial.machine.said("the new root is late"))
    _fill(trial, None)
    trial.power_on()
    _written(trial)
    trial.well(version)
    trial.version = version
    trial.hub.resume()
    trial.machine.wait("the rollout is done", lambda: ", done" in trial.hub.rollout())


def _fill(trial: Trial, free_bytes: int | None) -> None:
    """Leaves so much of the data partition free, in a file of root's; None: as much as there is."""
    with trial.mounted("parvis-data", writable=True) as folder:
        filler = folder / "filler"
        filler.unlink(missing_ok=True)
        if free_bytes is not None:
            room = shutil.disk_usage(folder).free - free_bytes
            subprocess.run(["fallocate", "-l", str(room), filler], check=True)
            if not free_bytes:
                # To the last block, and into what is kept for root: of an outbox there is no room for a byte more.
                subprocess.run(
                    ["dd", "if=/dev/zero", f"of={filler}", "bs=4k", "oflag=append", "conv=notrunc"], check=False, capture_output=True
                )
        say(f"  free on the data partition: {shutil.disk_usage(folder).free / 1e6:.0f} MB")


def _kernel(trial: Trial, more: str) -> Kernel:
    """The kernel of slot a, with more on its command line than the loader gives it."""
    part, folder = (trial.part("parvis-boot"), "parvis/a/") if trial.is_generic else (trial.part("parvis-firmware-a"), "")
    linux, initrd = trial.folder / "linux", trial.folder / "initrd"
    linux.write_bytes(trial.fat_file(part, f"{folder}linux"))
    initrd.write_bytes(trial.fat_file(part, f"{folder}initrd"))
    return Kernel(linux, initrd, f"{kernel_options('a')} console=ttyAMA0 {more}")


def _list_own(trial: Trial) -> None:
    """The root that runs is listed too, so that there is something to go back to."""
    name = f"roots/{trial.flavour}/{trial.version}.img.zst"
    if name not in "".join(each.read_text() for each in (trial.hub.repository / "metadata").glob("*.targets.json")):
        trial.hub.publish("--file", f"{name}={trial.archive}")


STEPS: dict[str, Callable[[Trial], None]] = {
    "first-event": first_event,
    "services": services,
    "golden": golden,
    "dead-update": dead_update,
    "bad-update": bad_update,
    "good-update": good_update,
    "model-cuts": model_cuts,
    "root-cuts": root_cuts,
    "full-disk": full_disk,
}
