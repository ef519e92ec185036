"""What may be in a bundle's archive: its own files, once, in order, and nothing else."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from parvis_edge.update.archive import MOST_BYTES, pack, unpack
from parvis_edge.update.errors import UpdateError

from tests.edge.update.simulator import model

Members = list[tuple[tarfile.TarInfo, bytes]]


def members(bundle: Path) -> Members:
    with tarfile.open(fileobj=io.BytesIO(pack(bundle))) as tar:
        found: Members = []
        for each in tar.getmembers():
            file = tar.extractfile(each)
            assert file is not None
            found.append((each, file.read()))
        return found


def written(path: Path, content: Members) -> Path:
    with tarfile.open(path, "w") as tar:
        for each, raw in content:
            tar.addfile(each, io.BytesIO(raw))
    return path


def extra(name: str, type_: bytes = tarfile.REGTYPE, link: str = "") -> Callable[[Members], Members]:
    def change(content: Members) -> Members:
        member = tarfile.TarInfo(name)
        member.type, member.linkname, member.size = type_, link, 4 if type_ == tarfile.REGTYPE else 0
        return [*content, (member, b"evil")]

    return change


def renamed(old: str, new: str) -> Callable[[Members], Members]:
    def change(content: Members) -> Members:
        for member, _ in content:
            if member.name == old:
                member.name = new
        return content

    return change


@pytest.mark.parametrize(
    "change",
    [
        extra("../outside"),
        extra("/etc/passwd"),
        extra("folder/file"),
        extra(".hidden"),
        extra("link", tarfile.SYMTYPE, "/etc/passwd"),
        extra("hard", tarfile.LNKTYPE, "card.json"),
        extra("folder", tarfile.DIRTYPE),
        extra("pipe", tarfile.FIFOTYPE),
        extra("more"),
        lambda content: [*content, content[1]],
        lambda content: content[1:],
        lambda content: content[:-1],
        lambda content: content[::-1],
        lambda _: [],
        renamed("model.onnx", "other.onnx"),
    ],
)
def test_another_archive_is_refused_and_leaves_nothing(
    change: Callable[[Members], Members], bundles: dict[str, Path], tmp_path: Path
) -> None:
    archive = written(tmp_path / "x.tar", change(members(bundles["1.0.0"])))
    with pytest.raises(UpdateError, match="not a bundle"):
        unpack(archive, tmp_path / "out", model("1.0.0"))
    assert {path.name for path in tmp_path.iterdir()} == {"x.tar"}


@pytest.mark.parametrize("raw", [b"", b"not a tar at all" * 100, b"\x1f\x8b" + bytes(1_000)])
def test_what_is_no_archive_is_refused(raw: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(raw)
    with pytest.raises(UpdateError, match="not a bundle"):
        unpack(tmp_path / "x.tar", tmp_path / "out", model("1.0.0"))


def test_a_header_that_promises_gigabytes_is_refused_before_they_are_read(bundles: dict[str, Path], tmp_path: Path) -> None:
    content = members(bundles["1.0.0"])
    huge = tarfile.TarInfo("huge")
    huge.size = MOST_BYTES + 1
    with (tmp_path / "x.tar").open("wb") as file:
        for member, raw in [content[0]]:
            file.write(member.tobuf(tarfile.USTAR_FORMAT) + raw + bytes(-len(raw) % 512))
        file.write(huge.tobuf(tarfile.USTAR_FORMAT))
        file.truncate(file.tell() + huge.size)
    with pytest.raises(UpdateError, match="268 MB at most"):
        unpack(tmp_path / "x.tar", tmp_path / "out", model("1.0.0"))


def test_another_version_than_its_name_says_is_refused(bundles: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(pack(bundles["1.1.0"]))
    with pytest.raises(UpdateError, match=r"its card is of yamnet 1\.1\.0"):
        unpack(tmp_path / "x.tar", tmp_path / "out", model("1.0.0"))


def test_the_same_bundle_gives_the_same_bytes_and_comes_out_as_it_went_in(bundles: dict[str, Path], tmp_path: Path) -> None:
    raw = pack(bundles["1.0.0"])
    (tmp_path / "x.tar").write_bytes(raw)
    unpack(tmp_path / "x.tar", tmp_path / "out", model("1.0.0"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == {
        path.name: path.read_bytes() for path in bundles["1.0.0"].iterdir()
    }
    for path in (tmp_path / "out").iterdir():
        path.touch()
    assert pack(tmp_path / "out") == raw
