"""The dashboard asks for metrics that hub and units really have, with labels that they really bear."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from tests.hub.console.hub import Hub

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = json.loads((ROOT / "deploy/grafana/parvis.json").read_text())


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


@pytest.fixture(scope="module")
def exposed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What a hub gives Prometheus."""
    hub = Hub(tmp_path_factory.mktemp("hub"))
    text = TestClient(hub.app(), base_url="http://127.0.0.1").get("/metrics").text
    hub.close()
    return text


@pytest.fixture(scope="module")
def known(exposed: str) -> dict[str, set[str]]:
    """Every metric with its labels: the hub's as it gives them, the units' from their table, which a test holds against the program."""
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", exposed, flags=re.MULTILINE):
        found.setdefault(name, set()).update(re.findall(r"(\w+)=", labels))
    table = (ROOT / "docs/maintainer.md").read_text()
    for name, labels in re.findall(r"^\| `(parvis_edge_\w+)` \| ([^|]*) \|", table, flags=re.MULTILINE):
        own = set(re.findall(r"`(\w+)`", labels)) | {"instance"}
        found |= dict.fromkeys((name, f"{name}_sum", f"{name}_count"), own)
    return found


@pytest.mark.parametrize("expression", expressions())
def test_a_panel_asks_for_what_there_is(expression: str, known: dict[str, set[str]]) -> None:
    names = re.findall(r"parvis_\w+", expression)
    assert names
    for name in names:
        assert name in known, f"{name} is none of {sorted(known)}"
    labels = set(re.findall(r"[{,](\w+)=", expression)) | {
        each for group in re.findall(r"by \((.*?)\)", expression) for each in group.split(", ")
    }
    for name in names:
        assert labels <= known[name], expression


def test_a_value_that_is_asked_for_is_one_that_there_is(exposed: str) -> None:
    """Of a name that is spelt wrong, Prometheus says nothing at all."""
    asked = {
        (name, label, value)
        for expression in expressions()
        for name, labels in re.findall(r"(parvis_hub_\w+)\{(.*?)\}", expression)
        for label, values in re.findall(r'(\w+)=~?"(.*?)"', labels)
        for value in values.split("|")
    }
    assert len(asked) > 4
    for name, label, value in asked:
        assert re.search(rf'^{name}\{{.*\b{label}="{value}"', exposed, flags=re.MULTILINE), f"{name}: {label}={value}"


def test_every_panel_has_a_title_and_a_place_of_its_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        assert panel["title"]
        place = panel["gridPos"]
        cells = {(x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= 24
        taken |= cells
