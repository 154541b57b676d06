"""`edge-fer run` with its outputs, in the process of the tests, where its parts are measured too."""

from __future__ import annotations

import json
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.cli import main
from edge_fer.cli.signals import StopSignals, stop_signals
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.inference.notes import SIGMOIDS
from edge_fer.inference.quiet import quiet_stderr

if TYPE_CHECKING:
    from pathlib import Path


def run(*arguments: str | Path) -> int:
    return main.exit_code(["run", *map(str, arguments)])


def test_all_outputs_at_once(tmp_path: Path, tiny_model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    table, video = tmp_path / "out.csv", tmp_path / "out.avi"
    outputs = ("--json", "--csv", table, "--save", video)
    assert run("demo", "--max-frames", "5", *outputs, "--top", "2", "--model", tiny_model) == 0
    output, errors = capfd.readouterr()
    assert [json.loads(line)["seq"] for line in output.splitlines()] == list(range(5))
    assert len(table.read_text().splitlines()) == 6
    assert cv2.VideoCapture(str(video)).get(cv2.CAP_PROP_FRAME_COUNT) == 5
    assert "5 frames in" in errors


def test_what_is_wrong_with_a_model_is_said_once(
    tmp_path: Path, tiny_model: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / f"model{tiny_model.suffix}"
    model.write_bytes(tiny_model.read_bytes())
    write_manifest(model, replace(read_manifest(tiny_model), output_kind="sigmoids"))
    assert run("demo", "--max-frames", "3", "--json", "--model", model) == 0
    output, errors = capfd.readouterr()
    assert errors.count(f"model: {SIGMOIDS}") == 1
    assert SIGMOIDS not in output


@pytest.mark.parametrize(
    ("arguments", "exit_code", "says"),
    [
        (("--camera", "63"), 3, "63"),
        (("none.mp4",), 3, "none.mp4"),
        (("demo", "--save", "no/such/folder/x.mp4"), 1, "x.mp4"),
        (("demo", "--csv", "/proc/x.csv"), 1, "x.csv"),
        (("demo", "--mqtt", "http://x"), 78, "mqtt"),
        (("demo", "--mqtt", "mqtt://x", "--mqtt-ca", "x.pem"), 78, "mqtts://"),
        (("demo", "--serve", "nowhere"), 78, "nowhere"),
        (("demo", "--detect-width", "2"), 2, "--detect-width"),
        ((), 2, "give one source"),
        (("demo", "--camera", "0"), 2, "give one source"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_told(
    tiny_model: Path, capfd: pytest.CaptureFixture[str], arguments: tuple[str, ...], exit_code: int, says: str
) -> None:
    assert run(*arguments, "--model", tiny_model) == exit_code
    output, errors = capfd.readouterr()
    assert output == ""
    assert says in errors
    assert "Traceback" not in errors


def test_a_window_without_a_screen(
    tiny_model: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert run("demo", "--show", "--max-frames", "2", "--model", tiny_model) == 0
    assert "the run goes on without" in capfd.readouterr().err


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_signals_before_a_run_end_it_and_the_first_within_one_asks(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    before = signal.getsignal(number)
    with stop_signals() as signals:
        with pytest.raises(raised):
            signal.raise_signal(number)
        assert signals.stop.is_set()
    assert signal.getsignal(number) == before
    asked = StopSignals()
    asked.running = True
    asked.handle(number, None)
    assert asked.stop.is_set()
    assert asked.interrupted == (number == signal.SIGINT)
    with pytest.raises(raised):
        asked.handle(number, None)


@pytest.mark.parametrize(("number", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_signal_that_an_extension_turns_into_a_failed_import_still_ends_it(
    number: signal.Signals, raised: type[BaseException]
) -> None:
    def load() -> None:
        with stop_signals():
            try:
                signal.raise_signal(number)
            except BaseException:
                raise ImportError("numpy failed to import") from None

    with pytest.raises(raised):
        load()


def test_standard_error_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    with quiet_stderr():
        pass


def test_main_ends_the_process_with_the_exit_code(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--version"])
    assert caught.value.code == 0
    assert capfd.readouterr().out.startswith("edge-fer ")
