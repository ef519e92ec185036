"""The page: over HTTP, that it gives the drawing and nothing else to nobody else; in a browser, as an installer uses it."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cv2
import numpy as np
import pytest
from parvis_edge.calibration.desk import Desk
from parvis_edge.calibration.drawing import LineDrawing, draw
from parvis_edge.calibration.page import Page
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect, sync_playwright

from .scene import PLANE, SIX, Camera, known, make_site

CAMERA = Camera()
ZONES = "zones:\n  square: {kind: crowd, polygon: [[5.37, 43.29606], [5.37006, 43.29608], [5.37006, 43.29614], [5.37, 43.29612]]}\n"


def drawing() -> LineDrawing:
    image = np.full((720, 1280, 3), 120, np.uint8)
    for (x0, y0), (x1, y1) in pairwise(SIX):
        cv2.line(image, (round(x0), round(y0)), (round(x1), round(y1)), (20, 20, 20), 3)
    return draw([image], lambda _: np.zeros((0, 4)))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(make_site(tmp_path, more=ZONES), "u001", drawing(), drawing)


@pytest.fixture
def page(desk: Desk) -> Iterator[Page]:
    with Page(desk) as opened:
        yield opened


def ask(
    page: Page, name: str, body: Any = None, headers: dict[str, str] | None = None, *, path: str | None = None
) -> tuple[int, bytes, str]:
    address = urlsplit(page.url)
    connection = http.client.HTTPConnection(str(address.hostname), int(address.port or 0), timeout=10)
    sent = {"Host": address.netloc} | ({} if body is None else {"Content-Type": "application/json"}) | (headers or {})
    content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", (address.path if path is None else path) + name, content, sent)
    response = connection.getresponse()
    answer = response.status, response.read(), str(response.getheader("Content-Type"))
    connection.close()
    return answer


def points(number: int = 6) -> dict[str, Any]:
    found = known(CAMERA, SIX[:number])
    return {"points": [{"px": list(point.px), "lon": point.at.lon, "lat": point.at.lat} for point in found]}


def test_the_drawing_is_the_only_thing_of_the_view_that_is_served(page: Page) -> None:
    kinds = {name: ask(page, name)[2] for name in ("", "page.js", "page.css", "view.json", "lines.png")}
    assert [kind for kind in kinds.values() if kind.startswith(("image", "video", "application/octet"))] == ["image/png"]
    _, content, _ = ask(page, "lines.png")
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert set(np.unique(picture).tolist()) == {0, 255}
    np.testing.assert_array_equal(picture == 0, drawing().lines)
    for name in ("frame.jpg", "../page.py", "..%2fpage.py", "view.png", "lines.png/..", "static/page.js"):
        assert ask(page, name)[0] == 404, name


@pytest.mark.parametrize(
    ("path", "headers", "body", "status"),
    [
        ("/", {}, None, 404),
        ("/another-secret/", {}, None, 404),
        (None, {"Host": "evil.example:80"}, None, 404),
        (None, {"Host": "evil.example:80"}, {"points": []}, 403),
        (None, {"Origin": "http://evil.example"}, {"points": []}, 403),
        (None, {"Content-Type": "text/plain"}, {"points": []}, 400),
        (None, {}, b"{", 400),
        (None, {}, b"[" * 50_000, 400),
        (None, {}, b" " * 100_001, 400),
        (None, {}, [], 422),
        (None, {}, {"points": [{"px": [1], "lon": 2, "lat": 3}]}, 422),
        (None, {}, {"points": [{"px": [1, 2], "lon": 2, "lat": 95}]}, 422),
        (None, {}, {"points": [{"px": [1, 2], "lon": 1e999, "lat": 3}]}, 422),
        (None, {}, {"points": [{"px": [1, 2], "lon": 2, "lat": 3}] * 101}, 422),
    ],
)
def test_another_page_another_user_or_nonsense_gets_nothing(
    page: Page, path: str | None, headers: dict[str, str], body: Any, status: int
) -> None:
    name = "lines.png" if body is None else "assess"
    code, content, kind = ask(page, name, body, headers, path=path)
    assert code == status
    assert kind == "application/json"
    assert "error" in json.loads(content)


def test_the_points_are_judged_and_only_good_ones_end_it(page: Page, desk: Desk) -> None:
    code, content, _ = ask(page, "assess", points())
    found = json.loads(content)
    assert (code, found["good"]) == (200, True)
    assert found["block"].startswith("    ground_plane:\n      image_size: [1280, 720]\n")
    assert len(found["grid"]) > 20
    assert ask(page, "done", points(3))[0] == 409
    assert not desk.finished.is_set()
    assert ask(page, "done", points())[0] == 200
    assert desk.finished.wait(5)
    assert desk.result is not None
    assert desk.result.good


def test_a_view_that_cannot_be_had_again_keeps_the_old_one(tmp_path: Path) -> None:
    def gone() -> LineDrawing:
        raise OSError("the camera is gone; is it switched on?")

    with Page(Desk(make_site(tmp_path), "u001", drawing(), gone)) as page:
        code, content, _ = ask(page, "look", {})
        assert (code, json.loads(content)["error"]) == (409, "the camera is gone; is it switched on?")
        assert ask(page, "lines.png")[0] == 200


def inside(tab: Tab, name: str) -> tuple[float, float, float, float]:
    """Left, top, width and height of a drawing, within its border of a pixel."""
    box = tab.locator(name).bounding_box()
    assert box is not None
    return box["x"] + 1, box["y"] + 1, box["width"] - 2, box["height"] - 2


def test_as_an_installer_uses_it(page: Page, desk: Desk, chromium: Path) -> None:
    said: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium), args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
        )
        tab = browser.new_page(viewport={"width": 1400, "height": 1000})
        tab.on("pageerror", lambda error: said.append(str(error)))
        tab.on("console", lambda message: said.append(message.text) if "policy" in message.text.lower() else None)
        asked: list[str] = []
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto(page.url)
        expect(tab.locator("#verdict")).to_have_text("0 of at least four points")
        for number, (x, y) in enumerate(SIX, 1):
            left, top, width, height = inside(tab, "#view")
            tab.mouse.click(left + x / 1280 * width, top + y / 720 * height)
            at = [float(tab.get_by_label(f"{axis} of point {number}", exact=True).input_value()) for axis in "xy"]
            assert at == pytest.approx([x, y], abs=1.5)
            if number == 1:
                # The first on the map; half a pixel at a time in the view.
                east, north = CAMERA.at([at])[0]
                left, top, width, height = inside(tab, "#plan")
                side_m = 2 * 40 * 1.05
                tab.mouse.click(left + (0.5 + east / side_m) * width, top + (0.5 - north / side_m) * height)
                tab.locator("#view").press("ArrowRight")
                expect(tab.get_by_label("x of point 1", exact=True)).to_have_value(f"{at[0] + 0.5:g}")
                tab.locator("#view").press("ArrowLeft")
            lon, lat = PLANE.to_degrees(CAMERA.at([at]))[0]
            if number == 1:
                typed = float(tab.get_by_label("longitude of point 1").input_value())
                assert (typed - lon) * 81_100 == pytest.approx(0, abs=0.15), "clicked on the map, to the page's own resolution"
            tab.get_by_label(f"longitude of point {number}").fill(f"{lon:.8f}")
            tab.get_by_label(f"latitude of point {number}").fill(f"{lat:.8f}")
            tab.get_by_label(f"latitude of point {number}").press("Tab")
        expect(tab.locator("#verdict")).to_contain_text("Good enough")
        assert tab.locator("#grid polyline").count() > 20
        expect(tab.locator("#facts")).to_contain_text("zones.square")
        expect(tab.locator("#facts")).to_contain_text("157 px per metre")
        # A slip of the finger is told, and which point it is.
        good = tab.get_by_label("longitude of point 3").input_value()
        tab.get_by_label("longitude of point 3").fill(f"{float(good) + 0.00003:.8f}")
        tab.get_by_label("longitude of point 3").press("Tab")
        expect(tab.locator("#refusals")).to_contain_text("point 3 contradicts the others")
        expect(tab.locator("#done")).to_be_disabled()
        tab.get_by_label("longitude of point 3").fill(good)
        tab.get_by_label("longitude of point 3").press("Tab")
        expect(tab.locator("#done")).to_be_enabled()
        tab.locator("#look").click()
        expect(tab.locator("#done")).to_be_enabled()
        tab.locator("#done").click()
        expect(tab.locator("#verdict")).to_contain_text("Done")
        browser.close()
    assert desk.result is not None
    assert desk.result.good
    assert all(re.match(rf"{re.escape(page.url)}|{re.escape(page.url.rsplit('/', 2)[0])}/favicon.ico", url) for url in asked), asked
    assert said == []
