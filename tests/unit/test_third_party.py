"""Third-party libraries write nothing into the home folder and read no settings of other projects there."""

from __future__ import annotations

import ast
import json
import logging
from pathlib import Path

import pytest

from edge_fer.errors import ConfigError
from edge_fer.third_party import (
    NO_FOLDER,
    import_onnxruntime,
    isolate_keras,
    keras_file,
    silence_matplotlib,
    silence_onnxruntime,
)
from tests.conftest import REPOSITORY
from tests.programs import run_python

SOURCES = [
    path
    for folder in ("edge_fer", "convert/edge_fer_convert", "training/edge_fer_train", "benchmarks/edge_fer_bench")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
]


def write_settings(home: Path, text: str) -> Path:
    path = home / ".keras" / "keras.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    return path


def test_the_telemetry_of_onnxruntime_is_off_whatever_was_set() -> None:
    environment = {"ORT_DISABLE_TELEMETRY": "0"}
    silence_onnxruntime(environment)
    assert environment == {"ORT_DISABLE_TELEMETRY": "1"}


def test_onnxruntime_leaves_no_file_in_an_empty_home(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    code = (
        "from edge_fer.third_party import import_onnxruntime\n"
        "runtime = import_onnxruntime()\n"
        "runtime.SessionOptions()\n"
        f"runtime.InferenceSession({str(REPOSITORY / 'tests/models/brightness-tiny-48x48-fp32.onnx')!r},"
        " providers=['CPUExecutionProvider'])\n"
    )
    run_python(code, check=True, env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)})
    assert list(tmp_path.rglob("*")) == []


def test_it_is_imported_in_one_place_alone() -> None:
    def imports(tree: ast.AST) -> set[str]:
        found = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        return {name for name in found if name.split(".")[0] == "onnxruntime"}

    assert [str(path) for path in SOURCES if imports(ast.parse(path.read_text()))] == []


def test_what_comes_after_an_import_by_somebody_else_is_stopped() -> None:
    runtime = pytest.importorskip("onnxruntime")
    assert import_onnxruntime() is runtime


def test_a_folder_that_the_user_chose_for_matplotlib_is_kept() -> None:
    environment = {"MPLCONFIGDIR": "/chosen"}
    silence_matplotlib(environment)
    assert environment == {"MPLCONFIGDIR": "/chosen"}


def test_matplotlib_keeps_no_cache_at_home(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    code = (
        "import tempfile\n"
        "from edge_fer.third_party import silence_matplotlib\n"
        "silence_matplotlib()\n"
        "import matplotlib.font_manager\n"
    )
    folders = {"HOME": tmp_path / "home", "TMPDIR": tmp_path / "temporary"}
    for folder in folders.values():
        folder.mkdir()
    environment = {name: str(folder) for name, folder in folders.items()}
    done = run_python(code, check=True, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY), **environment})
    assert [path for folder in folders.values() for path in folder.rglob("*")] == []
    assert "MPLCONFIGDIR" not in done.stderr
    assert logging.getLogger("matplotlib").level in (logging.NOTSET, logging.ERROR)


def test_keras_finds_nothing_and_can_write_nothing(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    assert isolate_keras(environment) is None
    assert environment["KERAS_HOME"] == NO_FOLDER
    with pytest.raises(OSError, match="Not a directory"):
        Path(NO_FOLDER).mkdir(parents=True)


def test_settings_of_another_project_are_named_and_not_used(tmp_path: Path) -> None:
    path = write_settings(tmp_path, json.dumps({"backend": "theano", "floatx": "float32", "epsilon": 1e-07}))
    assert isolate_keras({"HOME": str(tmp_path)}) == f"{path} is not used; it sets backend to 'theano'"


def test_the_settings_that_keras_writes_itself_are_not_worth_a_word(tmp_path: Path) -> None:
    usual = {"floatx": "float32", "epsilon": 1e-07, "backend": "tensorflow", "image_data_format": "channels_last"}
    write_settings(tmp_path, json.dumps(usual))
    assert isolate_keras({"HOME": str(tmp_path)}) is None


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff"], ids=["cut off", "a list", "no text"])
def test_a_damaged_keras_json_is_named_too(tmp_path: Path, text: str) -> None:
    path = write_settings(tmp_path, "")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    assert isolate_keras({"HOME": str(tmp_path)}) is not None


def test_weights_that_are_downloaded_stay_in_the_folder_of_keras(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    assert isolate_keras(environment, keeps_downloads=True) is None
    assert "KERAS_HOME" not in environment


def test_there_its_settings_have_to_be_usable(tmp_path: Path) -> None:
    path = write_settings(tmp_path, '{"image_data_format": "channels_first"}')
    with pytest.raises(ConfigError, match="image_data_format to 'channels_first'") as caught:
        isolate_keras({"HOME": str(tmp_path)}, keeps_downloads=True)
    assert str(path) in str(caught.value)


def test_without_a_home_folder_nothing_fails() -> None:
    assert isolate_keras({}) is None or keras_file({}) is not None


def test_a_folder_of_its_own_counts_before_the_home(tmp_path: Path) -> None:
    write_settings(tmp_path / "home", "{}")
    assert keras_file({"HOME": str(tmp_path / "home"), "KERAS_HOME": str(tmp_path / "other")}) is None
