from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from parvis_contract.card import Card

from tools.release.sbom import Pin, bill, read_lock
from tools.release.wheels import ReleaseError, differences

CHECKOUT = Path(__file__).parents[2]
NOT_OF_A_CHECKOUT = shutil.ignore_patterns(
    ".git", ".venv", ".cache", ".*_cache", ".hypothesis", ".parvis", "__pycache__", "build", "dist", "tests", "docs"
)
MADE_S = 1_700_000_000


def _git(folder: Path, *arguments: str) -> None:
    who = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@localhost", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@localhost"}
    when = {"GIT_AUTHOR_DATE": f"{MADE_S} +0000", "GIT_COMMITTER_DATE": f"{MADE_S} +0000"}
    subprocess.run(["git", "-C", str(folder), *arguments], env=os.environ | who | when, check=True, capture_output=True)


def _release(checkout: Path, *arguments: str, timezone: str = "UTC", umask: int = 0o022) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.release", *arguments]
    return subprocess.run(
        command, cwd=checkout, env=os.environ | {"TZ": timezone}, umask=umask, capture_output=True, text=True, timeout=200, check=False
    )


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of its own with what a release is built from: the one that is tested may have no history here."""
    folder = tmp_path_factory.mktemp("a") / "parvis"
    shutil.copytree(CHECKOUT, folder, ignore=NOT_OF_A_CHECKOUT, symlinks=True)
    (folder / "not-committed.txt").touch()
    _git(folder, "init", "-q")
    _git(folder, "add", "--all", "--", ".", ":!not-committed.txt")
    _git(folder, "commit", "-q", "-m", "all")
    return folder


@pytest.fixture(scope="module")
def built(checkout: Path) -> Path:
    out = checkout.parent / "dist"
    done = _release(checkout, "build", "--out", str(out))
    assert done.returncode == 0, done.stderr
    return out


def test_another_clone_another_day_and_another_zone_give_the_same_bytes(checkout: Path, built: Path, tmp_path: Path) -> None:
    subprocess.run(["git", "clone", "-q", str(checkout), str(tmp_path / "elsewhere")], check=True)
    second = tmp_path / "second"
    done = _release(tmp_path / "elsewhere", "build", "--out", str(second), timezone="Asia/Tokyo", umask=0o077)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in second.iterdir()} == {path.name for path in built.iterdir()}
    for path in second.iterdir():
        assert path.read_bytes() == (built / path.name).read_bytes(), path.name


def test_compare_names_what_differs(checkout: Path, built: Path, tmp_path: Path) -> None:
    out = tmp_path / "dist"
    shutil.copytree(built, out)
    wheel = next(out.glob("parvis_contract-*.whl"))
    with zipfile.ZipFile(wheel) as was, zipfile.ZipFile(tmp_path / "other.whl", "w") as other:
        for entry in was.infolist():
            other.writestr(entry, was.read(entry) + (b"# one line more\n" if entry.filename.endswith("topics.py") else b""))
    (tmp_path / "other.whl").replace(wheel)
    done = _release(checkout, "compare", "--out", str(out))
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert [line for line in lines if line.startswith(" ")] == ["    parvis_contract/topics.py: bytes"]
    assert sum("the same" in line for line in lines) == 4


def test_wheels_that_differ_in_nothing_that_is_listed_are_still_not_the_same(tmp_path: Path) -> None:
    one, other = tmp_path / "one.whl", tmp_path / "other.whl"
    for path, kind in ((one, zipfile.ZIP_STORED), (other, zipfile.ZIP_DEFLATED)):
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr(zipfile.ZipInfo("a"), b"0" * 999, kind)
    assert differences(one, one) == []
    assert differences(one, other) == ["order or compression"]


def test_the_bill_of_a_unit_lists_what_it_brings_along(built: Path) -> None:
    text = next(built.glob("parvis_edge-*.cdx.json")).read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    parts = {part["name"]: part for part in json.loads(text)["components"]}
    lock = read_lock(CHECKOUT / "requirements.lock")
    assert {"onnxruntime", "opencv-python-headless", "cryptography", "parvis-contract"} <= parts.keys()
    assert not {"fastapi", "sqlalchemy", "pytest", "parvis-hub", "parvis-models"} & parts.keys()
    cards = [Card.model_validate_json(path.read_bytes()) for path in CHECKOUT.glob("models/zoo/*/*/card.json")]
    assert {name: part["hashes"][0]["content"] for name, part in parts.items() if part["type"] == "machine-learning-model"} == {
        card.name: card.sha256 for card in cards
    }
    for each in (text, next(built.glob("parvis_hub-*.cdx.json")).read_text()):
        unnamed = [part["name"] for part in json.loads(each)["components"] if not part.get("licenses")]
        assert unnamed == []
    for name, part in parts.items():
        if part["type"] == "library" and not name.startswith("parvis"):
            assert (part["version"], {digest["content"] for digest in part["hashes"]}) == (lock[name].version, set(lock[name].hashes))


@pytest.mark.parametrize(
    ("pin", "says"),
    [(None, "numpy: is needed and not pinned"), (Pin("0.0.1", ()), "is installed, 0.0.1 is pinned")],
)
def test_a_bill_of_other_packages_than_the_pinned_ones_is_not_written(built: Path, pin: Pin | None, says: str) -> None:
    lock = read_lock(CHECKOUT / "requirements.lock")
    lock = {name: kept for name, kept in lock.items() if name != "numpy"} | ({} if pin is None else {"numpy": pin})
    with pytest.raises(ReleaseError, match=says):
        bill(next(built.glob("parvis_edge-*.whl")), "parvis-edge", lock, MADE_S)


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is missing: apt install openssh-client")
def test_a_release_is_taken_as_signed_or_not_at_all(checkout: Path, built: Path, tmp_path: Path) -> None:
    out, signers = tmp_path / "dist", tmp_path / "signers"
    shutil.copytree(built, out)
    for name in ("key", "other-key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True)
    signers.write_text("release " + (tmp_path / "key.pub").read_text())
    verify = ("verify", "--out", str(out), "--signers", str(signers))

    def sign(key: str) -> None:
        (out / "SHA256SUMS.sig").unlink(missing_ok=True)
        assert _release(checkout, "sign", "--out", str(out), "--key", str(tmp_path / key)).returncode == 0

    sign("other-key")
    assert _release(checkout, *verify).returncode == 2
    sign("key")
    assert "7 files as signed" in _release(checkout, *verify).stdout

    (out / "one-more.whl").write_bytes(b"")
    wheel = next(out.glob("parvis_hub-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    next(out.glob("parvis_models-*.whl")).unlink()
    refused = _release(checkout, *verify)
    assert refused.returncode == 2
    gone = "parvis_models-0.1.0-py3-none-any.whl: is not there"
    for part in ("one-more.whl: nobody signed it", f"{wheel.name}: is not the one that was signed", gone):
        assert part in refused.stderr

    (out / "SHA256SUMS").write_text("")
    assert "signature" in _release(checkout, *verify).stderr.lower()
