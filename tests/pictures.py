"""The screens as the pages of the documentation show them, from a hub that runs: `python -m tests.pictures` takes them again.

Each is taken in a real browser, as WebP, so that it stays small; what is to be seen in it comes from the same hub as in the tests.
"""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from parvis_contract import CommandRefusal, ImpulseClass, ModelRef, Phase, SoundImpulse, StatusReason, UnitState
from parvis_edge.calibration.desk import Desk
from parvis_edge.calibration.drawing import LineDrawing, draw
from parvis_edge.calibration.page import Page as CalibrationPage
from parvis_edge.vision.plate import drawn, encoded
from parvis_hub.console import load_cards, zoo_folder
from parvis_hub.governance import Role
from parvis_hub.rollout import Order, ReleaseTarget, RolloutShelf, new_rollout
from parvis_hub.rollout.decide import UnitNow, sent, step
from PIL import Image
from playwright.sync_api import Page

from tests.edge.calibration.scene import PLANE, Camera, make_site, render
from tests.hub.console.browsing import LEFT, Browsers
from tests.hub.console.hub import Hub, before_camera
from tests.hub.console.test_api import plate_of
from tests.hub.console.test_criteria import incident
from tests.hub.console.test_session_page import PASSWORD, sign_in
from tests.hub.fleet.town import Town

FOLDER = Path(__file__).parents[1] / "docs" / "pictures"
#: For a page that is read, and that a repository keeps.
MOST_BYTES = 120_000
#: Corners on a square's ground, metres east and north of its camera: of the stripes of a crossing, near and far, left and right.
CORNERS_M = ((-1.5, 5.5), (3.5, 5.0), (1.0, 8.0), (7.0, 12.0), (0.5, 13.0), (4.0, 17.0))
CAMERA = Camera()
#: As a terminal shows what a program has said.
TERMINAL = """<body style="margin:0;display:inline-block;background:#14191d"><pre style="margin:0;padding:18px 22px;color:#e7ecef;
font:15px/1.5 'DejaVu Sans Mono',monospace"></pre></body>"""


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
                return _taken(hub, browsers) | _enrolment(browsers, Path(folder) / "town") | _calibration(browsers, Path(folder) / "view")
        finally:
            hub.close()


def _happens(hub: Hub) -> None:
    hub.all_alive()
    hub.status("u017", UnitState.DEGRADED, StatusReason.LOW_RATE)
    start = hub.event("u011", "object.unattended", LEFT, place_m=before_camera(18, 1))
    hub.receive(start)
    plate = plate_of(start)
    scene = cv2.resize(_ground(), (320, 180), interpolation=cv2.INTER_AREA)
    known = np.ones(scene.shape[:2], np.bool_)
    known[:, 250:] = False
    webp = encoded(drawn(np.asarray(scene, np.uint8), known, (500.0, 330.0, 640.0, 460.0), CAMERA.size_px))
    hub.receive(plate.model_copy(update={"data": plate.data.model_copy(update={"webp_base64": base64.b64encode(webp).decode()})}))
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


def _enrolment(browsers: Browsers, folder: Path) -> dict[str, bytes]:
    """What a unit says that enrols at a hub which runs."""
    folder.mkdir()
    town = Town.build(folder)
    (folder / "u017-claim.json").write_text(town.claim().model_dump_json(), encoding="utf-8")
    words = ["enrol", "--claim", "u017-claim.json", "--identity", "identity"]
    with town.listening():
        said = subprocess.run(
            [Path(sys.executable).with_name("parvis-edge"), *words], cwd=folder, capture_output=True, text=True, check=True
        ).stdout
    town.database.close()
    page = browsers.open("about:blank", name=None, wait=False)
    page.set_content(TERMINAL)
    page.locator("pre").evaluate("(element, text) => { element.textContent = text; }", f"$ unit/bin/parvis-edge {' '.join(words)}\n{said}")
    return {"enrolment.webp": _picture(page, "body")}


def _ground() -> npt.NDArray[np.uint8]:
    """A square with paving, a kerb and a crossing, as its camera sees it; nobody is there, since it is drawn."""
    texels_per_m, south_west_m = 50, (-6.0, 2.0)
    texture = np.full((18 * texels_per_m, 18 * texels_per_m), 150, np.uint8)

    def texel(east_m: float, north_m: float) -> tuple[int, int]:
        return round((east_m - south_west_m[0]) * texels_per_m), texture.shape[0] - round((north_m - south_west_m[1]) * texels_per_m)

    for metre in range(0, 18, 3):
        cv2.line(texture, texel(metre - 6.0, 2.0), texel(metre - 6.0, 20.0), 110, 2)
        cv2.line(texture, texel(-6.0, metre + 2.0), texel(12.0, metre + 2.0), 110, 2)
    for east_m, north_m in CORNERS_M:
        cv2.rectangle(texture, texel(east_m, north_m), texel(east_m + 1.6, north_m + 0.5), 245, -1)
    cv2.line(texture, texel(-6.0, 14.5), texel(12.0, 18.5), 40, 12)
    return render(CAMERA, texture, 1.0 / texels_per_m, south_west_m)


def _square() -> LineDrawing:
    return draw([_ground()], lambda _: np.zeros((0, 4)))


def _calibration(browsers: Browsers, folder: Path) -> dict[str, bytes]:
    """The installer's page, with six marks pointed at and the grid that follows from them."""
    with CalibrationPage(Desk(make_site(folder), "u001", _square(), _square)) as calibrating:
        page = browsers.open(calibrating.url, name=None, wait=False, viewport={"width": 1280, "height": 760})
        for number, (x, y) in enumerate(CAMERA.see(CORNERS_M), 1):
            box = page.locator("#view").bounding_box()
            assert box is not None
            page.mouse.click(box["x"] + 1 + x / 1280 * (box["width"] - 2), box["y"] + 1 + y / 720 * (box["height"] - 2))
            lon, lat = PLANE.to_degrees(np.array([CORNERS_M[number - 1]]))[0]
            for name, degrees in (("longitude", lon), ("latitude", lat)):
                page.get_by_label(f"{name} of point {number}", exact=True).fill(f"{degrees:.8f}")
                page.get_by_label(f"{name} of point {number}", exact=True).press("Tab")
        page.wait_for_selector("#grid polyline", state="attached")
        return {"calibration.webp": _picture(page)}


def _open(hub: Hub, browsers: Browsers, *, width: int, height: int, **more: str) -> Page:
    size = {"width": width, "height": height}
    page = browsers.open(hub.url, name=None, wait=False, webgl=True, viewport=size, reduced_motion="reduce", **more)
    sign_in(page, "s-noel")
    page.wait_for_selector("body[data-map='on']")
    # What MapLibre draws is there when nothing says so.
    page.wait_for_timeout(2_500)
    return page


def _picture(page: Page, part: str | None = None) -> bytes:
    made = io.BytesIO()
    Image.open(io.BytesIO(page.locator(part).screenshot() if part else page.screenshot())).save(made, "WEBP", quality=82, method=6)
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
