"""Networks that can be trained here convert in every recipe and say the same in both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from edge_fer_convert import InputOptions, convert
from edge_fer_convert.recipes import RECIPES

from tests.make_models import save

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", ["nano", "cnn4", "mini-xception"])
def test_every_recipe_of_a_network(converters: None, tmp_path: Path, name: str) -> None:
    from edge_fer_convert.tensorflow_log import quiet_tensorflow

    with quiet_tensorflow():
        from edge_fer_train.architectures import build_network

        network = build_network(name, 48, 1, 3)
    path = save(network, tmp_path / f"{name}.keras")
    recipes = [recipe.name for recipe in RECIPES]
    result = convert(path, tmp_path / "out", recipes=recipes, options=InputOptions(("a", "b", "c"), "-1..1"))
    assert len(result.files) == 8
    for file in result.files:
        assert file.manifest.output_kind == "logits"
        # Weights are random: scores are close to each other, so that differences say more than the top one.
        limit = {"fp32": 1e-4, "fp16": 5e-3}.get(file.manifest.recipe, 0.1)
        assert file.agreement.max_difference < limit, file.path.name
