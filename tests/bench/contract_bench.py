"""The contract: how fast messages are read, checked and written, and what becomes of a flood of malformed ones."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from parvis_contract import EVENT_TYPES, Refused, dump_message, dump_unchecked, parse_message

from tests.bench.report import Row
from tests.contract.examples import example
from tests.contract.fuzz import malformed

MESSAGES = 20_000
MALFORMED = 100_000


def rows() -> Iterator[Row]:
    """Measures."""
    names = sorted(EVENT_TYPES)
    raws = [json.dumps(example(names[at % len(names)]), separators=(",", ":")).encode() for at in range(MESSAGES)]
    bare = rate(json.loads, raws)
    yield Row("read and checked strictly", rate(parse_message, raws), "messages/s", "json.loads alone", bare)
    messages = [parse_message(raw) for raw in raws]
    yield Row(
        "written and read back, as a unit does", rate(dump_message, messages), "messages/s", "written alone", rate(dump_unchecked, messages)
    )
    yield refused()


def rate(do: Callable[[Any], object], values: Sequence[object]) -> float:
    """How many of the values a second."""
    begun_s = time.perf_counter()
    for value in values:
        do(value)
    return len(values) / (time.perf_counter() - begun_s)


def refused() -> Row:
    """100,000 malformed messages: each must be refused, and nothing else may come of it."""
    count = 0
    for raw in islice(malformed(7), MALFORMED):
        try:
            parse_message(raw)
        except Refused:
            count += 1
    return Row(f"of {MALFORMED:,} malformed messages refused with a reason", count, "messages", "all", MALFORMED, "all", count == MALFORMED)
