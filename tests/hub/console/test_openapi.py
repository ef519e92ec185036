"""Whatever is asked, by the OpenAPI document or against it: the console answers, refuses in one sentence, and never fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import httpx
import pytest
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from parvis_hub.governance import Role
from schemathesis import Case
from schemathesis.core import NOT_SET
from schemathesis.generation import GenerationMode

from tests.hub.console.test_access import Room

#: For each address and way of asking.
EXAMPLES = 5
#: It never ends, and has tests of its own.
ENDLESS = "/api/events"
#: What an answer may be: given, gone elsewhere, refused, or not now.
ANSWERS = {200, 303, 401, 403, 404, 405, 413, 415, 422, 429}


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    made = Room(tmp_path_factory.mktemp("room"))
    yield made
    made.hub.close()


BOUNDED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def ask(client: TestClient, case: Case) -> httpx.Response:
    shown = case.as_transport_kwargs(base_url="http://127.0.0.1")
    body = None if case.body is NOT_SET else shown.get("json")
    query = {name: str(value) for name, value in (shown.get("params") or {}).items() if value is not None}
    headers = {name: value for name, value in shown["headers"].items() if name.lower() not in {"user-agent", "content-type"}}
    return client.request(shown["method"], shown["url"], params=query, headers=headers | {"content-type": "application/json"}, json=body)


@pytest.mark.parametrize("role", [None, Role.SUPERVISOR])
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_question_makes_the_console_fail(room: Room, role: Role | None, mode: GenerationMode) -> None:
    # A supervisor may everything. What fails is raised here, rather than answered with 500.
    client = room.client(role)
    client.follow_redirects = False
    document = schemathesis.openapi.from_dict(room.app.openapi())
    asked = 0
    for found in document.get_all_operations():
        operation = found.ok()
        if operation.path == ENDLESS or (role and (operation.method.upper(), operation.path) == ("DELETE", "/api/session")):
            continue

        @BOUNDED
        @given(case=operation.as_strategy(generation_mode=mode))
        def answered(case: Case) -> None:
            nonlocal asked
            asked += 1
            if role and "id" in case.path_parameters and mode is GenerationMode.POSITIVE:
                # So that what is asked gets as far as an incident that there is.
                case.path_parameters["id"] = room.incident
            answer = ask(client, case)
            assert answer.status_code in ANSWERS, answer.text
            if answer.status_code >= 400 and answer.headers["content-type"] == "application/json":
                assert answer.json().keys() in ({"error"}, {"detail"})

        # What takes nothing cannot be asked wrongly.
        with contextlib.suppress(Unsatisfiable):
            answered()
    assert asked > 50


OTHERWISE = ["/api/incidents", "/api/consents", "/api/session/../incidents", "//api/incidents", "/api/incidents/%00", "/api/%2e%2e/"]


@pytest.mark.parametrize("path", OTHERWISE)
def test_an_address_that_is_written_otherwise_opens_no_more(room: Room, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"):
        answer = room.client().request(method, path, headers={"content-type": "application/json"})
        assert answer.status_code in {401, 403, 404, 405}, (method, answer.status_code)
        assert room.incident not in answer.text


def test_the_document_says_what_each_address_takes(room: Room) -> None:
    document = room.app.openapi()
    for path, methods in document["paths"].items():
        if "post" in methods:
            [(kind, body)] = methods["post"]["requestBody"]["content"].items()
            assert "$ref" not in str(body), path
            # What a provider sends may have more in it, which is passed over.
            assert kind == "application/json" or path == "/api/session/openid/logout"
            assert kind != "application/json" or body["schema"]["additionalProperties"] is False, path
