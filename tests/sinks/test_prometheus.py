"""Alerts and dashboard, evaluated by Prometheus itself."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = json.loads((DEPLOY / "grafana" / "dashboard.json").read_text(encoding="utf-8"))
DEVICES = 500
SHOWN = 10
EACH_SECONDS = 30
"""Interval of the made-up samples."""


@pytest.fixture(scope="session")
def promtool() -> str:
    """Prometheus's own tester."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("needs promtool: apt-get install prometheus")
    return path


def holds(promtool: str, folder: Path, series: dict[str, str], **tests: Any) -> None:
    """Check what rules and queries give for these series.

    JSON is YAML as well, so that no writer of YAML is needed.
    """
    shutil.copy(DEPLOY / "grafana" / "alerts.yaml", folder / "alerts.yaml")
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    test = {"interval": f"{EACH_SECONDS}s", "input_series": inputs, **tests}
    content = {"rule_files": ["alerts.yaml"], "evaluation_interval": f"{EACH_SECONDS}s", "tests": [test]}
    (folder / "test.yaml").write_text(json.dumps(content), encoding="utf-8")
    done = subprocess.run(
        [promtool, "test", "rules", "test.yaml"], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def fires(alert: str, at: str, **labels: str) -> dict[str, Any]:
    return {"alertname": alert, "eval_time": at, "exp_alerts": [{"exp_labels": labels}] if labels else []}


def without_annotations(alerts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same with the texts of the rules, which promtool compares too."""
    rules = (DEPLOY / "grafana" / "alerts.yaml").read_text(encoding="utf-8")
    for one in alerts:
        rule = rules.split(f"alert: {one['alertname']}\n")[1].split("- alert:")[0]
        for expected in one["exp_alerts"]:
            texts = dict(re.findall(r'^ +(summary|description): "(.*)"$', rule, re.MULTILINE))
            for key, text in texts.items():
                texts[key] = re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m, e=expected: e["exp_labels"][m[1]], text)
            expected["exp_annotations"] = texts
    return alerts


def test_the_rules_and_the_configuration_are_valid(promtool: str, tmp_path: Path) -> None:
    text = (DEPLOY / "fleet" / "prometheus.yaml").read_text(encoding="utf-8")
    alerts, devices = DEPLOY / "grafana" / "alerts.yaml", DEPLOY / "fleet" / "devices.yaml"
    text = text.replace("/etc/prometheus/edge-fer-alerts.yaml", str(alerts))
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus/devices.yaml", str(devices)))
    done = subprocess.run(
        [promtool, "check", "config", str(tmp_path / "prometheus.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_fires_while_the_broker_is_away_and_ends_with_it(promtool: str, tmp_path: Path) -> None:
    labels = '{instance="kitchen",job="edge-fer",sink="mqtt"}'
    # 10 minutes with the broker, 30 without, in which something is lost every 30 s at least, 30 with it again.
    series = {
        f"edge_fer_sink_connected{labels}": "1x20 0x60 1x60",
        f"edge_fer_sink_errors_total{labels}": "0x20 1+1x60 61x60",
    }
    common = {"instance": "kitchen", "job": "edge-fer", "sink": "mqtt", "severity": "warning"}
    alerts = [
        fires("EdgeFerReceiverAway", "10m"),
        fires("EdgeFerReceiverAway", "18m", **common),
        fires("EdgeFerReceiverAway", "40m", **common),
        fires("EdgeFerReceiverAway", "45m"),
        fires("EdgeFerOutputFails", "10m"),
        fires("EdgeFerOutputFails", "18m", **common),
        fires("EdgeFerOutputFails", "40m", **common),
        fires("EdgeFerOutputFails", "70m"),
    ]
    holds(promtool, tmp_path, series, alert_rule_test=without_annotations(alerts))


def test_alerts_fire_for_a_device_and_a_camera_that_are_down(promtool: str, tmp_path: Path) -> None:
    series = {
        'up{instance="hall",job="edge-fer"}': "1x10 0x40",
        'edge_fer_camera_up{instance="kitchen",job="edge-fer"}': "1x10 0x40",
    }
    alerts = [
        fires("EdgeFerDeviceDown", "5m"),
        fires("EdgeFerDeviceDown", "15m", instance="hall", job="edge-fer", severity="critical"),
        fires("EdgeFerCameraDown", "15m", instance="kitchen", job="edge-fer", severity="critical"),
    ]
    holds(promtool, tmp_path, series, alert_rule_test=without_annotations(alerts))


def fleet() -> dict[str, str]:
    """500 devices, each a little different; three do not answer, and the cameras of two are down."""
    series: dict[str, str] = {}
    for number in range(DEVICES):
        labels = f'instance="room-{number:03}",job="edge-fer"'
        down = number in (7, 70, 499)
        series[f"up{{{labels}}}"] = "0x120" if down else "1x120"
        if down:
            continue
        step = number % 50 + 1
        series |= {
            f"edge_fer_camera_up{{{labels}}}": "0x120" if number in (8, 9) else "1x120",
            f"edge_fer_frames_total{{{labels}}}": f"0+{step * 10}x120",
            f"edge_fer_faces{{{labels}}}": f"{step}x120",
            f"edge_fer_temperature_celsius{{{labels}}}": f"{40 + step / 2}x120",
            f"process_resident_memory_bytes{{{labels}}}": f"{step}e6x120",
            f"process_cpu_seconds_total{{{labels}}}": f"0+{step}x120",
            f'edge_fer_sink_connected{{{labels},sink="mqtt"}}': "0x120" if number == 11 else "1x120",
            f'edge_fer_sink_errors_total{{{labels},sink="mqtt"}}': f"0+{step}x120",
            f'edge_fer_frames_dropped_total{{{labels},reason="camera"}}': f"0+{step}x120",
            f'edge_fer_throttled{{{labels},cause="throttled"}}': f"{int(number % 20 == 0)}x120",
        }
        for bound in ("0.01", "0.1", "+Inf"):
            name = f'edge_fer_stage_duration_seconds_bucket{{{labels},stage="total",le="{bound}"}}'
            series[name] = f"0+{step if bound == '0.01' else 60}x120"
    return series


def expanded(query: str) -> str:
    """As Grafana sends it with its variables at their defaults."""
    for name, value in {
        "$instance": ".*",
        "$shown": str(SHOWN),
        "$__rate_interval": "5m",
        "$__range": "1h",
    }.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def test_the_dashboard_names_what_is_down_and_stays_readable_with_500_devices(promtool: str, tmp_path: Path) -> None:
    charts = [panel for panel in DASHBOARD["panels"] if panel["type"] in ("timeseries", "state-timeline")]
    by_device = [panel for panel in charts if "{{instance}}" in panel["targets"][0]["legendFormat"]]
    assert len(by_device) >= 9
    tests = [
        {
            "expr": f"count({expanded(panel['targets'][0]['expr'])})",
            "eval_time": "50m",
            "exp_samples": [{"labels": "{}", "value": SHOWN}],
        }
        for panel in by_device
    ]
    query = {panel["title"]: expanded(panel["targets"][0]["expr"]) for panel in DASHBOARD["panels"]}
    for title, names in {
        "Devices down, by name": [7, 70, 499],
        "Cameras down, by name": [8, 9],
        "Outputs without their receiver, by name": [11],
    }.items():
        found = {
            "expr": f"sum by (instance) ({query[title]})",
            "eval_time": "50m",
            "exp_samples": [{"labels": f'{{instance="room-{number:03}"}}', "value": 0} for number in names],
        }
        count = {
            "expr": query[title.removesuffix(", by name")],
            "eval_time": "50m",
            "exp_samples": [{"labels": "{}", "value": len(names)}],
        }
        tests += [found, count]
    answer = {"expr": query["Devices that answer"], "eval_time": "50m"}
    tests.append({**answer, "exp_samples": [{"labels": "{}", "value": DEVICES - 3}]})
    holds(promtool, tmp_path, fleet(), promql_expr_test=tests)


def test_a_list_of_devices_holds_those_that_never_answered() -> None:
    (devices,) = [one for one in DASHBOARD["templating"]["list"] if one["name"] == "instance"]
    assert devices["definition"] == 'label_values(up{job="edge-fer"}, instance)'
    assert devices["allValue"] == ".*", "or the query names 500 devices"


def test_tables_of_many_devices_have_pages() -> None:
    tables = [panel for panel in DASHBOARD["panels"] if panel["type"] == "table"]
    assert len(tables) == 4
    assert all(panel["options"]["footer"]["enablePagination"] for panel in tables)
