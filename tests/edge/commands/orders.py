"""Commands as a hub would sign them, and as nobody should obey them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from parvis_contract import (
    AllowlistCommand,
    ConfigCommand,
    ModelRef,
    ReleaseCommand,
    Signature,
    TagRange,
    hub_source,
    make_message,
    to_datetime,
)
from parvis_contract.signing import SigningKey

KEY, STRANGER = SigningKey.make(), SigningKey.make()
NOW_S = datetime(2026, 6, 21, 18, tzinfo=UTC).timestamp()
NO_SIGNATURE = Signature(key="0" * 64, value="0" * 128)


def allowlist(
    counter: int = 7,
    *tags: int,
    unit: str = "u001",
    site: str = "quay",
    key: SigningKey = KEY,
    issued_s: float = NOW_S - 1,
    lasts_s: float = 3600.0,
) -> bytes:
    """A signed list of these tags."""
    spans = tuple(TagRange(first=tag, last=tag) for tag in tags)
    until = to_datetime(issued_s + lasts_s)
    data = AllowlistCommand(unit=unit, counter=counter, expires=until, signature=NO_SIGNATURE, allow=spans)
    return key.sign(make_message("command.allowlist", source=hub_source(site), time=to_datetime(issued_s), data=data))


def configuration(counter: int = 7, sha256: str = "ab" * 32) -> bytes:
    """A signed command to take a site plan."""
    data = ConfigCommand(unit="u001", counter=counter, expires=to_datetime(NOW_S + 60), signature=NO_SIGNATURE, site_plan_sha256=sha256)
    return KEY.sign(make_message("command.config", source=hub_source("quay"), time=to_datetime(NOW_S), data=data))


def release(counter: int = 7, version: str = "1.1.0", sha256: str = "cd" * 32) -> bytes:
    """A signed command to take a model."""
    model = ModelRef(name="nanodet-g-416", version=version)
    data = ReleaseCommand(unit="u001", counter=counter, expires=to_datetime(NOW_S + 60), signature=NO_SIGNATURE, model=model, sha256=sha256)
    return KEY.sign(make_message("command.release", source=hub_source("quay"), time=to_datetime(NOW_S), data=data))


def changed(raw: bytes, *path: str, to: Any) -> bytes:
    """A command with one field changed after it was signed."""
    value = json.loads(raw)
    within = value
    for part in path[:-1]:
        within = within[part]
    within[path[-1]] = to
    return json.dumps(value, separators=(",", ":")).encode()
