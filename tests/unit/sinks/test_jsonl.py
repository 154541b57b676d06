from __future__ import annotations

import io
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from edge_fer.errors import SinkError
from edge_fer.sinks.jsonl import JsonLinesSink, json_line, write_line
from edge_fer.sinks.runner import SinkFinished
from edge_fer.types import FER_LABELS, Box, Landmarks, Scores, rfc3339
from tests.fakes import observation, scored_face

SEEN = observation(scored_face(Box(10, 20, 50, 60), "happy", 0.7, track_id=3), seq=7)


def test_a_line_has_the_fields_of_the_schema_in_their_order() -> None:
    line = json_line(SEEN)
    assert "\n" not in line
    assert ": " not in line
    record = json.loads(line)
    assert list(record) == ["schema", "seq", "time", "source", "size", "faces", "ms"]
    assert record["schema"] == "edge-fer/1"
    assert record["seq"] == 7
    assert record["time"] == "2023-11-14T22:13:20.250Z"
    assert record["size"] == [640, 480]
    assert record["ms"] == {"detect": 10.0, "classify": 0.5, "total": 10.5}
    [face] = record["faces"]
    assert list(face) == ["id", "box", "emotion", "score", "scores", "raw"]
    assert (face["id"], face["box"], face["emotion"], face["score"]) == (3, [10, 20, 50, 60], "happy", 0.7)
    assert tuple(face["scores"]) == FER_LABELS
    assert sum(face["scores"].values()) == pytest.approx(1.0, abs=1e-3)


def test_landmarks_are_written_where_the_detector_gives_them() -> None:
    points = ((10.04, 20.06), (30.0, 21.0), (20.5, 30.25), (12.0, 40.0), (28.0, -3.333))
    seen = scored_face(Box(0, 0, 50, 60))
    with_points = replace(seen, face=replace(seen.face, landmarks=Landmarks(*points)))
    bare, marked = observation(seen, with_points).to_dict()["faces"]
    assert "landmarks" not in bare
    assert list(marked) == ["id", "box", "landmarks", "emotion", "score", "scores", "raw"]
    assert marked["landmarks"] == [[10.0, 20.1], [30.0, 21.0], [20.5, 30.2], [12.0, 40.0], [28.0, -3.3]]


def test_a_frame_without_a_face_has_an_empty_list() -> None:
    assert json.loads(json_line(observation()))["faces"] == []


def test_a_face_that_is_not_followed_has_no_id() -> None:
    assert observation(scored_face(Box(0, 0, 9, 9))).to_dict()["faces"][0]["id"] is None


def test_the_score_is_that_of_the_emotion_shown() -> None:
    lagging = replace(scored_face(Box(0, 0, 9, 9), "happy"), emotion="sad")
    [face] = observation(lagging).to_dict()["faces"]
    assert face["score"] == face["scores"]["sad"]


def test_a_number_that_is_not_finite_is_never_written() -> None:
    broken = Scores(FER_LABELS, (float("nan"),) * 7)
    face = replace(scored_face(Box(0, 0, 9, 9)), scores=broken)
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_line(observation(face))


def test_lines_are_flushed_one_by_one() -> None:
    class Stream(io.BytesIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    stream = Stream()
    sink = JsonLinesSink(stream)
    sink.write(SEEN)
    sink.write(SEEN)
    assert stream.flushed == 2
    assert stream.getvalue().count(b"\n") == 2


def test_a_stream_that_takes_little_at_a_time_gets_all() -> None:
    class Narrow(io.BytesIO):
        turn = 0

        def write(self, data: bytes, /) -> int | None:  # type: ignore[override]
            self.turn += 1
            return None if self.turn % 2 else super().write(data[:5])

    stream = Narrow()
    write_line(stream, "einundzwanzig Zeichen ä")
    assert stream.getvalue().decode() == "einundzwanzig Zeichen ä\n"


def test_a_closed_pipe_ends_quietly() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "wb", buffering=0) as stream, pytest.raises(SinkFinished) as caught:
        write_line(stream, "x")
    assert caught.value.ends_run
    assert str(caught.value) == ""


def test_a_full_disk_is_an_error_that_says_so() -> None:
    with Path("/dev/full").open("wb", buffering=0) as stream, pytest.raises(SinkError, match="No space left"):
        write_line(stream, "x")


def test_a_name_that_is_no_text_does_not_stop_the_line() -> None:
    stream = io.BytesIO()
    JsonLinesSink(stream).write(replace(SEEN, source=os.fsdecode(b"caf\xe9.jpg")))
    assert json.loads(stream.getvalue())["source"].startswith("caf")


def test_time_is_utc_with_milliseconds() -> None:
    assert rfc3339(0.0) == "1970-01-01T00:00:00.000Z"
