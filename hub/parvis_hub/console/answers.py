"""How the console answers: JSON, and what it says when it refuses."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from .views import View, dump


def refusal(status: int, why: str) -> JSONResponse:
    """An error in one sentence."""
    return JSONResponse({"error": why}, status_code=status)


def no_store(_request: Request, _error: Exception) -> JSONResponse:
    """What is answered while the store cannot be used; the log says why."""
    return refusal(503, "the hub cannot use its store; ask again in a moment")


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


def takes(model: type[BaseModel]) -> dict[str, Any]:
    """What an address takes, for the OpenAPI document; it reads the body itself, so that no more is read than it can be."""
    schema = model.model_json_schema()
    named = schema.pop("$defs", {})

    def inlined(part: Any) -> Any:
        if isinstance(part, list):
            return [inlined(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return inlined(named[part["$ref"].rpartition("/")[2]])
        return {name: inlined(value) for name, value in part.items()}

    return {"requestBody": {"required": True, "content": {"application/json": {"schema": inlined(schema)}}}}
