from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from edge_fer import __version__
from edge_fer.cli.main import COMMANDS, CommandEntry, LazyGroup, cli, exit_code, unknown_command
from edge_fer.installation import install_command

if TYPE_CHECKING:
    from pathlib import Path

FAKE_COMMANDS = """
import sys
import click
from edge_fer.errors import SourceError

@click.command("lost")
def lost():
    raise SourceError("no camera:\\n  plug one in")

@click.command("interrupted")
def interrupted():
    raise KeyboardInterrupt

@click.command("full")
def full():
    raise OSError(28, "No space left on device", "faces.jsonl")

@click.command("closed")
def closed():
    print("some text that stays in the buffer")
    raise BrokenPipeError

@click.command("heavy")
def heavy():
    raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

@click.command("broken")
def broken():
    raise ModuleNotFoundError("No module named 'surely_not_there'", name="surely_not_there")

@click.command("four")
@click.pass_context
def four(context):
    context.exit(4)
"""


@pytest.fixture
def fakes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LazyGroup:
    """A command line of commands that fail, each in its own way."""
    (tmp_path / "fake_commands.py").write_text(FAKE_COMMANDS)
    (tmp_path / "fake_on_top_of_tensorflow.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'tf2onnx'\", name='tf2onnx')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    names = ("lost", "interrupted", "full", "closed", "heavy", "broken", "four")
    entries = {name: CommandEntry(f"fake_commands:{name}", name) for name in names}
    entries["train"] = CommandEntry("fake_commands:heavy", "train")
    entries["convert"] = CommandEntry("fake_on_top_of_tensorflow:command", "convert")
    return LazyGroup(entries, name="edge-fer")


def test_help_lists_every_command_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["--help"]) == 0
    output = capsys.readouterr().out
    for name, entry in COMMANDS.items():
        assert f"  {name}" in output
        assert entry.summary in output


def test_the_package_can_be_run_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "edge_fer", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"edge-fer {__version__}\n"


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["--version"]) == 0
    assert capsys.readouterr().out == f"edge-fer {__version__}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_has_help(name: str) -> None:
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert command.help
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{name} {parameter.opts[0]} has no help"


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_of_any_command_takes_nan(name: str) -> None:
    with click.Context(cli) as context:
        command = cli.get_command(context, name)
        commands = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        numbers = [
            parameter.type
            for one in commands
            if one is not None
            for parameter in one.params
            if isinstance(parameter.type, click.types.FloatParamType)
        ]
        for number in numbers:
            with pytest.raises(click.BadParameter):
                number.convert("nan", None, context)


def test_an_unknown_command_is_told_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["predcit"]) == 2
    assert "No such command 'predcit': did you mean 'predict'?" in capsys.readouterr().err


def test_an_unknown_command_like_no_other_is_told_with_all_known() -> None:
    message = unknown_command("zzz", COMMANDS)
    assert all(name in message for name in COMMANDS)


def test_an_error_of_ours_is_one_line_and_its_exit_code(fakes: LazyGroup, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["lost"], fakes) == 3
    streams = capsys.readouterr()
    assert streams.err == "edge-fer: no camera:\\n plug one in\n"
    assert streams.out == ""


def test_an_error_of_the_system_is_one_line(fakes: LazyGroup, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["full"], fakes) == 1
    assert capsys.readouterr().err == "edge-fer: faces.jsonl: No space left on device\n"


def test_ctrl_c_ends_with_130(fakes: LazyGroup, capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(["interrupted"], fakes) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_the_exit_code_of_a_command_is_kept(fakes: LazyGroup) -> None:
    assert exit_code(["four"], fakes) == 4


@pytest.mark.parametrize(
    ("name", "package", "extra"),
    [("convert", "tf2onnx", "convert"), ("train", "matplotlib", "train"), ("heavy", "matplotlib", "bench")],
)
def test_a_missing_package_is_told_as_its_extra(
    name: str, package: str, extra: str, fakes: LazyGroup, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exit_code([name], fakes) == 1
    error = capsys.readouterr().err
    assert package in error
    assert install_command(extra) in error
    assert error.count("\n") == 1


def test_a_fault_of_the_program_is_not_hidden(fakes: LazyGroup) -> None:
    with pytest.raises(ModuleNotFoundError, match="surely_not_there"):
        exit_code(["broken"], fakes)


def test_a_closed_pipe_ends_quietly(fakes: LazyGroup, tmp_path: Path) -> None:
    script = (
        "import sys; from edge_fer.cli.main import *; "
        "group = LazyGroup({'closed': CommandEntry('fake_commands:closed', 'closed')}); "
        "sys.exit(exit_code(['closed'], group))"
    )
    done = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert done.stdout is not None
    assert done.stderr is not None
    done.stdout.close()
    error = done.stderr.read()
    done.stderr.close()
    assert (done.wait(), error) == (0, b"")
