from __future__ import annotations

import contextlib
import socket
import threading
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from edge_fer.device.board import BITS
from edge_fer.sinks.gate import GateRules, own_names
from edge_fer.sinks.health import THROTTLE_CAUSES, Board, CameraHealth, HealthMonitor
from edge_fer.sinks.net import Address, listen
from edge_fer.types import Box, SourceInfo
from tests.fakes import FakeClock, observation, scored_face
from tests.logs import logged
from tests.waiting import until

prometheus_client = pytest.importorskip("prometheus_client", reason="needs prometheus-client")

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics  # noqa: E402
from prometheus_client.parser import text_string_to_metric_families as parse  # noqa: E402

from edge_fer.sinks.metrics import open_metrics  # noqa: E402
from edge_fer.sinks.metrics_server import MOST_CLIENTS, MetricsServer  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = Address("127.0.0.1", 0)
LONG_SECONDS = 60.0
RULES = GateRules(own_names("127.0.0.1", ()), loopback_only=True)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


class Counts:
    def __init__(
        self, name: str, written: int, dropped: int, failures: int, lost: int = 0, connected: bool | None = None
    ) -> None:
        self.name, self.written, self.dropped, self.failures = name, written, dropped, failures
        self.lost, self.connected = lost, connected


class Setup:
    """Metrics of a run that is given what happened in it."""

    def __init__(self) -> None:
        self.board, self.camera = Board(), None
        info = SourceInfo("camera 0", True, 640, 480, 30.0)
        self.monitor = HealthMonitor(
            lambda: info,
            FakeClock(),
            engine="litert",
            model="small fp32",
            board=lambda: self.board,
            camera=lambda: self.camera,
        )
        self.server = open_metrics(LOCAL, self.monitor.snapshot)

    def samples(self, accept: str = "text/plain") -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        text = get(self.server, accept=accept)[1].decode()
        families = (parse_openmetrics if accept == OPENMETRICS else parse)(text)
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in families
            for sample in family.samples
        }

    def value(self, name: str, **labels: str) -> float | None:
        return self.samples().get((name, frozenset(labels.items())))


def get(server: MetricsServer, path: str = "/metrics", accept: str = "text/plain") -> tuple[str, bytes]:
    request = urllib.request.Request(f"http://{server.address}{path}", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=LONG_SECONDS) as answer:
        return answer.headers["Content-Type"], answer.read()


@pytest.fixture
def setup() -> Iterator[Setup]:
    made = Setup()
    yield made
    made.server.close()


def test_it_logs_where_it_listens() -> None:
    with logged("edge_fer.metrics") as lines:
        setup = Setup()
    assert lines == [f"metrics: http://127.0.0.1:{setup.server.address.port}/metrics"]
    setup.server.close()


def test_frames_and_what_was_lost_are_counted(setup: Setup) -> None:
    setup.monitor.watch([Counts("json", 7, 2, 1)])
    for seq in (0, 1, 5):
        setup.monitor.note(observation(scored_face(Box(0, 0, 9, 9)), seq=seq))
    assert setup.value("edge_fer_frames_total") == 3
    assert setup.value("edge_fer_frames_dropped_total", reason="camera") == 3
    assert setup.value("edge_fer_frames_dropped_total", reason="json") == 2
    assert setup.value("edge_fer_sink_written_total", sink="json") == 7
    assert setup.value("edge_fer_sink_errors_total", sink="json") == 1
    assert setup.value("edge_fer_faces") == 1
    assert setup.value("edge_fer_frame_age_seconds") == 0


def test_counters_begin_at_zero_so_that_the_first_loss_is_seen(setup: Setup) -> None:
    setup.monitor.watch([Counts("mqtt", 0, 0, 0)])
    assert setup.value("edge_fer_frames_dropped_total", reason="camera") == 0
    assert setup.value("edge_fer_frames_dropped_total", reason="mqtt") == 0
    assert setup.value("edge_fer_sink_errors_total", sink="mqtt") == 0
    assert setup.value("edge_fer_frame_age_seconds") is None


def test_a_broker_that_is_away_is_seen(setup: Setup) -> None:
    setup.monitor.watch([Counts("csv", 7, 0, 1), Counts("mqtt", 7, 0, 0, lost=4, connected=False)])
    assert setup.value("edge_fer_sink_connected", sink="mqtt") == 0
    assert setup.value("edge_fer_sink_errors_total", sink="mqtt") == 4
    assert setup.value("edge_fer_sink_connected", sink="csv") is None
    setup.monitor.watch([Counts("mqtt", 7, 0, 0, lost=4, connected=True)])
    assert setup.value("edge_fer_sink_connected", sink="mqtt") == 1


def test_durations_are_cumulative_histograms_in_seconds(setup: Setup) -> None:
    # The fake's frames take 10 ms to find faces and 0.5 ms to read them.
    for seq in range(4):
        setup.monitor.note(observation(seq=seq))
    name = "edge_fer_stage_duration_seconds"
    assert setup.value(f"{name}_bucket", stage="detect", le="0.005") == 0
    assert setup.value(f"{name}_bucket", stage="detect", le="0.01") == 4
    assert setup.value(f"{name}_bucket", stage="detect", le="+Inf") == 4
    assert setup.value(f"{name}_bucket", stage="classify", le="0.0005") == 4
    assert setup.value(f"{name}_sum", stage="total") == pytest.approx(0.042)
    assert setup.value(f"{name}_count", stage="total") == 4


def test_the_camera_is_up_or_down(setup: Setup) -> None:
    assert setup.value("edge_fer_camera_up") == 0
    setup.monitor.note(observation())
    assert setup.value("edge_fer_camera_up") == 1
    setup.camera = CameraHealth("usb", live=True, up=False, since_seconds=9.0, reopened=3)
    assert setup.value("edge_fer_camera_up") == 0
    assert setup.value("edge_fer_camera_reopened_total") == 3
    assert setup.value("edge_fer_camera_info", camera="usb") == 1


def test_what_the_board_does_not_tell_is_left_out(setup: Setup) -> None:
    names = {name for name, _ in setup.samples()}
    assert not {name for name in names if "throttled" in name or "temperature" in name}
    setup.board = Board(61.5, ("under-voltage",), ("under-voltage", "throttled"))
    assert setup.value("edge_fer_temperature_celsius") == 61.5
    assert setup.value("edge_fer_throttled", cause="under-voltage") == 1
    assert setup.value("edge_fer_throttled", cause="throttled") == 0
    assert setup.value("edge_fer_throttled_since_boot", cause="throttled") == 1


def test_all_causes_that_a_board_knows_are_told() -> None:
    assert tuple(BITS.values()) == THROTTLE_CAUSES


def test_build_and_process_are_told(setup: Setup) -> None:
    from edge_fer import __version__

    assert setup.value("edge_fer_build_info", version=__version__, engine="litert", model="small fp32") == 1
    assert (setup.value("process_resident_memory_bytes") or 0) > 1e6


def test_no_label_tells_of_a_person(setup: Setup) -> None:
    faces = [scored_face(Box(0, 0, 9, 9), track_id=number) for number in range(30)]
    setup.monitor.note(observation(*faces))
    before = set(setup.samples())
    setup.monitor.note(
        observation(*(scored_face(Box(9, 9, 40, 40), "sad", track_id=100 + n) for n in range(50)), seq=1)
    )
    assert set(setup.samples()) == before
    labels = {label for _, pairs in before for label, _ in pairs}
    assert labels == {"version", "engine", "model", "camera", "reason", "stage", "le"}


def test_openmetrics_is_spoken_where_it_is_asked_for(setup: Setup) -> None:
    setup.monitor.note(observation())
    assert get(setup.server, accept=OPENMETRICS)[0].startswith("application/openmetrics-text")
    assert get(setup.server)[0].startswith("text/plain; version=0.0.4")
    plain, strict = setup.samples(), setup.samples(OPENMETRICS)
    assert {name for name, _ in plain if name.startswith("edge_fer")} == {
        name for name, _ in strict if name.startswith("edge_fer")
    }


def test_other_paths_and_methods_are_refused(setup: Setup) -> None:
    for path, method, status in (("/", "GET", 404), ("/metrics/../etc/passwd", "GET", 404), ("/metrics", "POST", 405)):
        request = urllib.request.Request(f"http://{setup.server.address}{path}", method=method)
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(request, timeout=LONG_SECONDS)
        caught.value.close()
        assert caught.value.code == status


def test_two_runs_in_one_process_do_not_meet(setup: Setup) -> None:
    other = Setup()
    other.monitor.note(observation())
    assert setup.value("edge_fer_frames_total") == 0
    assert other.value("edge_fer_frames_total") == 1
    other.server.close()


def answered(server: MetricsServer) -> bool:
    try:
        return get(server)[1] == b"x 1\n"
    except (urllib.error.URLError, ConnectionError):
        return False


def test_clients_that_say_nothing_are_cut_off_and_hold_up_nobody_for_long() -> None:
    server = MetricsServer(
        listen(LOCAL, "--metrics"), lambda accept: (b"x 1\n", "text/plain"), RULES, client_seconds=0.5
    )
    silent = [socket.create_connection((server.address.host, server.address.port)) for _ in range(MOST_CLIENTS)]
    silent[0].sendall(b"GET /metrics HTTP/1.1\r\nX-Slow: ")
    assert answered(server), "who asks is answered, however many are silent"
    for one in silent:
        one.settimeout(LONG_SECONDS)
        # A client that is turned away or cut off sees the end, or a reset where it had sent something.
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(100) == b""
        one.close()
    server.close()


def test_a_client_that_takes_nothing_is_cut_off() -> None:
    server = MetricsServer(
        listen(LOCAL, "--metrics"), lambda accept: (b"x" * 50_000_000, "text/plain"), RULES, client_seconds=0.5
    )
    with socket.create_connection((server.address.host, server.address.port)) as greedy:
        greedy.sendall(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        until(lambda: server.clients, "it is being answered")
        until(lambda: not server.clients, "it is cut off")
    server.close()


def test_closing_twice_ends_the_thread_and_frees_the_port() -> None:
    server = MetricsServer(listen(LOCAL, "--metrics"), lambda accept: (b"", "text/plain"), RULES)
    address = server.address
    server.close()
    server.close()
    assert not [one for one in threading.enumerate() if one.name == "metrics"]
    listen(address, "--metrics").close()
