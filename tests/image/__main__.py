"""``make image-test``: a card from the flash to the first event at the hub. Needs root's rights.

python -m tests.image --image .parvis/image/parvis-generic-0.1.0.img.zst
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from parvis_deploy.layout import MIB, read_table

from tests.image.machine import BIN, Hub, Machine, noise, say, wait

#: An emulated processor is some thirty times slower than its own.
PATIENCE_S = 900


def main() -> None:
    """Runs all steps, and says how long each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", type=Path, required=True)
    parser.add_argument("--keep", type=Path, help="folder to work in, and to leave")
    asked = parser.parse_args()
    folder = asked.keep or Path(tempfile.mkdtemp(prefix="parvis-image-"))
    hub = Hub(folder / "site")
    card = folder / "card.img"
    machine = Machine(card, folder)
    begun_s = time.monotonic()
    try:
        hub.start()
        flash(asked.image, card, hub.claim("u017"))
        seed(card, folder)
        machine.start()
        wait("the root is found, and starts", lambda: machine.said("Welcome to"), machine, PATIENCE_S)
        wait("enrolled", lambda: enrolled(hub), machine, PATIENCE_S)
        wait("first event at the hub", lambda: hub.count("events") > 0, machine, PATIENCE_S)
        say(f"from flash to first event: {time.monotonic() - begun_s:.0f} s")
    finally:
        machine.cut()
        hub.stop()
        if asked.keep is None:
            shutil.rmtree(folder)


def flash(image: Path, card: Path, claim: Path) -> None:
    """As the installer's page says, on a file."""
    begun_s = time.monotonic()
    words = ["--unit", "u017", "--claim", claim, "--flavour", "generic", "--image", image, "--size-gb", "6"]
    options = ["--audio", "/var/lib/parvis/place.wav", "--restart-between", "any", "--yes"]
    subprocess.run([BIN / "parvis-deploy", "flash", card, *map(str, words), *options], check=True)
    say(f"  flashed and read back: {time.monotonic() - begun_s:.0f} s")


def seed(card: Path, folder: Path) -> None:
    """The machine has no microphone: its data partition has a recording, as a plain file, which the card's settings name."""
    tree = folder / "data"
    (tree / "parvis").mkdir(parents=True)
    noise(tree / "parvis" / "place.wav")
    for each in (tree / "parvis", tree / "parvis" / "place.wav"):
        os.chown(each, 900, 900)
    with card.open("rb") as file:
        data = read_table(file.read(MIB))[-1]
    options = ["-q", "-F", "-t", "ext4", "-E", f"offset={data.first_byte}", "-d", str(tree)]
    subprocess.run(["mke2fs", *options, str(card), f"{data.size_bytes // 1024}k"], check=True)


def enrolled(hub: Hub) -> bool:
    """Whether the hub has given the unit its certificate."""
    return b"enrol" in (hub.folder / "hub.log").read_bytes().lower()


if __name__ == "__main__":
    main()
