"""Opens the console in a real browser, and watches that it stays with its hub."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

from parvis_contract import ObjectUnattended
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect, sync_playwright

from tests.hub.console.hub import Hub, before_camera

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
#: WebGL drawn by the processor: slow, and there on every machine.
_DRAWING = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
_NOT_DRAWING = ["--disable-3d-apis"]
_PATIENCE_MS = 20_000

LEFT = ObjectUnattended(dwell_s=61.0, area_m2=0.21, nearest_person_m=9.5)

expect.set_options(timeout=15_000)


def left(hub: Hub, right_m: float = 1.0, ago_s: float = 5.0) -> str:
    return hub.report("u011", "object.unattended", LEFT, place_m=before_camera(18, right_m), ago_s=ago_s)


def row(page: Page, id_: str) -> Locator:
    return page.locator(f"#incidents button[data-incident='{id_}']")


def choose(page: Page, id_: str) -> None:
    page.locator(f"#incidents button[data-incident='{id_}']").click()
    expect(page.locator("#card .gauge, #card .figures-list").first).to_be_visible()


class Browsers:
    """A browser with WebGL and one without, each started when first asked for."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._playwright = sync_playwright().start()
        self._started: dict[bool, Browser] = {}
        self._pages: list[tuple[Page, list[str], list[str]]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for browser in self._started.values():
            browser.close()
        self._playwright.stop()

    def open(self, url: str, *, name: str | None = "a-martin", webgl: bool = False, wait: bool = True, **context: Any) -> Page:
        """A page of its own, with a memory of its own; in English unless another language is asked for."""
        if webgl not in self._started:
            arguments = [*_QUIET, *(_DRAWING if webgl else _NOT_DRAWING)]
            self._started[webgl] = self._playwright.chromium.launch(executable_path=str(self._program), args=arguments)
        made = self._started[webgl].new_context(**({"locale": "en-GB", "viewport": {"width": 1440, "height": 900}} | context))
        if name is not None:
            made.add_init_script(f"localStorage.setItem('parvis.operator', '{name}')")
        page = made.new_page()
        page.set_default_timeout(_PATIENCE_MS)
        asked: list[str] = []
        said: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if message.type == "error" and "Failed to load resource" not in message.text:
                said.append(message.text)

        def requested(request: Request) -> None:
            asked.append(request.url)

        page.on("console", heard)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", requested)
        self._pages.append((page, asked, said))
        page.goto(url)
        if wait:
            page.wait_for_selector("#connection[data-state='live']", state="attached")
        return page

    def check(self, *urls: str) -> None:
        """Every page has asked its hub alone, and whom it sends people to; nothing failed or was stopped by the policy. Closes them."""
        pages, self._pages = self._pages, []
        for page, asked, said in pages:
            page.context.close()
            assert asked
            assert [each for each in asked if not each.startswith(urls)] == []
            assert said == []
