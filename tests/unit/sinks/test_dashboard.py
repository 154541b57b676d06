"""The dashboard and the alerts ask only for what a device publishes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from edge_fer.sinks.health import Board, HealthMonitor
from edge_fer.types import SourceInfo
from tests.fakes import FakeClock, observation

pytest.importorskip("prometheus_client", reason="needs prometheus-client")

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from edge_fer.sinks.metrics import metrics_of

FOLDER = Path(__file__).parents[3] / "deploy" / "grafana"
ADDED_BY_PROMETHEUS = {"instance", "job"}
NAME = re.compile(r"\b(?:edge_fer|process)_\w+")
MATCHER = re.compile(r'(\w+)\s*(?:=~|!=|=)\s*"([^"]*)"')


class Counts:
    name, written, dropped, failures, lost, connected = "mqtt", 7, 2, 1, 3, True


@pytest.fixture(scope="module")
def samples() -> list[Any]:
    """All that a device with everything publishes."""
    info = SourceInfo("camera 0", True, 640, 480, 30.0)
    monitor = HealthMonitor(lambda: info, FakeClock(), board=lambda: Board(50.0, (), ()))
    monitor.watch([Counts()])
    monitor.note(observation())
    text = generate_latest(metrics_of(monitor.snapshot)).decode()
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


def queries() -> list[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    asked += [variable["definition"] for variable in dashboard["templating"]["list"] if "definition" in variable]
    alerts = (FOLDER / "alerts.yaml").read_text(encoding="utf-8")
    return asked + re.findall(r"^ +expr: (.+)$", alerts, re.MULTILINE)


def test_there_are_queries_of_both() -> None:
    assert len(queries()) > 20


@pytest.mark.parametrize("query", queries())
def test_every_metric_that_is_asked_for_exists(query: str, samples: list[Any]) -> None:
    asked = set(NAME.findall(query))
    assert asked or "up{job=" in query
    assert asked <= {sample.name for sample in samples}


@pytest.mark.parametrize("query", queries())
def test_every_label_that_is_asked_for_exists_and_has_the_value(query: str, samples: list[Any]) -> None:
    told = {(label, value) for sample in samples for label, value in sample.labels.items()}
    for label, value in MATCHER.findall(query):
        assert label in ADDED_BY_PROMETHEUS or (label, value) in told, (label, value)
    for labels in re.findall(r"\bby \(([^)]*)\)", query):
        known = ADDED_BY_PROMETHEUS | {label for label, _ in told}
        assert {label.strip() for label in labels.split(",")} <= known


def test_every_metric_is_described_and_no_other(samples: list[Any]) -> None:
    page = (FOLDER.parents[1] / "docs" / "outputs.md").read_text(encoding="utf-8")
    told = {re.sub("_(bucket|sum|count)$", "", sample.name) for sample in samples if sample.name.startswith("edge_fer")}
    assert set(re.findall(r"`(edge_fer_\w+)[{`]", page)) == told


def test_panels_have_titles_and_do_not_lie_on_each_other() -> None:
    panels = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert all(panel["title"] for panel in panels)
    assert len({panel["id"] for panel in panels}) == len(panels)
