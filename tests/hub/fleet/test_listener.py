from __future__ import annotations

import hashlib
import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from parvis_contract.enrolling import MOST_REQUEST_BYTES, PREFIX
from parvis_edge.enrolment.identity import signing_request
from parvis_hub.fleet import listener, serving
from parvis_hub.fleet.authority import new_key

from tests.hub.fleet.town import SITE, Town


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    town = Town.build(tmp_path_factory.mktemp("town"))
    (town.path / "plans").mkdir()
    (town.path / "repository" / "metadata").mkdir(parents=True)
    (town.path / "repository" / "metadata" / "1.root.json").write_bytes(bytes(range(256)))
    with town.listening(town.path / "repository"):
        yield town
    town.database.close()


@pytest.fixture
def client(town: Town) -> Iterator[httpx.Client]:
    context = ssl.create_default_context(cafile=str(town.folder.path / "ca.pem"))
    with httpx.Client(base_url=f"https://localhost:{town.hub_port}{PREFIX}", verify=context, timeout=60) as client:
        yield client


def _asked(town: Town, **other: object) -> dict[str, object]:
    return {
        "site": "vieux-port",
        "unit": "u017",
        "code": other.get("code") or town.claim().code,
        "request": signing_request(new_key(), "u017"),
    } | other


def _rsa_request() -> str:
    key = rsa.generate_private_key(65_537, 2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "u017")])
    return x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _of_another_key() -> str:
    lines = signing_request(new_key(), "u017").splitlines()
    middle = len(lines) // 2
    lines[middle] = lines[middle][::-1]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("other", "status"),
    [
        ({"request": "no request"}, 400),
        ({"request": _of_another_key()}, 400),
        ({"request": _rsa_request()}, 400),
        ({"request": ""}, 400),
        ({"code": ""}, 400),
        ({"code": "x" * 65}, 400),
        ({"unit": "../u017"}, 400),
        ({"unit": "u018"}, 403),
        ({"unit": "u999"}, 403),
        ({"site": "elsewhere"}, 403),
        ({"code": "00000-00000-00000-00000"}, 403),
        ({"more": 1}, 400),
    ],
)
def test_what_is_no_enrolment_gets_none_and_the_claim_still_counts(
    town: Town, client: httpx.Client, other: dict[str, object], status: int
) -> None:
    asked = _asked(town)
    answer = client.post("/enrol", json=asked | other)
    assert answer.status_code == status, answer.text
    assert set(answer.json()) == {"reason", "message"}
    assert client.post("/enrol", json=asked).status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"site": 1}', b"\xff\xfe", b'{"site":"a","site":"b"}'])
def test_bodies_that_are_none(client: httpx.Client, body: bytes) -> None:
    for path in ("/enrol", "/renew"):
        assert client.post(path, content=body).status_code == 400


def test_a_large_or_endless_body_is_not_read(client: httpx.Client) -> None:
    assert client.post("/enrol", content=bytes(MOST_REQUEST_BYTES + 1)).status_code == 413
    assert client.post("/enrol", content=iter([b"{"] * 10)).status_code == 413


def test_a_unit_that_is_not_in_the_plan_is_answered_as_one_with_a_wrong_code(town: Town, client: httpx.Client) -> None:
    answers = [client.post("/enrol", json=_asked(town, unit=unit, code="0" * 20)).json()["reason"] for unit in ("u018", "u999")]
    assert answers == ["no_such_claim"] * 2


def test_a_certificate_is_renewed_for_whoever_holds_its_key(town: Town, client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    # Another day than that on which all others here have enrolled.
    monkeypatch.setattr(town.clock, "ahead", timedelta(days=2))
    key, other, next_key = new_key(), new_key(), new_key()
    code = town.claim("u017", timedelta(days=3)).code
    certificate = client.post("/enrol", json=_asked(town, code=code, request=signing_request(key, "u017"))).json()["certificate"]
    request = signing_request(next_key, "u017")

    def ask(signer: ec.EllipticCurvePrivateKey, signed: str) -> httpx.Response:
        signature = signer.sign(signed.encode(), ec.ECDSA(hashes.SHA256())).hex()
        return client.post("/renew", json={"certificate": certificate, "request": request, "signature": signature})

    assert ask(other, request).status_code == 403
    assert ask(key, "another request").status_code == 403
    given = ask(key, request)
    assert given.status_code == 200
    assert x509.load_pem_x509_certificate(given.content).public_key() == next_key.public_key()


def test_a_site_plan_is_had_by_its_digest(town: Town, client: httpx.Client) -> None:
    further = SITE.replace("[camera]", "[camera, microphone]").encode()
    digests = [hashlib.sha256(plan).hexdigest() for plan in (SITE.encode(), further)]
    (town.path / "plans" / f"{digests[1]}.yaml").write_bytes(further)
    assert [client.get(f"/site-plan/{digest}").content for digest in digests] == [SITE.encode(), further]
    assert client.get(f"/site-plan/{'0' * 64}").status_code == 404
    for path in ("..%2Fsite", "%2e%2e/site", f"{'0' * 63}/", "site"):
        assert client.get(f"/site-plan/{path}").status_code in {404, 422}


def test_the_repository_is_served_in_parts_and_nothing_beside_it(town: Town, client: httpx.Client) -> None:
    part = client.get("/repository/metadata/1.root.json", headers={"range": "bytes=200-"})
    assert (part.status_code, part.content) == (206, bytes(range(200, 256)))
    (town.path / "secret").write_text("x")
    (town.path / "repository" / "pending").mkdir()
    (town.path / "repository" / "pending" / "targets.json").write_text("what waits for signatures")
    for path in ("../secret", "%2e%2e/secret", "..%2Fsecret", "metadata/../../secret", "/etc/passwd", "pending/targets.json"):
        assert client.get(f"/repository/{path}").status_code == 404


@pytest.fixture
def impatient(town: Town, monkeypatch: pytest.MonkeyPatch) -> Town:
    """The listener of a hub with less time and fewer places."""
    for module in (listener, serving):
        monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    monkeypatch.setattr(serving, "MOST_OF_ONE", 8)
    return town


@pytest.mark.parametrize(
    "said",
    [b"", b"GET /fleet/v1/ca HTTP/1.1\r\nHo", b"POST /fleet/v1/enrol HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_whoever_only_holds_connections_open_is_let_go_and_is_in_nobodys_way(said: bytes, impatient: Town, client: httpx.Client) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(_connection(impatient)) for _ in range(7)]
        for each in held:
            each.sendall(said)
        assert client.get("/ca").status_code == 200
        for each in held:
            while each.recv(65_536):
                pass


def test_one_address_does_not_take_all_places(impatient: Town) -> None:
    with ExitStack() as stack:
        held = [stack.enter_context(_connection(impatient)) for _ in range(9)]
        held[8].settimeout(0.4)
        assert held[8].recv(100) == b"", "the one too many is let go before the others"
        held[0].settimeout(0.0)
        with pytest.raises(ssl.SSLWantReadError):
            held[0].recv(100)


def _connection(town: Town) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(town.folder.path / "ca.pem"))
    plain = socket.create_connection(("localhost", town.hub_port), timeout=20)
    return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True)


def test_there_is_no_other_address(client: httpx.Client) -> None:
    for path in ("/docs", "/openapi.json", "/enrol", "/"):
        assert client.get(path).status_code in {404, 405}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_listener_speaks_no_old_tls(town: Town) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(town.folder.path / "ca.pem")
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(httpx.ConnectError), httpx.Client(verify=context) as client:
        client.get(f"https://localhost:{town.hub_port}{PREFIX}/ca")
