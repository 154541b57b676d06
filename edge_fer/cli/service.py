"""`edge-fer service`: the run as a service of systemd, installed, shown, restarted and removed."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.logs import show_messages
from edge_fer.cli.service_machine import (
    Machine,
    check_may_change,
    check_places,
    installed_service,
    make_plan,
    service_of,
    text_as_now,
    this_machine,
    unit_text,
)
from edge_fer.cli.streams import tell
from edge_fer.errors import EdgeFerError
from edge_fer.settings import LogOptions

if TYPE_CHECKING:
    from edge_fer.cli.options import Function
    from edge_fer.device.unit import Scope

LINGER_FOLDER = Path("/var/lib/systemd/linger")
NOT_THERE = 4
"""What `systemctl status` exits with where there is no such unit."""

RUN_OPTIONS = {"ignore_unknown_options": True, "allow_interspersed_args": True}


def scope_option(function: Function) -> Function:
    """Add --system and --user."""
    return click.option(
        "--user/--system",
        "user",
        default=None,
        help="A service of yours, or of the machine (the default, and it needs root).",
    )(function)


@click.group("service", short_help="Run as a service that starts at boot (systemd).")
def command() -> None:
    """Run as a service that starts at boot, waits for its camera and is restarted when it fails (systemd).

    \b
    Examples:
      sudo edge-fer service install --camera 0
      edge-fer service status
      edge-fer service logs --follow
      sudo edge-fer service uninstall
    """
    show_messages(LogOptions(quiet=True), os.environ)


@command.command("install", context_settings=RUN_OPTIONS, short_help="Write, enable and start the service.")
@scope_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF RUN]...")
@click.pass_context
def install(context: click.Context, user: bool | None, options: tuple[str, ...]) -> None:
    """Write, enable and start the service; options are those of `edge-fer run`, checked before anything is written.

    Settings also come from /etc/edge-fer/config.toml; options override them. Running it again with the same options
    changes nothing, with others it changes the service.

    \b
    Examples:
      sudo edge-fer service install --camera 0
      sudo edge-fer service install --camera usb-Cam-video-index0 --mqtt mqtts://cam@broker.lan
      edge-fer service install --user --camera 0 --csv ~/faces.csv
    """
    machine = _machine(context)
    scope: Scope = "user" if user else "system"
    service = service_of(machine, scope)
    check_may_change(machine, scope, "install", options)
    _warn_of_variables(machine)
    plan = make_plan(machine, scope, options)
    check_places(machine, scope, plan)
    done = service.install(unit_text(machine, service, plan))
    for line in done:
        tell(line)
    if not done:
        tell(f"nothing to change: {service.file} is up to date, and the service runs")
    if scope == "user":
        _warn_of_lingering(machine)


@command.command("show", context_settings=RUN_OPTIONS, short_help="Print the unit without writing it.")
@scope_option
@click.argument("options", nargs=-1, type=click.UNPROCESSED, metavar="[OPTIONS OF RUN]...")
@click.pass_context
def show(context: click.Context, user: bool | None, options: tuple[str, ...]) -> None:
    """Print the unit that `install` would write with these options, and write nothing."""
    machine = _machine(context)
    scope: Scope = "user" if user else "system"
    _warn_of_variables(machine)
    plan = make_plan(machine, scope, options)
    try:
        check_places(machine, scope, plan)
    except EdgeFerError as error:
        tell(f"`install` would refuse: {error}")
    click.echo(unit_text(machine, service_of(machine, scope), plan), nl=False)


@command.command("status", short_help="Print the status of the service.")
@scope_option
@click.pass_context
def status(context: click.Context, user: bool | None) -> None:
    """Print the status of the service; exit code as of systemctl: 0 it runs, 3 it does not, 4 it is not installed."""
    machine = _machine(context)
    service = installed_service(machine, user)
    if service is None:
        tell("the service is not installed: `edge-fer service install` does it")
        context.exit(NOT_THERE)
    context.exit(service.show_status())


@command.command("logs", short_help="Print the log of the service.")
@scope_option
@click.option("-n", "--lines", type=click.IntRange(1, 1_000_000), default=50, show_default=True, help="Lines to print.")
@click.option("-f", "--follow", is_flag=True, help="Print new lines as they come, until Ctrl-C.")
@click.pass_context
def logs(context: click.Context, user: bool | None, lines: int, follow: bool) -> None:
    """Print the last lines of the log of the service (journalctl)."""
    machine = _machine(context)
    service = installed_service(machine, user) or service_of(machine, "user" if user else "system")
    context.exit(service.show_log(lines, follow=follow))


@command.command("restart", short_help="Restart the service with the settings as they are now.")
@scope_option
@click.pass_context
def restart(context: click.Context, user: bool | None) -> None:
    """Restart the service with the settings as they are now, after checking them.

    The unit is written again where they, or a new version, need it.
    """
    from edge_fer.device.unit import program_line
    from edge_fer.errors import ServiceError

    machine = _machine(context)
    service = installed_service(machine, user)
    text = None if service is None else service.text()
    if service is None or text is None:
        raise ServiceError("the service is not installed: `edge-fer service install` does it")
    check_may_change(machine, service.scope, "restart")
    if program_line(machine.program) in text:  # else it is that of another installation
        text = text_as_now(machine, service, text)
    for line in service.install(text, restart=True):
        tell(line)


@command.command("uninstall", short_help="Stop the service and remove all of it.")
@scope_option
@click.option("--purge", is_flag=True, help="Also remove the files that it wrote.")
@click.pass_context
def uninstall(context: click.Context, user: bool | None, purge: bool) -> None:
    """Stop the service and remove its unit, its drop-ins and its empty folder; settings in /etc/edge-fer stay."""
    machine = _machine(context)
    service = installed_service(machine, user) or service_of(machine, "user" if user else "system")
    check_may_change(machine, service.scope, "uninstall")
    for line in service.uninstall(purge=purge) or ["nothing to remove: the service is not installed"]:
        tell(line)


def _machine(context: click.Context) -> Machine:
    return context.find_object(Machine) or this_machine()


def _warn_of_variables(machine: Machine) -> None:
    from edge_fer.config.setting import ENVIRONMENT_PREFIX

    names = sorted(name for name in machine.environment if name.startswith(ENVIRONMENT_PREFIX))
    if names:
        tell(f"a service does not see {', '.join(names)} of this shell: give the options, or set them in a file")


def _warn_of_lingering(machine: Machine) -> None:
    try:
        name = machine.environment.get("USER") or getpass.getuser()
    except (KeyError, OSError):  # no user of that number has a name
        name = str(os.getuid())
    if not (LINGER_FOLDER / name).exists():
        tell(f"it ends when you log out; to let it start at boot: sudo loginctl enable-linger {name}")
