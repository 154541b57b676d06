"""The computer on which a service is installed, and what stands between the options and the text of its unit."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.errors import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge_fer.cli.service_plan import RunPlan
    from edge_fer.device.commands import Commands
    from edge_fer.device.service import Service
    from edge_fer.device.unit import Scope


@dataclass(frozen=True, slots=True)
class Machine:
    """What the commands find around them; tests bring their own as `obj` of the context."""

    commands: Commands
    environment: Mapping[str, str]
    is_root: bool
    system_folder: Path
    state_folder: Path
    booted: bool
    """Whether systemd runs here."""
    check_readable: Callable[[Sequence[Path]], None]
    program: tuple[str, ...]


def this_machine() -> Machine:
    """The computer that this process runs on."""
    from edge_fer.device.commands import SystemCommands
    from edge_fer.device.service import RUNNING_SYSTEMD, STATE_FOLDER, SYSTEM_FOLDER
    from edge_fer.device.service_places import check_readable, own_program

    return Machine(
        commands=SystemCommands(),
        environment=os.environ,
        is_root=os.geteuid() == 0,
        system_folder=SYSTEM_FOLDER,
        state_folder=STATE_FOLDER,
        booted=RUNNING_SYSTEMD.is_dir(),
        check_readable=check_readable,
        program=own_program(),
    )


def surroundings_of(scope: Scope, environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of this process that a service will also have: those of a shell are not among them."""
    return {"HOME": environment["HOME"]} if scope == "user" and "HOME" in environment else {}


def service_of(machine: Machine, scope: Scope) -> Service:
    """The service of that scope on this machine, installed or not."""
    from edge_fer.device.service import Service, user_folder

    if scope == "user":
        return Service("user", user_folder(machine.environment), machine.commands, None)
    return Service("system", machine.system_folder, machine.commands, machine.state_folder)


def installed_service(machine: Machine, user: bool | None) -> Service | None:
    """The service asked for, or the one there is: the machine's before the user's."""
    scopes: tuple[Scope, ...] = ("system", "user") if user is None else ("user",) if user else ("system",)
    if user is None and not machine.environment.get("HOME"):
        scopes = ("system",)
    services = [service_of(machine, scope) for scope in scopes]
    return next((service for service in services if service.file.exists()), None)


def check_may_change(machine: Machine, scope: Scope, verb: str, options: Sequence[str] = ()) -> None:
    """Refuse to change a service where that cannot succeed.

    Args:
        machine: this computer.
        scope: of the service.
        verb: the command, for messages.
        options: of the run, for the command that works here.

    Raises:
        ServiceError: systemd does not run, or this is not the user for it.
    """
    if not machine.booted:
        run = shlex.join([*machine.program, "run", "--wait", *options])
        does = f"; `{run}` does in the foreground what the service would do" if verb == "install" else ""
        raise ServiceError(f"systemd does not run here, and a service needs it{does}")
    if scope == "system" and not machine.is_root:
        words = shlex.join([*machine.program, "service", verb, *options])
        raise ServiceError(f"a service of the machine needs root: `sudo {words}`; or add --user")
    if scope == "user" and machine.is_root and machine.environment.get("SUDO_USER"):
        raise ServiceError("a service of your own must not be changed as root: leave out sudo")


def make_plan(machine: Machine, scope: Scope, options: Sequence[str]) -> RunPlan:
    """Check the options, and that the model can be opened.

    Raises:
        click.UsageError: an option is wrong.
        EdgeFerError: a setting or the model is unusable.
    """
    from edge_fer.cli.service_plan import plan_run
    from edge_fer.inference.open_model import open_classifier

    plan = plan_run(options, scope, surroundings_of(scope, machine.environment))
    wanted = plan.settings
    open_classifier(wanted.model, wanted.engine, wanted.threads).close()
    return plan


def check_places(machine: Machine, scope: Scope, plan: RunPlan) -> None:
    """Refuse what a user without a name could not read; a service of the user's own reads what the user does.

    Raises:
        ConfigError: naming the file and where to put it.
    """
    from edge_fer.config.layers import SYSTEM_FILE, is_there
    from edge_fer.device.service_places import own_files

    if scope == "system":
        configured = [SYSTEM_FILE] if is_there(SYSTEM_FILE) and "--config" not in plan.options else []
        machine.check_readable([*own_files(machine.program), *configured, *plan.reads])


def unit_text(machine: Machine, service: Service, plan: RunPlan) -> str:
    """The unit for a plan on this computer."""
    from edge_fer.device.unit import UnitSettings, render_unit

    settings = UnitSettings(
        scope=service.scope,
        program=machine.program,
        arguments=plan.arguments,
        options=plan.options,
        credentials=plan.credentials,
        network=plan.network,
        csi=plan.csi,
        systemd_version=service.systemd_version(),
    )
    return render_unit(settings)


def text_as_now(machine: Machine, service: Service, text: str) -> str:
    """The unit with the options of the installed one, as `install` would write it now.

    Raises:
        click.UsageError, EdgeFerError: it would refuse.
    """
    from edge_fer.device.unit import options_of

    plan = make_plan(machine, service.scope, options_of(text))
    check_places(machine, service.scope, plan)
    return unit_text(machine, service, plan)
