"""`edge-fer run`: a camera, video, stream, folder or the demo, frame by frame."""

from __future__ import annotations

import io
import logging
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from edge_fer.cli.configuration import RereadableCommand, config_option, parsed_again, prefer_given
from edge_fer.cli.event_settings import event_places, event_settings
from edge_fer.cli.logs import show_messages
from edge_fer.cli.options import settings_options
from edge_fer.cli.overwriting import check_standard_output, is_standard_output, names_file, refuse_overwriting
from edge_fer.cli.run_settings import camera_name, run_settings
from edge_fer.cli.signals import stop_signals
from edge_fer.cli.streams import open_output
from edge_fer.confinement import without_memory_dumps
from edge_fer.errors import EdgeFerError
from edge_fer.settings import RUN, LogOptions, chosen
from edge_fer.sinks.summary import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.build import RunSettings
    from edge_fer.cli.signals import StopSignals
    from edge_fer.pipeline import Pipeline, RunReport
    from edge_fer.types import SourceInfo

log = logging.getLogger("edge_fer.run")


@click.command("run", cls=RereadableCommand, short_help="Read faces from a camera, video, stream, folder or the demo.")
@settings_options(*RUN)
@config_option("run")
@click.pass_context
def command(context: click.Context, /, **_options: Any) -> None:
    """Read the facial expressions in SOURCE, frame by frame.

    SOURCE is a video, a picture, a folder of them, an rtsp:// or http:// address, or `demo`, which needs no camera and
    ends by itself, or goes round for ever with --serve. A camera is given with --camera 0. Several files and folders
    are read one after the other; what a file is read as is decided by its content, not by its name.

    q in the window, Ctrl-C and SIGTERM end the run; on SIGHUP a run without a terminal reads its settings again.
    JSON goes to standard output, all else to standard error.

    \b
    Examples:
      edge-fer run demo
      edge-fer run --camera 0 --json
      edge-fer run party.mp4 --headless --save annotated.mp4
      edge-fer run films/ photo.jpg --recursive --csv faces.csv
      edge-fer run demo --serve 127.0.0.1:8080
    """
    from edge_fer.build import Streams, build_pipeline
    from edge_fer.device.notify import service_manager

    show_messages(chosen(LogOptions, context.params), os.environ)
    settings = settings_of(context)
    warn_of_password(settings.source)
    # A service is started again and again and must not begin a file from the start each time; a video cannot go on.
    if "NOTIFY_SOCKET" in os.environ:
        settings = as_service(settings)
    without_memory_dumps()
    with stop_signals(may_begin_anew=settings.save is None) as signals:

        def open_run(wanted: RunSettings) -> Pipeline:
            # A run that prints no results needs no standard output, such as one started by a service manager.
            output = open_output() if wanted.json or is_standard_output(wanted.csv) else io.BytesIO()
            manager = service_manager(os.environ, reloading=lambda: signals.again)
            return build_pipeline(wanted, Streams(output, sys.stderr, manager))

        report = _work(open_run(settings), signals)
        while signals.begin_again():
            settings, pipeline = _open_again(context, settings, open_run)
            report = _work(pipeline, signals)
    context.exit(130 if signals.interrupted else 1 if report.failures else 0)


def settings_of(context: click.Context) -> RunSettings:
    """What a context of this command asks for, whether it is to run now or as a service.

    Raises:
        click.UsageError: it names no source, or several that cannot be read one after the other; or an output is an
            input, or another output.
        ConfigError: an option or setting is unusable.
    """
    sources, camera = prefer_given(context, "source", "camera")
    if (sources is None) == (camera is None):
        raise click.UsageError("give one source: demo, a video, folder or address, or --camera 0", context)
    names = tuple(sources) if sources is not None else (camera_name(camera or ""),)
    if len(names) > 1:
        alone = next((name for name in names if not names_file(name)), None)
        if alone is not None:
            raise click.UsageError(f"several sources must be files and folders: give {alone} alone", context)
    params = context.params
    check_standard_output(as_json=params["json"], csv=params["csv"], events=params["events"])
    events = event_settings(context)
    refuse_overwriting(context, "run", event_places(events))
    return replace(run_settings(names, context.params), events=events)


def as_service(settings: RunSettings) -> RunSettings:
    """The same run under a service manager: files are continued, and what files say starts no program.

    A service has the rights of its unit, and a command is among them only where it was installed with it: who may write
    a file of settings may not thereby start programs as the service.
    """
    events = settings.events
    kept = None if events is None else events.without_configured_commands()
    if events is not None and kept != events:
        log.warning(
            "commands in files of settings are left out in a service: install it with them, as in "
            "edge-fer service install --on RULE --do 'command:PROGRAM'"
        )
    return replace(settings, append=True, events=kept)


def warn_of_password(source: str) -> None:
    """Say so where a password stands in an address."""
    from edge_fer.camera.addresses import holds_password

    if holds_password(source):
        log.warning(
            "the password in the address can be read by others, for example in the list of processes: "
            "leave it out, put it in a file and give --source-password-file FILE"
        )


def _work(pipeline: Pipeline, signals: StopSignals) -> RunReport:
    """Run to the end, and log how it went."""
    try:
        log.info("%s", source_text(pipeline.source.info))
        signals.running = True
        report = pipeline.run(signals.stop)
    finally:
        pipeline.close()
    for line in report_lines(report):
        log.info("%s", line)
    return report


def _open_again(
    context: click.Context, before: RunSettings, open_run: Callable[[RunSettings], Pipeline]
) -> tuple[RunSettings, Pipeline]:
    """The run with its settings as they are now; with those from before where the new ones cannot be used."""
    try:
        fresh = parsed_again(context)
        settings = replace(settings_of(fresh), append=True)
        if "NOTIFY_SOCKET" in os.environ:
            settings = as_service(settings)
        pipeline = open_run(settings)
    except (EdgeFerError, click.UsageError) as error:
        why = error.format_message() if isinstance(error, click.UsageError) else str(error)
        log.error("%s; going on with the settings as they were", why)
        return before, open_run(replace(before, append=True))
    show_messages(chosen(LogOptions, fresh.params), os.environ)
    log.info("the settings were read again")
    return settings, pipeline


def source_text(info: SourceInfo) -> str:
    """One line on what was asked of a source and what it gives."""
    got = _size_and_rate(info.width, info.height, info.fps)
    if info.requested_width or info.requested_height or info.requested_fps:
        asked = _size_and_rate(info.requested_width, info.requested_height, info.requested_fps)
        if info.live and info.width is None:
            return f"{info.name}: asking for {asked}"
        return f"{info.name}: asked for {asked}, got {got}"
    if info.live and info.width is None:
        return f"{info.name}: connecting"
    frames = "" if info.frame_count is None else f", {counted(info.frame_count, 'frame')}"
    return f"{info.name}: {got}{frames}"


def report_lines(report: RunReport) -> list[str]:
    """The summary of a run as lines for people."""
    lines = report.tally.lines(report.seconds)
    if report.truth is not None:
        lines.append(report.truth.line())
    if report.events is not None:
        lines.append(f"events: {report.events}")
    lines += [f"{name}: {count} not written, it was too slow" for name, count in report.dropped.items()]
    lines += [f"{name}: {count} failed" for name, count in report.failures.items()]
    return lines


def _size_and_rate(width: int | None, height: int | None, fps: float | None) -> str:
    size = f"{width}x{height}" if width and height else "pictures of their own size"
    return f"{size} at {fps:.3g} FPS" if fps else size
