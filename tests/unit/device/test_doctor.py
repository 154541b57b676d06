from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, NoReturn

import pytest

from edge_fer.confinement import Walls
from edge_fer.device.doctor import CHECKS, FIXES, examine
from edge_fer.device.findings import Finding, Installed, Needs, Probes
from edge_fer.device.service import Status
from edge_fer.errors import ConfigError, EdgeFerError, ModelError, ServiceError, SinkError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
RUNNING = Installed(Status(loaded=True, enabled=True, active=True, text="running"), "edge-fer.service", current=True)
STOPPED = replace(RUNNING, status=replace(RUNNING.status, active=False))
FLAPPING = replace(RUNNING, status=replace(RUNNING.status, restarts=3))

WELL = Probes(
    needs=lambda: Needs("as given", camera="/dev/video0", broker="broker.lan:1883", folder="/var/lib/edge-fer"),
    engine=lambda: "litert opens small",
    engines=lambda: ["litert for .tflite", "onnxruntime for .onnx (not installed)"],
    broken_parts=list,
    damaged_models=list,
    demo_faces=lambda: dict.fromkeys(EMOTIONS, True),
    cameras=lambda: ["/dev/video0"],
    may_use=lambda camera: True,
    picture=lambda camera: f"{camera}: 640x480 at 30 FPS",
    temperature=lambda: 48.3,
    throttled=lambda: 0,
    free_bytes=lambda folder: 10_000_000_000,
    service=lambda: None,
    broker=lambda: None,
    walls=lambda: Walls(("no network (namespace)", "files (Landlock)")),
)


def failing(error: EdgeFerError) -> Callable[..., NoReturn]:
    def probe(*_: object) -> NoReturn:
        raise error

    return probe


def found(probes: Probes, name: str) -> Finding:
    return examine(probes).findings[name]


def test_where_all_is_well_nothing_needs_a_fix() -> None:
    report = examine(WELL)

    assert report.works
    assert list(report.findings) == ["settings", *CHECKS]
    assert {finding.state for name, finding in report.findings.items() if name not in ("service", "source")} == {"ok"}


@pytest.mark.parametrize(
    ("name", "probes", "words"),
    [
        ("settings", replace(WELL, needs=failing(ConfigError("x.toml: unknown key 'fsp'"))), "unknown key"),
        ("engine", replace(WELL, engine=failing(ModelError("no model"))), "no model"),
        ("models", replace(WELL, damaged_models=lambda: ["small.onnx was changed"]), "small.onnx"),
        ("demo faces", replace(WELL, demo_faces=lambda: {"happy": True, "sad": False}), "1 of 2 faces .* missed: sad"),
        ("demo faces", replace(WELL, demo_faces=failing(SourceError("faces are damaged"))), "damaged"),
        ("permissions", replace(WELL, may_use=lambda camera: False), "may not use /dev/video0"),
        ("camera", replace(WELL, picture=failing(SourceError("another program uses it"))), "another program"),
        ("disk", replace(WELL, free_bytes=lambda folder: 1_000_000), "0.0 GB free in /var/lib/edge-fer"),
        ("disk", replace(WELL, free_bytes=failing(SinkError("does not tell"))), "does not tell"),
        ("service", replace(WELL, service=lambda: STOPPED), "does not run"),
        ("service", replace(WELL, service=failing(ServiceError("needs systemd"))), "needs systemd"),
        ("broker", replace(WELL, broker=failing(SinkError("cannot reach broker.lan"))), "cannot reach"),
        ("confinement", replace(WELL, walls=failing(EdgeFerError("exit 1"))), "exit 1"),
    ],
)
def test_what_is_needed_and_does_not_work_fails_with_a_fix(name: str, probes: Probes, words: str) -> None:
    report = examine(probes)

    assert not report.works
    finding = report.findings[name]
    assert finding.state == "fail"
    assert re.search(words, finding.text)
    assert finding.fix
    assert set(report.findings) == {"settings", *CHECKS}


@pytest.mark.parametrize(
    ("name", "probes", "words"),
    [
        ("temperature", replace(WELL, temperature=lambda: 81.0), "81 °C"),
        ("throttling", replace(WELL, throttled=lambda: 0x1), "now: under-voltage"),
        ("throttling", replace(WELL, throttled=lambda: 0x40000), "since it was switched on: throttled"),
        ("disk", replace(WELL, free_bytes=lambda folder: 100_000_000), "0.1 GB"),
        ("service", replace(WELL, service=lambda: replace(RUNNING, current=False)), "not with the settings"),
        (
            "service",
            replace(WELL, service=lambda: replace(RUNNING, status=replace(RUNNING.status, enabled=False))),
            "does not start at boot",
        ),
    ],
)
def test_what_works_but_not_well_is_told_and_passes(name: str, probes: Probes, words: str) -> None:
    report = examine(probes)

    assert report.works
    assert report.findings[name].state == "warn"
    assert words in report.findings[name].text
    assert report.findings[name].fix


NOTHING_ASKED = replace(WELL, needs=lambda: Needs("the defaults"))


@pytest.mark.parametrize(
    ("name", "probes"),
    [
        ("camera", NOTHING_ASKED),
        ("source", NOTHING_ASKED),
        ("camera", replace(NOTHING_ASKED, cameras=list)),
        ("permissions", replace(NOTHING_ASKED, cameras=list)),
        ("permissions", replace(NOTHING_ASKED, may_use=lambda camera: False)),
        ("broker", NOTHING_ASKED),
        ("temperature", replace(WELL, temperature=lambda: None)),
        ("throttling", replace(WELL, throttled=lambda: None)),
        ("service", WELL),
    ],
)
def test_what_nobody_asked_for_is_left_out(name: str, probes: Probes) -> None:
    assert examine(probes).works
    assert found(probes, name).state == "skip"


def test_a_camera_is_not_taken_from_the_service() -> None:
    probes = replace(WELL, service=lambda: FLAPPING, picture=failing(SourceError("busy")))

    assert found(probes, "camera") == Finding("ok", "the service has it: running")
    assert "started again 3 times" in found(probes, "service").text


def test_the_report_is_plain_json() -> None:
    record = json.loads(json.dumps(examine(STOPPED_PROBES).as_record()))

    assert (record["schema"], record["works"]) == ("edge-fer-doctor/1", False)
    assert {"name": "service", "state": "fail"}.items() <= record["checks"][CHECKS_INDEX].items()


STOPPED_PROBES = replace(WELL, service=lambda: STOPPED)
CHECKS_INDEX = 1 + list(CHECKS).index("service")


def test_every_fix_belongs_to_a_check() -> None:
    assert set(FIXES) <= {"settings", *CHECKS}


STREAM = replace(WELL, needs=lambda: Needs("as given", sources=("rtsp://camera.lan/live",)))


def test_an_address_or_file_is_opened_too() -> None:
    assert found(STREAM, "source") == Finding("ok", "rtsp://camera.lan/live: 640x480 at 30 FPS")
    broken = replace(STREAM, picture=failing(SourceError("refuses the user or the password")))
    assert found(broken, "source").state == "fail"
    assert not examine(broken).works


def test_a_stream_is_not_taken_from_the_service_unless_it_is_named() -> None:
    probes = replace(STREAM, needs=lambda: Needs("as given", sources=("rtsp://camera.lan/live",), of_service=True))
    assert found(replace(probes, service=lambda: FLAPPING), "source").text.startswith("the service has it")
    assert found(replace(STREAM, service=lambda: FLAPPING), "source").text.endswith("30 FPS")
