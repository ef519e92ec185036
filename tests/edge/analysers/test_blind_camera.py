"""A camera that sees nothing but tags that throw light back."""

from __future__ import annotations

import pytest
from parvis_contract import Site, StatusReason, UnitState
from parvis_contract.site import Tags
from parvis_edge.analysers.blind_camera import BlindCameraSense
from parvis_edge.perception import Frame, TagSeen
from parvis_edge.plan import default_makers

from tests.edge.analysers.watching import plan
from tests.edge.vision.rendered import BEGAN_S, PERSON, Street
from tests.edge.vision.test_darkness import dark

ALLOWED = frozenset({"tag.sighting", "flow.count", "unit.tampered"})


def blind_site() -> Site:
    return plan().model_copy(update={"tags": Tags(size_m=0.4, retro_reflective=True)})


def sense(allowed: frozenset[str] = ALLOWED) -> BlindCameraSense:
    return BlindCameraSense(blind_site(), "u1", allowed, lambda: frozenset({0, 1}))


def test_allowed_tags_on_black_are_told_and_no_other() -> None:
    told = sense().process(Frame(BEGAN_S, dark(tags=4)))
    assert sorted(each.tag for each in told if isinstance(each, TagSeen)) == [0, 1]
    assert len(told) == 2


def test_a_picture_that_is_not_dark_is_not_read_and_that_is_told() -> None:
    camera = sense()
    street = Street().picture([(300.0, 100.0, 360.0, 300.0, PERSON)])
    street[60:100, 40:80] = dark()[60:100, 40:80]
    assert camera.process(Frame(BEGAN_S, street)) == []
    assert camera.ailment is StatusReason.NOT_DARK
    assert camera.analysed == 0
    # As soon as it is dark again, it reads.
    assert [each.tag for each in camera.process(Frame(BEGAN_S + 1, dark())) if isinstance(each, TagSeen)] == [0]
    assert camera.ailment is None


def test_nothing_is_read_that_the_profile_does_not_allow() -> None:
    assert sense(frozenset({"flow.count"})).process(Frame(BEGAN_S, dark())) == []


def test_a_blind_site_has_no_other_camera() -> None:
    camera = default_makers(lambda: frozenset({0}))["camera"](blind_site(), "u1", ALLOWED)
    assert isinstance(camera, BlindCameraSense)


def test_an_exposure_without_reflecting_tags_is_refused() -> None:
    with pytest.raises(ValueError, match="retro_reflective"):
        Tags(size_m=0.4, exposure_us=100.0)


def test_the_unit_says_that_it_is_degraded() -> None:
    from parvis_contract import SenseStatus, StreamState
    from parvis_edge.delivery.report import unit_state

    healthy = {"camera": SenseStatus(state=StreamState.HEALTHY)}
    assert unit_state(healthy, [StatusReason.NOT_DARK], started=True) == (UnitState.DEGRADED, StatusReason.NOT_DARK)
