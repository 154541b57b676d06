"""The command `edge-fer`: a table of commands, each imported when it is called and not before.

The help text of the table stands here, so that `edge-fer --help` imports no command, NumPy, OpenCV or engine.
Results go to standard output, all else to standard error; `edge_fer.errors` lists the exit codes.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import click

from edge_fer._version import __version__
from edge_fer.errors import EdgeFerError, MissingExtra, lacks_memory, one_line
from edge_fer.escaping import for_terminal_lines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130


class CommandEntry(NamedTuple):
    """Where a command lives and the line that the list of commands shows."""

    target: str
    """`module:attribute` of the click command."""
    summary: str


COMMANDS: dict[str, CommandEntry] = {
    "run": CommandEntry("edge_fer.cli.run:command", "Read faces from a camera, video, stream, folder or the demo."),
    "predict": CommandEntry("edge_fer.cli.predict:command", "Read every face in pictures."),
    "report": CommandEntry("edge_fer.cli.report:command", "Summarise results of films: who was seen when, and how."),
    "archive": CommandEntry("edge_fer.cli.archive:command", "Read very many pictures and films into Parquet."),
    "service": CommandEntry("edge_fer.cli.service:command", "Run as a service that starts at boot (systemd)."),
    "doctor": CommandEntry("edge_fer.cli.doctor:command", "Check the camera, model, service and everything else."),
    "config": CommandEntry("edge_fer.cli.config:command", "Show the settings in force and where they come from."),
    "convert": CommandEntry("edge_fer_convert.cli:command", "Turn a trained Keras model into TFLite and ONNX files."),
    "train": CommandEntry("edge_fer_train.cli:command", "Train a small network on FER-2013 or your own pictures."),
    "evaluate": CommandEntry("edge_fer_bench.evaluate_cli:command", "Measure a model on labelled faces."),
    "bench": CommandEntry("edge_fer_bench.cli:command", "Measure speed and accuracy of every format on this machine."),
    "completion": CommandEntry("edge_fer.cli.completion:command", "Print a script for completion in a shell."),
}

EXTRAS_OF_PACKAGE: dict[str, tuple[str, ...]] = {
    "tensorflow": ("convert", "train"),
    "keras": ("train", "convert"),
    "tf2onnx": ("convert",),
    "onnx": ("convert",),
    "ml_dtypes": ("convert",),
    "onnxruntime": ("onnx", "convert"),
    "ai_edge_litert": ("litert",),
    "matplotlib": ("bench", "train"),
    "pygame": ("window",),
    "paho": ("mqtt",),
    "prometheus_client": ("metrics",),
    "starlette": ("web",),
    "uvicorn": ("web",),
    "pyarrow": ("archive",),
}
"""Extras that bring a package; where one is named like the running command, that one is named, else the first."""


class LazyGroup(click.Group):
    """A click group that imports a command when it is asked for."""

    def __init__(self, entries: Mapping[str, CommandEntry], **settings: object) -> None:
        super().__init__(**settings)  # type: ignore[arg-type]
        self.entries = entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands in the order of the table."""
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None where there is none of that name.

        Raises:
            MissingExtra: its module needs a package that an extra brings.
        """
        entry = self.entries.get(cmd_name)
        if entry is None:
            return None
        import importlib

        from edge_fer.third_party import silence_matplotlib, silence_onnxruntime

        module, _, attribute = entry.target.partition(":")
        if module.startswith("edge_fer."):
            # NumPy's linear algebra starts a thread for each core when it is imported, which took 0.6 s of processor
            # time on four cores. The runtime multiplies no matrices.
            os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        # Processes that a command starts inherit these.
        silence_onnxruntime()
        silence_matplotlib()
        try:
            command = getattr(importlib.import_module(module), attribute)
        except ImportError as error:
            raise_missing_extra(error, cmd_name)
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the arguments begin with; an unknown one is refused with the nearest known."""
        if args[0] not in self.entries and not args[0].startswith("-"):
            ctx.fail(unknown_command(args[0], self.entries))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.summary) for name, entry in self.entries.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; a missing package is reported as the extra that brings it, and a closed pipe is the end."""
        try:
            return super().invoke(ctx)
        except ImportError as error:
            raise_missing_extra(error, ctx.invoked_subcommand or "")
        except BrokenPipeError:
            discard_output()
            ctx.exit(0)


def raise_missing_extra(error: ImportError, command: str) -> NoReturn:
    """Raise MissingExtra for a package that an extra brings; any other failed import is raised as it is."""
    extras = EXTRAS_OF_PACKAGE.get(error.name or "")
    if extras is None or not isinstance(error, ModuleNotFoundError):
        raise error
    if error.name in ("tensorflow", "keras") and sys.version_info >= (3, 14):
        raise EdgeFerError(f"`edge-fer {command}` uses TensorFlow: it runs on Python 3.11 to 3.13") from None
    extra = command if command in extras else extras[0]
    raise MissingExtra(f"`edge-fer {command}` uses {error.name}, which", extra) from None


def unknown_command(name: str, known: Mapping[str, CommandEntry]) -> str:
    """What to say of a command that does not exist, with the nearest one that does."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"No such command {name!r}: " + (f"did you mean {near[0]!r}?" if near else f"known are {', '.join(known)}.")


def discard_output() -> None:
    """Send what is still buffered for standard output nowhere, so that Python's last flush does not fail visibly."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


cli = LazyGroup(
    COMMANDS,
    name="edge-fer",
    help="Read facial expressions on small computers: run and train emotion models, and convert them for the edge.",
    epilog="Help for one command: edge-fer COMMAND --help",
    context_settings={"help_option_names": ["-h", "--help"]},
)
click.version_option(__version__, message="edge-fer %(version)s")(cli)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    from edge_fer.background import leave

    reserve_standard_streams()
    try:
        code = exit_code(arguments)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED
    except SystemExit as ending:  # a signal before the work began
        code = ending.code if isinstance(ending.code, int) else EXIT_FAILED if ending.code else 0
    leave(code)


def reserve_standard_streams() -> None:
    """Put /dev/null where standard input, output or error is closed.

    A file or camera that is opened would get the number of the closed one, and what libraries print would go there.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one


def exit_code(arguments: Sequence[str] | None = None, group: click.Group = cli) -> int:
    """Run the command line; faults that a user can fix become one line on standard error."""
    try:
        result = group.main(arguments, prog_name="edge-fer", standalone_mode=False)
        if sys.stdout is not None:
            sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except EdgeFerError as error:
        complain(str(error), getattr(error, "excerpt", ()))
        return error.exit_code
    except click.ClickException as error:
        shown = io.StringIO()
        error.show(shown)  # it repeats what was typed, or put there by a pattern of the shell
        with contextlib.suppress(OSError, ValueError):
            click.echo(for_terminal_lines(shown.getvalue()), err=True, nl=False)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        discard_output()
        return 0
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        return EXIT_FAILED
    except Exception as error:
        if not lacks_memory(error):
            raise
        complain("there is not enough memory: give smaller pictures, or end other programs")
        return EXIT_FAILED


def complain(message: str, excerpt: Sequence[str] = ()) -> None:
    """Write one line to standard error, in the form that the command chose; a closed one is no fault.

    Args:
        message: the line.
        excerpt: lines that show people the place; programs and journals get the one line alone.
    """
    if "edge_fer.cli.logs" in sys.modules:
        from edge_fer.cli.logs import log_error

        if log_error(" ".join(message.split())):
            return
    with contextlib.suppress(OSError, ValueError):
        click.echo(f"edge-fer: {one_line(' '.join(message.split()))}", err=True)
        for line in excerpt:
            click.echo(f"  {one_line(line)}", err=True)


if __name__ == "__main__":
    main()
