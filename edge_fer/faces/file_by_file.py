"""Faces in files that are read one after the other: followed within a video, and in each picture for itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_fer.faces.tracking import EachFrame, FaceTracker, Followed
    from edge_fer.types import Frame


class FileByFile:
    """A `FaceFollower` that begins again with each file; no id of one file comes in another."""

    def __init__(
        self, tracker: Callable[[], FaceTracker], each: Callable[[], EachFrame], is_video: Callable[[str], bool]
    ) -> None:
        """Start with no faces.

        Args:
            tracker: loads what follows the faces of videos; called with the first one.
            each: loads what finds those of pictures; called with the first one.
            is_video: whether the frames of a source, by its name, follow each other.
        """
        self._load_tracker, self._load_each, self._is_video = tracker, each, is_video
        self._tracker: FaceTracker | None = None
        self._each: EachFrame | None = None
        self._source: str | None = None

    def follow(self, frame: Frame) -> Followed:
        """Return the faces of the next frame.

        Raises:
            ValueError: the picture is neither uint8 BGR nor grey.
        """
        if not self._is_video(frame.source):
            self._each = self._each or self._load_each()
            return self._each.follow(frame)
        self._tracker = self._tracker or self._load_tracker()
        # The same film may come twice in a row.
        if frame.source != self._source or frame.seq == 0:
            self._source = frame.source
            self._tracker.forget()
        return self._tracker.follow(frame)
