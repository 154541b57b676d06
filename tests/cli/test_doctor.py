from __future__ import annotations

import getpass
import json
import os
import shutil
import socket
import subprocess
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from edge_fer.cli.doctor import command
from edge_fer.cli.doctor_probes import cameras, damaged_models, free_bytes, log_in, probes_for, read_demo_faces
from edge_fer.confinement import Walls
from edge_fer.device.findings import Needs, Probes
from edge_fer.errors import ConfigError, SinkError, SourceError
from edge_fer.sinks.mqtt_settings import MqttSettings
from tests.conftest import REPOSITORY
from tests.programs import run_edge_fer
from tests.stream_servers import Connection, Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODELS = Path(__file__).parent.parent.parent / "edge_fer" / "models"

WELL = Probes(
    needs=lambda: Needs("as given"),
    engine=lambda: "litert opens small",
    engines=lambda: ["litert for .tflite"],
    broken_parts=list,
    damaged_models=list,
    demo_faces=lambda: {"happy": True},
    cameras=list,
    may_use=lambda camera: True,
    picture=lambda camera: camera,
    temperature=lambda: None,
    throttled=lambda: None,
    free_bytes=lambda folder: 10**10,
    service=lambda: None,
    broker=lambda: None,
    walls=lambda: Walls(("files (Landlock)",)),
)


def doctor(probes: Probes, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(command, arguments, obj=probes)
    assert result.exit_code == code, result.output
    return result.stdout


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path), "PATH": os.environ["PATH"]}


def test_each_check_is_a_line_and_each_fix_too() -> None:
    out = doctor(replace(WELL, damaged_models=lambda: ["small.onnx was changed"]), code=1)

    assert "fail  models       small.onnx was changed\n" in out
    assert "-> reinstall edge-fer" in out
    assert out.endswith("1 of 16 checks failed\n")


def test_the_exit_code_is_0_where_all_works() -> None:
    assert doctor(WELL).endswith("all required checks passed\n")


def test_json_says_the_same() -> None:
    record = json.loads(doctor(WELL, "--json"))

    assert record["works"] is True
    assert {"name": "engine", "state": "ok", "text": "litert opens small", "fix": ""} in record["checks"]


def test_here_and_now_the_demo_is_read_from_pixels_to_words(environment: dict[str, str]) -> None:
    probes = probes_for(["demo"], environment)

    faces = probes.demo_faces()

    assert len(faces) == 7
    assert all(faces.values())
    assert probes.damaged_models() == []
    assert "opens" in probes.engine()
    assert probes.needs() == Needs("as given", folder=str(Path.cwd()))


def test_a_command_line_answers_as_a_user_meets_it(environment: dict[str, str]) -> None:
    own = {**environment, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    done = run_edge_fer("doctor", "--camera", "/dev/video99", "--json", env=own)

    assert done.returncode == 1, done.stderr
    camera = next(check for check in json.loads(done.stdout)["checks"] if check["name"] == "camera")
    assert camera["state"] == "fail"
    assert "/dev/video99" in camera["text"]


def test_a_model_that_reads_nothing_right_is_found_out(tiny_model: Path, environment: dict[str, str]) -> None:
    probes = probes_for(["demo", "--model", str(tiny_model)], environment)

    assert not all(probes.demo_faces().values())


def test_settings_that_are_unusable_leave_the_other_checks_their_defaults(environment: dict[str, str]) -> None:
    probes = probes_for(["demo"], {**environment, "EDGE_FER_FPS": "none"})

    with pytest.raises(ConfigError, match="EDGE_FER_FPS"):
        probes.needs()
    assert "opens" in probes.engine()


def test_a_camera_and_a_broker_that_are_asked_for_are_needed(environment: dict[str, str]) -> None:
    needs = probes_for(["--camera", "3", "--mqtt", "mqtt://broker.lan"], environment).needs()

    assert (needs.camera, needs.broker) == ("3", "broker.lan:1883")


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    for path in (*MODELS.glob("*nano*static*.tflite"), *MODELS.glob("*nano*static*.tflite.json")):
        shutil.copy(path, tmp_path)
    (model,) = tmp_path.glob("*.tflite")
    assert damaged_models(tmp_path) == []

    model.write_bytes(model.read_bytes()[:-1] + b"\0\1")

    (reason,) = damaged_models(tmp_path)
    assert model.name in reason


def test_a_folder_without_models_is_told(tmp_path: Path) -> None:
    assert "holds no model" in damaged_models(tmp_path)[0]


def test_cameras_are_listed_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("video10", "video2", "video", "video-x", "vidio3"):
        (tmp_path / name).touch()

    assert cameras(tmp_path) == [str(tmp_path / "video2"), str(tmp_path / "video10")]


def test_space_is_told_for_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(str(tmp_path / "a" / "b")) > 0


def test_a_csi_camera_needs_its_program(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    probes = probes_for(["--camera", "rpicam"], environment)

    with pytest.raises(SourceError, match="apt install"):
        probes.picture("rpicam")


def test_a_broker_that_is_away_is_told() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]

    with pytest.raises(SinkError, match="cannot reach"):
        log_in(MqttSettings("127.0.0.1", port))


@pytest.fixture
def mute_server() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        held: list[socket.socket] = []

        def accept() -> None:
            try:
                held.append(server.accept()[0])
            except OSError:
                return

        Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
        for connection in held:
            connection.close()


def test_something_else_than_a_broker_is_told(mute_server: int) -> None:
    with pytest.raises(SinkError, match="is it an MQTT broker"):
        log_in(MqttSettings("127.0.0.1", mute_server), 0.5)


def test_a_real_broker_lets_us_in_or_says_why_not(tmp_path: Path) -> None:
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("needs mosquitto, from Debian's package of that name")
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
    passwords, config = tmp_path / "passwords", tmp_path / "mosquitto.conf"
    passwords.touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", passwords, "me", "right"], check=True, capture_output=True)
    # Root's broker would become another user, who may not read the folders of tests.
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser {getpass.getuser()}\n"
    )
    right = MqttSettings("127.0.0.1", port, user="me", password="right")
    with subprocess.Popen([program, "-c", config], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as broker:
        try:
            until(lambda: log_in(right))
            with pytest.raises(SinkError, match=r"refuses us .*--mqtt-password-file"):
                log_in(replace(right, password="wrong"))
        finally:
            broker.terminate()


def until(attempt: Callable[[], None], seconds: float = 20.0) -> None:
    """Try until the broker is up."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return attempt()
        except SinkError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_no_broker_is_no_question() -> None:
    log_in(None)


def test_the_faces_are_those_of_all_emotions() -> None:
    from edge_fer.build import RunSettings

    assert set(read_demo_faces(RunSettings())) == {"angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"}


def test_an_address_a_file_and_a_folder_are_opened(environment: dict[str, str], tmp_path: Path) -> None:
    film = REPOSITORY / "tests" / "faults" / "files" / "plain.mp4"
    assert "64x48" in probes_for([str(film)], environment).picture(str(film))
    (tmp_path / "words.mp4").write_text("words")
    for source in (tmp_path / "words.mp4", tmp_path / "none.mp4", "http://127.0.0.1:1/x"):
        probes = probes_for([str(source)], environment)
        assert probes.needs().sources == (str(source),)
        with pytest.raises(SourceError):
            probes.picture(str(source))


def test_a_wrong_password_fails(environment: dict[str, str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret")

    def refuses(connection: Connection) -> None:
        connection.head("401 Unauthorized", WWW_Authenticate="Basic realm=x", Content_Length="0")

    with Server(refuses) as server:
        address = server.url(login="anna@")
        done = run_edge_fer("doctor", address, "--source-password-file", secret)
    assert done.returncode == 1
    line = next(line for line in done.stdout.splitlines() if "source" in line)
    assert line.startswith("fail")
    assert "refuses the user or the password" in line
    assert "s3cret" not in done.stdout + done.stderr
