"""A printed tag is one that a camera reads, as large as the site plan says; and its wearer is told what they have consented to."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from parvis_hub.consent.consents import Consent, Purpose, Status
from parvis_hub.consent.numbers import in_english, in_french
from parvis_hub.consent.sheet import RULER_MM, TooLarge, tag_sheet, tiles
from parvis_hub.consent.tag36h11 import CELLS, is_white

DICTIONARY = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
#: Of the rendering.
PX_PER_MM = 4.0
_MM_PER_PT = 25.4 / 72.0
_NUMBER = r"(-?[0-9.]+)"


def consent(tag: int) -> Consent:
    begins, ends = datetime(2026, 6, 21, 6, tzinfo=UTC), datetime(2026, 6, 24, tzinfo=UTC)
    return Consent("an-id", "steward-07", tag, Purpose.STEWARDING, "2026-114", begins, ends, Status.ACTIVE, None)


def sheet(tag: int, size_m: float) -> list[str]:
    """The drawing operators of each page."""
    pdf = tag_sheet(consent(tag), site="vieux-port", size_m=size_m, kept_h=72, zone=ZoneInfo("Europe/Paris"))
    streams = [zlib.decompress(stream).decode("latin-1") for stream in re.findall(rb"stream\n(.*?)\nendstream", pdf, re.DOTALL)]
    return [stream for stream in streams if " Td " in stream]


def drawn(page: str) -> npt.NDArray[np.uint8]:
    """The filled rectangles of a page, at `PX_PER_MM`."""
    picture = np.full((round(297 * PX_PER_MM), round(210 * PX_PER_MM)), 255, np.uint8)
    shade = 0
    for operator in re.finditer(rf"(?:^|\n)(?:{_NUMBER} g|{_NUMBER} {_NUMBER} {_NUMBER} {_NUMBER} re f)", page):
        grey, *corner = operator.groups()
        if grey is not None:
            shade = round(255 * float(grey))
            continue
        x, y, width, height = (float(value) * _MM_PER_PT * PX_PER_MM for value in corner)
        top, bottom = sorted((picture.shape[0] - y, picture.shape[0] - y - height))
        picture[round(top) : round(bottom), round(x) : round(x + width)] = shade
    return picture


def read(picture: npt.NDArray[np.uint8]) -> tuple[int, float]:
    """The number of the one tag in a picture, and the mean edge of its black square in millimetres."""
    corners, ids, _ = cv2.aruco.ArucoDetector(DICTIONARY).detectMarkers(picture)
    assert ids is not None
    assert len(ids) == 1
    square = corners[0].reshape(4, 2)
    return int(ids.ravel()[0]), float(np.linalg.norm(square - np.roll(square, 1, axis=0), axis=1).mean() / PX_PER_MM)


def test_all_587_tags_are_those_of_the_detector() -> None:
    for tag in range(587):
        ours = np.array([[255 * is_white(tag, column, row) for column in range(CELLS)] for row in range(CELLS)])
        assert np.array_equal(ours, cv2.aruco.generateImageMarker(DICTIONARY, tag, CELLS, borderBits=1)), tag


@pytest.mark.parametrize(("tag", "size_m"), [(0, 0.05), (17, 0.12), (586, 0.15)])
def test_a_tag_is_read_from_its_page_at_its_true_size(tag: int, size_m: float) -> None:
    page, _ = sheet(tag, size_m)
    found, edge_mm = read(drawn(page))
    assert found == tag
    assert edge_mm == pytest.approx(size_m * 1000, abs=0.5)


def test_a_large_tag_is_read_when_its_parts_are_joined() -> None:
    parts = tiles(0.4)
    pages = sheet(22, 0.4)
    assert len(pages) == len(parts) + 1 == 7
    side_px = round(500 * PX_PER_MM)
    whole = np.full((side_px, side_px), 127, np.uint8)
    for tile, page in zip(parts, pages, strict=False):
        # Where its marks are cut: the tile's own size, in the middle of the page, below its head.
        left, top = (210 - tile.width_mm) / 2 * PX_PER_MM, 21 * PX_PER_MM
        width, height = tile.width_mm * PX_PER_MM, tile.height_mm * PX_PER_MM
        cut = drawn(page)[round(top) : round(top + height), round(left) : round(left + width)]
        y, x = round(tile.y_mm * PX_PER_MM), round(tile.x_mm * PX_PER_MM)
        room = whole[y : y + cut.shape[0], x : x + cut.shape[1]]
        room[:] = cut[: room.shape[0], : room.shape[1]]
    found, edge_mm = read(cv2.copyMakeBorder(whole, 40, 40, 40, 40, cv2.BORDER_CONSTANT, value=255))
    assert found == 22
    assert edge_mm == pytest.approx(400, abs=1.0)


def test_every_page_has_a_line_to_measure_and_the_number_in_words() -> None:
    *fronts, _ = sheet(17, 0.4)
    for page in fronts:
        assert "(17 - seventeen - dix-sept)" in page
        lines = re.findall(rf"{_NUMBER} {_NUMBER} m {_NUMBER} {_NUMBER} l S", page)
        lengths = [abs(float(x1) - float(x0)) * _MM_PER_PT for x0, _, x1, _ in lines]
        assert max(lengths) == pytest.approx(RULER_MM, abs=0.05)


def test_the_wearer_is_told_in_both_languages_and_all_of_it_fits_on_the_page() -> None:
    *_, notice = sheet(17, 0.12)
    words = " ".join(re.findall(r"\((.*?)\) Tj", notice)).replace("\\", "")
    for said in (
        "You wear tag 17 (seventeen)",
        "Vous portez la balise 17 (dix-sept)",
        "stewarding of the event",
        "encadrement de l'événement",
        "2026-06-21 08:00 CEST to 2026-06-24 02:00 CEST",
        "Du 2026-06-21 08:00 CEST",
        "after 72 hours",
        "withdraw at any time",
        "retirer votre consentement à tout moment",
        '"steward-07"',
        "2026-114",
    ):
        assert said in words, said
    written = re.findall(rf"{_NUMBER} Td 0 g (?:{_NUMBER} Tw )?\((.*?)\) Tj", notice)
    heights_mm = [float(y) * _MM_PER_PT for y, _, _ in written]
    assert min(heights_mm) > 8.0
    # The first half of the page is English, and ends before the second begins.
    french = next(index for index, (*_, line) in enumerate(written) if line.startswith("Vous portez"))
    assert heights_mm == sorted(heights_mm, reverse=True)
    assert heights_mm[french - 1] > heights_mm[french] + 5.0


def test_what_nobody_would_glue_together_is_refused() -> None:
    with pytest.raises(TooLarge, match=r"tags.size_m"):
        sheet(17, 1.5)


def test_numbers_in_words() -> None:
    assert [in_english(number) for number in (0, 14, 21, 100, 586)] == [
        "zero",
        "fourteen",
        "twenty-one",
        "one hundred",
        "five hundred and eighty-six",
    ]
    assert [in_french(number) for number in (21, 70, 71, 80, 81, 91, 100, 200, 271)] == [
        "vingt-et-un",
        "soixante-dix",
        "soixante-et-onze",
        "quatre-vingts",
        "quatre-vingt-un",
        "quatre-vingt-onze",
        "cent",
        "deux-cents",
        "deux-cent-soixante-et-onze",
    ]
    for words in (in_english, in_french):
        assert len({words(number) for number in range(587)}) == 587
