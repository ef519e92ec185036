"""No malformed message is accepted, and none raises anything but Refused."""

from __future__ import annotations

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parvis_contract import Refused, parse_message

from tests.contract.fuzz import BREAKERS, malformed, malformed_with_kind


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_malformed_messages_are_refused_with_a_reason(seed: int) -> None:
    for kind, raw in islice(malformed_with_kind(seed), 2_000):
        refusal = _refusal(kind, raw)
        assert refusal.reason, kind
        assert refusal.detail, kind


def _refusal(kind: str, raw: bytes) -> Refused:
    """Anything else than Refused goes through, and fails the test."""
    try:
        message = parse_message(raw)
    except Refused as refused:
        return refused
    pytest.fail(f"{kind} was accepted: {raw[:500]!r} as {message!r}")


def test_the_fuzzer_breaks_in_every_way_and_the_same_for_the_same_seed() -> None:
    drawn = list(islice(malformed_with_kind(5), 3_000))
    assert {kind for kind, _ in drawn} == {breaker.__name__[1:] for breaker in BREAKERS}
    assert [raw for _, raw in drawn] == list(islice(malformed(5), 3_000))


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=2_000) | st.text(max_size=500).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_refused(raw: bytes) -> None:
    with pytest.raises(Refused):
        parse_message(raw)
