"""Which file and which engine is chosen, with engines that are fakes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_fer.errors import ConfigError, MissingExtra, ModelError
from edge_fer.inference.manifest import read_manifest, write_manifest
from edge_fer.inference.open_model import bundled_models, bundled_models_named, open_classifier
from tests.make_models import MODELS

if TYPE_CHECKING:
    from edge_fer.types import Batch, InputSpec, Scores

INT8_TFLITE, INT8_ONNX = (f"brightness-tiny-48x48-static_wi8_ai8.{suffix}" for suffix in ("tflite", "onnx"))


@dataclass
class FakeClassifier:
    """Remembers what it was opened with."""

    engine: str
    model: Path
    threads: int

    @property
    def labels(self) -> tuple[str, ...]:
        return read_manifest(self.model).labels

    @property
    def input_spec(self) -> InputSpec:
        return read_manifest(self.model).input

    def classify(self, crops: Batch) -> list[Scores]:
        return []

    def close(self) -> None:
        pass


class FakeEngine:
    """Opens models, or fails as an engine does that is missing or that cannot load a file."""

    def __init__(self, name: str, failing: dict[str, Exception] | None = None) -> None:
        self.name, self.failing, self.tried = name, failing or {}, list[str]()

    def __call__(self, model: Path, threads: int) -> FakeClassifier:
        self.tried.append(model.name)
        error = self.failing.get(model.name) or self.failing.get("*")
        if error:
            raise error
        return FakeClassifier(self.name, model, threads)


def engines(litert: FakeEngine | None = None, onnx: FakeEngine | None = None) -> dict[str, FakeEngine]:
    return {"litert": litert or FakeEngine("litert"), "onnx": onnx or FakeEngine("onnx")}


def absent(extra: str) -> FakeEngine:
    return FakeEngine(extra, {"*": MissingExtra("running it", extra)})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for path in MODELS.iterdir():
        if "wi8" in path.name:
            (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def opened(found: object) -> FakeClassifier:
    assert isinstance(found, FakeClassifier)
    return found


def test_litert_comes_first_among_bundled_models(folder: Path) -> None:
    found = opened(open_classifier(None, threads=3, folder=folder, engines=engines()))
    assert (found.engine, found.model.name, found.threads) == ("litert", INT8_TFLITE, 3)


def test_the_other_engine_follows_where_litert_does_not_work(folder: Path) -> None:
    found = opened(open_classifier(None, folder=folder, engines=engines(litert=absent("litert"))))
    assert (found.engine, found.model.name) == ("onnx", INT8_ONNX)


def test_the_other_engine_follows_where_litert_cannot_load_the_file(folder: Path) -> None:
    broken = FakeEngine("litert", {"*": ModelError("an operator is too new")})
    assert opened(open_classifier(None, folder=folder, engines=engines(litert=broken))).engine == "onnx"


def test_a_backend_is_kept_to(folder: Path) -> None:
    known = engines()
    assert opened(open_classifier(None, "onnx", folder=folder, engines=known)).engine == "onnx"
    assert known["litert"].tried == []


def test_no_engine_at_all_names_an_extra(folder: Path) -> None:
    with pytest.raises(MissingExtra, match="needs the extra 'litert'"):
        open_classifier(None, folder=folder, engines=engines(absent("litert"), absent("onnx")))


def test_a_missing_backend_names_its_extra(folder: Path) -> None:
    with pytest.raises(MissingExtra, match="needs the extra 'onnx'"):
        open_classifier(None, "onnx", folder=folder, engines=engines(onnx=absent("onnx")))


def test_a_broken_file_is_told_rather_than_an_absent_engine(folder: Path) -> None:
    broken = FakeEngine("onnx", {"*": ModelError("damaged")})
    with pytest.raises(ModelError, match="damaged"):
        open_classifier(None, folder=folder, engines=engines(absent("litert"), broken))


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
        open_classifier(None, folder=tmp_path, engines=engines())


@pytest.mark.parametrize(("suffix", "engine"), [(".tflite", "litert"), (".onnx", "onnx"), (".ONNX", "onnx")])
def test_a_given_file_decides_the_engine(suffix: str, engine: str) -> None:
    assert opened(open_classifier(Path(f"x{suffix}"), engines=engines())).engine == engine


def test_a_given_file_is_not_replaced_by_another(folder: Path) -> None:
    known = engines(litert=absent("litert"))
    with pytest.raises(MissingExtra):
        open_classifier(folder / INT8_TFLITE, folder=folder, engines=known)
    assert known["onnx"].tried == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("x.keras", "edge-fer convert x.keras"), ("x.h5", "edge-fer convert"), ("x.pt", "neither"), ("x", "neither")],
)
def test_files_that_no_engine_runs(name: str, says: str) -> None:
    with pytest.raises(ModelError, match=says):
        open_classifier(Path(name), engines=engines())


def test_a_file_against_its_backend() -> None:
    with pytest.raises(ConfigError, match="leave --backend at auto"):
        open_classifier(Path("x.onnx"), "litert", engines=engines())


def test_threads_below_one() -> None:
    with pytest.raises(ConfigError, match="threads"):
        open_classifier(Path("x.onnx"), threads=0, engines=engines())


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
    with pytest.raises(ConfigError, match="leave --backend at auto"):
        open_classifier(Path(found.name), "litert", engines=engines())
    assert opened(open_classifier(Path(found.name), engines=engines())).model == found
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
