from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np
import pytest
from parvis_contract import (
    Clock,
    ClockSource,
    Measure,
    ModelRef,
    ObjectClass,
    ObjectUnattended,
    Phase,
    Position,
    SoundImpulse,
    UnitTampered,
    dump_message,
    parse_message,
)
from parvis_contract.measures import ImpulseClass, TamperCause
from parvis_edge.delivery.messages import JudgementError, Messenger, Speaker, ended, numbered
from parvis_edge.perception import Counted, Judgement, PlateMade, TagSeen

CLOCK = Clock(source=ClockSource.NTP, uncertainty_ms=3.0)
OWN = Position(lon=5.0, lat=43.0, uncertainty_m=40.0)
DETECTOR = ModelRef(name="nanodet-g-416", version="1.0.0")
PROGRAM = ModelRef(name="parvis-edge", version="0.1.0")
START = 1_782_000_000.0


def messenger(recording: str | None = None) -> Messenger:
    return Messenger(Speaker("quay", "u001", OWN, PROGRAM, 10, recording), {DETECTOR.name: DETECTOR})


def judgement(phase: Phase, key: Any = 7, **other: Any) -> Judgement:
    measure: Measure = ObjectUnattended(dwell_s=61.0, area_m2=0.2, nearest_person_m=None)
    given = {"type": "object.unattended", "time_s": START, "confidence": 0.87, "measure": measure, "model": DETECTOR.name} | other
    return Judgement(phase=phase, key=key, **given)


def bang(**other: Any) -> Judgement:
    measure = SoundImpulse(sound_class=ImpulseClass.GUNSHOT, lcpeak_db=120.0, onset_uncertainty_ms=2.0)
    return judgement(Phase.INSTANT, **({"type": "sound.impulse", "measure": measure} | other))


def test_the_life_of_an_event() -> None:
    speak = messenger()
    begun, later, over = (speak.message("camera", judgement(phase), CLOCK) for phase in (Phase.START, Phase.UPDATE, Phase.END))
    assert begun.data.event == later.data.event == over.data.event == begun.id
    assert len({begun.id, later.id, over.id}) == 3
    assert begun.data.position == OWN
    assert begun.data.model == DETECTOR
    assert begun.source == "urn:parvis:quay:u001"
    again = speak.message("camera", judgement(Phase.START), CLOCK)
    assert again.data.event not in (None, begun.id)


def test_events_with_other_keys_senses_and_types_are_others() -> None:
    speak = messenger()
    tampered = {"type": "unit.tampered", "measure": UnitTampered(cause=TamperCause.DARK), "model": None}
    started = [
        speak.message("camera", judgement(Phase.START), CLOCK),
        speak.message("camera", judgement(Phase.START, key=("zone", 8)), CLOCK),
        speak.message("camera", judgement(Phase.START, **tampered), CLOCK),
        speak.message("microphone", judgement(Phase.START, **tampered), CLOCK),
    ]
    assert len({message.event_id for message in started}) == 4
    assert started[2].data.model == PROGRAM


def test_a_known_place_is_said() -> None:
    place = Position(lon=5.1, lat=43.1, uncertainty_m=1.4)
    assert messenger().message("camera", judgement(Phase.START, position=place), CLOCK).data.position == place


WRONG = {
    "an end of nothing": [judgement(Phase.END)],
    "an update of nothing": [judgement(Phase.UPDATE)],
    "a second start": [judgement(Phase.START), judgement(Phase.START)],
    "an update after the end": [judgement(Phase.START), judgement(Phase.END), judgement(Phase.UPDATE)],
    "an instant of what lasts": [judgement(Phase.INSTANT)],
    "a start of an instant": [judgement(Phase.START, type="sound.impulse", measure=bang().measure)],
    "another type's measure": [judgement(Phase.START, measure=UnitTampered(cause=TamperCause.DARK))],
    "no such type": [judgement(Phase.START, type="person.suspicious")],
    "no such model": [judgement(Phase.START, model="other")],
    "too sure": [judgement(Phase.START, confidence=1.2)],
    "no time": [judgement(Phase.START, time_s=float("nan"))],
    "an endless time": [judgement(Phase.START, time_s=float("inf"))],
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_a_message_is_an_error_and_changes_nothing(case: str) -> None:
    *before, last = WRONG[case]
    for recording in (None, "film"):
        speak = messenger(recording)
        for each in before:
            speak.message("camera", each, CLOCK)
        with pytest.raises(JudgementError):
            speak.message("camera", last, CLOCK)
        assert len(speak._open) == (1 if case == "a second start" else 0)


def test_a_recording_judged_again_says_the_same() -> None:
    judged = [judgement(Phase.START), bang(), bang(), judgement(Phase.UPDATE, time_s=START + 1), judgement(Phase.END, time_s=START + 2)]

    def said(recording: str | None) -> list[bytes]:
        speak = messenger(recording)
        return [dump_message(numbered(speak.message("s", each, CLOCK), index)) for index, each in enumerate(judged)]

    assert said("film") == said("film")
    assert not set(said("film")) & set(said("other film"))
    assert not set(said(None)) & set(said(None))
    assert len(set(said("film"))) == len(judged)


def test_a_key_leaves_no_trace() -> None:
    """Other keys, same bytes: nothing that tells tracks apart inside a unit can be read from a message."""

    def said(key: Any) -> bytes:
        return dump_message(messenger("film").message("camera", judgement(Phase.START, key=key), CLOCK))

    assert said(1) == said(2) == said("track-17") == said(("a", 3.5))


def test_an_event_cut_short_is_ended_at_the_last_that_is_known() -> None:
    speak = messenger()
    begun = speak.message("camera", judgement(Phase.START), CLOCK)
    last = speak.message("camera", judgement(Phase.UPDATE, time_s=START + 5), CLOCK)
    (over,) = speak.end_all("camera")
    assert (over.data.phase, over.event_id, over.time) == (Phase.END, begun.id, last.time)
    assert over.data.measure == last.data.measure
    assert ended(last).id == over.id
    assert speak.end_all("camera") == []
    with pytest.raises(JudgementError):
        speak.message("camera", judgement(Phase.END), CLOCK)


def test_a_tag_and_a_count_become_messages_of_their_own() -> None:
    teller = messenger("film")
    sighting = teller.message("camera", TagSeen(START, 17, None), CLOCK)
    assert (sighting.name, sighting.data.tag, sighting.data.position) == ("tag.sighting", 17, OWN)
    count = teller.message("camera", Counted(START, 60.0, "square", ObjectClass.PERSON, 25, 3), CLOCK)
    assert (count.name, count.data.entered, count.data.left) == ("flow.count", 25, "<10")
    assert messenger("film").message("camera", TagSeen(START, 17, None), CLOCK).id == sighting.id


def test_a_plate_is_about_the_event_that_is_open() -> None:
    speak = messenger("a recording")
    webp = cv2.imencode(".webp", np.full((36, 64, 3), 127, np.uint8))[1].tobytes()
    plate = PlateMade(START + 61, "object.unattended", 7, webp)
    with pytest.raises(JudgementError, match="not open"):
        speak.message("camera", plate, CLOCK)
    begun = speak.message("camera", judgement(Phase.START), CLOCK)
    said = speak.message("camera", plate, CLOCK)
    assert said.data.event == begun.id
    assert said.data.about == "object.unattended"
    assert parse_message(dump_message(numbered(said, 3))).data.webp_base64 == base64.b64encode(webp).decode()
    with pytest.raises(JudgementError, match="WebP"):
        speak.message("camera", PlateMade(START + 61, "object.unattended", 7, b"no picture"), CLOCK)
