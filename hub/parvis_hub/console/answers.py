"""How the console answers: JSON, and what it says when it refuses."""

from __future__ import annotations

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from .views import View, dump


def refusal(status: int, why: str) -> JSONResponse:
    """An error in one sentence."""
    return JSONResponse({"error": why}, status_code=status)


def answer(view: View) -> Response:
    """A view as JSON."""
    return Response(dump(view), media_type="application/json")


async def body_of(request: Request, most_bytes: int) -> bytes | None:
    """What was sent; None if it is larger than it can be."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            return None
    return body
