"""Which file and which engine is chosen, with engines that are fakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.inference.classifier import NamedEngine
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.inference.open_model import bundled_models, bundled_models_named, open_classifier
from edge_fer.types import TensorSpec
from tests.make_models import MODELS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edge_fer.protocols import Engine
    from edge_fer.types import ModelFile

INT8_TFLITE, INT8_ONNX = (f"brightness-tiny-48x48-static_wi8_ai8.{suffix}" for suffix in ("tflite", "onnx"))


class FakeSession:
    """A model that gives the same for every face."""

    def __init__(self, model: ModelFile) -> None:
        manifest = read_manifest(model.path)
        spec = manifest.input
        sides = (spec.channels, spec.height, spec.width) if spec.layout == "NCHW" else (spec.height, spec.width, 1)
        self.inputs = (TensorSpec("picture", (None, *sides), np.float32),)
        self.outputs = (TensorSpec("scores", (None, len(manifest.labels)), np.float32),)
        self.closed = False

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        return (np.tile(np.arange(1.0, 8.0, dtype=np.float32), (len(batch), 1)),)

    def close(self) -> None:
        self.closed = True


class FakeEngine:
    """Loads models, or fails as an engine does that is missing or that cannot load a file."""

    def __init__(self, *formats: str, failing: Exception | None = None) -> None:
        self.formats, self.failing, self.tried = formats, failing, list[str]()

    def load(self, model: ModelFile, threads: int) -> FakeSession:
        self.tried.append(model.path.name)
        self.threads = threads
        if self.failing is not None:
            raise self.failing
        return FakeSession(model)


class Found:
    """What finds engines by their names."""

    def __init__(self, **engines: FakeEngine) -> None:
        self.engines = {"litert": FakeEngine("tflite"), "onnxruntime": FakeEngine("onnx"), **engines}

    def __call__(self, engine: str | Engine) -> NamedEngine:
        assert isinstance(engine, str)
        return NamedEngine(engine, engine, self.engines[engine], built_in=engine in ("litert", "onnxruntime"))


def absent(extra: str, form: str) -> FakeEngine:
    return FakeEngine(form, failing=MissingExtra("running it", extra))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in MODELS.iterdir():
        if "wi8" in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def test_litert_comes_first_among_bundled_models(folder: Path) -> None:
    known = Found()
    found = open_classifier(None, threads=3, folder=folder, find=known)
    assert (found.engine, found.model.name) == ("litert", INT8_TFLITE)
    assert known.engines["litert"].threads == 3


def test_the_other_engine_follows_where_litert_does_not_work(folder: Path) -> None:
    found = open_classifier(None, folder=folder, find=Found(litert=absent("litert", "tflite")))
    assert (found.engine, found.model.name) == ("onnxruntime", INT8_ONNX)


def test_the_other_engine_follows_where_litert_cannot_load_the_file(folder: Path) -> None:
    broken = FakeEngine("tflite", failing=ModelError("an operator is too new"))
    assert open_classifier(None, folder=folder, find=Found(litert=broken)).engine == "onnxruntime"


def test_a_backend_is_kept_to(folder: Path) -> None:
    known = Found()
    assert open_classifier(None, "onnxruntime", folder=folder, find=known).engine == "onnxruntime"
    assert known.engines["litert"].tried == []


def test_no_engine_at_all_names_an_extra(folder: Path) -> None:
    with pytest.raises(MissingExtra, match="needs the extra 'litert'"):
        open_classifier(
            None,
            folder=folder,
            find=Found(litert=absent("litert", "tflite"), onnxruntime=absent("onnx", "onnx")),
        )


def test_a_missing_backend_names_its_extra(folder: Path) -> None:
    with pytest.raises(MissingExtra, match="needs the extra 'onnx'"):
        open_classifier(None, "onnxruntime", folder=folder, find=Found(onnxruntime=absent("onnx", "onnx")))


def test_a_broken_file_is_told_rather_than_an_absent_engine(folder: Path) -> None:
    broken = FakeEngine("onnx", failing=ModelError("damaged"))
    with pytest.raises(ModelError, match="damaged"):
        open_classifier(None, folder=folder, find=Found(litert=absent("litert", "tflite"), onnxruntime=broken))


def test_the_preferred_file_comes_first(folder: Path) -> None:
    for recipe in ("fp32", "static_wi8_ai8"):
        name = f"brightness-tiny-48x48-{recipe}.tflite"
        (folder / name).write_bytes((MODELS / name).read_bytes())
        manifest = replace(read_manifest(MODELS / name), preferred=recipe == "static_wi8_ai8")
        write_manifest(folder / name, manifest)
    assert [path.name for path in bundled_models(folder)][:2] == [
        INT8_TFLITE,
        "brightness-tiny-48x48-fp32.tflite",
    ]


def test_an_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no bundled model"):
        open_classifier(None, folder=tmp_path, find=Found())


@pytest.mark.parametrize(
    ("suffix", "engine"), [(".tflite", "litert"), (".onnx", "onnxruntime"), (".ONNX", "onnxruntime")]
)
def test_a_given_file_decides_the_engine(tmp_path: Path, suffix: str, engine: str) -> None:
    source = MODELS / f"brightness-tiny-48x48-fp32{suffix.lower()}"
    path = tmp_path / f"x{suffix}"
    path.write_bytes(source.read_bytes())
    write_manifest(path, read_manifest(source))
    assert open_classifier(path, find=Found(), first_load=None).engine == engine


def test_two_engines_load_one_file() -> None:
    path = MODELS / "brightness-tiny-48x48-fp32.onnx"
    known = Found(other=FakeEngine("hef", "onnx"))
    for name in ("onnxruntime", "other"):
        assert open_classifier(path, name, find=known, first_load=None).engine == name
        assert known.engines[name].tried == [path.name]


def test_an_engine_of_your_own_is_an_object() -> None:
    engine = FakeEngine("tflite")
    found = open_classifier(MODELS / "brightness-tiny-48x48-fp32.tflite", engine)
    assert (found.engine, engine.tried) == ("FakeEngine", ["brightness-tiny-48x48-fp32.tflite"])
    found.close()
    with pytest.raises(ModelError, match="was closed"):
        found.classify(np.zeros((1, 48, 48, 1), np.float32))


class OneByOne(FakeSession):
    """Takes one face at a time, and gives its scores without an axis for faces."""

    def __init__(self, model: ModelFile) -> None:
        super().__init__(model)
        self.inputs = (TensorSpec("picture", (1, *self.inputs[0].shape[1:]), np.float32),)
        self.outputs = (TensorSpec("scores", (7,), np.float32),)

    def run(self, batch: NDArray[Any]) -> tuple[NDArray[Any], ...]:
        assert len(batch) == 1
        return (super().run(batch)[0][0],)


@pytest.mark.parametrize("faces", [1, 3])
def test_a_model_for_one_face_is_run_once_per_face(monkeypatch: pytest.MonkeyPatch, faces: int) -> None:
    engine = FakeEngine("tflite")
    monkeypatch.setattr(engine, "load", lambda model, threads: OneByOne(model))
    found = open_classifier(MODELS / "brightness-tiny-48x48-fp32.tflite", engine)
    assert [one.top for one in found.classify(np.zeros((faces, 48, 48, 1), np.float32))] == ["neutral"] * faces


def test_a_format_of_others_needs_the_engine_that_loads_it(tmp_path: Path) -> None:
    path = tmp_path / "x.hef"
    path.write_bytes(b"anything")
    write_manifest(path, replace(read_manifest(MODELS / "brightness-tiny-48x48-fp32.tflite"), format="hef"))
    with pytest.raises(ModelError, match=r"neither \.tflite nor \.onnx"):
        open_classifier(path, find=Found())
    known = Found(accelerator=FakeEngine("hef"))
    assert open_classifier(path, "accelerator", find=known).engine == "accelerator"


@pytest.mark.parametrize("failing", [ValueError("no such device\nmore"), OSError(), RuntimeError("x")])
def test_whatever_an_engine_raises_is_one_line(failing: Exception) -> None:
    engine = FakeEngine("tflite", failing=failing)
    with pytest.raises(ModelError, match="cannot load") as raised:
        open_classifier(MODELS / "brightness-tiny-48x48-fp32.tflite", engine)
    assert "\n" not in str(raised.value)


def test_a_given_file_is_not_replaced_by_another(folder: Path) -> None:
    known = Found(litert=absent("litert", "tflite"))
    with pytest.raises(MissingExtra):
        open_classifier(folder / INT8_TFLITE, folder=folder, find=known)
    assert known.engines["onnxruntime"].tried == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("x.keras", "edge-fer convert x.keras"), ("x.h5", "edge-fer convert"), ("x.pt", "neither"), ("x", "neither")],
)
def test_files_that_no_engine_runs(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        open_classifier(Path(name), find=Found())


def test_a_file_against_its_backend() -> None:
    with pytest.raises(ConfigError, match="leave the engine at auto"):
        open_classifier(Path("x.onnx"), "litert", find=Found())


def test_threads_below_one() -> None:
    with pytest.raises(ConfigError, match="threads"):
        open_classifier(Path("x.onnx"), threads=0, find=Found())


def test_bundled_models_go_by_name() -> None:
    whole, short = bundled_models_named(Path("fer2013-nano")), bundled_models_named(Path("nano"))
    assert whole == short
    assert [path.name.partition("48x48-")[2] for path in short] == [
        "static_wi8_ai8.tflite",
        "fp32.tflite",
        "static_wi8_ai8.onnx",
        "fp32.onnx",
    ]
    assert all("nano" in path.name for path in short)


def test_a_bundled_file_goes_by_its_name() -> None:
    [found] = bundled_models_named(Path("fer2013-nano-48x48-static_wi8_ai8.onnx"))
    assert found.is_file()
    with pytest.raises(ConfigError, match="leave the engine at auto"):
        open_classifier(Path(found.name), "litert", find=Found())
    assert open_classifier(Path(found.name), find=Found()).model == found
    assert bundled_models_named(Path("none.onnx")) == []
    assert bundled_models_named(Path("elsewhere") / found.name) == []


def test_a_name_that_no_bundled_model_has_names_none(tmp_path: Path) -> None:
    assert bundled_models_named(Path("huge")) == []
    with pytest.raises(ModelError, match="huge is neither"):
        open_classifier(Path("huge"))


def test_a_file_comes_before_a_bundled_model_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nano").write_text("mine")
    assert bundled_models_named(Path("nano")) == []
