"""Events in a log, in a file, as pictures and as messages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import cv2
import pytest

from edge_fer.errors import SinkError
from edge_fer.events.event import EventView
from edge_fer.events.outputs import EventFile, EventLog, EventMessages, SnapshotFolder
from tests.event_makers import event
from tests.fakes import picture
from tests.logs import logged

if TYPE_CHECKING:
    from pathlib import Path


def test_a_line_of_the_log_says_what_happened_and_where_in_the_film() -> None:
    with logged("edge_fer.events") as told:
        EventLog().write(event(3))
        EventLog().write(event(3, "A", blind=True))
    assert told == ["smile: face 3, happy 90% at 1.50 s", "A at 1.50 s"]


def test_a_file_gets_a_line_at_once_and_is_replaced_or_continued(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    for append, expected in ((False, [1]), (True, [1, 2]), (False, [2])):
        file = EventFile(path, append=append)
        file.write(event(expected[-1]))
        assert [json.loads(line)["face"]["id"] for line in path.read_text().splitlines()] == expected
        file.close()
        file.close()


def test_a_file_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot write"):
        EventFile(tmp_path)
    with pytest.raises(SinkError, match="cannot write"):
        EventFile(tmp_path / "none" / "events.jsonl")


def test_a_snapshot_is_the_picture_of_the_frame_for_its_owner_alone(tmp_path: Path) -> None:
    image = picture()
    folder = SnapshotFolder(tmp_path / "pictures")
    folder.write(EventView(event(1), image))
    folder.write(EventView(event(2), image))
    written = sorted((tmp_path / "pictures").iterdir())
    assert [path.name for path in written] == [f"smile-20231114T221320.250Z-run-{number}.jpg" for number in (1, 2)]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o600}
    read = cv2.imread(str(written[0]))
    assert read is not None
    assert read.shape == image.shape


def test_a_folder_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="cannot make the folder"):
        SnapshotFolder(tmp_path / "file" / "pictures")
    folder = SnapshotFolder(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(SinkError, match="cannot write"):
        folder.write(EventView(event(), picture()))


def test_a_message_is_published_under_the_name_of_the_event() -> None:
    published: list[tuple[str, dict[str, object]]] = []
    EventMessages(lambda name, record: published.append((name, record))).write(event(4))
    assert [(name, record["seq"]) for name, record in published] == [("smile", 4)]
