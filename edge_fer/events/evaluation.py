"""Rules at work: which of them become true in a frame, for which face.

For each rule, and for each face where it asks about faces, there is an episode from the first frame in which its
condition holds to the one from which it has failed for the rule's gap. Within an episode thresholds are loosened by the
hysteresis, and there is one event at most: in the first frame in which the condition holds, has lasted long enough, and
no cooldown is running. Time is that of the frames, and so that of the film where one is read.
"""

from __future__ import annotations

import difflib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from edge_fer.events.compiled import NO_FACE, FrameFacts, checker_of
from edge_fer.events.conditions import Span, labels_of, shares_in, with_labels
from edge_fer.events.contradictions import never_true
from edge_fer.events.event import Event
from edge_fer.events.rule_errors import RuleError
from edge_fer.events.shares import ShareWindow

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from edge_fer.events.compiled import FaceFacts
    from edge_fer.events.rule_text import Rule
    from edge_fer.types import Observation

HOLE_SECONDS = 10.0
"""Where no frame came for longer, nobody knows what happened: every episode is over."""
REMEMBERED_IDS = 10_000
"""Of faces that were seen; ids are not used twice, and old ones do not come back."""
ROUNDING_SECONDS = 1e-6
"""Times that are sums of the lengths of frames differ by less from what was meant."""


def bind(rule: Rule, labels: Sequence[str], most_faces: int | None = None) -> Rule:
    """The rule with its labels as the model writes them.

    Args:
        rule: as it was parsed.
        labels: of the model.
        most_faces: how many faces a frame shows at most; None for any number.

    Raises:
        RuleError: it names a label that the model does not know, or can never be true.
    """
    by_name = {label.casefold(): label for label in labels}
    names = {}
    for label, at in labels_of(rule.condition):
        known = by_name.get(label.casefold())
        if known is None:
            near = difflib.get_close_matches(label.casefold(), by_name, n=1, cutoff=0.5)
            hint = f"did you mean {by_name[near[0]]}?" if near else f"it knows {', '.join(labels)}"
            begin = rule.text.lower().find(label.lower(), at.begin)
            raise RuleError(f"the model knows no {label!r}: {hint}", rule.text, Span(begin, begin + len(label)))
        names[label] = known
    condition = with_labels(rule.condition, names)
    problem = never_true(condition, labels, lasts=rule.for_seconds > 0, most_faces=most_faces)
    if problem is not None:
        raise RuleError(f"this can never be true: {problem.problem}", rule.text, problem.at)
    return replace(rule, condition=condition)


class _Episode:
    """A time in which a condition holds."""

    __slots__ = ("fired", "held_at", "since")

    def __init__(self, since: float) -> None:
        self.since = self.held_at = since
        self.fired = False


class _RuleState:
    """A rule and its episodes."""

    __slots__ = ("begins", "episodes", "fired_at", "fired_at_of_face", "goes_on", "per_face", "rule")

    def __init__(self, rule: Rule, labels: Sequence[str]) -> None:
        self.rule = rule
        self.per_face = rule.per_face
        self.begins = checker_of(rule.condition, labels)
        self.goes_on = checker_of(rule.condition, labels, rule.hysteresis)
        self.episodes: dict[int | None, _Episode] = {}
        self.fired_at = float("-inf")
        self.fired_at_of_face: dict[int | None, float] = {}

    def is_cool(self, key: int | None, at: float) -> bool:
        fired_at = self.fired_at
        if self.rule.cooldown_per_face:
            fired_at = self.fired_at_of_face.get(key, float("-inf"))
        return at - fired_at >= self.rule.cooldown_seconds - ROUNDING_SECONDS

    def fire(self, key: int | None, at: float) -> None:
        self.fired_at = at
        if self.rule.cooldown_per_face:
            hot = at - self.rule.cooldown_seconds
            self.fired_at_of_face = {face: then for face, then in self.fired_at_of_face.items() if then > hot}
            self.fired_at_of_face[key] = at


class RuleSet:
    """All rules of a run; `see` takes frame after frame, in the thread that reads them."""

    def __init__(self, rules: Iterable[Rule], labels: Sequence[str]) -> None:
        """Begin with nothing seen.

        Args:
            rules: bound to the labels, see `bind`.
            labels: of the model, in the order of the scores.
        """
        self._states = [_RuleState(rule, labels) for rule in rules]
        wanted = [share for state in self._states for share in shares_in(state.rule.condition)]
        self._share_keys = sorted({(share.label, share.over_seconds) for share in wanted})
        self._frame = FrameFacts()
        self._windows: dict[float, ShareWindow] = {}
        self._known_ids: dict[int, None] = {}
        self._source: str | None = None
        self._seen_at: float | None = None
        self._run_id, self._fired = os.urandom(6).hex(), 0
        self._begin_anew()

    def see(self, observation: Observation) -> list[Event]:
        """Take in a frame, and return what happened in it: in the order of the rules, the largest face first."""
        at = observation.captured_at if observation.position is None else observation.position
        before = self._seen_at
        if observation.source != self._source or (before is not None and at < before):
            self._source, before = observation.source, None
            self._begin_anew()
        elif before is not None and at - before > HOLE_SECONDS:
            before = None
            for state in self._states:
                state.episodes.clear()
        self._seen_at = at
        facts = self._facts_of(observation)
        frame = self._frame
        frame.faces = facts
        if self._windows:
            shown = [fact[2] for fact in facts]
            for window in self._windows.values():
                window.add(at, 0.0 if before is None else at - before, shown)
            for key in self._share_keys:
                frame.shares[key] = self._windows[key[1]].share(key[0], at)
        events: list[Event] = []
        whole = (NO_FACE,)
        for state in self._states:
            episodes = state.episodes
            if state.per_face:
                asked: Sequence[FaceFacts] = facts
            else:
                asked = whole
            if not episodes:
                begins = state.begins
                for fact in asked:
                    if begins(fact, frame):
                        self._hold(state, fact, at, observation, events)
            else:
                self._go_on(state, asked, at, before, observation, events)
        return events

    def _go_on(
        self,
        state: _RuleState,
        asked: Sequence[FaceFacts],
        at: float,
        before: float | None,
        observation: Observation,
        events: list[Event],
    ) -> None:
        """Take in a frame for a rule with episodes, and end those that have failed for too long."""
        frame, episodes = self._frame, state.episodes
        limit = at - state.rule.gap_seconds - ROUNDING_SECONDS
        held = 0
        for fact in asked:
            episode = episodes.get(fact[0])
            if episode is not None and episode.held_at < limit and episode.held_at not in (before, at):
                # It failed in a frame, and its gap was over before the next one came.
                del episodes[fact[0]]
                episode = None
            if episode is None:
                if state.begins(fact, frame):
                    self._hold(state, fact, at, observation, events)
            elif state.goes_on(fact, frame):
                held += 1
                if episode.fired:
                    episode.held_at = at  # as nearly always
                else:
                    self._hold(state, fact, at, observation, events)
        if held < len(episodes):
            for key in [key for key, episode in episodes.items() if episode.held_at < limit]:
                del episodes[key]

    def _hold(
        self, state: _RuleState, fact: FaceFacts, at: float, observation: Observation, events: list[Event]
    ) -> None:
        """Note that a condition holds in this frame; an event where it is time for one."""
        key, rule = fact[0], state.rule
        episode = state.episodes.get(key)
        if episode is None:
            episode = state.episodes[key] = _Episode(at)
        episode.held_at = at
        if episode.fired or at - episode.since < rule.for_seconds - ROUNDING_SECONDS or not state.is_cool(key, at):
            return
        episode.fired = True
        state.fire(key, at)
        events.append(self._event(rule, fact, at - episode.since, observation))

    def _event(self, rule: Rule, fact: FaceFacts, held_seconds: float, observation: Observation) -> Event:
        self._fired += 1
        face = None
        if fact is not NO_FACE:
            face = observation.faces[next(i for i, one in enumerate(self._frame.faces) if one is fact)]
        return Event(f"{self._run_id}-{self._fired}", rule.name, rule.text, held_seconds, observation, face, rule.blind)

    def _facts_of(self, observation: Observation) -> list[FaceFacts]:
        known = self._known_ids
        facts: list[FaceFacts] = []
        for face in observation.faces:
            key = face.face.track_id
            new = key is not None and key not in known
            if key is not None and new:
                known[key] = None
                if len(known) > REMEMBERED_IDS:
                    del known[next(iter(known))]
            facts.append((key, face.scores.values, face.emotion, new))
        return facts

    def _begin_anew(self) -> None:
        """Forget what was seen: another film begins, or the same from its beginning."""
        self._frame = FrameFacts(shares=dict.fromkeys(self._share_keys))
        self._windows = {seconds: ShareWindow(seconds) for _, seconds in self._share_keys}
        self._known_ids.clear()
        for state in self._states:
            state.episodes.clear()
            state.fired_at = float("-inf")
            state.fired_at_of_face.clear()
