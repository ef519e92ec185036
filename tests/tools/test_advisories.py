"""What a file of advisories knows against the pins: by range, by version, for every pin of the lock; and what is no such file."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tools.release.advisories import known_against, pinned_versions, read_advisories
from tools.release.wheels import ReleaseError

CHECKOUT = Path(__file__).parents[2]
PINS = {("pyyaml", "6.0.2"), ("av", "18.1.0"), ("av", "19.0.2")}


def advisory(name: str, *events: dict[str, str], kind: str = "ECOSYSTEM", ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": ecosystem, "name": name}, "ranges": [{"type": kind, "events": list(events)}]}
    return {"id": "PYSEC-1", "aliases": ["CVE-1"], "affected": [affected], **more}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (advisory("PyYAML", {"introduced": "0"}, {"fixed": "6.0.3"}), ["pyyaml 6.0.2: PYSEC-1, CVE-1; mended in 6.0.3"]),
        (advisory("PyYAML", {"introduced": "0"}, {"fixed": "6.0.2"}), []),
        (advisory("PyYAML", {"introduced": "6.0.2"}), ["pyyaml 6.0.2: PYSEC-1, CVE-1"]),
        (advisory("PyYAML", {"introduced": "6.0.3"}), []),
        (advisory("PyYAML", {"introduced": "0"}, {"last_affected": "6.0.2"}), ["pyyaml 6.0.2: PYSEC-1, CVE-1"]),
        (advisory("PyYAML", {"introduced": "0"}, {"last_affected": "6.0.1"}), []),
        # By the number, not by its letters; in whatever order they are written.
        (advisory("pyyaml", {"fixed": "6.0.10"}, {"introduced": "6.0.0"}), ["pyyaml 6.0.2: PYSEC-1, CVE-1; mended in 6.0.10"]),
        (advisory("pyyaml", {"introduced": "0"}, {"fixed": "5"}, {"introduced": "7"}, {"fixed": "8"}), []),
        # A version that nobody can read ends nothing.
        (advisory("pyyaml", {"introduced": "0"}, {"fixed": "some day"}), ["pyyaml 6.0.2: PYSEC-1, CVE-1; mended in some day"]),
        (advisory("av", {"introduced": "19"}), ["av 19.0.2: PYSEC-1, CVE-1"]),
        (advisory("pyyaml", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z"), []),
        (advisory("pyyaml", {"introduced": "0"}, ecosystem="npm"), []),
        (advisory("pyyaml", {"introduced": "0"}, kind="GIT"), []),
        ({"id": "GHSA-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "av"}, "versions": ["18.1"]}]}, ["av 18.1.0: GHSA-1"]),
    ],
)
def test_what_is_known_against_a_pin(given: dict[str, Any], found: list[str]) -> None:
    assert known_against(PINS, [given]) == found


def test_every_pin_counts_whatever_python_it_is_for() -> None:
    entry = "av=={} ; python_full_version {} '3.12' \\\n    --hash=sha256:aa\n"
    lock = entry.format("18.1.0", "<") + entry.format("19.0.2", ">=")
    assert pinned_versions(lock) == {("av", "18.1.0"), ("av", "19.0.2")}
    whole = (CHECKOUT / "requirements.lock").read_text()
    assert len(pinned_versions(whole)) == whole.count("==") - whole.count(" == ")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"affected": [{"package": {"ecosystem": "npm", "name": "x"}}]}', '"x"'])
def test_what_is_no_file_of_advisories_is_not_taken_for_an_empty_one(text: str, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(text)
    with pytest.raises(ReleaseError):
        read_advisories(tmp_path / "one.json")


def test_the_command(tmp_path: Path) -> None:
    archive, lock = tmp_path / "all.zip", tmp_path / "lock"
    lock.write_text("pyyaml==6.0.2 --hash=sha256:aa\n")

    def audit(*events: dict[str, str]) -> tuple[int, str]:
        with zipfile.ZipFile(archive, "w") as made:
            made.writestr("PYSEC-1.json", json.dumps(advisory("PyYAML", *events, modified="2026-11-20T00:00:00Z")))
        command = [sys.executable, "-m", "tools.release", "audit", "--advisories", str(archive), "--lock", str(lock)]
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout

    assert audit({"introduced": "0"})[0] == 1
    assert audit({"introduced": "7"}) == (0, "0 known against 1 pins, in 1 advisories, the newest of 2026-11-20T00:00:00Z\n")
