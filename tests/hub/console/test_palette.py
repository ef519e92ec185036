"""The page's colours, computed: text that can be read, signs that can be seen, and states that stay apart for every eye.

Contrast is that of WCAG 2.2 (1.4.3, 1.4.11). How somebody sees who lacks one kind of cone is simulated after Machado, Oliveira and
Fernandes (2009), at full severity, on linear light; distances are CIE 1976 in L*a*b*, in which 2.3 is just noticed. No state rests on its
colour alone: each has a shape too. The distance asked for here is what is told apart at a glance, side by side.
"""

from __future__ import annotations

import re
from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from parvis_hub.console.routes import STATIC

Array = npt.NDArray[np.float64]

STYLE = (STATIC / "css" / "base.css").read_text(encoding="utf-8")
_DARK = STYLE.index("@media (prefers-color-scheme: dark)")


def _colours(text: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3}(?:[0-9a-f]{3})?);", text))


DAY = _colours(STYLE[:_DARK])
PALETTES = {"day": DAY, "night": DAY | _colours(STYLE[_DARK : STYLE.index("\n*,")])}

PAPERS = ("paper", "paper-2", "map-ground")
#: What is written, and what it is written on.
TEXTS = [
    (ink, paper) for ink in ("ink", "ink-2", "accent", "incident", "alive", "trouble", "lost", "confirmed", "dismissed") for paper in PAPERS
]
TEXTS += [("on-accent", "accent"), ("on-incident", "incident"), ("ink", "accent-soft"), ("ink", "incident-soft"), ("ink", "trouble-soft")]
TEXTS += [("incident", "incident-soft"), ("accent", "accent-soft"), ("map-ink", "map-halo"), ("map-ink", "map-zone")]
#: What is drawn, and on what.
SIGNS = [
    (sign, ground)
    for sign in ("map-route", "map-range", "map-uncertain", "map-selected")
    for ground in ("map-ground", "map-zone", "map-lane")
]
SIGNS += [("line-2", "paper"), ("focus", "paper"), ("focus", "map-ground"), ("map-asset", "map-ground")]
#: How a unit is, and what was decided: these stand beside one another, in the lists and on the map.
STATES = ("alive", "trouble", "lost", "incident", "confirmed", "dismissed")
#: A route, where something may be, and how far a unit reaches: lines that cross.
LINES = ("map-route", "map-uncertain", "map-range")
AT_A_GLANCE = 10.0

SEEN: dict[str, Array] = {
    "all cones": np.eye(3),
    "no red (protanopia)": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "no green (deuteranopia)": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no blue (tritanopia)": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]),
}
_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE = _XYZ.sum(axis=1)


def linear(colour: str) -> Array:
    """Red, green and blue light of a colour of sRGB, 0 to 1."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
    value = np.array([int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)])
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    dark, light = sorted(float(_XYZ[1] @ linear(colour)) for colour in (one, other))
    return (light + 0.05) / (dark + 0.05)


def distance(one: str, other: str, seen: Array) -> float:
    """How far two colours are apart for an eye."""

    def lab(colour: str) -> Array:
        share = _XYZ @ np.clip(seen @ linear(colour), 0.0, 1.0) / _WHITE
        x, y, z = np.where(share > 216 / 24_389, np.cbrt(share), (24_389 / 27 * share + 16) / 116)
        return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])

    return float(np.linalg.norm(lab(one) - lab(other)))


def test_the_figures_are_those_of_others() -> None:
    assert contrast("#000", "#fff") == pytest.approx(21.0)
    # WCAG's own example of the grey that just suffices.
    assert contrast("#767676", "#ffffff") == pytest.approx(4.54, abs=0.005)
    assert distance("#000000", "#ffffff", SEEN["all cones"]) == pytest.approx(100.0, abs=0.01)
    # Red and a dark olive that are one to an eye without red cones.
    assert distance("#ff0000", "#6d6000", SEEN["no red (protanopia)"]) < 20.0 < distance("#ff0000", "#6d6000", SEEN["all cones"])


@pytest.mark.parametrize("light", PALETTES)
@pytest.mark.parametrize(("ink", "paper"), TEXTS)
def test_what_is_written_can_be_read(light: str, ink: str, paper: str) -> None:
    assert contrast(PALETTES[light][ink], PALETTES[light][paper]) >= 4.5


@pytest.mark.parametrize("light", PALETTES)
@pytest.mark.parametrize(("sign", "ground"), SIGNS)
def test_what_is_drawn_can_be_seen(light: str, sign: str, ground: str) -> None:
    assert contrast(PALETTES[light][sign], PALETTES[light][ground]) >= 3.0


@pytest.mark.parametrize("light", PALETTES)
@pytest.mark.parametrize("eye", SEEN)
@pytest.mark.parametrize("names", [STATES, LINES], ids=["states", "lines"])
def test_states_and_lines_stay_apart_for_every_eye(light: str, eye: str, names: tuple[str, ...]) -> None:
    palette = PALETTES[light]
    apart = {f"{one} and {other}": distance(palette[one], palette[other], SEEN[eye]) for one, other in combinations(names, 2)}
    assert {pair: round(far, 1) for pair, far in apart.items() if far < AT_A_GLANCE} == {}
