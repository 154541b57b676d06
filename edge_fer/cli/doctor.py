"""`edge-fer doctor`: does everything that is needed work here, and if not, what is to be done."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from edge_fer.cli.logs import show_messages
from edge_fer.cli.service import RUN_OPTIONS
from edge_fer.cli.streams import on_terminal
from edge_fer.escaping import for_json
from edge_fer.settings import LogOptions

if TYPE_CHECKING:
    from edge_fer.device.doctor import Report

EXIT_NOT_WELL = 1
COLOURS = {"ok": "green", "warn": "yellow", "fail": "red", "skip": "bright_black"}


@click.command("doctor", context_settings=RUN_OPTIONS, short_help="Check camera, model, service and all else here.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF RUN]...")
@click.pass_context
def command(context: click.Context, as_json: bool, options: tuple[str, ...]) -> None:
    """Check what `edge-fer run` with these options needs; without any, what the installed service needs.

    The exit code is 0 only where all that is needed works; warnings, such as heat, do not change it.

    \b
    Examples:
      edge-fer doctor
      edge-fer doctor --camera 0
      edge-fer doctor rtsp://viewer@camera.lan/live --source-password-file password
      edge-fer doctor --json
    """
    from edge_fer.cli.doctor_probes import probes_for
    from edge_fer.device.doctor import examine
    from edge_fer.device.findings import Probes

    show_messages(LogOptions(quiet=True), os.environ)
    probes: Probes | None = context.find_object(Probes)
    report = examine(probes_for(options, os.environ) if probes is None else probes)
    if as_json:
        click.echo(for_json(json.dumps(report.as_record(), ensure_ascii=False, indent=2)))
    else:
        for line in report_lines(report, colour=on_terminal(sys.stdout)):
            click.echo(line)
    context.exit(0 if report.works else EXIT_NOT_WELL)


def report_lines(report: Report, *, colour: bool = False) -> list[str]:
    """The report as lines for people: each finding, and its fix below it."""
    width = max(map(len, report.findings))
    lines = []
    for name, finding in report.findings.items():
        state = f"{finding.state:4}"
        mark = click.style(state, fg=COLOURS[finding.state]) if colour else state
        lines.append(f"{mark}  {name:{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':4}  {'':{width}}  -> {finding.fix}")
    failed = sum(finding.state == "fail" for finding in report.findings.values())
    lines.append("all required checks passed" if report.works else f"{failed} of {len(report.findings)} checks failed")
    return lines
