from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from parvis_contract import StatusReason
from parvis_edge.capture.container import Tally
from parvis_edge.capture.source import SourceError, parse_source
from parvis_edge.capture.video import read_video
from parvis_edge.perception import Frame

from tests.edge.clips import Image, grey, write_film, write_still
from tests.edge.rtsp import Camera

START = 1_000_000.0


def frames(path: Path, tally: Tally | None = None) -> list[Frame]:
    return list(read_video(parse_source(str(path), "camera"), tally or Tally(), start_s=START))


def times(found: list[Frame]) -> list[float]:
    return [round(frame.time_s - START, 6) for frame in found]


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
def test_a_variable_rate_keeps_its_times(tmp_path: Path, name: str) -> None:
    stamps_ms = [0, 40, 80, 500, 520, 1_700, 1_701, 5_000]
    levels = [10, 40, 70, 100, 130, 160, 190, 220]
    found = frames(write_film(tmp_path / name, [grey(level) for level in levels], stamps_ms))
    assert times(found) == [stamp / 1_000 for stamp in stamps_ms]
    assert [frame.image.mean() for frame in found] == pytest.approx(levels, abs=6)
    assert all(frame.image.dtype == np.uint8 and frame.image.shape == (48, 64, 3) for frame in found)


@pytest.mark.parametrize("name", ["film.avi", "film.ts", "film.m4v"])
def test_containers_without_times_of_their_own_play_evenly(tmp_path: Path, name: str) -> None:
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(30):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey(100), format="bgr24")))
        container.mux(stream.encode())
    found = times(frames(tmp_path / name))
    # A transport stream begins at 1.4 s by its own count; a raw stream has no count at all.
    assert found[0] == pytest.approx(0.0, abs=0.101)
    assert np.diff(found) == pytest.approx([0.1] * (len(found) - 1), abs=2e-3) or name == "film.m4v"
    assert len(found) >= 29
    assert (np.diff(found) > 0).all()


def test_blue_is_first(tmp_path: Path) -> None:
    blue = grey(0)
    blue[..., 0] = 250
    image = frames(write_film(tmp_path / "blue.mp4", [blue] * 3, [0, 40, 80]))[0].image
    assert image[..., 0].mean() > 200
    assert image[..., 2].mean() < 40


def turned(path: Path, degrees: int) -> Path:
    """The same film with a display matrix in its MP4 header: 16.16 fixed point at a fixed place of `tkhd`."""
    matrices = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
    a, b, c, d = matrices[degrees]
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40
    for index, value in ((0, a), (1, b), (3, c), (4, d)):
        content[at + 4 * index : at + 4 * index + 4] = (value * 65_536).to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(("degrees", "corner"), [(90, "right"), (180, "bottom"), (270, "left")])
def test_a_turned_film_is_set_upright(tmp_path: Path, degrees: int, corner: str) -> None:
    image = grey(0)
    image[:12] = 255
    upright = frames(turned(write_film(tmp_path / "turned.mp4", [image] * 3, [0, 40, 80]), degrees))[0].image
    sides = {"top": upright[:6], "bottom": upright[-6:], "left": upright[:, :6], "right": upright[:, -6:]}
    assert max(sides, key=lambda side: float(sides[side].mean())) == corner
    assert upright.shape == ((48, 64, 3) if degrees == 180 else (64, 48, 3))


@pytest.mark.parametrize("name", ["still.jpg", "still.png", "still.webp", "still.bmp", "STILL.JPEG"])
def test_a_still(tmp_path: Path, name: str) -> None:
    found = frames(write_still(tmp_path / name, grey(90)))
    assert times(found) == [0.0]
    assert found[0].image.mean() == pytest.approx(90, abs=2)


def test_a_photograph_is_turned_as_its_metadata_say(tmp_path: Path) -> None:
    encoded = cv2.imencode(".jpg", grey(90, (64, 48)))[1].tobytes()
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    path = tmp_path / "turned.jpg"
    path.write_bytes(encoded[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + encoded[2:])
    assert frames(path)[0].image.shape == (64, 48, 3)


def test_a_film_damaged_in_the_middle_is_judged_before_and_after(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (100, 48, 64, 3)).astype(np.uint8)
    path = write_film(tmp_path / "film.mkv", noise, range(0, 4_000, 40))
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 3_000] = np.random.default_rng(2).integers(0, 255, 3_000).astype(np.uint8).tobytes()
    path.write_bytes(content)
    tally = Tally()
    found = times(frames(path, tally))
    assert tally.corrupt > 0
    assert 80 <= len(found) < 100
    assert found[-1] == 3.96


def test_a_film_cut_short_is_judged_as_far_as_it_goes(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.mkv", [grey(level) for level in range(100)], range(0, 4_000, 40))
    path.write_bytes(path.read_bytes()[:-2_000])
    assert 50 < len(frames(path)) < 100


@pytest.mark.parametrize("content", [b"", b"not a film at all" * 1_000, bytes(range(256)) * 400, b"\0\0\0\x18ftypmp42" + bytes(500)])
@pytest.mark.parametrize("name", ["broken.mp4", "broken.jpg", "broken.mkv", "broken"])
def test_what_is_no_film_is_said_to_be_none(tmp_path: Path, content: bytes, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is the file whole") as error:
        frames(path)
    assert error.value.reason is StatusReason.SOURCE_UNREADABLE


def test_a_recording_opens_no_other_source(tmp_path: Path) -> None:
    """A playlist or session description that names a live camera is a recording that is none."""
    with Camera() as camera:
        playlist = tmp_path / "list.m3u8"
        playlist.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{camera.url}\n#EXT-X-ENDLIST\n")
        concat = tmp_path / "list.ffconcat"
        concat.write_text(f"ffconcat version 1.0\nfile '{camera.url}'\n")
        description = tmp_path / "live.sdp"
        description.write_text("v=0\nc=IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n")
        for path in (playlist, concat, description):
            with pytest.raises(SourceError):
                frames(path)
        assert camera.viewers == 0


def live(camera: Camera, tally: Tally) -> Iterator[Frame]:
    return read_video(parse_source(camera.url, "camera"), tally, time_of=lambda stamp_s: START + (stamp_s or 0.0))


def test_a_stream_is_joined_at_its_first_whole_picture() -> None:
    with Camera() as camera:
        stream = live(camera, Tally())
        first = [next(stream) for _ in range(10)]
        stream.close()  # type: ignore[attr-defined]
    assert [frame.image.mean() for frame in first] == pytest.approx([197] * 10, abs=4)
    assert np.diff([frame.time_s for frame in first]) == pytest.approx([0.05] * 9, abs=1e-6)


def test_a_stream_that_changes_its_size_goes_on() -> None:
    def draw(number: int) -> Image:
        return grey(200, (64, 48) if number < 20 else (96, 64))

    tally = Tally()
    with Camera(draw) as camera:
        stream = live(camera, tally)
        shapes = {next(stream).image.shape for _ in range(40)}
        stream.close()  # type: ignore[attr-defined]
    assert shapes == {(48, 64, 3), (64, 96, 3)}
    assert tally.changes == 1


def test_a_stream_of_garbage_is_survived_and_counted() -> None:
    tally = Tally()
    with Camera() as camera:
        stream = live(camera, tally)
        next(stream)
        before = tally.corrupt
        camera.garbage = True
        threading.Timer(0.5, setattr, (camera, "garbage", False)).start()
        images = [next(stream).image for _ in range(30)]
        stream.close()  # type: ignore[attr-defined]
    assert tally.corrupt > before
    assert images[-1].mean() == pytest.approx(197, abs=4)


def test_a_camera_that_goes_away_or_was_never_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_edge.capture.container.READ_TIMEOUT_S", 0.5)
    with Camera() as camera:
        stream = live(camera, Tally())
        next(stream)
        camera.frozen = True
        with pytest.raises(SourceError) as error:
            list(stream)
        assert error.value.reason in {StatusReason.NO_DATA, StatusReason.SOURCE_ENDED}
        assert "secret" not in str(error.value)
    with pytest.raises(SourceError) as error:
        next(live(camera, Tally()))
    assert error.value.reason is StatusReason.CONNECTION_LOST
    assert "secret" not in str(error.value)


@pytest.mark.parametrize(
    "clip", ["intrusion/one-by-one-person-detection.mp4", "abandoned/aboda_video4.avi", "traffic/car-detection.mp4", "fall/urfd_fall.mp4"]
)
def test_real_clips_keep_their_length(material: Path, clip: str) -> None:
    """Against the container's own word: as many pictures as it says, over as long as it says."""
    path = material / clip
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        count, rate = stream.frames, float(stream.average_rate or 25)
    tally = Tally()
    last = first = 0.0
    for frame in read_video(parse_source(str(path), "camera"), tally, start_s=START):
        first, last = first or frame.time_s, frame.time_s
    assert tally.corrupt == 0
    assert tally.items == pytest.approx(count, abs=2)
    assert last - first == pytest.approx((tally.items - 1) / rate, rel=0.01)
