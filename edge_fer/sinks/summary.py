"""What was seen in a run, counted as it goes and reported at the end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from edge_fer.sinks.rate import SkippedFrames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge_fer.types import Box, Observation

MATCH_OVERLAP = 0.35
"""Intersection over union from which a found box counts as the true face.

The cascade's boxes are tighter or wider than a drawn face by up to a third of the side; two faces of one picture
never overlap by that much.
"""


class TrueFace(Protocol):
    """A face whose place and emotion are known."""

    @property
    def box(self) -> Box:
        """Where it is, in pixels of the frame."""

    @property
    def emotion(self) -> str:
        """What it shows."""


@dataclass(slots=True)
class Tally:
    """Counts over the observations of a run; a few additions a frame."""

    frames: int = 0
    faces: int = 0
    emotions: Counter[str] = field(default_factory=Counter)
    detect_ms: float = 0.0
    classify_ms: float = 0.0
    total_ms: float = 0.0
    """Sums over all frames in milliseconds."""
    skipped: int = 0
    """Frames between the first and the last that were replaced by newer ones before they were looked at."""
    gaps: SkippedFrames = field(default_factory=SkippedFrames)
    unscored: int = 0
    """Faces that were left out, because the model gave them no finite scores."""

    def add(self, observation: Observation) -> None:
        """Count one observation."""
        self.skipped += self.gaps.before(observation)
        self.frames += 1
        self.faces += len(observation.faces)
        self.unscored += observation.unscored
        self.emotions.update(face.emotion for face in observation.faces)
        self.detect_ms += observation.timings.detect_ms
        self.classify_ms += observation.timings.classify_ms
        self.total_ms += observation.timings.total_ms

    def lines(self, seconds: float) -> list[str]:
        """Text for people.

        Args:
            seconds: how long the run took, for the measured rate.
        """
        if self.frames == 0:
            return ["no frame came"]
        rate = f", {self.frames / seconds:.1f} FPS" if seconds > 0 else ""
        seen = ", ".join(f"{emotion} {count}" for emotion, count in self.emotions.most_common()) or "none"
        detect, classify, total = (ms / self.frames for ms in (self.detect_ms, self.classify_ms, self.total_ms))
        a_face = f" ({self.classify_ms / self.faces:.2f} ms per face)" if self.faces else ""
        lines = [
            f"{counted(self.frames, 'frame')} in {seconds:.1f} s{rate}; {counted(self.faces, 'face')}",
            f"emotions: {seen}",
            f"a frame took {total:.1f} ms: finding faces {detect:.1f} ms, reading them {classify:.2f} ms{a_face}",
        ]
        if self.skipped:
            lines.append(f"{counted(self.skipped, 'frame')} dropped: newer ones came before they were looked at")
        if self.unscored:
            lines.append(f"{counted(self.unscored, 'face')} left out: the model gave no finite scores")
        return lines


@dataclass(slots=True)
class TruthCheck:
    """Compares what was seen with what is known to be there, as in the built-in demo."""

    expected: int = 0
    found: int = 0
    right: int = 0
    """Faces whose true emotion this frame alone was read as."""
    shown_right: int = 0
    """Faces whose true emotion was shown; steadied labels follow a change a little later."""
    extra: int = 0

    def add(self, observation: Observation, truth: Sequence[TrueFace]) -> None:
        """Compare one observation; each true face is matched with the found face that overlaps it most."""
        left = list(observation.faces)
        self.expected += len(truth)
        for true_face in truth:
            best = max(left, key=lambda scored: scored.face.box.overlap(true_face.box), default=None)
            if best is None or best.face.box.overlap(true_face.box) < MATCH_OVERLAP:
                continue
            left.remove(best)
            self.found += 1
            self.right += (best.raw_scores or best.scores).top == true_face.emotion
            self.shown_right += best.emotion == true_face.emotion
        self.extra += len(left)

    def line(self) -> str:
        """Text for people."""
        if self.expected == 0:
            return "compared with the truth: no face was due"
        found = f"faces found {self.found} of {self.expected} ({self.found / self.expected:.0%})"
        right = f"emotion right {self.right}" + (f" ({self.right / self.found:.0%})" if self.found else "")
        if self.shown_right != self.right:
            right += f", shown {self.shown_right}"
        return f"compared with the truth: {found}, {right}, boxes without a face {self.extra}"


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 frame`, `2 frames`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
