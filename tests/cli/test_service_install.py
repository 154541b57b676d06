"""What `edge-fer service install` checks and writes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError
from tests.service_bench import PROGRAM, Bench

if TYPE_CHECKING:
    from collections.abc import Sequence


def test_install_checks_writes_and_starts(bench: Bench) -> None:
    result = bench("install", "--camera", "0", "--min-face-px", "64")

    assert bench.systemd.running == bench.file.read_text()
    assert bench.started().endswith("--camera 0 --min-face-px 64")
    assert f"wrote {bench.file}" in result.stderr
    assert "started: waits for its camera" in result.stderr
    assert Path(PROGRAM) in bench.checked


def test_a_second_install_with_the_same_words_written_otherwise_changes_nothing(bench: Bench) -> None:
    bench("install", "--camera", "0", "--fps", "15")
    before = bench.file.stat().st_mtime_ns

    result = bench("install", "--camera=0", "--fps=15")

    assert "nothing to change" in result.stderr
    assert bench.file.stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--camera", "0", "--fps", "0"], 2, "--fps"),
        (["--camera", "0", "--no-such"], 2, "--no-such"),
        ([], 2, "give one source"),
        (["demo", "--camera", "0"], 2, "give one source"),
        (["demo", "more"], 2, "give demo alone"),
        (["--camera", "0", "--mqtt", "http://broker"], 78, "--mqtt"),
        (["--camera", "0", "--model", "/nonexistent/model.tflite"], 4, "/nonexistent/model.tflite"),
        (["--camera", "0", "--csv", "/var/log/faces.csv"], 78, "give faces.csv"),
        (["--camera", "0", "--csv", "../faces.csv"], 78, "give faces.csv"),
        (["--camera", "0", "--save", "all.mp4"], 78, "leave it out"),
    ],
)
def test_what_run_would_refuse_is_refused_before_anything_is_written(
    bench: Bench, options: Sequence[str], code: int, words: str
) -> None:
    result = bench("install", *options, code=code)

    assert words in result.output + str(result.exception)
    assert not bench.file.exists()
    assert not {"daemon-reload", "enable", "restart"} & {call[0] for call in bench.systemd.calls}


def test_a_place_that_the_service_could_not_read_is_refused(bench: Bench) -> None:
    def refuse(_paths: Sequence[Path]) -> None:
        raise ConfigError("a service could not read /srv/x")

    bench.machine = replace(bench.machine, check_readable=refuse)

    bench("install", "--camera", "0", code=78)

    assert not bench.file.exists()
    shown = bench("show", "--camera", "0")
    assert "would refuse" in shown.stderr
    assert "[Service]" in shown.stdout


def test_files_get_whole_names_and_are_checked(
    bench: Bench, tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tiny_model.parent)

    bench("install", "demo", "--model", tiny_model.name)

    assert bench.started().endswith(f"--model {tiny_model} demo")
    assert tiny_model in bench.checked


def test_words_that_are_no_files_stay_as_they_are(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    bench("install", "demo", "--model", "nano", "--csv", "faces.csv")

    assert bench.started().endswith("--model nano --csv faces.csv demo")
    assert not [path for path in bench.checked if path.name in ("nano", "demo", "faces.csv")]


def test_the_file_of_settings_is_whole_and_checked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.toml").write_text('camera = "2"\n')
    monkeypatch.chdir(tmp_path)

    bench("install", "--config", "mine.toml")

    assert bench.started().endswith(f"--config {tmp_path / 'mine.toml'}")
    assert tmp_path / "mine.toml" in bench.checked


def test_switches_keep_their_side(bench: Bench) -> None:
    bench("install", "--camera", "0", "--json", "--no-show", "--headless")

    assert bench.started().endswith("--camera 0 --json --no-show --headless")


def test_a_password_is_handed_over_by_systemd_and_never_on_the_command_line(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")

    bench("install", "--camera", "0", "--mqtt", "mqtt://me@broker", "--mqtt-password-file", secret)

    text = bench.file.read_text()
    assert f"LoadCredential=mqtt-password:{secret}" in text.splitlines()
    assert bench.started().endswith("--camera 0 --mqtt mqtt://me@broker --mqtt-password-file=%d/mqtt-password")
    assert "swordfish" not in text
    assert secret not in bench.checked


def test_the_password_of_a_camera_is_handed_over_by_systemd(bench: Bench, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("swordfish\n")

    bench("install", "rtsp://me@camera.lan/live", "--source-password-file", secret)

    text = bench.file.read_text()
    assert f"LoadCredential=source-password:{secret}" in text.splitlines()
    assert bench.started().endswith("rtsp://me@camera.lan/live --source-password-file=%d/source-password")
    assert "swordfish" not in text


@pytest.mark.parametrize(
    "address", ["rtsp://me:swordfish@camera.lan/live", "http://camera.lan/snap?user=me&pwd=swordfish"]
)
@pytest.mark.parametrize("place", ["source", "--camera", "settings"])
def test_a_password_in_an_address_is_refused(bench: Bench, tmp_path: Path, address: str, place: str) -> None:
    config = tmp_path / "config.toml"
    config.write_text(f'camera = "{address}"\n')
    options = {"source": [address], "--camera": ["--camera", address], "settings": ["--config", config]}[place]

    result = bench("install", *options, code=78)

    told = result.output + str(result.exception)
    assert "--source-password-file" in told
    assert "swordfish" not in told
    assert not bench.file.exists()


def test_a_password_file_in_the_settings_is_handed_over_too(bench: Bench, tmp_path: Path) -> None:
    secret, config = tmp_path / "secret", tmp_path / "config.toml"
    secret.write_text("swordfish\n")
    config.write_text(f'camera = "0"\nmqtt = "mqtt://me@broker"\nmqtt_password_file = "{secret}"\n')

    bench("install", "--config", config)

    assert f"LoadCredential=mqtt-password:{secret}" in bench.file.read_text()
    assert "AF_INET " in bench.file.read_text()


@pytest.mark.parametrize(
    ("options", "network"),
    [
        (["--camera", "0"], False),
        (["--camera", "0", "--csv", "faces.csv"], False),
        (["--camera", "0", "--mqtt", "mqtt://broker"], True),
        (["rtsp://camera.lan/live"], True),
    ],
)
def test_the_network_is_open_only_where_something_needs_it(bench: Bench, options: Sequence[str], network: bool) -> None:
    text = bench("show", *options).stdout

    assert ("PrivateNetwork=yes" in text) != network


def test_variables_of_the_shell_are_not_what_the_service_sees(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGE_FER_CAMERA", "7")
    bench.machine = replace(bench.machine, environment={**bench.machine.environment, "EDGE_FER_CAMERA": "7"})

    assert "give one source" in bench("install", code=2).output
    assert "does not see EDGE_FER_CAMERA" in bench("show", "--camera", "0").stderr


def test_show_writes_nothing(bench: Bench) -> None:
    result = bench("show", "--camera", "0")

    assert result.stdout.endswith("WantedBy=multi-user.target\n")
    assert not bench.file.exists()
    assert bench.systemd.calls == []


def test_rules_keep_their_actions_and_programs_get_whole_paths(bench: Bench) -> None:
    rules = ["--on", "smile: happy > 80% for 2s", "--do", "command:sh -c 'echo $EVENT_NAME'", "--do", "log"]
    bench("install", "--camera", "0", *rules, "--on", "nobody for 60s", "--do", "snapshot:empty")

    sh = Path(shutil.which("sh") or "")
    line = bench.started()
    assert f'--on "smile: happy > 80%% for 2s" --do "command:{sh} -c \'echo $$EVENT_NAME\'"' in line
    assert '--do log --on "nobody for 60s" --do snapshot:empty' in line
    assert sh in bench.checked
    assert "PrivateNetwork=yes" in bench.file.read_text()
    before = bench.file.stat().st_mtime_ns
    bench("install", "--camera", "0", *rules, "--on", "nobody for 60s", "--do", "snapshot:empty")
    assert bench.file.stat().st_mtime_ns == before


def test_a_webhook_gets_a_network_its_secret_a_credential_and_its_file_is_read(bench: Bench, tmp_path: Path) -> None:
    hook, secret = tmp_path / "hook", tmp_path / "secret"
    hook.write_text("https://host/very-secret\n")
    secret.write_text("also-secret\n")
    bench("install", "--camera", "0", "--on", "happy", "--do", f"webhook:@{hook}", "--webhook-secret-file", str(secret))

    unit = bench.file.read_text()
    assert "PrivateNetwork=yes" not in unit
    assert f"LoadCredential=webhook-secret:{secret}" in unit
    assert "secret" not in unit.replace(str(secret), "").replace("webhook-secret", "")
    assert hook in bench.checked


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--on", "happy >> 1", "--do", "log"], 2, "expected a number"),
        (["--on", "happy", "--do", "command:/no/such/program"], 2, "there is no program"),
        (["--on", "happy", "--do", "snapshot:/var/photos"], 78, "give photos"),
        (["--on", "happy", "--events", "/var/log/events.jsonl"], 78, "give events.jsonl"),
        (["--on", "happy", "--do", "webhook:https://h/", "--webhook-queue", "/var/q"], 78, "give q"),
        (["--on", "happy"], 2, "does nothing"),
    ],
)
def test_rules_that_a_service_cannot_have_are_refused(
    bench: Bench, options: Sequence[str], code: int, words: str
) -> None:
    result = bench("install", "--camera", "0", *options, code=code)

    assert words in result.output + str(result.exception)
    assert not bench.file.exists()
