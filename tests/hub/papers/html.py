"""Reads a page as a browser would begin to: elements that close in order, what it loads, and its text."""

from __future__ import annotations

from html.parser import HTMLParser

_VOID = {"meta", "link"}
#: Attributes by which a page loads something or leads somewhere.
_LOADS = {"src", "srcset", "href", "data", "action", "poster", "xlink:href"}


class Page(HTMLParser):
    """A page that was read.

    Attributes:
        text: All its text.
        elements: Every element's name.
        loads: Values of attributes by which something is loaded, with their element.
        lang: Of the page.
    """

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.elements, self.loads, self.lang = "", [], [], ""
        self._open: list[str] = []
        assert markup.startswith("<!doctype html>\n")
        self.feed(markup)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        if tag == "html":
            self.lang = dict(attrs)["lang"] or ""
        assert not any(name.startswith("on") for name, _ in attrs)
        self.loads += [(tag, value or "") for name, value in attrs if name in _LOADS]
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.loads += [(tag, value or "") for name, value in attrs if name in _LOADS]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.text += data + " "


def check(markup: str, lang: str) -> Page:
    """Reads a page of one file: it loads nothing, runs nothing, and says its language."""
    page = Page(markup)
    assert page.loads == []
    assert "script" not in page.elements
    assert page.elements.count("h1") >= 1
    assert page.lang == lang
    return page
