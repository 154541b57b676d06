"""The library: what it takes, what it gives, and that it gives the same as the command line."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest

import edge_fer
from edge_fer import EdgeFer, Failure, Observation
from edge_fer.errors import ConfigError, ModelError, SourceError
from edge_fer.types import FER_LABELS, Box, Face, Frame, Image
from edge_fer.views import SEVERAL
from tests.conftest import REPOSITORY
from tests.fakes import FakeClassifier, picture
from tests.programs import run_edge_fer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_fer.picture import Picture
    from edge_fer.types import Batch, Scores


@pytest.fixture
def fer(tiny_model: Path) -> Iterator[EdgeFer]:
    with EdgeFer(tiny_model) as opened:
        yield opened


class OneFace:
    """Finds one face in the middle of every picture."""

    def detect(self, picture: Picture) -> list[Face]:
        return [Face(Box(picture.width // 4, picture.height // 4, picture.width // 2, picture.height // 2))]


class CountingClassifier(FakeClassifier):
    """Remembers how many faces came with each call."""

    def __init__(self) -> None:
        super().__init__("happy")
        self.counts: list[int] = []

    def classify(self, crops: Batch) -> list[Scores]:
        self.counts.append(len(crops))
        return super().classify(crops)


def same(observation: Observation) -> dict[str, Any]:
    """What does not depend on when and how fast it was made."""
    record = observation.to_dict()
    del record["time"], record["ms"]
    return record


def test_faces_of_a_picture_come_typed_with_scores(fer: EdgeFer, astronaut: Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut)
    [face] = fer.analyze(astronaut).faces
    for given in (path, str(path), path.read_bytes(), bytearray(path.read_bytes())):
        assert fer.analyze(given).faces == (face,)
    assert fer.labels == FER_LABELS
    assert face.box == face.face.box
    assert face.box.overlap(Box(177, 67, 93, 93)) > 0.6
    assert face.id is None
    assert face.emotion == face.scores.top
    assert face.score == face.scores.top_score
    assert sum(face.scores.values) == pytest.approx(1.0)


def test_the_source_is_the_path(fer: EdgeFer, astronaut: Image, tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    cv2.imwrite(str(path), astronaut)
    assert fer.analyze(path).source == str(path)
    assert fer.analyze(path.read_bytes()).source == "bytes"
    assert fer.analyze(astronaut).source == "array"


def test_grey_pictures_are_read(fer: EdgeFer, astronaut: Image) -> None:
    [face] = fer.analyze(cv2.cvtColor(astronaut, cv2.COLOR_BGR2GRAY)).faces
    assert face.box.overlap(fer.analyze(astronaut).faces[0].box) > 0.8


def test_a_picture_without_a_face_gives_none(fer: EdgeFer) -> None:
    assert fer.analyze(np.zeros((100, 100, 3), np.uint8)).faces == ()


def test_a_whole_picture_is_one_face(fer: EdgeFer) -> None:
    assert fer.analyze(picture(50, 40), whole=True).faces[0].box == Box(0, 0, 50, 40)


def test_an_observation_is_the_line_that_the_command_prints(
    fer: EdgeFer, tiny_model: Path, astronaut: Image, tmp_path: Path
) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), astronaut)
    done = run_edge_fer("predict", "a.png", "--json", "--model", tiny_model, cwd=tmp_path, check=True)
    printed = json.loads(done.stdout)
    made = fer.analyze(tmp_path / "a.png").to_dict()
    assert list(made) == list(printed)
    assert list(made["faces"][0]) == list(printed["faces"][0])
    assert made["faces"] == printed["faces"]
    assert made["size"] == printed["size"]


@pytest.mark.parametrize("batch", [1, 2, 32])
def test_many_pictures_give_one_result_each_in_their_order(
    batch: int, fer: EdgeFer, astronaut: Image, tmp_path: Path
) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    given = [astronaut, tmp_path / "text.jpg", np.zeros((80, 60), np.uint8), astronaut[:, ::-1].copy(), b"nothing"]
    results = list(fer.analyze_many(given, batch=batch))
    assert [type(one) for one in results] == [Observation, Failure, Observation, Observation, Failure]
    assert [one.seq for one in results if isinstance(one, Observation)] == [0, 2, 3]
    assert [one.source for one in results if isinstance(one, Failure)] == [str(tmp_path / "text.jpg"), "bytes"]
    for one, image in zip(results, given, strict=True):
        if isinstance(one, Observation):
            assert isinstance(image, np.ndarray)
            assert one.faces == fer.analyze(image).faces


def test_many_pictures_are_read_as_they_are_asked_for(fer: EdgeFer) -> None:
    taken = []

    def pictures() -> Iterator[Image]:
        for number in range(10):
            taken.append(number)
            yield picture(60, 60)

    results = fer.analyze_many(pictures(), batch=2)
    assert taken == []
    next(results)
    assert taken == [0, 1]


def test_faces_of_a_batch_go_to_the_engine_together() -> None:
    engine = CountingClassifier()
    with EdgeFer(engine=engine, detector=OneFace()) as fer:
        results = list(fer.analyze_many([picture(60, 60)] * 5, batch=3))
    assert [len(one.faces) for one in results if isinstance(one, Observation)] == [1] * 5
    assert engine.counts == [3 * len(SEVERAL), 2 * len(SEVERAL)]


def test_a_detector_and_an_engine_of_your_own_are_used(astronaut: Image) -> None:
    with EdgeFer(engine=FakeClassifier("sad"), detector=OneFace()) as fer:
        assert fer.analyze(astronaut).faces[0].box == Box(128, 128, 256, 256)
        assert fer.analyze(astronaut).faces[0].emotion == "sad"
        assert {one.faces[0].emotion for one in fer.stream("demo", track=False)} == {"sad"}


@pytest.fixture
def film(astronaut: Image, tmp_path: Path) -> Path:
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (512, 512))
    for step in range(12):
        writer.write(np.roll(astronaut, 3 * step, axis=1))
    writer.release()
    return path


def test_a_stream_gives_what_run_prints(fer: EdgeFer, tiny_model: Path, film: Path) -> None:
    done = run_edge_fer("run", film, "--headless", "--json", "--model", tiny_model, check=True)
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    streamed = [json.loads(json.dumps(same(one))) for one in fer.stream(film)]
    assert len(streamed) == len(printed) == 12
    for line, one in zip(printed, streamed, strict=True):
        assert one["faces"] == line["faces"]
        assert (one["seq"], one["size"]) == (line["seq"], line["size"])
    assert {face["id"] for one in streamed for face in one["faces"]} == {1}


def test_a_stream_without_tracking_knows_no_ids(fer: EdgeFer, film: Path) -> None:
    stream = fer.stream(film, track=False)
    assert {face.id for one in islice(stream, 2) for face in one.faces} == {None}


def test_a_source_of_your_own_is_closed(fer: EdgeFer) -> None:
    from edge_fer.camera.demo import DemoSource

    class Closing(DemoSource):
        closed = 0

        def close(self) -> None:
            self.closed += 1
            super().close()

    source = Closing()
    stream = fer.stream(source)
    assert next(stream).source == "demo"
    stream.close()  # type: ignore[attr-defined]
    assert source.closed >= 1


def test_a_source_that_cannot_be_opened_is_reported_at_once(fer: EdgeFer, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="none"):
        fer.stream(tmp_path / "none.mp4")


def _boxes(fer: EdgeFer, image: Image) -> list[Box]:
    return [face.box for face in fer.analyze(image).faces]


def test_it_can_be_pickled(fer: EdgeFer, astronaut: Image) -> None:
    copy = pickle.loads(pickle.dumps(fer))
    assert copy.analyze(astronaut).faces == fer.analyze(astronaut).faces


def test_worker_processes_get_one_each(fer: EdgeFer, astronaut: Image) -> None:
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(_boxes, fer, astronaut).result() == _boxes(fer, astronaut)


def test_threads_bound_opencv_too(tiny_model: Path) -> None:
    before = cv2.getNumThreads()
    try:
        EdgeFer(tiny_model, threads=1).close()
        assert cv2.getNumThreads() == 1
    finally:
        cv2.setNumThreads(before)


def test_closing_twice_is_harmless(tiny_model: Path) -> None:
    fer = EdgeFer(tiny_model)
    fer.close()
    fer.close()


@pytest.mark.parametrize("wrong", [5, None, ["a.jpg"], 3.5, object()])
def test_what_is_no_picture_is_a_type_error_with_the_fix(fer: EdgeFer, wrong: Any) -> None:
    with pytest.raises(TypeError, match="expected a path, the bytes of a picture file or an array, not an object"):
        fer.analyze(wrong)
    with pytest.raises(TypeError, match="expected a path"):
        list(fer.analyze_many([wrong]))


def test_bad_input_is_reported(fer: EdgeFer, tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.jpg"):
        fer.analyze(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="convert it first"):
        fer.analyze(np.zeros((10, 10, 4), np.uint8))
    with pytest.raises(ValueError, match="batch must be at least 1"):
        fer.analyze_many([], batch=0)
    with pytest.raises(ModelError, match=r"none\.tflite"):
        EdgeFer(tmp_path / "none.tflite")
    with pytest.raises(ConfigError, match="threads"):
        EdgeFer(tiny_model, threads=0)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"engine": "tensorrt"}, ConfigError, "no engine is called tensorrt: take one of litert, onnxruntime"),
        ({"detector": "none"}, ConfigError, "no detector is called none"),
        ({"engine": 3}, TypeError, "engine must be a name, or have formats"),
        ({"detector": 3}, TypeError, "detector must be a name or have a method detect"),
        ({"model": 3}, TypeError, "model must be a path"),
        ({"threads": "2"}, TypeError, "threads must be a whole number"),
        ({"threads": True}, TypeError, "threads must be a whole number"),
    ],
)
def test_wrong_arguments_name_the_fix(arguments: dict[str, Any], kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        EdgeFer(**arguments)


@pytest.mark.parametrize("wrong", [None, 2.5, True, object()])
def test_what_is_no_source_is_a_type_error(fer: EdgeFer, wrong: Any) -> None:
    with pytest.raises(TypeError, match="source must be a camera number, a path"):
        fer.stream(wrong)


def test_the_old_names_still_work_with_a_warning(fer: EdgeFer, tiny_model: Path, astronaut: Image) -> None:
    frame = Frame(astronaut, 0, 0.0, 0.0, "x")
    with pytest.warns(DeprecationWarning, match=r"use analyze\(image\)\.faces"):
        assert tuple(fer.predict(astronaut)) == fer.analyze(astronaut).faces
    with pytest.warns(DeprecationWarning, match="whole=True"):
        assert fer.predict_whole(astronaut) == fer.analyze(astronaut, whole=True).faces[0]
    with pytest.warns(DeprecationWarning, match=r"use analyze\(frame\)"):
        assert fer.observe(frame).faces == fer.analyze(frame).faces
    with pytest.warns(DeprecationWarning, match="whole=True"):
        assert fer.observe_whole(frame).faces == fer.analyze(frame, whole=True).faces
    with pytest.warns(DeprecationWarning, match="engine="):
        EdgeFer(tiny_model, "litert").close()
    from edge_fer.api import EdgeFer as Old

    assert Old is EdgeFer


def test_what_the_package_promises_is_there_and_documented() -> None:
    page = (REPOSITORY / "docs" / "python-reference.md").read_text()
    for name in edge_fer.__all__:
        assert getattr(edge_fer, name) is not None
        assert name == "__version__" or f"\n## {name}\n" in page


def test_the_reference_is_up_to_date() -> None:
    made = subprocess.run(
        [sys.executable, "-c", "import runpy; print(runpy.run_path('docs/python_page.py')['python_page'](), end='')"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert (REPOSITORY / "docs" / "python-reference.md").read_text() == made, "run script/docs"


PROGRAM = '''
"""What a strict type checker must accept of a program that uses the library."""

from __future__ import annotations

from pathlib import Path

from edge_fer import Box, EdgeFer, Failure, Observation


def smiles(folder: Path) -> list[tuple[str, Box]]:
    found: list[tuple[str, Box]] = []
    with EdgeFer(threads=1) as fer:
        for result in fer.analyze_many(sorted(folder.glob("*.jpg"))):
            if isinstance(result, Failure):
                print(result.source, result.error)
                continue
            found += [(result.source, face.box) for face in result.faces if face.emotion == "happy"]
    return found


def longest(film: Path) -> float:
    with EdgeFer() as fer:
        seen: list[Observation] = list(fer.stream(film))
    return max((one.captured_at for one in seen if one.faces), default=0.0)
'''


def test_a_strict_type_checker_accepts_a_program_that_uses_it(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="needs mypy")
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--cache-dir",
            str(tmp_path / "cache"),
            str(tmp_path / "program.py"),
        ],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
