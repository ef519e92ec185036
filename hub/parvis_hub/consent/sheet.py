"""A tag to print, at its true size, with what its wearer is to know: a PDF. Pure but for the libraries that it loads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from .consents import MOST_DAYS, Consent, Purpose
from .numbers import in_english, in_french
from .tag36h11 import CELLS, is_white

if TYPE_CHECKING:
    from fpdf import FPDF

#: A4, and what of it a usual printer reaches, in millimetres.
PAGE_MM = (210.0, 297.0)
_MARGIN_MM = 8.0
#: Above the tag stands its number, below it the line to measure.
_HEAD_MM, _FOOT_MM = 13.0, 15.0
RULER_MM = 100.0
#: White around the black square, without which no detector finds it: one cell on each side.
_QUIET = 1
#: More pages than this nobody glues together.
MOST_PAGES = 30

_PURPOSES = {
    Purpose.STEWARDING: ("stewarding of the event", "encadrement de l'événement"),
    Purpose.RACE: ("a race", "une course"),
    Purpose.PROCESSION: ("a procession", "un défilé"),
    Purpose.CREW: ("work of a crew", "travail d'une équipe"),
    Purpose.SERVICE_VEHICLE: ("rounds of a service vehicle", "tournées d'un véhicule de service"),
    Purpose.TEST: ("a test of the equipment", "un essai du matériel"),
}

#: A heading and what stands under it, one after the other.
_ENGLISH = (
    "You wear tag {tag} ({word})",
    "You have asked that your route be known. Nobody has to: whoever wears no tag has no route here.",
    "Who answers for it",
    "{site}, and: ______________________________________________",
    "What for",
    "{purpose}. For nothing else.",
    "What is recorded",
    (
        "The number of the tag, where and when a camera read it. No picture, no face, no name: the register has the reference "
        '"{participant}" for you, and that your consent is filed under "{proof}".'
    ),
    "From and until when",
    "{since} to {until}, unless you are asked again and agree. Each place is deleted after {kept_h:g} hours at the latest.",
    "You can withdraw at any time",
    "without a reason. Say so to whoever gave you this tag, or to the address above. Taking the tag off is enough to be seen no more.",
    "What happens then",
    (
        "Your route and all places are deleted at once, and the key with which they were encrypted is destroyed. You are given a "
        "receipt. A camera that cannot be reached may read the tag until its list ends, {list_days} days at most; nothing of that is kept."
    ),
    "You may also",
    "see your route, have it as a file (GeoJSON, GPX), have it corrected, and complain to the data protection authority.",
)
_FRENCH = (
    "Vous portez la balise {tag} ({word})",
    "Vous avez demandé que votre parcours soit connu. Personne n'y est obligé : qui ne porte pas de balise n'a pas de parcours ici.",
    "Responsable",
    "{site}, et : ______________________________________________",
    "Finalité",
    "{purpose}. Aucune autre.",
    "Ce qui est enregistré",
    (
        "Le numéro de la balise, où et quand une caméra l'a lue. Ni image, ni visage, ni nom : le registre a pour vous la référence "
        '"{participant}", et votre consentement est classé sous "{proof}".'
    ),
    "Durée",
    (
        "Du {since} au {until}, sauf si l'on vous demande de renouveler votre consentement et que vous acceptez. Chaque"
        " lieu est effacé après {kept_h:g} heures au plus."
    ),
    "Vous pouvez retirer votre consentement à tout moment",
    (
        "sans avoir à vous justifier. Dites-le à qui vous a remis cette balise, ou à l'adresse ci-dessus. Enlever la balise suffit pour ne "
        "plus être vu."
    ),
    "Ce qui se passe alors",
    (
        "Votre parcours et tous les lieux sont effacés aussitôt, et la clé qui les chiffrait est détruite. Un reçu vous est remis. "
        "Une caméra injoignable peut lire la balise jusqu'à la fin de sa liste, {list_days} jours au plus ; rien n'en est gardé."
    ),
    "Vous pouvez aussi",
    (
        "voir votre parcours, en obtenir le fichier (GeoJSON, GPX), le faire rectifier, et introduire une réclamation"
        " auprès de l'autorité de contrôle (en France, la CNIL)."
    ),
)


class TooLarge(ValueError):
    """The tag does not fit on paper that anybody would glue together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Tile:
    """The part of a tag that one page has.

    Attributes:
        column, row: From the upper left corner, from 0.
        x_mm, y_mm: Where it begins in the tag with its white margin.
        width_mm, height_mm: How large it is.
    """

    column: int
    row: int
    x_mm: float
    y_mm: float
    width_mm: float
    height_mm: float


def tiles(size_m: float) -> list[Tile]:
    """The pages of a tag, row by row; one where it fits.

    Args:
        size_m: The edge of the black square.

    Raises:
        TooLarge: It needs too many.
    """
    side_mm = size_m * 1000.0 * (CELLS + 2 * _QUIET) / CELLS
    columns = math.ceil(side_mm / (PAGE_MM[0] - 2 * _MARGIN_MM) - 1e-9)
    rows = math.ceil(side_mm / (PAGE_MM[1] - 2 * _MARGIN_MM - _HEAD_MM - _FOOT_MM) - 1e-9)
    if columns * rows > MOST_PAGES:
        raise TooLarge(
            f"a tag of {size_m:g} m needs {columns * rows} pages of A4: have it printed on a large sheet, or make `tags.size_m` smaller"
        )
    width_mm, height_mm = side_mm / columns, side_mm / rows
    return [Tile(k, j, k * width_mm, j * height_mm, width_mm, height_mm) for j in range(rows) for k in range(columns)]


def tag_sheet(consent: Consent, *, site: str, size_m: float, kept_h: float, zone: ZoneInfo) -> bytes:
    """The PDF: the tag, on as many pages as it needs, and the notice in English and French.

    Args:
        consent: Whose tag it is.
        site: The site's name.
        size_m: The edge of the black square, as in the site plan.
        kept_h: How long sightings are kept.
        zone: In which times are written.

    Raises:
        TooLarge: The tag is too large for paper.
    """
    from fpdf import FPDF

    pages = tiles(size_m)
    pdf = FPDF(format="A4", unit="mm")
    pdf.set_auto_page_break(auto=False)
    pdf.set_margin(_MARGIN_MM)
    pdf.set_title(f"Tag {consent.tag}")
    for tile in pages:
        pdf.add_page()
        _head(pdf, consent.tag, tile, len(pages), size_m)
        _draw(pdf, consent.tag, tile, size_m)
        _ruler(pdf)
    pdf.add_page()
    for number, (language, word, purpose) in enumerate(((_ENGLISH, in_english(consent.tag), 0), (_FRENCH, in_french(consent.tag), 1))):
        values = {
            "tag": consent.tag,
            "word": word,
            "site": site,
            "purpose": _PURPOSES[consent.purpose][purpose],
            "participant": consent.participant,
            "proof": consent.proof,
            "since": _time(consent.since, zone),
            "until": _time(consent.until, zone),
            "kept_h": kept_h,
            "list_days": MOST_DAYS,
        }
        pdf.set_y(_MARGIN_MM + number * (PAGE_MM[1] / 2))
        _notice(pdf, language, values)
    return bytes(pdf.output())


def _time(time: datetime, zone: ZoneInfo) -> str:
    return time.astimezone(zone).strftime("%Y-%m-%d %H:%M %Z")


def _head(pdf: FPDF, tag: int, tile: Tile, pages: int, size_m: float) -> None:
    pdf.set_font("helvetica", "B", 15)
    pdf.set_xy(_MARGIN_MM, _MARGIN_MM)
    pdf.cell(0, 7, f"{tag} - {in_english(tag)} - {in_french(tag)}", align="C")
    pdf.set_font("helvetica", "", 8)
    pdf.set_xy(_MARGIN_MM, _MARGIN_MM + 8)
    size = f"AprilTag 36h11, {size_m * 1000:g} mm"
    if pages > 1:
        where = f"row {tile.row + 1}, column {tile.column + 1} / rangée {tile.row + 1}, colonne {tile.column + 1}"
        size += f" - {where} - cut along the marks, join / couper aux repères, joindre"
    pdf.cell(0, 5, size, align="C")


def _draw(pdf: FPDF, tag: int, tile: Tile, size_m: float) -> None:
    cell_mm = size_m * 1000.0 / CELLS
    left_mm = (PAGE_MM[0] - tile.width_mm) / 2
    top_mm = _MARGIN_MM + _HEAD_MM

    def rectangle(column: float, row: float, columns: float, rows: float) -> None:
        """In cells from the corner of the white margin; what lies outside of the tile is on another page."""
        x0, x1 = (max(0.0, min(tile.width_mm, at * cell_mm - tile.x_mm)) for at in (column, column + columns))
        y0, y1 = (max(0.0, min(tile.height_mm, at * cell_mm - tile.y_mm)) for at in (row, row + rows))
        if x1 > x0 and y1 > y0:
            pdf.rect(left_mm + x0, top_mm + y0, x1 - x0, y1 - y0, style="F")

    pdf.set_fill_color(0)
    rectangle(_QUIET, _QUIET, CELLS, CELLS)
    pdf.set_fill_color(255)
    for row in range(CELLS):
        for column in range(CELLS):
            if is_white(tag, column, row):
                rectangle(_QUIET + column, _QUIET + row, 1, 1)
    pdf.set_line_width(0.2)
    for x_mm, away_x in ((left_mm, -1), (left_mm + tile.width_mm, 1)):
        for y_mm, away_y in ((top_mm, -1), (top_mm + tile.height_mm, 1)):
            pdf.line(x_mm + away_x, y_mm, x_mm + 4 * away_x, y_mm)
            pdf.line(x_mm, y_mm + away_y, x_mm, y_mm + 4 * away_y)


def _ruler(pdf: FPDF) -> None:
    left_mm, y_mm = (PAGE_MM[0] - RULER_MM) / 2, PAGE_MM[1] - _MARGIN_MM - 8
    pdf.set_line_width(0.3)
    pdf.line(left_mm, y_mm, left_mm + RULER_MM, y_mm)
    for x_mm in (left_mm, left_mm + RULER_MM):
        pdf.line(x_mm, y_mm - 2, x_mm, y_mm + 2)
    pdf.set_font("helvetica", "", 8)
    pdf.set_xy(_MARGIN_MM, y_mm + 3)
    words = (
        f"This line is {RULER_MM:g} mm: measure it. If it is not, print at 100 %, not fitted to the page. / "
        f"Cette ligne mesure {RULER_MM:g} mm : vérifiez. Sinon, imprimez à 100 %."
    )
    pdf.cell(0, 5, words, align="C")


def _notice(pdf: FPDF, language: tuple[str, ...], values: dict[str, object]) -> None:
    def write(words: str, style: str, size_pt: float, height_mm: float) -> None:
        pdf.set_font("helvetica", style, size_pt)
        pdf.multi_cell(0, height_mm, words.format(**values), new_x="LMARGIN", new_y="NEXT")

    title, lead, *parts = language
    write(title, "B", 13, 7)
    write(lead, "", 9.5, 4.8)
    for name, words in zip(parts[::2], parts[1::2], strict=True):
        pdf.ln(1.2)
        write(name, "B", 9.5, 4.8)
        write(words, "", 9.5, 4.8)
