"""Whoever guesses waits ever longer; nobody else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from parvis_hub.accounts import Attempts
from parvis_hub.accounts.limits import ADDRESS, FORGOTTEN_S, MOST, PAIR, network


@pytest.mark.parametrize(("failures", "wait_s"), [(0, 0), (4, 0), (5, 1), (6, 2), (9, 16), (13, 256), (14, 300), (10_000, 300)])
def test_each_failure_more_doubles_the_wait_up_to_a_limit(failures: int, wait_s: float) -> None:
    assert PAIR.wait_s(failures) == wait_s


def test_an_address_waits_after_its_failures_until_the_wait_is_over() -> None:
    attempts = Attempts()
    for _ in range(6):
        attempts.failed("192.0.2.1", "a-martin", 100.0)
    assert attempts.wait_s("192.0.2.1", "a-martin", 100.5) == 1.5
    assert attempts.wait_s("192.0.2.1", "a-martin", 102.0) == 0.0
    attempts.succeeded("192.0.2.1", "a-martin")
    assert attempts.wait_s("192.0.2.1", "a-martin", 100.5) == 0.0


@given(st.lists(st.sampled_from(["192.0.2.1", "2001:db8::1"]), max_size=300))
def test_no_number_of_failures_elsewhere_keeps_an_address_out(addresses: list[str]) -> None:
    attempts = Attempts()
    for address in addresses:
        attempts.failed(address, "a-martin", 0.0)
    assert attempts.wait_s("198.51.100.7", "a-martin", 0.0) == 0.0


def test_who_tries_many_names_from_one_address_is_slowed_down_and_never_by_more_than_a_second() -> None:
    attempts = Attempts()
    for number in range(1_000):
        attempts.failed("192.0.2.1", f"user-{number}", 0.0)
    assert attempts.wait_s("192.0.2.1", "a-martin", 0.0) == ADDRESS.longest_s == 1.0


def test_an_hour_later_it_is_forgotten() -> None:
    attempts = Attempts()
    for _ in range(50):
        attempts.failed("192.0.2.1", "a-martin", 0.0)
    attempts.failed("192.0.2.1", "a-martin", FORGOTTEN_S)
    assert attempts.wait_s("192.0.2.1", "a-martin", FORGOTTEN_S) == 0.0


def test_memory_is_bounded() -> None:
    attempts = Attempts()
    for number in range(MOST):
        attempts.failed(f"address-{number}", "a-martin", 0.0)
    assert len(attempts._failures) == MOST


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"), ("", ""), ("testclient", "testclient")],
)
def test_of_ipv6_a_customers_whole_network_counts_as_one(address: str, counted_as: str) -> None:
    assert network(address) == counted_as
