from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from parvis_edge.analysers.unit_tampered import CameraTamperingAnalyser

from tests.edge.analysers.watching import judged, phases, plan
from tests.edge.vision.rendered import PERSON, UNKNOWN, Image, Street

SITE = plan()


def make(_: object, __: object) -> CameraTamperingAnalyser:
    return CameraTamperingAnalyser()


def hand(street: Street) -> Image:
    """Nothing but a hand before the lens."""
    return street.picture([(0, 0, 640, 360, (45, 45, 45))])


WRONG: dict[str, Callable[[Street], Image]] = {
    "covered": hand,
    "dark": lambda street: street.picture(light=0.06),
    "defocused": lambda street: cv2.GaussianBlur(street.picture(), (0, 0), 7),
    "moved": lambda street: np.ascontiguousarray(np.roll(street.picture(), (90, 170), (0, 1))),
}


@pytest.mark.parametrize("cause", list(WRONG))
def test_each_cause_is_told_within_five_seconds_and_ends(cause: str) -> None:
    said = judged(make, SITE, lambda street, s: WRONG[cause](street) if 8 <= s < 20 else street.picture(), 30)
    assert [judgement.measure.cause.value for judgement in said] == [cause, cause]  # type: ignore[attr-defined]
    (_, start_s), (_, end_s) = phases(said)
    assert start_s == pytest.approx(8.0, abs=1.0)
    assert end_s == pytest.approx(20.0, abs=1.0)


def test_a_frozen_picture_is_told_within_five_seconds_and_ends() -> None:
    kept: list[Image] = []

    def paint(street: Street, s: float) -> Image:
        kept[:] = kept if 8 <= s < 20 and kept else [street.picture()]
        return kept[0]

    said = judged(make, SITE, paint, 26)
    assert [judgement.measure.cause.value for judgement in said] == ["frozen", "frozen"]  # type: ignore[attr-defined]
    assert phases(said) == [("start", pytest.approx(8.0, abs=0.5)), ("end", pytest.approx(20.0, abs=0.5))]


@pytest.mark.parametrize(
    ("name", "paint"),
    [
        ("a still picture repeated from the start", lambda street, _: street.picture(noise=False)),
        ("people close by", lambda street, s: street.picture([((60 * s) % 640, 0, (60 * s) % 640 + 260, 360, PERSON)])),
        ("a lorry before the lens", lambda street, s: street.picture([(0, 0, 640, 360, UNKNOWN)] if 8 <= s < 9.5 else [])),
        ("evening", lambda street, s: street.picture(light=max(0.35, 1 - 0.02 * s))),
        ("a lamp goes off", lambda street, s: street.picture(light=1.0 if s < 10 else 0.5)),
    ],
)
def test_no_alarm(name: str, paint: Callable[[Street, float], Image]) -> None:
    assert judged(make, SITE, paint, 30) == [], name
