"""The bytes of every file that is asked for, from a trained model or from one that was converted before."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import ModelError
from edge_fer_convert.load import TrainedModel, load_trained
from edge_fer_convert.onnx_recipes import onnx_recipe
from edge_fer_convert.ready import READY_ENGINES, ReadyModel, check_plans, load_ready
from edge_fer_convert.to_onnx import to_onnx
from edge_fer_convert.to_tflite import to_tflite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.scores.manifest import Engine, Recipe
    from edge_fer.types import Batch, TensorLayout
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.onnx_recipes import Method

    Plan = tuple[Recipe, Engine]
    Source = TrainedModel | ReadyModel


def open_source(path: Path, options: InputOptions) -> Source:
    """Load a model of any kind; see `load_trained` and `load_ready` for what they raise."""
    if path.suffix.lower() in READY_ENGINES and not path.is_dir():
        return load_ready(path, options)
    return load_trained(path, options)


def plans_for(
    path: Path, source: Source, recipes: Sequence[Recipe] | None, engines: Sequence[Engine] | None
) -> list[Plan]:
    """Which files to make; where nothing is asked for, int8 for both engines, or what a ready file is.

    Raises:
        ConfigError: a ready file cannot become that.
    """
    if isinstance(source, ReadyModel):
        wanted = list(dict.fromkeys(recipes or [source.manifest.recipe]))
        where = list(dict.fromkeys(engines or [source.manifest.engine]))
        check_plans(path, source, wanted, where)
    else:
        wanted = list(dict.fromkeys(recipes or ["static_wi8_ai8"]))
        where = list(dict.fromkeys(engines or ["onnx", "litert"]))
    return [(recipe, engine) for engine in where for recipe in wanted]


def layout_of(source: Source, engine: Engine) -> TensorLayout:
    """The order of axes that a made file takes."""
    if isinstance(source, ReadyModel):
        return source.manifest.input.layout
    return "NCHW" if engine == "onnx" else "NHWC"


def make_contents(
    source: Source, plans: Sequence[Plan], batch: Batch, say: Callable[[str], None], method: Method = "min-max"
) -> dict[Plan, bytes]:
    """The bytes of each file.

    Args:
        source: what to make them of.
        plans: recipe and engine of each.
        batch: calibration inputs, float32 [N, height, width, channels].
        say: told what goes on.
        method: of calibration, for ONNX; TensorFlow's converter knows min-max alone.

    Raises:
        ModelError: a converter refuses the model.
    """
    made: dict[Plan, bytes] = {}
    if isinstance(source, ReadyModel):
        for recipe, engine in plans:
            own = recipe == source.manifest.recipe
            layout = source.manifest.input.layout
            made[recipe, engine] = source.data if own else onnx_recipe(source.data, recipe, batch, method, layout)
        return made
    if any(engine == "onnx" for _, engine in plans):
        say("converting to ONNX")
        exact = to_onnx(source.network)
        for recipe, engine in plans:
            if engine == "onnx":
                made[recipe, engine] = onnx_recipe(exact, recipe, batch, method)
    if any(engine == "litert" for _, engine in plans):
        say("converting to TFLite")
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            source.network.export(Path(folder))
            for recipe, engine in plans:
                if engine == "litert":
                    made[recipe, engine] = to_tflite(Path(folder), recipe, batch)
    return made


def named_after_layer(source: Source, error: ModelError) -> ModelError:
    """The same complaint with the layer that the converters refuse, where one alone is refused by itself too."""
    from edge_fer_convert.blame import refused_layer

    model = source.network.keras_model if isinstance(source, TrainedModel) else None
    layer = None if model is None else refused_layer(model)
    return error if layer is None else ModelError(f"layer {layer[0]!r} ({layer[1]}): {error}")
