"""What a run is asked for in the way of events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from edge_fer.errors import ConfigError
from edge_fer.events.actions import CommandAction, MqttAction, WebhookAction
from edge_fer.events.command import LIMIT_SECONDS
from edge_fer.events.webhook import WebhookSettings

if TYPE_CHECKING:
    from pathlib import Path

    from edge_fer.events.actions import Action
    from edge_fer.events.rule_text import Rule

OPTION = "--on"
"""Origin of a rule of the command line."""


@dataclass(frozen=True, slots=True)
class RuleSettings:
    """A rule and what happens on its events."""

    rule: Rule
    actions: tuple[Action, ...]
    origin: str = OPTION
    """An option, or the file and the place in it."""


@dataclass(frozen=True, slots=True)
class EventSettings:
    """All rules of a run."""

    rules: tuple[RuleSettings, ...]
    """Each with a name of its own."""
    file: Path | None = None
    """For a JSON line per event."""
    webhook: WebhookSettings = field(default_factory=WebhookSettings)
    webhook_queue: Path | None = None
    """Folder in which events wait for a receiver; None keeps them in memory."""
    command_seconds: float = LIMIT_SECONDS
    """How long a command may take."""

    @property
    def actions(self) -> tuple[Action, ...]:
        """All different actions, in the order in which they are first asked for."""
        return tuple(dict.fromkeys(action for one in self.rules for action in one.actions))

    @property
    def needs_network(self) -> bool:
        """Whether an event is sent somewhere."""
        return any(isinstance(action, WebhookAction) for action in self.actions)

    def check_broker(self, has_broker: bool) -> None:
        """Refuse to publish events without a broker.

        Raises:
            ConfigError: there is an action mqtt and no broker.
        """
        if not has_broker and MqttAction() in self.actions:
            raise ConfigError("the action mqtt needs a broker: give --mqtt mqtt://HOST as well")

    def without_configured_commands(self) -> EventSettings:
        """The same without the commands that files ask for: writing a file must not start programs."""
        return replace(self, rules=tuple(_without_commands(one) for one in self.rules))


def _without_commands(one: RuleSettings) -> RuleSettings:
    if one.origin == OPTION:
        return one
    return replace(one, actions=tuple(action for action in one.actions if not isinstance(action, CommandAction)))
