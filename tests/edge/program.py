"""The real command line of a unit, with these tests' small senses in place of the models: `python -m tests.edge.program small watch …`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import parvis_edge.unit
from parvis_edge.cli import app

from tests.edge.senses import Darkness, Hanging, Loudness
from tests.edge.surroundings import surround

ROOT = Path(__file__).resolve().parents[2]

PLAN = """\
site: quay
timezone: Europe/Paris
profile: {profile}
origin: {{lon: 5.37, lat: 43.296}}
units:
  u001: {{position: {{lon: 5.3701, lat: 43.2961}}, senses: [camera, microphone], range_m: 40}}
  u002: {{position: {{lon: 5.3702, lat: 43.2962}}, senses: [microphone]}}
"""

#: A profile that allows live sources; nothing like it is shipped.
OPEN_PROFILE = """\
name: test
title: {en: Test, fr: Essai}
jurisdiction: none; a test's own pictures
basis: {text: "Nobody is seen or heard: drawn pictures and computed sound."}
valid_from: 2020-01-01
valid_to: 2100-01-01
camera: {allow: [unit.tampered], source: {text: "Drawn pictures."}}
microphone: {allow: [sound.impulse, unit.tampered], source: {text: "Computed sound."}}
sound_with_image: {allow: false, source: {text: "Not needed."}}
retention: {events_h: 1, incidents_h: 1, evidence_h: 1, sightings_h: 1, audit_h: 1, source: {text: "A test."}}
"""


def write_plan(folder: Path, profile: str = "lab") -> Path:
    """A site plan with two units; the profile is a shipped name or the text of one."""
    if "\n" in profile:
        (folder / "profile.yaml").write_text(profile)
        profile = "profile.yaml"
    path = folder / "site.yaml"
    path.write_text(PLAN.format(profile=profile))
    return path


def start(*arguments: object, small_senses: bool = True, hanging: bool = False, **more: object) -> subprocess.Popen[bytes]:
    """Starts `parvis-edge watch`; its standard output and error are pipes unless told."""
    program = ["-m", "tests.edge.program", "hanging" if hanging else "small" if small_senses else "real"]
    settings: dict[str, object] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "cwd": ROOT, "stdin": subprocess.DEVNULL} | more
    return subprocess.Popen([sys.executable, *program, "watch", *(str(each) for each in arguments)], **settings)  # type: ignore[call-overload,no-any-return]


def ask(command: str, *arguments: object, **more: Any) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command that ends by itself, such as `doctor`."""
    done = subprocess.run(
        [sys.executable, "-m", "parvis_edge.cli", command, *(str(each) for each in arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
        **more,
    )
    return done.returncode, done.stdout, done.stderr


def finish(process: subprocess.Popen[bytes], within_s: float = 60.0) -> tuple[int, bytes, str]:
    """Exit code, standard output and standard error of a program that ends by itself."""
    out, error = process.communicate(timeout=within_s)
    return process.returncode, out or b"", (error or b"").decode()


if __name__ == "__main__":
    surround()
    eye = {"small": Darkness, "hanging": Hanging}.get(sys.argv.pop(1))
    if eye is not None:
        parvis_edge.unit.default_makers = lambda *_: {"camera": lambda *_: eye(), "microphone": lambda *_: Loudness()}  # type: ignore[assignment]
    app()
