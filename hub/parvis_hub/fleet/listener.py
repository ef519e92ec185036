"""The hub's fleet listener (HTTPS): enrol, renew, the site plan, and the repository of signed releases.

None of its addresses asks for a client's certificate: a unit that enrols has none, one that renews signs its request with the key of the
one that it has, a site plan is asked for by its digest, which units are told in a signed command, and all that is in the repository is
signed and public.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.staticfiles import StaticFiles
from parvis_contract import Site
from parvis_contract.base import Sha256
from parvis_contract.enrolling import MOST_REQUEST_BYTES, PREFIX, Enrolled, EnrolRefused, EnrolRequest, RenewRequest
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .authority import Authority, requested_key, signed_by
from .folder import Addresses
from .register import ClaimRefused, Fleet, Refusal
from .serving import PATIENCE_S

_STATUS = dict.fromkeys(Refusal, 403) | {Refusal.USED: 409, Refusal.EXPIRED: 410, Refusal.TOO_SOON: 429}
_PEM = "application/x-pem-file"

log = structlog.get_logger("parvis.hub.fleet")


def create_listener(
    fleet: Fleet,
    authority: Authority,
    site: Site,
    addresses: Addresses,
    *,
    changed: Callable[[], None],
    plans: Path,
    repository: Path | None,
) -> ASGIApp:
    """Makes it.

    Args:
        fleet: The register.
        authority: Whose certificate units look for.
        site: Whose units may enrol.
        addresses: What units are told.
        changed: Called when somebody has been given a certificate.
        plans: Folder of further site plans, each named by its SHA-256 (``<sha256>.yaml``), for units that are told to take one.
        repository: Folder of signed releases; None for none.
    """
    plan = site.path.read_bytes()
    app = FastAPI(title="Parvis fleet", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.add_exception_handler(ClaimRefused, _refused)
    for trouble in (SQLAlchemyError, OSError):
        app.add_exception_handler(trouble, _away)
    app.include_router(_enrolling(fleet, site, addresses, plan, changed), prefix=PREFIX)
    app.include_router(_renewing(fleet), prefix=PREFIX)
    app.include_router(_reading(authority, plan, plans), prefix=PREFIX)
    if repository is not None:
        for part in ("metadata", "targets"):
            # What waits for signatures lies beside them, and is nobody's business yet.
            app.mount(f"{PREFIX}/repository/{part}", StaticFiles(directory=repository / part, check_dir=False))
    return _Bounded(app)


def _enrolling(fleet: Fleet, site: Site, addresses: Addresses, plan: bytes, changed: Callable[[], None]) -> APIRouter:
    router = APIRouter()

    @router.post("/enrol")
    async def enrol(request: Request) -> Response:
        try:
            asked = EnrolRequest.model_validate_json(await request.body())
            key = requested_key(asked.request)
        except ValueError as error:
            return _malformed(error)
        if asked.site != site.site or asked.unit not in site.units:
            # Whether there is such a unit is nobody's business who has no code: the reason is that of a wrong one.
            raise ClaimRefused(Refusal.NO_SUCH_CLAIM, f"{asked.unit} has no claim with this code; is it in the hub's site plan?")
        issued = await run_in_threadpool(fleet.claim, asked.unit, asked.code, key)
        await run_in_threadpool(changed)
        log.info("a unit has enrolled", unit=asked.unit, until=issued.not_valid_after_utc.isoformat())
        certificate = issued.public_bytes(Encoding.PEM).decode("ascii")
        enrolled = Enrolled(certificate=certificate, hub=addresses.hub, broker=addresses.broker, site_plan=plan.decode("utf-8"))
        return Response(enrolled.model_dump_json(), media_type="application/json")

    return router


def _renewing(fleet: Fleet) -> APIRouter:
    router = APIRouter()

    @router.post("/renew")
    async def renew(request: Request) -> Response:
        try:
            asked = RenewRequest.model_validate_json(await request.body())
            current = x509.load_pem_x509_certificate(asked.certificate.encode("ascii"))
            key = requested_key(asked.request)
        except ValueError as error:
            return _malformed(error)
        if not signed_by(current, bytes.fromhex(asked.signature), asked.request.encode("utf-8")):
            raise ClaimRefused(Refusal.NOT_OURS, "the request is not signed with the key of the certificate that it shows")
        issued = await run_in_threadpool(fleet.renew, current, key)
        log.info("a certificate is renewed", serial=str(issued.serial_number), until=issued.not_valid_after_utc.isoformat())
        return Response(issued.public_bytes(Encoding.PEM), media_type=_PEM)

    return router


def _reading(authority: Authority, plan: bytes, plans: Path) -> APIRouter:
    router = APIRouter()
    plan_sha256 = hashlib.sha256(plan).hexdigest()

    @router.get("/ca")
    async def authority_certificate() -> Response:
        return Response(authority.certificate.public_bytes(Encoding.PEM), media_type=_PEM)

    @router.get("/site-plan/{sha256}")
    async def site_plan(sha256: Sha256) -> Response:
        try:
            text = plan if sha256 == plan_sha256 else (plans / f"{sha256}.yaml").read_bytes()
        except OSError:
            raise HTTPException(404) from None
        return Response(text, media_type="application/yaml")

    return router


class _Bounded:
    """Refuses a body that is larger than any that is asked for, before it has been read, and one that does not come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            length = dict(scope["headers"]).get(b"content-length", b"0")
            chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
            if chunked or not length.isdigit() or int(length) > MOST_REQUEST_BYTES:
                await _said(413, "bad_request", f"at most {MOST_REQUEST_BYTES} bytes, and their number")(scope, receive, send)
                return
            if int(length):
                body = await _body(receive)
                if body is None:
                    await _said(408, "bad_request", f"its body did not come within {PATIENCE_S:.0f} s")(scope, receive, send)
                    return
                receive = _again(body, receive)
        await self._app(scope, receive, send)


async def _body(receive: Receive) -> bytes | None:
    """All of a request's body; None if it does not come."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    return None
                parts.append(message.get("body", b""))
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        return None


def _again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that has been read to whoever asks for it, and then what comes."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def told() -> Message:
        return messages.pop() if messages else await receive()

    return told


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClaimRefused)  # noqa: S101 - it is registered for these alone
    log.warning("a unit is refused", reason=error.reason, address=request.client.host if request.client else None)
    return _said(_STATUS[error.reason], error.reason, str(error))


async def _away(_: Request, error: Exception) -> Response:
    log.error("the store cannot be used", reason=str(getattr(error, "orig", None) or error))
    return _said(503, "try_again", "the hub's store cannot be used at the moment; try again in a minute")


def _malformed(error: ValueError) -> Response:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return _said(400, "bad_request", f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
    return _said(400, "bad_request", str(error))


def _said(status: int, reason: str, message: str) -> Response:
    return Response(EnrolRefused(reason=reason, message=message).model_dump_json(), status_code=status, media_type="application/json")
