"""Rows of a manifest in, rows of results out: all that a worker of any engine does."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge_fer.analyzer import EdgeFer
from edge_fer.camera.film_part import FilmPart
from edge_fer.camera.settings import CameraSettings
from edge_fer.errors import SourceError, lacks_memory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from edge_fer.detectors import FaceSettings
    from edge_fer.types import Observation

PICTURE, FILM = "picture", "film"
WARM_UP_SECONDS = 3.0
"""How long before its stretch of a film reading begins, so that faces are followed and their scores steady; not
reported."""


class Reader:
    """Reads pictures and stretches of films: one row out for each row in, with `error` where one cannot be read.

    >>> reader = Reader()
    >>> reader({"path": ["group.jpg"]})["faces"]

    For `map_batches` of Ray Data and the like: made once per worker, called with batch after batch. It can be pickled.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        engine: str = "auto",
        detector: str = "auto",
        every_seconds: float | None = None,
        max_picture_px: int = CameraSettings().max_picture_px,
        faces: FaceSettings | None = None,
    ) -> None:
        """Load the model and the face detector, with one thread.

        Args:
            model: a .tflite or .onnx file with its manifest, or the name of a bundled model; None for the default one.
            engine: `auto`, `litert` or `onnx`.
            detector: `auto`, `yunet`, `haar` or the name of one that another package brings.
            every_seconds: read one frame of a film per this many seconds; None reads all.
            max_picture_px: pictures and films with more pixels get an error.
            faces: how faces in films are found and followed; None for the preset `balanced`.

        Raises:
            ModelError, MissingExtra, ConfigError: as `EdgeFer` does.
        """
        self._fer = EdgeFer(model, engine=engine, detector=detector, max_picture_px=max_picture_px)
        self._max_picture_px, self._every_seconds, self._faces = max_picture_px, every_seconds, faces
        FilmPart(every_seconds=every_seconds)

    @property
    def labels(self) -> tuple[str, ...]:
        """The emotions that the model knows."""
        return self._fer.labels

    def __call__(self, batch: Any) -> Any:
        """Read a batch of rows.

        Args:
            batch: a mapping of columns, a `pyarrow.Table` or a pandas `DataFrame`, with the column `path` and, as in a
                manifest, `id`, `kind`, `segment`, `start`, `end` and `path_bytes`; what is missing is that of a whole
                picture or film.

        Returns:
            The same kind of batch with the columns of `row`, in the order of the rows.
        """
        if hasattr(batch, "to_pylist"):
            from edge_fer.archive.columns import table_of

            return table_of([self.row(row) for row in batch.to_pylist()], self.labels)
        is_mapping = isinstance(batch, dict)
        columns = batch if is_mapping else {name: list(batch[name]) for name in batch.columns}
        rows = [
            self.row({name: values[index] for name, values in columns.items()}) for index in range(_length(columns))
        ]
        read = {name: [row[name] for row in rows] for name in COLUMNS}
        return read if is_mapping else type(batch)(read)

    def row(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Read one row.

        Returns:
            `id`, `path`, `kind`, `segment`, `start` and `end` as they came; `width` and `height` in pixels; `frames`
            that were looked at; `faces`: for each its `position` in seconds (films), `id` (films; that of its stretch),
            `box` as x, y, width and height, `emotion`, `score` and `scores`; `error`: why it could not be read, else
            None.

        Raises:
            ModelError: the engine failed.
        """
        path = path_of(row)
        kind = row.get("kind") or _kind_of(path)
        found: dict[str, Any] = {
            "id": _whole(row.get("id")),
            "path": str(row["path"]),
            "kind": kind,
            "segment": _whole(row.get("segment")) or 0,
            "start": _number(row.get("start")),
            "end": _number(row.get("end")),
            "width": None,
            "height": None,
            "frames": 0,
            "faces": [],
            "error": None,
        }
        try:
            if kind == FILM:
                self._read_film(path, found)
            else:
                self._take(self._fer.analyze(path), found)
        except Exception as error:
            if not isinstance(error, SourceError) and not lacks_memory(error):
                raise
            found["faces"], found["frames"] = [], 0
            found["error"] = "it takes more memory than there is" if lacks_memory(error) else str(error)
        return found

    def _read_film(self, path: Path, found: dict[str, Any]) -> None:
        start = found["start"] or 0.0
        every = self._every_seconds
        # A whole number of frames, so that those of the stretch are where they would be without.
        before = WARM_UP_SECONDS if every is None else every * max(1, round(WARM_UP_SECONDS / every))
        part = FilmPart(max(0.0, start - before) if start >= before else 0.0, found["end"], every)
        camera = CameraSettings(max_picture_px=self._max_picture_px, part=part)
        try:
            for observation in self._fer.stream(path, faces=self._faces, camera=camera):
                if (observation.position or 0.0) >= start - 0.0005:
                    self._take(observation, found)
        except SourceError:
            # Its length was an estimate: there may be nothing in the last stretch.
            if not start or found["frames"]:
                raise

    def _take(self, observation: Observation, found: dict[str, Any]) -> None:
        found["frames"] += 1
        found["width"], found["height"] = observation.width, observation.height
        position = None if observation.position is None else round(observation.position, 3)
        for face in observation.faces:
            box = face.box
            found["faces"].append(
                {
                    "position": position,
                    "id": face.id,
                    "box": [box.x, box.y, box.width, box.height],
                    "emotion": face.emotion,
                    "score": round(face.score, 4),
                    "scores": {label: round(value, 4) for label, value in face.scores.as_dict().items()},
                }
            )

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        self._fer.close()


COLUMNS = ("id", "path", "kind", "segment", "start", "end", "width", "height", "frames", "faces", "error")


def path_of(row: Mapping[str, Any]) -> Path:
    """The file of a row; a name that is no UTF-8 stands in `path_bytes`."""
    raw = row.get("path_bytes")
    return Path(os.fsdecode(raw) if isinstance(raw, bytes) and raw else str(row["path"]))


def _kind_of(path: Path) -> str:
    from edge_fer.camera.files import is_video_file, start_of

    try:
        return FILM if is_video_file(path, start_of(path)) else PICTURE
    except SourceError:
        return PICTURE


def _length(columns: Mapping[str, Sequence[Any]]) -> int:
    return len(columns["path"])


def _whole(value: Any) -> int | None:
    return None if value is None or value != value else int(value)


def _number(value: Any) -> float | None:
    return None if value is None or value != value else float(value)
