"""How long somebody who guesses must wait: pure, the time comes in with the call."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Rule:
    """When waiting begins, and where it ends.

    Attributes:
        free: So many failures cost nothing.
        longest_s: Each further one doubles the wait, from a second up to this.
    """

    free: int
    longest_s: float

    def wait_s(self, failures: int) -> float:
        """After so many failures in a row."""
        return 0.0 if failures < self.free else min(2.0 ** min(failures - self.free, 30), self.longest_s)


#: Of one address for one account: 5 minutes at most. That is 290 guesses a day, against passwords of 12 characters and more.
PAIR = Rule(free=5, longest_s=300.0)
#: Of one address for any account: one guess a second. Not longer, since the rest of a control room may sit behind the same address.
ADDRESS = Rule(free=30, longest_s=1.0)
#: Failures are forgotten this long after the last, and the oldest where there are more than this.
FORGOTTEN_S = 3_600.0
MOST = 10_000


class Attempts:
    """Counts failures by address, and by address and account: never by account alone, so that no stranger locks somebody out."""

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str | None], tuple[int, float]] = OrderedDict()

    def wait_s(self, address: str, name: str, now_s: float) -> float:
        """How long this address must wait before it may try this account; 0 if it need not."""
        return max(0.0, *(self._until_s(key, rule, now_s) - now_s for key, rule in _keys(address, name)))

    def failed(self, address: str, name: str, now_s: float) -> None:
        """Notes a failure."""
        for key, _ in _keys(address, name):
            count, _last_s = self._known(key, now_s)
            self._failures[key] = (count + 1, now_s)
            self._failures.move_to_end(key)
        while len(self._failures) > MOST:
            self._failures.popitem(last=False)

    def succeeded(self, address: str, name: str) -> None:
        """Forgets the failures of this address for this account."""
        self._failures.pop((network(address), name), None)

    def _known(self, key: tuple[str, str | None], now_s: float) -> tuple[int, float]:
        count, last_s = self._failures.get(key, (0, now_s))
        return (count, last_s) if now_s - last_s < FORGOTTEN_S else (0, now_s)

    def _until_s(self, key: tuple[str, str | None], rule: Rule, now_s: float) -> float:
        count, last_s = self._known(key, now_s)
        return last_s + rule.wait_s(count)


def _keys(address: str, name: str) -> tuple[tuple[tuple[str, str | None], Rule], ...]:
    where = network(address)
    return ((where, name), PAIR), ((where, None), ADDRESS)


def network(address: str) -> str:
    """An address as it is counted: of IPv6 its /64, the smallest that one customer has."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ipaddress.ip_network((parsed, 64), strict=False))
