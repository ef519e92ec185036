"""How the console answers: JSON, and what it says when it refuses."""

from __future__ import annotations

from fastapi import Response
from fastapi.responses import JSONResponse

from .views import View, dump


def refusal(status: int, why: str) -> JSONResponse:
    """An error in one sentence."""
    return JSONResponse({"error": why}, status_code=status)


def answer(view: View) -> Response:
    """A view as JSON."""
    return Response(dump(view), media_type="application/json")
