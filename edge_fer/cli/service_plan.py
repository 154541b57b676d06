"""What `edge-fer run` is to do as a service: its options checked by its own command, before anything is written."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from edge_fer.cli.configuration import Surroundings
from edge_fer.cli.event_settings import given_pairs
from edge_fer.config.setting import WRITES, by_name
from edge_fer.device.unit import Credential
from edge_fer.errors import ConfigError
from edge_fer.events.actions import CommandAction, SnapshotAction, command_of
from edge_fer.settings import RUN, settings_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_fer.build import RunSettings
    from edge_fer.device.unit import Scope
    from edge_fer.events.settings import EventSettings

SETTINGS = by_name(settings_of(RUN))
WRITTEN = frozenset(name for name, one in SETTINGS.items() if one.kind == "path" and one.use in WRITES)
"""Options for files that a run writes."""


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run as a service."""

    options: tuple[str, ...]
    """What the user gave, with whole paths."""
    arguments: tuple[str, ...]
    """What the unit gives `edge-fer run`, beside the credentials."""
    credentials: tuple[Credential, ...]
    network: bool
    csi: bool
    reads: tuple[Path, ...]
    """The files that it must be able to read."""
    settings: RunSettings
    """All that it is asked for, from the options and the files."""


def plan_run(given: Sequence[str], scope: Scope, environment: Mapping[str, str]) -> RunPlan:
    """Check the options of a run, with the settings that the service will find in files.

    Args:
        given: the options as on the command line of `edge-fer run`.
        scope: whose service it is; that of the machine has no home, and one folder to write into.
        environment: what the service will see; not that of this process.

    Raises:
        click.UsageError: an option is wrong.
        ConfigError: a setting is unusable, or needs what the service may not do.
    """
    from edge_fer.camera.addresses import holds_password
    from edge_fer.cli.run import command, settings_of

    surroundings = Surroundings(environment)
    options = tuple(_whole_paths(_given(command, given, surroundings), scope))
    texts = [text for _, words in options for text in words]
    context = command.make_context("edge-fer service install", list(texts), obj=surroundings)
    settings = settings_of(context)
    if settings.save is not None:
        raise ConfigError("--save: a video is finished at the end of a run, and a service has none: leave it out")
    if holds_password(settings.source):
        raise ConfigError(
            "the password in the address would stand in the unit for everybody to read: leave it out, put it in a file "
            "and give --source-password-file FILE; in an address that takes it as a parameter, write {password} there"
        )
    values = {name: value for name, value in context.params.items() if value is not None}
    credentials = tuple(
        Credential(SETTINGS[name].option, Path(os.path.abspath(value)))  # noqa: PTH100 - no link is followed
        for name, value in values.items()
        if scope == "system" and SETTINGS[name].secret
    )
    secret = {credential.option for credential in credentials}
    arguments = [word for parameter, words in options if parameter.opts[0] not in secret for word in words]
    if context.get_parameter_source("wait") is ParameterSource.DEFAULT:
        arguments.insert(0, SETTINGS["wait"].option)
    network = "://" in settings.source or any(value and SETTINGS[name].network for name, value in values.items())
    network = network or (settings.events is not None and settings.events.needs_network)
    csi = settings.source.partition(":")[0] == "rpicam"
    reads = _check_places(values, scope)
    # The file of --config is no value of the run.
    reads += [Path(words[-1]) for parameter, words in options if parameter.name == "config"]
    reads += _check_actions(settings.events, scope)
    reads += [Path(word.partition("@")[2]) for word in arguments if word.startswith("webhook:@")]
    sources = map(Path, (settings.source, *settings.more_sources))
    reads += [source for source in sources if source.is_absolute() and not str(source).startswith("/dev/")]
    return RunPlan(tuple(texts), tuple(arguments), credentials, network, csi, tuple(reads), settings)


def _given(
    command: click.Command, arguments: Sequence[str], surroundings: Surroundings
) -> list[tuple[click.Parameter, Any]]:
    """What was given, option by option in the order given, rules with their actions; the source last."""
    context = click.Context(command, info_name="edge-fer service install", obj=surroundings)
    values, left, order = command.make_parser(context).parse_args(list(arguments))
    if left:
        raise click.UsageError(f"unexpected: {' '.join(left)}", context)
    found = {parameter.name: parameter for parameter in order if isinstance(parameter, click.Parameter)}
    ordered = sorted(found.values(), key=lambda parameter: isinstance(parameter, click.Argument))
    values["on"] = given_pairs(command, context, arguments)
    return [(parameter, values[parameter.name or ""]) for parameter in ordered if parameter.name != "do"]


def _whole_paths(given: Sequence[tuple[click.Parameter, Any]], scope: Scope) -> list[tuple[click.Parameter, list[str]]]:
    """The options as words, with names of files that do not depend on the folder in which they were typed."""
    result = []
    for parameter, value in given:
        texts = [value] if isinstance(value, str) else list(value) if isinstance(value, (list, tuple)) else []
        is_file = isinstance(parameter.type, click.Path) or parameter.name == "source"
        if is_file and not (parameter.name in WRITTEN and scope == "system"):  # those go into the service's folder
            looked_for = parameter.name in ("source", "model")
            texts = [text if text == "-" else _whole(text, must_exist=looked_for) for text in texts]
        if parameter.name == "on":
            words = [word for rule, actions in value for word in _rule_words(rule, actions, scope)]
        elif isinstance(parameter, click.Argument):
            words = ["--", *texts] if texts and texts[0].startswith("-") else texts
        elif getattr(parameter, "is_flag", False):
            words = [parameter.opts[0] if value else parameter.secondary_opts[0]]
        else:
            words = [word for text in texts for word in (parameter.opts[0], text)]
        result.append((parameter, words))
    return result


def _rule_words(rule: str, actions: Sequence[str], scope: Scope) -> list[str]:
    """A rule and its actions as words; with whole paths, for systemd looks for programs elsewhere than people do."""
    words = ["--on", rule]
    for text in actions:
        kind, _, rest = text.partition(":")
        if kind.strip() == "command":
            with contextlib.suppress(ConfigError):  # which `run` reports as its own
                program, *arguments = command_of(rest.strip()).arguments
                whole = os.path.abspath(shutil.which(program) or program)  # noqa: PTH100 - no link is followed
                text = f"command:{shlex.join([whole, *arguments])}"
        elif kind.strip() == "webhook" and rest.strip().startswith("@"):
            text = f"webhook:@{_whole(rest.strip()[1:], must_exist=False)}"
        elif kind.strip() == "snapshot" and scope == "user":
            text = f"snapshot:{_whole(rest.strip(), must_exist=False)}"
        words += ["--do", text]
    return words


def _check_actions(events: EventSettings | None, scope: Scope) -> list[Path]:
    """The programs that events start; a folder for pictures elsewhere than allowed is an error."""
    programs = []
    for one in () if events is None else events.rules:
        for action in one.actions:
            if isinstance(action, CommandAction) and one.origin == "--on":
                programs.append(Path(action.arguments[0]))
            elif isinstance(action, SnapshotAction):
                _check_written(f"{one.origin}: snapshot", action.folder, scope)
    return programs


def _check_written(option: str, path: Path, scope: Scope) -> None:
    if scope == "system" and (path.is_absolute() or ".." in path.parts):
        raise ConfigError(
            f"{option}: a service may write only into /var/lib/edge-fer: give {path.name}, which goes there"
        )
    if scope == "user" and not path.is_absolute():
        raise _half_a_path(option, path)


def _whole(text: str, *, must_exist: bool) -> str:
    """The whole path of a file; a word that may mean something else, such as `demo`, only where there is one."""
    if must_exist and (text in ("demo", "-") or not Path(text).exists()):
        return text
    return os.path.abspath(text)  # noqa: PTH100 - links stay as they are named


def _check_places(values: Mapping[str, Any], scope: Scope) -> list[Path]:
    """The files that are read; one that is written elsewhere than allowed, or named by half a path, is an error."""
    reads = []
    for name, value in values.items():
        setting = SETTINGS[name]
        if setting.kind != "path" or setting.secret:
            continue
        path, option = Path(value), setting.option
        if name in WRITTEN:
            _check_written(option, path, scope)
        elif path.is_absolute():
            reads.append(path)
        elif path.suffix:  # else a bundled model
            raise _half_a_path(option, path)
    return reads


def _half_a_path(option: str, path: Path) -> ConfigError:
    return ConfigError(f"{option}: a service has no folder that it starts from: give the whole path of {path}")
