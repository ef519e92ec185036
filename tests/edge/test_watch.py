"""`parvis-edge watch` from outside: what it prints, how it ends, what it refuses."""

from __future__ import annotations

import itertools
import json
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from parvis_contract import Phase, parse_message

from .clips import blinking, grey, write_film, write_sound, write_still
from .program import OPEN_PROFILE, finish, start, write_plan

START = "2026-06-21T18:00:00Z"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    return write_plan(tmp_path)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.mp4", blinking(100), range(0, 4_000, 40))


@pytest.fixture
def bangs(tmp_path: Path) -> Path:
    samples = np.zeros(16_000 * 4, np.float32)
    samples[[8_000, 24_000, 40_000]] = 0.9
    return write_sound(tmp_path / "bangs.wav", samples)


def watch(plan: Path, *arguments: object, **more: Any) -> tuple[int, list[Any], str]:
    code, out, error = finish(start("--site", plan, "--unit", "u001", *arguments, **more))
    return code, [parse_message(line) for line in out.splitlines()], error


def test_a_film_is_judged_to_its_end_and_open_events_end_there(plan: Path, film: Path) -> None:
    code, messages, error = watch(plan, "--video", film, "--start", START, "--stdout")
    assert code == 0, error
    assert [message.data.sequence for message in messages] == list(range(len(messages)))
    starts = [message for message in messages if message.data.phase is Phase.START]
    ends = [message for message in messages if message.data.phase is Phase.END]
    assert [f"{message.time:%S.%f}" for message in starts] == ["00.400000", "01.200000", "02.000000", "02.800000", "03.600000"]
    assert [message.event_id for message in starts] == [message.event_id for message in ends]
    assert f"{ends[-1].time:%S.%f}" == "03.960000"
    assert {message.data.position.uncertainty_m for message in messages} == {40.0}
    assert {message.source for message in messages} == {"urn:parvis:quay:u001"}


def test_the_same_film_says_the_same_bytes_and_another_beginning_other_ids(plan: Path, film: Path, bangs: Path) -> None:
    def said(begin: str) -> bytes:
        arguments = ("--site", plan, "--unit", "u001", "--video", film, "--audio", bangs, "--stdout", "--start", begin)
        code, out, error = finish(start(*arguments))
        assert code == 0, error
        return out

    first, again, later = said(START), said(START), said("2026-06-21T18:00:01Z")
    assert first == again
    assert {json.loads(line)["type"] for line in first.splitlines()} == {"org.parvis.unit.tampered.v1", "org.parvis.sound.impulse.v1"}
    assert not {json.loads(line)["id"] for line in first.splitlines()} & {json.loads(line)["id"] for line in later.splitlines()}


def test_two_senses_speak_in_the_order_of_the_recordings_time(plan: Path, film: Path, bangs: Path) -> None:
    code, messages, error = watch(plan, "--video", film, "--audio", bangs, "--start", START, "--stdout")
    assert code == 0, error
    times = [message.time for message in messages]
    # Sound is judged in blocks of a tenth of a second, at whose beginning it takes its turn.
    assert all((earlier - later).total_seconds() <= 0.1 for earlier, later in itertools.pairwise(times))
    assert [f"{each.time:%S.%f}" for each in messages if each.name == "sound.impulse"] == ["00.500000", "01.500000", "02.500000"]


@pytest.mark.parametrize("name", ["dark.jpg", "dark.png", "dark.webp"])
def test_a_still_picture_is_one_frame(plan: Path, tmp_path: Path, name: str) -> None:
    still = write_still(tmp_path / name, grey(4))
    code, messages, error = watch(plan, "--video", still, "--start", START, "--stdout")
    assert code == 0, error
    assert [message.data.phase for message in messages] == [Phase.START, Phase.END]


def test_the_sound_of_a_film_and_sound_on_standard_input(tmp_path: Path, plan: Path, bangs: Path) -> None:
    with bangs.open("rb") as sound:
        code, messages, error = watch(plan, "--audio", "-", "--start", START, "--stdout", stdin=sound)
    assert code == 0, error
    assert [f"{each.time:%S.%f}" for each in messages] == ["00.500000", "01.500000", "02.500000"]
    raw = tmp_path / "bangs.raw"
    samples = np.zeros(16_000, "<i2")
    samples[4_000] = 30_000
    raw.write_bytes(samples.tobytes())
    with raw.open("rb") as sound:
        code, messages, error = watch(plan, "--audio", "-", "--start", START, "--stdout", stdin=sound)
    assert code == 0, error
    assert [f"{each.time:%S.%f}" for each in messages] == ["00.250000"]


REFUSED = {
    "absent": (["--video", "{folder}/nothing.mp4"], "nothing.mp4: No such file or directory"),
    "a folder": (["--video", "{folder}"], "is a folder"),
    "no such unit": (["--video", "{film}", "--unit", "u009"], "no unit u009; there are u001, u002"),
    "a sense that it has not": (["--video", "{film}", "--unit", "u002"], "this unit has no camera"),
    "nothing to watch": ([], "give --video, --audio or both"),
    "a time without a zone": (["--video", "{film}", "--start", "2026-06-21T18:00:00"], "has no zone"),
    "no time": (["--video", "{film}", "--start", "yesterday"], "not a time"),
    "no address": (["--video", "{film}", "--broker", "hub:many"], "HOST:PORT"),
    "half a certificate": (["--video", "{film}", "--tls-cert", "{film}"], "go together"),
    "a certificate that is not there": (["--video", "{film}", "--tls-ca", "{folder}/ca.pem"], "ca.pem: cannot be read"),
    "a live camera in the laboratory": (
        ["--video", "rtsp://user:secret@127.0.0.1:9/x"],
        ": profile lab allows recorded files only",
    ),
    "sound from a pipe in the laboratory": (["--audio", "-"], ": profile lab allows recorded files only"),
    "a way around the law": (["--video", "concat://{film}"], "no stream is read by concat://"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_before_anything_is_opened(plan: Path, film: Path, case: str) -> None:
    arguments, expected = REFUSED[case]
    given = [argument.format(folder=film.parent, film=film) for argument in arguments]
    reader, writer = os.pipe()
    with os.fdopen(reader) as silent_pipe:
        code, out, error = finish(start("--site", plan, "--unit", "u001", *given, "--stdout", stdin=silent_pipe))
    os.close(writer)
    assert (code, out) == (2, b"")
    assert expected in error
    assert "Traceback" not in error
    assert "secret" not in error


def test_an_expired_profile_starts_nothing(tmp_path: Path, film: Path) -> None:
    plan = write_plan(tmp_path, OPEN_PROFILE.replace("2100-01-01", "2021-01-01"))
    code, messages, error = watch(plan, "--video", film, "--stdout")
    assert (code, messages) == (2, [])
    assert f"{tmp_path / 'profile.yaml'}:6: valid_to is 2021-01-01: profile test is not in force on" in error


def test_what_the_profile_does_not_name_is_not_started_and_said(tmp_path: Path, film: Path) -> None:
    code, _, error = watch(write_plan(tmp_path, OPEN_PROFILE), "--video", film, "--stdout")
    assert code == 0
    refused = {line["type"] for line in map(json.loads, error.splitlines()) if line.get("event", "").startswith("not started")}
    assert {"object.unattended", "crowd.density", "zone.intrusion"} <= refused
    assert "unit.tampered" not in refused


@pytest.mark.parametrize(("option", "content"), [("--video", b""), ("--audio", b"no sound at all" * 1_000)])
def test_what_is_no_recording_is_said_to_be_none(plan: Path, tmp_path: Path, option: str, content: bytes) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    code, messages, error = watch(plan, option, broken, "--stdout")
    assert (code, messages) == (1, [])
    assert "broken.mp4" in error
    assert "is the file whole?" in error
    assert "Traceback" not in error


def test_one_broken_source_does_not_stop_the_other(plan: Path, tmp_path: Path, bangs: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"nothing")
    code, messages, _ = watch(plan, "--video", broken, "--audio", bangs, "--start", START, "--stdout")
    assert code == 1
    assert [message.name for message in messages] == ["sound.impulse"] * 3


def test_stopped_by_a_signal_it_ends_what_is_open(plan: Path, tmp_path: Path) -> None:
    dark = write_film(tmp_path / "dark.mp4", [grey(4)] * 2_000, range(0, 80_000, 40))
    process = start("--site", plan, "--unit", "u001", "--video", dark, "--stdout", "--pace", "real")
    assert process.stdout is not None
    first = parse_message(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    code, out, error = finish(process)
    assert code == 0, error
    last = parse_message(out.splitlines()[-1])
    assert (first.data.phase, last.data.phase) == (Phase.START, Phase.END)
    assert last.event_id == first.id


def test_a_reader_that_goes_away_stops_it(plan: Path, tmp_path: Path) -> None:
    dark = write_film(tmp_path / "dark.mp4", [grey(4)] * 3_000, range(0, 120_000, 40))
    process = start("--site", plan, "--unit", "u001", "--video", dark, "--stdout")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(30) == 1
    assert process.stderr is not None
    error = process.stderr.read().decode()
    process.stderr.close()
    assert "standard output was closed" in error
    assert "Traceback" not in error
