"""Walks from a claim to a certificate, step by step, and says how each went."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding
from parvis_contract import ConfigError, load_site, to_datetime
from parvis_contract.enrolling import ClaimFile
from pydantic import ValidationError

from .asking import NotGiven, authority, enrol
from .identity import Identity, IdentityError, days_left

#: While the hub is away, it is asked again after so long.
AGAIN_S = 10.0


class NotEnrolled(Exception):
    """A step failed; it has been said."""


def read_claim(path: Path) -> ClaimFile:
    """Reads a claim.

    Raises:
        IdentityError: It is not there, or is none.
    """
    try:
        return ClaimFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise IdentityError(f"{path}: {error.strerror}; `parvis-hub fleet claim --write FILE` writes one") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        key = ".".join(map(str, first["loc"])) or "it"
        raise IdentityError(f"{path}: {key}: {first['msg']}; take the file as `parvis-hub fleet claim --write FILE` wrote it") from None


def walk(
    claim: ClaimFile,
    identity: Identity,
    say: Callable[[str], None],
    *,
    again: bool = False,
    wait_s: float = 0.0,
    now_s: Callable[[], float] = time.time,
) -> None:
    """Enrols a unit; may be called again after being ended at any instruction.

    Args:
        claim: What the installer brought.
        identity: Where the identity is to be.
        say: Called with a line for each step.
        again: True takes another identity in the place of one that is in force.
        wait_s: How long to ask again while the hub cannot be reached.
        now_s: POSIX seconds.

    Raises:
        NotEnrolled: A step failed, and has been said with what to do.
    """
    if not again and _is_enrolled(claim, identity, say):
        return
    _step(say, "claim", f"{claim.unit} of {claim.site}, until {claim.expires:%Y-%m-%d %H:%M} UTC")
    if now_s() >= claim.expires.timestamp():
        now = to_datetime(now_s())
        _fail(
            say,
            "clock",
            f"it is {now:%Y-%m-%d %H:%M} UTC here, after the claim's end",
            "if that is right, make a new claim; if not, set the clock",
        )
    until_s = time.monotonic() + wait_s
    while True:
        try:
            _ask(claim, identity, say)
            return
        except NotGiven as error:
            if not error.again or time.monotonic() + AGAIN_S > until_s:
                _fail(say, "hub", str(error), error.advice)
            _step(say, "hub", f"{error}; asked again in {AGAIN_S:.0f} s", outcome="waiting")
            time.sleep(AGAIN_S)
        except (OSError, IdentityError) as error:
            _fail(say, "disk", str(error), f"can {identity.folder} be written to, and is there room?")


def _is_enrolled(claim: ClaimFile, identity: Identity, say: Callable[[str], None]) -> bool:
    try:
        hub, certificate = identity.hub(), identity.certificate()
    except IdentityError:
        return False
    if (hub.site, hub.unit) != (claim.site, claim.unit):
        advice = "--again makes it the claim's; give another --identity to keep both"
        _fail(say, "claim", f"this is {hub.unit} of {hub.site} already, and the claim is for {claim.unit} of {claim.site}", advice)
    if days_left(certificate) < 0:
        return False
    _step(
        say,
        "enrolled",
        f"already: {hub.unit} of {hub.site}, certificate until {certificate.not_valid_after_utc:%Y-%m-%d}; --again enrols anew",
    )
    return True


def _ask(claim: ClaimFile, identity: Identity, say: Callable[[str], None]) -> None:
    ca = authority(claim.hub, claim.ca_sha256)
    _step(say, "hub", f"{claim.hub} answers, and its authority is the claim's ({claim.ca_sha256[:16]}…)")
    certificate, hub, plan = enrol(claim, identity, ca)
    ours = certificate.public_bytes(Encoding.DER)
    _step(say, "certificate", f"{len(ours)} bytes, for a key that was made here, until {certificate.not_valid_after_utc:%Y-%m-%d}")
    identity.keep_hub(ca, hub, plan)
    identity.keep(certificate)
    _step(say, "kept", f"in {identity.folder}; broker {hub.broker}")
    try:
        site = load_site(identity.site_plan)
        _step(say, "site plan", f"{len(site.units)} units; this one is {hub.unit}, with {' and '.join(site.units[hub.unit].senses)}")
    except (ConfigError, KeyError) as error:
        _step(say, "site plan", f"{error}; the unit will not start with it", outcome="look")
    skew_s = datetime.now(UTC) - certificate.not_valid_before_utc
    if skew_s.total_seconds() < 0:
        _step(
            say,
            "clock",
            "this unit's clock is behind the hub's by more than an hour; set it, or nobody will believe the certificate",
            outcome="look",
        )


def _step(say: Callable[[str], None], step: str, said: str, outcome: str = "ok") -> None:
    say(f"{step:<12} {outcome:<8} {said}")


def _fail(say: Callable[[str], None], step: str, said: str, advice: str) -> None:
    _step(say, step, said, outcome="failed")
    say(f"do this: {advice}")
    raise NotEnrolled
