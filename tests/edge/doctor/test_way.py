"""The way to a real broker, broken in each of its ways: the first failure is the right one, and so is what to do."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from parvis_contract import parse_message
from parvis_edge.delivery.connection import Broker as Address
from parvis_edge.delivery.connection import Connection
from parvis_edge.doctor.certificates import own_certificate
from parvis_edge.doctor.finding import Finding, Outcome, first_failure
from parvis_edge.doctor.walk import Examination, examine

from tests.broker import Broker, Subscriber, free_port
from tests.edge.calibration.scene import make_site

from .authority import Authority

UNIT = "u001"
NETWORK = ("dns", "tcp", "tls", "mqtt", "publish")
ACL = "user reader\ntopic readwrite #\npattern write parvis/v1/quay/%u/telemetry\npattern read parvis/v1/quay/%u/command\n"


@dataclass
class Certificates:
    """What the tests show each other."""

    authority: Authority
    other: Authority
    broker: tuple[Path, Path]
    ended: tuple[Path, Path]
    elsewhere: tuple[Path, Path]
    unit: tuple[Path, Path]
    neighbour: tuple[Path, Path]
    stranger: tuple[Path, Path]
    old: tuple[Path, Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    authority, other = Authority(folder / "one"), Authority(folder / "other", "another authority")
    return Certificates(
        authority,
        other,
        broker=authority.issue("broker"),
        ended=authority.issue("broker", days=-3),
        elsewhere=authority.issue("elsewhere", names="DNS:hub.example"),
        unit=authority.issue(UNIT),
        neighbour=authority.issue("u002"),
        stranger=other.issue(UNIT),
        old=authority.issue(UNIT, days=-3),
    )


def _tls(chain: tuple[Path, Path], authority: Authority, acl: str = ACL, *, ask: bool = True) -> tuple[str, dict[str, str]]:
    """Settings and files of a broker that speaks TLS."""
    files = {
        "ca.pem": authority.certificate.read_text(),
        "broker.pem": chain[0].read_text(),
        "broker.key": chain[1].read_text(),
        "acl": acl,
    }
    settings = "cafile {folder}/ca.pem\ncertfile {folder}/broker.pem\nkeyfile {folder}/broker.key\n"
    settings += "require_certificate true\nuse_identity_as_username true\nallow_anonymous false\nacl_file {folder}/acl\n" if ask else ""
    return f"user root\n{settings}", files


@pytest.fixture(scope="module")
def secure(mosquitto: Path, made: Certificates) -> Iterator[Broker]:
    with Broker(mosquitto, *_tls(made.broker, made.authority)) as broker:
        yield broker


@pytest.fixture(scope="module")
def plain(mosquitto: Path) -> Iterator[Broker]:
    with Broker(mosquitto) as broker:
        yield broker


def _walk(folder: Path, unit: str, address: Address) -> dict[str, Finding]:
    """The rows of a walk that has neither camera nor microphone, by step."""
    rows, _ = examine(Examination(make_site(folder / "plan"), unit, None, None, address, folder / "data"), lambda _: None)
    return {row.step: row for row in rows}


def walk(folder: Path, port: int, *, host: str = "127.0.0.1") -> dict[str, Finding]:
    """Without TLS."""
    return _walk(folder, "u002", Address(host, port))


def walk_unit(
    folder: Path, port: int, made: Certificates, chain: tuple[Path | None, Path | None] | None, *, ca: Path | None = None
) -> dict[str, Finding]:
    """With TLS."""
    return _walk(folder, UNIT, Address("127.0.0.1", port, ca or made.authority.certificate, *(chain or (None, None))))


def broken(rows: dict[str, Finding], step: str) -> Finding:
    """The row of the network's first failure, which must be this one."""
    first = first_failure(rows[each] for each in NETWORK)
    assert first is not None
    assert first.step == step, first
    assert all(rows[each].outcome is Outcome.SKIPPED for each in NETWORK[NETWORK.index(step) + 1 :]), rows
    return first


def test_all_the_way_over_tls(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    rows = walk_unit(tmp_path, secure.port, made, made.unit)
    assert [rows[step].outcome for step in NETWORK] == [Outcome.OK] * 5, rows
    shown = rows["tls"].measured
    assert shown["broker"]["names"] == ["localhost", "127.0.0.1"]
    assert (shown["broker"]["common_name"], shown["broker"]["issuer"]) == ("broker", "test authority")
    assert shown["own"]["common_name"] == UNIT
    assert rows["mqtt"].measured["connack"] == "Success"
    assert rows["publish"].measured["topic"] == f"parvis/v1/quay/{UNIT}/telemetry"


def test_what_is_published_is_of_the_contract_true_and_not_retained(tmp_path: Path, plain: Broker) -> None:
    with Subscriber(plain.port, name="hub") as hub:
        rows = walk(tmp_path, plain.port)
        assert rows["publish"].measured["reason"] == "Success"
        assert rows["publish"].advice is None
        ((topic, payload, retained),) = list(hub.messages(quiet_s=0.5))
    assert (topic, retained) == ("parvis/v1/quay/u002/telemetry", False)
    said = parse_message(payload)
    assert said.name == "unit.telemetry"
    assert said.data.outbox_messages == 0
    with Subscriber(plain.port, name="late") as late:
        assert list(late.messages(quiet_s=0.5)) == []


def test_without_a_hub_it_is_taken_and_said(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    row = walk_unit(tmp_path, secure.port, made, made.unit)["publish"]
    assert row.outcome is Outcome.OK
    assert "nobody subscribes yet" in str(row.advice)


def test_a_unit_that_runs_keeps_its_connection(tmp_path: Path, plain: Broker) -> None:
    running = Connection(Address("127.0.0.1", plain.port), "u002", ("parvis/v1/quay/u002/status", b"lost"))
    running.open()
    with Subscriber(plain.port, "parvis/v1/quay/u002/status", name="watcher") as watcher:
        assert walk(tmp_path, plain.port)["publish"].outcome is Outcome.OK
        running.turn(0.2)
        assert running.alive
        assert list(watcher.messages(quiet_s=0.3)) == []
    running.close()


def test_a_name_that_nobody_has(tmp_path: Path) -> None:
    row = broken(walk(tmp_path, 1883, host="no-such-broker.invalid"), "dns")
    assert "no-such-broker.invalid" in row.said or "no-such-broker.invalid" in str(row.advice)
    assert "--broker spelt right" in str(row.advice)


def test_a_dead_port(tmp_path: Path) -> None:
    port = free_port()
    row = broken(walk(tmp_path, port), "tcp")
    assert "Connection refused" in row.said
    assert f"nothing listens on port {port}: does the broker run (systemctl status mosquitto)" in str(row.advice)


def test_another_authority(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    row = broken(walk_unit(tmp_path, secure.port, made, None, ca=made.other.certificate), "tls")
    assert f"{made.other.certificate} is not the authority that signed the broker's certificate (test authority)" in str(row.advice)


def test_a_broker_s_certificate_that_has_ended(tmp_path: Path, mosquitto: Path, made: Certificates) -> None:
    with Broker(mosquitto, *_tls(made.ended, made.authority)) as broker:
        row = broken(walk_unit(tmp_path, broker.port, made, made.unit), "tls")
    assert "expired" in row.said
    assert "2024-01-01 to 2024-02-01" in row.said
    assert row.measured["broker"]["ends"].startswith("2024-02-01")
    assert "have the broker's certificate made anew" in str(row.advice)


def test_a_broker_reached_by_another_name(tmp_path: Path, mosquitto: Path, made: Certificates) -> None:
    with Broker(mosquitto, *_tls(made.elsewhere, made.authority, ask=False)) as broker:
        row = broken(walk_unit(tmp_path, broker.port, made, None), "tls")
    assert "a name that its certificate has: hub.example" in str(row.advice)


def test_a_port_that_speaks_no_tls(tmp_path: Path, plain: Broker, made: Certificates) -> None:
    row = broken(walk_unit(tmp_path, plain.port, made, made.unit), "tls")
    assert f"port {plain.port} does not speak TLS" in str(row.advice)


def test_no_certificate_where_one_is_asked_for(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    row = broken(walk_unit(tmp_path, secure.port, made, None), "tls")
    assert "give --tls-cert and --tls-key" in str(row.advice)


def test_a_certificate_of_an_authority_that_the_broker_does_not_know(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    row = broken(walk_unit(tmp_path, secure.port, made, made.stranger), "tls")
    assert "the broker does not know the authority that signed this unit's certificate" in str(row.advice)


OWN = {
    "neighbour": ("is u002's, and this is unit u001", "give u001's certificate"),
    "old": ("this unit's certificate ended on 2024-02-01", "have the unit's certificate made anew"),
    "mixed": ("KEY_VALUES_MISMATCH", "made together"),
    "no key": ("go together", "give both"),
    "missing": ("No such file", "give the right path"),
    "not a certificate": ("site.yaml", "as PEM files"),
}


@pytest.mark.parametrize("name", OWN)
def test_an_own_certificate_that_will_not_do(tmp_path: Path, secure: Broker, made: Certificates, name: str) -> None:
    make_site(tmp_path / "plan")
    chains: dict[str, tuple[Path | None, Path | None]] = {
        "neighbour": made.neighbour,
        "old": made.old,
        "mixed": (made.unit[0], made.neighbour[1]),
        "no key": (made.unit[0], None),
        "missing": (tmp_path / "u001.pem", made.unit[1]),
        "not a certificate": (tmp_path / "plan" / "site.yaml", made.unit[1]),
    }
    row = broken(walk_unit(tmp_path, secure.port, made, chains[name]), "tls")
    assert OWN[name][0] in row.said
    assert OWN[name][1] in str(row.advice)


def test_an_authority_s_file_that_will_not_do(tmp_path: Path, secure: Broker, made: Certificates) -> None:
    row = broken(walk_unit(tmp_path, secure.port, made, made.unit, ca=tmp_path / "ca.pem"), "tls")
    assert "--tls-ca" in row.said
    (tmp_path / "ca.pem").write_text("no certificate\n")
    row = broken(walk_unit(tmp_path, secure.port, made, made.unit, ca=tmp_path / "ca.pem"), "tls")
    assert "give the authority's PEM file" in str(row.advice)


def test_a_tls_port_without_tls(tmp_path: Path, secure: Broker) -> None:
    row = broken(walk(tmp_path, secure.port), "mqtt")
    assert "--tls-ca" in str(row.advice)


def test_a_broker_that_knows_nobody(tmp_path: Path, mosquitto: Path) -> None:
    with Broker(mosquitto, "allow_anonymous false\n") as broker:
        row = broken(walk(tmp_path, broker.port), "mqtt")
    assert "Not authorized" in row.said
    assert "`allow_anonymous`" in str(row.advice)


def test_an_access_list_without_the_unit(tmp_path: Path, mosquitto: Path, made: Certificates) -> None:
    with Broker(mosquitto, *_tls(made.broker, made.authority, acl="user hub\ntopic readwrite #\n")) as broker:
        row = broken(walk_unit(tmp_path, broker.port, made, made.unit), "publish")
    assert "Not authorized" in row.said
    assert row.measured["code"] == 0x87
    assert "pattern write parvis/v1/quay/%u/telemetry" in str(row.advice)


def test_a_port_that_takes_connections_and_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parvis_edge.delivery.connection.CONNECT_TIMEOUT_S", 0.6)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        row = broken(walk(tmp_path, listener.getsockname()[1]), "mqtt")
    assert "no answer within" in row.said


def test_a_port_that_closes_at_once(tmp_path: Path, made: Certificates) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(1)

        def close_all() -> None:
            for _ in range(4):
                try:
                    listener.accept()[0].close()
                except OSError:
                    return

        thread = threading.Thread(target=close_all)
        thread.start()
        row = broken(walk_unit(tmp_path, listener.getsockname()[1], made, None), "tls")
    thread.join()
    assert row.advice


@pytest.mark.parametrize("purpose", ["clientAuth", "serverAuth", "clientAuth,serverAuth"])
def test_an_own_certificate_is_read_whatever_it_is_for(tmp_path: Path, purpose: str) -> None:
    certificate, key = Authority(tmp_path).issue("u001", purpose=purpose)
    if purpose == "serverAuth":
        with pytest.raises(ssl.SSLError):
            own_certificate(certificate, key)
    else:
        assert own_certificate(certificate, key).common_name == "u001"
