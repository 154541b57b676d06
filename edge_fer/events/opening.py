"""The sinks of all actions of a run, opened before a broker hears of it, and joined with the rules after that."""

from __future__ import annotations

import contextlib
import hashlib
import logging
from typing import TYPE_CHECKING, Any

from edge_fer.events.actions import CommandAction, LogAction, MqttAction, SnapshotAction, WebhookAction
from edge_fer.events.command import CommandSink
from edge_fer.events.conditions import shares_in
from edge_fer.events.desk import EventDesk, run_event_sink, run_event_view_sink
from edge_fer.events.evaluation import RuleSet, bind
from edge_fer.events.outputs import EventFile, EventLog, EventMessages, SnapshotFolder
from edge_fer.events.rule_errors import RuleError
from edge_fer.events.webhook import WebhookSink
from edge_fer.events.webhook_queue import DiskQueue, MemoryQueue
from edge_fer.sinks.runner import Filling

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_fer.events.actions import Action
    from edge_fer.events.event import Event, EventView
    from edge_fer.events.rule_text import Rule
    from edge_fer.events.settings import EventSettings
    from edge_fer.protocols import Clock
    from edge_fer.sinks.runner import SinkRunner

log = logging.getLogger("edge_fer.events")

FILE_SINK = "events"
"""What the sink of `--events` is called."""


class OpenedEvents:
    """Rules that fit the model, and the sinks of their actions."""

    def __init__(
        self,
        settings: EventSettings,
        labels: Sequence[str],
        clock: Clock,
        *,
        live: bool,
        append: bool,
        most_faces: int,
        seconds: float | None = None,
    ) -> None:
        """Check the rules against the model, and open the sinks; what was opened is closed again where one fails.

        Args:
            settings: rules and actions.
            labels: of the model.
            clock: for the sinks.
            live: whether frames come from a camera or stream, and sinks may lose events rather than hold them up.
            append: go on with the file of events instead of replacing it.
            most_faces: how many faces a frame shows at most.
            seconds: how long the run can last, where that is known.

        Raises:
            RuleError: a rule names a label that the model does not know, or can never be true.
            SinkError: a file or folder cannot be used.
            ConfigError: the certificates for webhooks cannot be used.
        """
        self._settings, self._labels, self._clock = settings, labels, clock
        self._filling = Filling.DROP_OLDEST if live else Filling.WAIT
        self._rules = [_bound(one.rule, one.origin, labels, most_faces) for one in settings.rules]
        for rule in self._rules:
            _warn_of_short_run(rule, seconds)
        self._sinks: list[SinkRunner[Event]] = []
        self._view_sinks: list[SinkRunner[EventView]] = []
        self._name_of: dict[Action, str] = {}
        self._ends: list[Callable[[], None]] = []
        try:
            if settings.file is not None:
                file = EventFile(settings.file, append=append)
                self._ends.append(file.close)
                self._add(FILE_SINK, file)
            for action in settings.actions:
                self._open(action)
        except BaseException:
            self.close()
            raise

    @property
    def names(self) -> tuple[str, ...]:
        """Of the rules."""
        return tuple(rule.name for rule in self._rules)

    @property
    def published(self) -> tuple[str, ...]:
        """Of the rules whose events go to the broker."""
        return tuple(one.rule.name for one in self._settings.rules if MqttAction() in one.actions)

    def desk(self, publish: Callable[[str, dict[str, Any]], None] | None) -> EventDesk:
        """Join rules and sinks.

        Args:
            publish: gives an event to the broker by its name and as plain data; None without a broker.
        """
        if publish is not None and self.published:
            self._name_of[MqttAction()] = "mqtt events"
            self._add("mqtt events", EventMessages(publish))
        by_rule = {
            one.rule.name: [self._name_of[action] for action in one.actions if action in self._name_of]
            for one in self._settings.rules
        }
        rules = RuleSet(self._rules, self._labels)
        return EventDesk(rules, self._sinks, self._view_sinks, by_rule, for_all=(FILE_SINK,))

    def close(self) -> None:
        """End the programs that run and what is being sent; may be called more than once."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end()

    def _open(self, action: Action) -> None:
        settings = self._settings
        if isinstance(action, LogAction):
            self._name_of[action] = "log"
            self._add("log", EventLog())
        elif isinstance(action, CommandAction):
            command = CommandSink(action, settings.command_seconds)
            self._ends.append(command.end)
            self._add(self._free_name("command", action), command)
        elif isinstance(action, WebhookAction):
            queue = (
                MemoryQueue() if settings.webhook_queue is None else DiskQueue(_place(settings.webhook_queue, action))
            )
            webhook = WebhookSink(action, settings.webhook, queue)
            self._ends.append(webhook.end)
            self._add(self._free_name("webhook", action), webhook)
        elif isinstance(action, SnapshotAction):
            name = self._free_name("snapshot", action)
            folder = SnapshotFolder(action.folder)
            self._view_sinks.append(run_event_view_sink(name, folder, self._filling, self._clock))

    def _add(self, name: str, sink: Any) -> None:
        self._sinks.append(run_event_sink(name, sink, self._filling, self._clock))

    def _free_name(self, kind: str, action: Action) -> str:
        """`command`, and for further ones `command-2` and so on."""
        number = 1 + sum(name.partition("-")[0] == kind for name in self._name_of.values())
        self._name_of[action] = kind if number == 1 else f"{kind}-{number}"
        return self._name_of[action]


def _bound(rule: Rule, origin: str, labels: Sequence[str], most_faces: int) -> Rule:
    try:
        return bind(rule, labels, most_faces)
    except RuleError as error:
        raise error.found_in(origin) from None


def _warn_of_short_run(rule: Rule, seconds: float | None) -> None:
    needed = max([rule.for_seconds, *(share.over_seconds for share in shares_in(rule.condition))])
    if seconds is not None and needed > seconds:
        log.warning(
            "the rule %s can never be true here: it needs %g s, and this run is %.3g s long", rule.name, needed, seconds
        )


def _place(folder: Path, action: WebhookAction) -> Path:
    """A folder for each address, whose name does not give away the address."""
    whole = f"{action.tls} {action.host} {action.port} {action.target}"
    return folder / hashlib.sha256(whole.encode()).hexdigest()[:16]
