"""The screens as the pages of the documentation show them, from a hub that runs: `python -m tests.pictures` takes them again.

Each is taken in a real browser, as WebP, so that it stays small; what is to be seen in it comes from the same hub as in the tests.
"""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from parvis_contract import CommandRefusal, ImpulseClass, ModelRef, Phase, SoundImpulse, StatusReason, UnitState
from parvis_hub.console import load_cards, zoo_folder
from parvis_hub.governance import Role
from parvis_hub.rollout import Order, ReleaseTarget, RolloutShelf, new_rollout
from parvis_hub.rollout.decide import UnitNow, sent, step
from PIL import Image
from playwright.sync_api import Page

from tests.hub.console.browsing import LEFT, Browsers
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of
from tests.hub.console.test_criteria import incident
from tests.hub.console.test_session_page import PASSWORD, sign_in

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
#: For a page that is read, and that a repository keeps.
MOST_BYTES = 120_000


def take() -> dict[str, bytes]:
    """Every picture, by the name of its file.

    Raises:
        RuntimeError: Chromium is missing.
    """
    program = shutil.which("chromium")
    if program is None:
        raise RuntimeError("apt install chromium")
    with tempfile.TemporaryDirectory(prefix="parvis-pictures-") as folder:
        hub = Hub(Path(folder), cards=load_cards(zoo_folder()))
        try:
            _happens(hub)
            _rolls_out(hub)
            hub.users.add("s-noel", Role.SUPERVISOR, PASSWORD, "hub")
            hub.serve()
            with Browsers(Path(program)) as browsers:
                return _taken(hub, browsers)
        finally:
            hub.close()


def _happens(hub: Hub) -> None:
    hub.all_alive()
    hub.status("u017", UnitState.DEGRADED, StatusReason.LOW_RATE)
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    hub.receive(plate_of(start))
    shot = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=1.0)
    hub.report("u020", "sound.impulse", shot, phase=Phase.INSTANT, ago_s=300.0)
    now = datetime.now(UTC)
    others = {
        "crowd.density": (-20.0, 10.0),
        "zone.intrusion": (-104.0, 20.0),
        "person.on_ground": (70.0, 30.0),
        "sound.alarm": (-60.0, 42.0),
    }
    for minutes, (name, place_m) in enumerate(others.items()):
        at = now - timedelta(minutes=3 * minutes + 7)
        hub.put(incident(name, place_m=place_m).model_copy(update={"first_observed": at, "last_observed": at}))


def _rolls_out(hub: Hub) -> None:
    """A rollout whose canary has refused what it was asked to take."""
    now_us = hub._now_us()
    shelf = RolloutShelf(hub.database, lambda: now_us)
    newer, older = (ReleaseTarget(model=ModelRef(name="nanodet-g-416", version=each), sha256=each[2] * 64) for each in ("1.1.0", "1.0.0"))
    rollout = new_rollout(Order(newer, older, sorted(hub.site.units), shares=(0.5, 1.0)), uuid.uuid4(), now_us)
    shelf.start(rollout, "m-roux")
    first = rollout.rings[0].units[0]
    there = dict.fromkeys(rollout.members, UnitNow(present=True, state=UnitState.HEALTHY))
    rollout = sent(rollout, first, 7, there[first], now_us)
    there[first] = replace(there[first], counter=7, refused=CommandRefusal.NOT_SUPPORTED)
    with shelf.changing() as connection:
        shelf.keep(connection, step(rollout, there, now_us + 1), "hub")


def _taken(hub: Hub, browsers: Browsers) -> dict[str, bytes]:
    page = _open(hub, browsers, width=1280, height=800)
    page.locator("#incidents button[data-incident]").filter(has_text="Object left").click()
    page.wait_for_selector("#card figure img")
    taken = {"console.webp": _picture(page)}
    page.keyboard.press("Escape")
    for name in ("fleet", "record", "routes", "handover"):
        page.locator("#more").click()
        page.locator(f"#{name}").click()
        page.wait_for_timeout(1_000)
        taken[f"{name}.webp"] = _picture(page)
        page.keyboard.press("Escape")
    phone = _open(hub, browsers, width=390, height=844, color_scheme="dark")
    taken["console-phone.webp"] = _picture(phone)
    return taken


def _open(hub: Hub, browsers: Browsers, *, width: int, height: int, **more: str) -> Page:
    size = {"width": width, "height": height}
    page = browsers.open(hub.url, name=None, wait=False, webgl=True, viewport=size, reduced_motion="reduce", **more)
    sign_in(page, "s-noel")
    page.wait_for_selector("body[data-map='on']")
    # What MapLibre draws is there when nothing says so.
    page.wait_for_timeout(2_500)
    return page


def _picture(page: Page) -> bytes:
    made = io.BytesIO()
    Image.open(io.BytesIO(page.screenshot())).save(made, "WEBP", quality=82, method=6)
    return made.getvalue()


def main() -> int:
    """Writes them; 1 if one is larger than a page should ask for."""
    FOLDER.mkdir(exist_ok=True)
    taken = take()
    for name, content in taken.items():
        (FOLDER / name).write_bytes(content)
        sys.stdout.write(f"{FOLDER / name}: {len(content) / 1000:.0f} kB\n")
    return int(any(len(content) > MOST_BYTES for content in taken.values()))


if __name__ == "__main__":
    sys.exit(main())
