"""Times, identifiers, levels and pictures: the contract's small parts."""

from __future__ import annotations

import base64
import math
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_contract import LevelOfService, derived_id, format_time, new_id, to_datetime, to_posix_s
from parvis_contract.webp import webp_size

from tests.contract.examples import WEBP_BASE64, WIDE_WEBP_BASE64

_SECONDS = st.floats(0, 4.0e9)


@given(_SECONDS)
def test_a_time_survives_to_the_microsecond(time_s: float) -> None:
    time = to_datetime(time_s)
    assert abs(to_posix_s(time) - time_s) <= 0.5e-6 + 2 * math.ulp(time_s)
    assert datetime.fromisoformat(format_time(time)) == time


def test_a_time_is_written_in_utc_with_microseconds() -> None:
    paris = timezone(timedelta(hours=2))
    assert format_time(datetime(2026, 6, 21, 20, 4, 5, tzinfo=paris)) == "2026-06-21T18:04:05.000000Z"
    assert to_datetime(1_782_065_045.123456) == datetime(2026, 6, 21, 18, 4, 5, 123456, UTC)


def test_a_time_without_zone_has_no_posix_seconds() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_posix_s(datetime(2026, 6, 21))  # noqa: DTZ001


@given(_SECONDS, st.lists(st.text(max_size=5), max_size=3))
def test_a_derived_id_is_a_uuid7_of_its_time_and_parts(time_s: float, parts: list[str]) -> None:
    made = derived_id(time_s, *parts)
    assert made == derived_id(time_s, *parts)
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"
    assert made.int >> 80 == int(time_s * 1000)
    assert made != derived_id(time_s, *parts, "another")


def test_derived_ids_do_not_run_their_parts_together() -> None:
    assert derived_id(1.0, "ab", "c") != derived_id(1.0, "a", "bc")


def test_fresh_ids_rise() -> None:
    made = [new_id() for _ in range(100)]
    assert made == sorted(set(made))
    assert {each.version for each in made} == {7}


@pytest.mark.parametrize(
    ("density_p_m2", "level"),
    [
        (0, "A"),
        (0.30, "A"),
        (0.31, "B"),
        (0.42, "B"),
        (0.43, "C"),
        (0.72, "D"),
        (1.07, "D"),
        (1.08, "E"),
        (2.14, "E"),
        (2.15, "F"),
        (9, "F"),
    ],
)
def test_level_of_service_is_fruin_s_for_walkways(density_p_m2: float, level: str) -> None:
    assert LevelOfService.of(density_p_m2) == level


def test_the_limits_of_the_levels_are_fruin_s_square_feet_a_person() -> None:
    for square_feet, level in ((35, "B"), (25, "C"), (15, "D"), (10, "E"), (5, "F")):
        density_p_m2 = 1 / (square_feet * 0.3048**2)
        assert LevelOfService.of(density_p_m2 + 0.01) == level
        assert LevelOfService.of(density_p_m2 - 0.01) < level


_WEBP, _WIDE = base64.b64decode(WEBP_BASE64), base64.b64decode(WIDE_WEBP_BASE64)
_LOSSLESS = base64.b64decode("UklGRh4AAABXRUJQVlA4TBEAAAAvL8AHAAdQvOIVr/+BiOh/AAA=")


@pytest.mark.parametrize(("data", "size_px"), [(_WEBP, (48, 32)), (_WIDE, (641, 2)), (_LOSSLESS, (48, 32))])
def test_the_size_of_a_picture(data: bytes, size_px: tuple[int, int]) -> None:
    assert webp_size(data) == size_px


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff\xe0" + bytes(40),
        _WEBP[:-1],
        _WEBP + b"x",
        _WEBP[:4] + (len(_WEBP) + 4).to_bytes(4, "little") + _WEBP[8:] + b"TEXT" + bytes(8),
        _WEBP.replace(b"VP8 ", b"VP8X"),
        _WEBP[:23] + bytes(3) + _WEBP[26:],
        _WEBP[:26] + bytes(2) + _WEBP[28:],
    ],
)
def test_what_is_no_plain_picture_or_has_something_beside_it(data: bytes) -> None:
    with pytest.raises(ValueError, match="a plate is"):
        webp_size(data)
