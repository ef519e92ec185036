"""Points as typed, and tags of a board on the ground as a camera sees them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from parvis_contract import GroundPlane as CalibratedPoints
from parvis_contract import Point
from parvis_edge.calibration.points import Board, PointError, board_points, find_tags, parse_board, parse_point, parse_tag, tag_points
from parvis_edge.vision.ground_plane import GroundPlane

from .scene import ORIGIN, PLANE, Camera, render

CAMERA = Camera(heading_deg=0.0)
M_PER_TEXEL = 0.01
_TEXTURE_M = 26.0


def _board(heading_deg: float = 0.0, first: int = 3) -> Board:
    lon, lat = PLANE.to_degrees([[-3.0, 6.0]])[0]
    return Board(3, 2, 0.6, 3.0, Point(lon=float(lon), lat=float(lat)), heading_deg, first)


def _picture(board: Board, *, turned: int = 0, noise: float = 0.0, also: int | None = None) -> cv2.typing.MatLike:
    """The board as the camera sees it; tags lie turned by quarters; another tag may lie among them."""
    texture = np.full((round(_TEXTURE_M / M_PER_TEXEL),) * 2, 150, np.uint8)
    dictionary = cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11)
    places = board.middles_m(PLANE) | ({} if also is None else {also: np.array([0.0, 7.5])})
    for number, (east, north) in places.items():
        side = round(board.tag_m / M_PER_TEXEL)
        tag = np.rot90(cv2.aruco.generateImageMarker(dictionary, number, side), turned)
        tag = cv2.copyMakeBorder(tag, 9, 9, 9, 9, cv2.BORDER_CONSTANT, value=255)
        # A whole texel: the tag's middle is exactly there.
        x, y = round((east + _TEXTURE_M / 2) / M_PER_TEXEL), round((_TEXTURE_M - north) / M_PER_TEXEL)
        half = tag.shape[0] // 2
        texture[y - half : y + half, x - half : x + half] = tag
    image = render(CAMERA, texture, M_PER_TEXEL, (-_TEXTURE_M / 2, 0.0))
    if noise:
        shaken = image + np.random.default_rng(3).normal(0, noise, image.shape)
        image = np.clip(shaken, 0, 255).astype(np.uint8)
    return image


@pytest.mark.parametrize("turned", range(4))
def test_a_board_gives_the_ground_plane_however_its_tags_were_printed(turned: int) -> None:
    board = _board()
    pictures = [_picture(board, turned=turned, noise=6.0)]
    seen = find_tags(pictures, board.numbers)
    assert set(seen) == set(board.numbers)
    points = board_points(board, seen, PLANE, CAMERA.size_px)
    assert len(points) == 24
    ground = GroundPlane(CalibratedPoints(image_size=CAMERA.size_px, points=tuple(points)), PLANE, CAMERA.size_px)
    assert ground.residual_m < 0.03
    for pixel in [(640.0, 600.0), (300.0, 350.0), (900.0, 250.0)]:
        away_m = float(np.linalg.norm(ground.to_ground_m([pixel])[0] - CAMERA.at([pixel])[0]))
        assert away_m <= 2 * ground.uncertainty_m(pixel, (0.0, 0.0)), pixel


def test_rows_lead_along_the_heading_and_columns_go_to_its_right() -> None:
    middles = _board(heading_deg=90.0).middles_m(PLANE)
    np.testing.assert_allclose(middles[3], [-3, 6], atol=1e-6)
    np.testing.assert_allclose(middles[4], [-3, 3], atol=1e-6)  # a column: to the right of east is south
    np.testing.assert_allclose(middles[6], [0, 6], atol=1e-6)  # a row: eastward


def test_single_tags_are_known_by_their_middles() -> None:
    board = _board()
    seen = find_tags([_picture(board, turned=1)], board.numbers)
    middles = board.middles_m(PLANE)
    degrees = {number: PLANE.to_degrees([middle])[0] for number, middle in middles.items()}
    places = {number: Point(lon=float(lon), lat=float(lat)) for number, (lon, lat) in degrees.items()} | {99: ORIGIN}
    points = tag_points(places, seen)
    assert len(points) == 6
    truth = CAMERA.see([middles[number] for number in board.numbers])
    np.testing.assert_allclose([point.px for point in points], truth, atol=0.6)


@pytest.mark.parametrize("text", ["", "1", "1=2", "587=5.37,43.29", "-1=5.37,43.29", "1=north,5"])
def test_what_is_no_tag_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PointError, match="write number=lon,lat, such as"):
        parse_tag(text)
    assert parse_tag("586=5.37,43.296") == (586, Point(lon=5.37, lat=43.296))


def test_another_tag_is_dropped() -> None:
    board = _board()
    assert set(find_tags([_picture(board, also=200)], board.numbers)) == set(board.numbers)


def test_fewer_than_two_tags_are_refused_with_what_to_do() -> None:
    board = _board()
    seen = find_tags([_picture(board)], board.numbers)
    with pytest.raises(PointError, match=r"of the board's tags 3 to 8 the picture shows 3: two at least"):
        board_points(board, {3: seen[3]}, PLANE, CAMERA.size_px)
    with pytest.raises(PointError, match="the picture shows none"):
        board_points(board, find_tags([np.full((720, 1280, 3), 90, np.uint8)], board.numbers), PLANE, CAMERA.size_px)


def test_a_point_is_read() -> None:
    point = parse_point("102, 655.5=5.36991,43.29650")
    assert (point.px, point.at) == ((102.0, 655.5), Point(lon=5.36991, lat=43.2965))


@pytest.mark.parametrize("text", ["", "1,2", "1,2=3", "1;2=3,4", "a,b=c,d", "1,2=3,4,5", "1,2=nan,4"])
def test_what_is_no_point_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(PointError, match="write px,py=lon,lat, such as"):
        parse_point(text)


def test_a_latitude_beyond_the_pole_is_refused() -> None:
    with pytest.raises(PointError, match="longitude comes first"):
        parse_point("1,2=43.3,95.4")


_SETTINGS = {"tag_m": 0.4, "spacing_m": 2.0, "at": "5.37,43.296", "heading_deg": 0.0, "first": 0}


@pytest.mark.parametrize(
    ("text", "change", "said"),
    [
        ("three", {}, "COLUMNSxROWS"),
        ("1x1", {}, "two tags to a hundred"),
        ("20x20", {}, "two tags to a hundred"),
        ("2x2", {"spacing_m": 0.4}, "from middle to middle"),
        ("2x2", {"at": ""}, "--board-at"),
        ("2x2", {"at": "north"}, "--board-at"),
        ("2x2", {"first": 585}, "0 to 586"),
    ],
)
def test_what_is_no_board_is_refused(text: str, change: dict[str, object], said: str) -> None:
    with pytest.raises(PointError, match=said):
        parse_board(text, **(_SETTINGS | change))  # type: ignore[arg-type]
    assert parse_board("2x2", **_SETTINGS).numbers == range(4)  # type: ignore[arg-type]
