"""Rules and actions from the command line and from files, as the settings of a run."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.cli.configuration import ARGUMENTS, configuration_files
from edge_fer.cli.overwriting import Place, is_standard_output
from edge_fer.config.layers import read_events
from edge_fer.config.setting import unknown_key
from edge_fer.errors import ConfigError
from edge_fer.settings import EventOptions, chosen

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from edge_fer.events.actions import Action
    from edge_fer.events.settings import EventSettings, RuleSettings

TABLE_KEYS = ("on", "do", "name", "command")


def event_settings(context: click.Context) -> EventSettings | None:
    """What a context of `run` asks for in the way of events; None where it asks for none.

    Rules of the command line are taken instead of those in files.

    Raises:
        RuleError: a rule is wrong; ConfigError: an action is; both show the place.
        click.UsageError: --on, --do and --events do not fit together.
    """
    from edge_fer.events.actions import secret_of
    from edge_fer.events.settings import EventSettings
    from edge_fer.events.webhook import WebhookSettings

    options = chosen(EventOptions, context.params)
    if options.on or options.do:
        rules = _given_rules(context, has_file=options.events is not None)
    else:
        path, tables = read_events(configuration_files(context))
        rules = [] if path is None else configured_rules(path, tables)
    if not rules:
        if options.events is not None:
            raise click.UsageError("--events needs rules: give --on RULE as well", context)
        return None
    secret = secret_of(options.webhook_secret_file, os.environ)
    webhook = WebhookSettings(secret, options.webhook_ca)
    named = _with_names_of_their_own(rules)
    file = Path("/dev/stdout") if is_standard_output(options.events) else options.events
    return EventSettings(named, file, webhook, options.webhook_queue, options.command_seconds)


def given_pairs(
    command: click.Command, context: click.Context, arguments: Sequence[str]
) -> list[tuple[str, list[str]]]:
    """The rules of a command line, each with the actions that stand behind it; one that stands twice counts once.

    Raises:
        click.UsageError: an action stands before the first rule, or an option is wrong.
    """
    values, _, order = command.make_parser(context).parse_args(list(arguments))
    left = {name: iter(values.get(name) or ()) for name in ("on", "do")}
    pairs: list[tuple[str, list[str]]] = []
    for parameter in order:
        name = parameter.name or ""
        if name == "on":
            rule = next(left["on"])
            pairs.append(next((pair for pair in pairs if pair[0] == rule), (rule, [])))
        elif name == "do":
            if not pairs:
                raise click.UsageError("--do stands behind the --on whose events it is for", context)
            pairs[-1][1].append(next(left["do"]))
    return list({rule: (rule, actions) for rule, actions in pairs}.values())


def configured_rules(path: Path, tables: Iterable[Mapping[str, object]]) -> list[RuleSettings]:
    """The rules of a file, from its tables `[[events]]`.

    Raises:
        ConfigError: a table has an unknown key, lacks one, or holds what is no rule or action; the message names it.
    """
    return [_configured_rule(f"{path}: events {number}", table) for number, table in enumerate(tables, start=1)]


def event_places(settings: EventSettings | None) -> list[Place]:
    """The folders that actions fill."""
    from edge_fer.events.actions import SnapshotAction

    if settings is None:
        return []
    folders = [action.folder for action in settings.actions if isinstance(action, SnapshotAction)]
    return [Place("--do snapshot:", folder, "fills") for folder in folders]


def _given_rules(context: click.Context, *, has_file: bool) -> list[RuleSettings]:
    from edge_fer.events.rule_errors import RuleError
    from edge_fer.events.rule_text import parse_rule
    from edge_fer.events.settings import OPTION, RuleSettings

    rules = []
    for text, actions in given_pairs(context.command, context, context.meta[ARGUMENTS]):
        try:
            rule = parse_rule(text)
        except RuleError as error:
            raise error.found_in(OPTION) from None
        if not actions and not has_file:
            raise click.UsageError(f"--on {text!r} does nothing: give --do ACTION behind it, or --events FILE", context)
        rules.append(RuleSettings(rule, _actions(actions, "--do", context)))
    return rules


def _configured_rule(where: str, table: Mapping[str, object]) -> RuleSettings:
    from edge_fer.events.actions import command_of
    from edge_fer.events.rule_errors import RuleError
    from edge_fer.events.rule_text import check_name, parse_rule
    from edge_fer.events.settings import RuleSettings

    for key in table:
        if key not in TABLE_KEYS:
            raise unknown_key(key, where, TABLE_KEYS)
    text, name = table.get("on"), table.get("name")
    if not isinstance(text, str):
        raise ConfigError(f'{where}: on must be a rule in quotes, such as on = "happy > 0.8 for 2s"')
    if name is not None and not (isinstance(name, str) and check_name(name)):
        raise ConfigError(f"{where}: name must be a text of 1 to 40 letters, digits, _ and -")
    try:
        rule = parse_rule(text, name)
    except RuleError as error:
        raise error.found_in(where) from None
    actions = list(_actions(_texts(table, "do", where), where, None))
    words = _texts(table, "command", where)
    if words:
        try:
            actions.append(command_of(words))
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
    return RuleSettings(rule if name is None else replace(rule, name=name), tuple(actions), where)


def _texts(table: Mapping[str, object], key: str, where: str) -> list[str]:
    value = table.get(key, [])
    texts = [value] if isinstance(value, str) and key == "do" else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        kind = "a text or a list of texts" if key == "do" else "a list of texts, the program first"
        raise ConfigError(f"{where}: {key} must be {kind}")
    return texts


def _actions(texts: Sequence[str], where: str, context: click.Context | None) -> tuple[Action, ...]:
    from edge_fer.events.actions import parse_action

    found = []
    for text in texts:
        try:
            found.append(parse_action(text))
        except ConfigError as error:
            # What was typed is wrong usage, what a file holds a wrong setting.
            problem = f"{where}: {error}"
            raise (ConfigError(problem) if context is None else click.UsageError(problem, context)) from None
    return tuple(dict.fromkeys(found))


def _with_names_of_their_own(rules: Sequence[RuleSettings]) -> tuple[RuleSettings, ...]:
    """The rules with a number behind each name that another one has already."""
    taken: set[str] = set()
    result = []
    for one in rules:
        name, number = one.rule.name, 1
        while name in taken:
            number += 1
            name = f"{one.rule.name}-{number}"
        taken.add(name)
        result.append(replace(one, rule=replace(one.rule, name=name)))
    return tuple(result)
