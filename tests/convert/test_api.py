"""`convert` for programs works in the confined process of the command, unless it is to work here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edge_fer_convert import convert

from edge_fer.errors import EdgeFerError, ModelError
from tests.convert.hostile_files import archive, layer
from tests.make_models import MODELS, NAME

if TYPE_CHECKING:
    from pathlib import Path


def test_programs_convert_in_a_confined_process(converters: None, tmp_path: Path) -> None:
    said: list[str] = []
    model = MODELS / f"{NAME}-48x48-fp32.onnx"
    result = convert(model, tmp_path / "out", name="other", say=said.append)
    assert "limits on processor time" in result.walls
    assert said[0].startswith("loading ")
    [file] = result.files
    assert file.path.is_file()
    assert file.path.parent == tmp_path / "out"
    here = convert(model, tmp_path / "here", name="other", confined=False)
    assert here.walls == ""
    assert here.files[0].path.read_bytes() == file.path.read_bytes()


def test_programs_get_the_same_errors(converters: None, tmp_path: Path) -> None:
    path = archive(tmp_path / "model.keras", layer("Lambda"))
    for confined in (True, False):
        with pytest.raises(ModelError, match="'odd_one' is a Lambda, which can hold code"):
            convert(path, tmp_path / "out", confined=confined)
    for limits in ({"timeout_seconds": 0.1}, {"most_bytes": 1_000_000}):
        with pytest.raises(EdgeFerError, match=r"the conversion took more than 0\.\d+ (s|GB of memory)"):
            convert(path, tmp_path / "out", **limits)  # type: ignore[arg-type]
    assert [item.name for item in tmp_path.iterdir()] == ["model.keras"]
