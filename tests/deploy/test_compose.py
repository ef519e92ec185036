"""The shipped containers: each is shut in, what they share agrees, and the hub's own parts run here as they would there."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.broker import free_port
from tests.docs.pages import ROOT, blocks
from tests.hub.fleet.town import SITE
from tests.hub.running import wait_for
from tests.postgres import Postgres

HERE = ROOT / "deploy" / "compose"
COMPOSE: dict[str, Any] = yaml.safe_load((HERE / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (HERE / "Dockerfile").read_text()
#: What an installer brings; everything else that is mounted is part of the repository.
BROUGHT = {"./site", "./secrets/metrics-token", "./secrets/grafana-password"}
STATE = "/var/lib/parvis-hub"


def mounts(service: str) -> list[tuple[str, str, bool]]:
    """Source, target, and whether it may be written."""
    found = []
    for text in SERVICES[service].get("volumes", []):
        source, target, *mode = text.split(":")
        found.append((source, target, mode != ["ro"]))
    return found


def entrypoint(target: str) -> list[str]:
    stage = re.split(rf"^FROM .* AS {target}$", DOCKERFILE, flags=re.MULTILINE)[1].split("\nFROM ")[0]
    (line,) = re.findall(r"^ENTRYPOINT (.*)$", stage, flags=re.MULTILINE)
    found = json.loads(line)
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_it_is_shut_in(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert not {"privileged", "cap_add", "devices", "pid", "ipc"} & service.keys()
    assert re.fullmatch(r".+:v?\d+(\.\d+|-\d)+", service["image"]), "pinned by version"
    for source, target, written in mounts(name):
        assert not written or source in COMPOSE["volumes"], f"{target}: only a volume is written"
    secret = {key: value for key, value in service.get("environment", {}).items() if re.search("PASSWORD|SECRET|TOKEN", key)}
    assert all(key.endswith("__FILE") and value.startswith("/run/secrets/") for key, value in secret.items())


def test_what_is_named_is_there() -> None:
    named = {source for name in SERVICES for source, _, _ in mounts(name)}
    files = {source for source in named if source.startswith(".")}
    assert all((HERE / source).exists() for source in files - BROUGHT)
    assert named - files == set(COMPOSE["volumes"])
    assert {each["file"] for each in COMPOSE["secrets"].values()} | {"./site"} == BROUGHT
    assert {each for service in SERVICES.values() for each in service.get("secrets", [])} == set(COMPOSE["secrets"])
    assert {each for service in SERVICES.values() for each in service.get("networks", [])} == set(COMPOSE["networks"])
    assert {f"/{source.split('/')[1]}/" for source in BROUGHT} <= set((HERE / ".gitignore").read_text().split())


def test_images_are_built_of_what_they_are_given() -> None:
    let_in = [line[1:] for line in (HERE / "Dockerfile.dockerignore").read_text().split() if line.startswith("!")]
    sources = [line.split()[1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ") and "--from" not in line]
    assert sorted(sources) == sorted(let_in)
    assert all((ROOT / source).exists() for source in sources)
    for name in SERVICES.keys() - {"grafana"}:
        build = SERVICES[name]["build"]
        assert (HERE / build["context"] / build["dockerfile"]).resolve() == HERE / "Dockerfile"
        assert f" AS {build['target']}\n" in DOCKERFILE


def test_all_but_grafana_is_built_of_one_base_image() -> None:
    assert set(re.findall(r"^FROM (\S+) ", DOCKERFILE, flags=re.MULTILINE)) == {"debian:12-slim"}
    assert {name for name, service in SERVICES.items() if "build" not in service} == {"grafana"}
    assert SERVICES["grafana"]["profiles"] == ["grafana"]


def test_the_broker_is_the_one_that_was_measured() -> None:
    measured = (ROOT / "docs/adr/0030-a-fleet-and-its-certificates.md").read_text()
    (version,) = re.findall(r"'mosquitto=([\d.]+)\*'", DOCKERFILE)
    assert f"mosquitto {version}" in measured


def test_the_authoritys_key_is_not_where_the_broker_looks() -> None:
    shared = {source for source, _, _ in mounts("hub")} & {source for source, _, _ in mounts("broker")}
    assert shared == {"broker"}
    assert entrypoint("broker")[2] in {target for source, target, _ in mounts("broker") if source == "broker"}
    assert entrypoint("broker")[2] in {target for source, target, _ in mounts("hub") if source == "broker"}


def test_the_database_is_reached_by_its_socket_alone() -> None:
    assert SERVICES["postgresql"]["network_mode"] == "none"
    sharing = {name: target for name in SERVICES for source, target, _ in mounts(name) if source == "socket"}
    assert sharing == dict.fromkeys(("hub", "postgresql"), SERVICES["hub"]["environment"]["PGHOST"])
    # The kernel says who asks by a number, which has to be the hub's in both images.
    hub, database = (re.split(rf"^FROM .* AS {name}$", DOCKERFILE, flags=re.MULTILINE)[1] for name in ("hub", "postgresql"))
    assert re.findall(r"useradd --uid (\d+)", hub)[0] == re.findall(r"useradd --uid (\d+) .*hub$", database, flags=re.MULTILINE)[0]


def test_nothing_but_broker_and_enrolment_is_open_to_others() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    outside = {name: [port for port in ports if not port.startswith("127.0.0.1:")] for name, ports in published.items()}
    assert outside == {"hub": ["8884:8884"], "broker": ["8883:8883"], "grafana": []}
    assert SERVICES["prometheus"]["networks"] == ["inside"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}


def test_prometheus_and_grafana_find_each_other_the_hub_and_the_dashboard() -> None:
    prometheus = yaml.safe_load((HERE / "prometheus.yaml").read_text())
    (job,) = prometheus["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert f"--listen=0.0.0.0:{target.split(':')[1]}" in SERVICES["hub"]["command"]
    assert f"--console-name={target.split(':')[0]}" in SERVICES["hub"]["command"]
    assert job["authorization"]["credentials_file"] == "/run/secrets/metrics-token"
    (source,) = yaml.safe_load((HERE / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert source["url"] == "http://prometheus:9090"
    (provider,) = yaml.safe_load((HERE / "grafana/provisioning/dashboards/parvis.yaml").read_text())["providers"]
    places = {target: HERE / source for source, target, _ in mounts("grafana")}
    (dashboard,) = [path for target, path in places.items() if target.startswith(f"{provider['options']['path']}/")]
    assert dashboard.resolve() == ROOT / "deploy/grafana/parvis.json"


class Here:
    """The hub's container on this machine: its folder of state, its site plan, its socket of PostgreSQL, with free ports."""

    def __init__(self, folder: Path, postgres: Postgres) -> None:
        self.state, self.site = folder / "state", folder / "site.yaml"
        self.state.mkdir()
        self.site.write_text(SITE)
        self.ports = {port: free_port() for port in (8080, 8883, 8884)}
        self.database = postgres.database().split("@/")[1].split("?")[0]
        self.environment = os.environ | {"PGHOST": str(postgres.folder), "COLUMNS": "200"}

    def text(self, text: str) -> str:
        """What is written for the container, for here."""
        for there, here in (
            ("/etc/parvis/site.yaml", str(self.site)),
            ("hub@/parvis", f"postgres@/{self.database}"),
            (STATE, str(self.state)),
            ("hub.example", "localhost"),
            ("broker:8883", "localhost:8883"),
            ("0.0.0.0", "127.0.0.1"),
        ):
            text = text.replace(there, here)
        for there_port, here_port in self.ports.items():
            text = re.sub(rf"\b{there_port}\b", str(here_port), text)
        return text.replace(":22B3", f":{self.ports[8883]:04X}")

    def hub(self, arguments: list[str]) -> list[str]:
        return [str(Path(sys.executable).with_name("parvis-hub")), *map(self.text, arguments)]

    def ask(self, arguments: list[str], given: str = "") -> str:
        """What a command of the page prints."""
        done = subprocess.run(
            self.hub(arguments), cwd=self.state, env=self.environment, input=given, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self, name: str, command: list[str]) -> Iterator[Path]:
        """A program while it runs; its log."""
        log = self.state / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(command, cwd=self.state, env=self.environment, stdout=file, stderr=file)
        try:
            yield log
        finally:
            process.terminate()
            process.wait(20)

    def healthy(self, service: str) -> bool:
        _, program, *arguments = SERVICES[service]["healthcheck"]["test"]
        program = sys.executable if program == "/opt/parvis/bin/python" else program
        done = subprocess.run([program, *map(self.text, arguments)], capture_output=True, check=False)
        # grep says 2 where one of the two lists is missing; what counts is that it found a line.
        return done.returncode == 0


def commands() -> dict[str, list[str]]:
    """The hub's commands on the page, by their first words."""
    found = {}
    for block in blocks(HERE / "README.md"):
        for line in block.text.splitlines():
            if match := re.match(r"docker compose run (?:-[-\w]* )*hub ([^>]*)", line):
                words = shlex.split(match[1])
                found[" ".join(words[:2])] = words
    return found


@pytest.mark.timeout(120)
def test_the_hub_and_its_broker_run_as_they_are_told_to(tmp_path: Path, postgresql: Postgres, mosquitto: Path) -> None:
    here, said = Here(tmp_path, postgresql), commands()
    assert list(said) == ["fleet init", "users add", "tokens add", "fleet claim", "store restore"]
    here.ask([*said["fleet init"], f"--broker-data={tmp_path}"])
    here.ask(said["users add"], "a long enough password\n")
    token = here.ask(said["tokens add"]).strip()
    claim = json.loads(here.ask(said["fleet claim"]))
    assert (claim["unit"], claim["broker"]) == ("u017", f"localhost:{here.ports[8883]}")

    if os.geteuid() == 0:
        # Root would become a user who may not look into a test's folder.
        settings = here.state / ".parvis/fleet/broker/mosquitto.conf"
        settings.write_text(settings.read_text() + "user root\n")
    shell, _, folder, _ = entrypoint("broker")
    keeper = [shell, str(ROOT / "deploy/mosquitto/keep.sh"), here.text(folder), str(mosquitto)]
    assert not here.healthy("broker")
    with ExitStack() as running:
        running.enter_context(here.running("broker", keeper))
        wait_for(lambda: here.healthy("broker"))
        assert not here.healthy("hub")
        log = running.enter_context(here.running("hub", here.hub(SERVICES["hub"]["command"])))
        wait_for(lambda: here.healthy("hub"))

        console = httpx.Client(base_url=f"http://127.0.0.1:{here.ports[8080]}", headers={"host": "hub:8080"}, trust_env=False)
        assert console.get("/metrics").status_code == 401
        metrics = console.get("/metrics", headers={"authorization": f"Bearer {token}"})
        assert metrics.status_code == 200
        wait_for(lambda: '"event": "connected"' in log.read_text())
