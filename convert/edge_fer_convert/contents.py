"""The bytes of every file that is asked for, from a trained model or from one that was converted before."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from edge_fer.errors import EdgeFerError, ModelError
from edge_fer.inference.decoding import first_line
from edge_fer_convert.load import TrainedModel, load_trained
from edge_fer_convert.onnx_recipes import onnx_recipe
from edge_fer_convert.outliers import left_out, outliers
from edge_fer_convert.ready import READY_FORMATS, ReadyModel, check_plans, load_ready
from edge_fer_convert.recipes import EXACT, USUAL, recipe_facts
from edge_fer_convert.to_onnx import to_onnx
from edge_fer_convert.to_tflite import to_tflite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge_fer.inference.manifest import Format, Recipe
    from edge_fer.types import Batch, TensorLayout
    from edge_fer_convert.calibration import CalibrationSet
    from edge_fer_convert.inputs import InputOptions
    from edge_fer_convert.onnx_recipes import Method

    Plan = tuple[Recipe, Format]
    Source = TrainedModel | ReadyModel


def open_source(path: Path, options: InputOptions) -> Source:
    """Load a model of any kind; see `load_trained` and `load_ready` for what they raise.

    Raises:
        ModelError: also where a damaged file makes a library fail in a way that nobody thought of.
    """
    try:
        if path.suffix.lower() in READY_FORMATS and not path.is_dir():
            return load_ready(path, options)
        return load_trained(path, options)
    except (EdgeFerError, MemoryError):
        raise
    except Exception as error:
        kind = type(error).__name__
        raise ModelError(f"{path} cannot be read ({kind}: {first_line(error)[:300]}): get the model again") from error


def plans_for(
    path: Path, source: Source, recipes: Sequence[Recipe] | None, formats: Sequence[Format] | None
) -> list[Plan]:
    """Which files to make; where nothing is asked for, int8 in both formats, or what a ready file is.

    Raises:
        ConfigError: a ready file cannot become that.
    """
    if isinstance(source, ReadyModel):
        wanted = list(dict.fromkeys(recipes or [source.manifest.recipe]))
        where = list(dict.fromkeys(formats or [source.manifest.format]))
        check_plans(path, source, wanted, where)
    else:
        wanted = list(dict.fromkeys(recipes or [USUAL]))
        where = list(dict.fromkeys(formats or ["onnx", "tflite"]))
    return [(recipe, file_format) for file_format in where for recipe in wanted]


def layout_of(source: Source, file_format: Format) -> TensorLayout:
    """The order of axes that a made file takes."""
    if isinstance(source, ReadyModel):
        return source.manifest.input.layout
    return "NCHW" if file_format == "onnx" else "NHWC"


class Maker:
    """Makes the files of one model; the networks in float, which several files need, are made once."""

    def __init__(self, source: Source, say: Callable[[str], None]) -> None:
        """Nothing is converted yet.

        Args:
            source: what to make files of.
            say: takes what goes on, a sentence a call.
        """
        self._source, self._say = source, say
        self._exact: dict[Format, bytes] = {}

    def make(
        self, recipe: Recipe, file_format: Format, pictures: CalibrationSet | None = None, method: Method = "min-max"
    ) -> bytes:
        """The bytes of one file.

        Args:
            recipe: what it stores.
            file_format: what it is made for.
            pictures: to calibrate with, where the recipe needs that.
            method: of calibration.

        Raises:
            ModelError: a converter refuses the model, and the layer where one alone is refused by itself too.
        """
        quantised = recipe_facts(recipe).is_quantised
        batch = pictures.batch(self._source.manifest.input) if quantised and pictures is not None else None
        if isinstance(self._source, ReadyModel):
            own = recipe == self._source.manifest.recipe
            layout = self._source.manifest.input.layout
            return self._source.data if own else onnx_recipe(self._source.data, recipe, batch, method, layout)
        try:
            if file_format == "onnx":
                return onnx_recipe(self._exact_onnx(self._source), recipe, batch, method)
            return self._tflite(self._source, recipe, batch, method)
        except ModelError as error:
            raise named_after_layer(self._source, file_format, error) from None

    def float_network(self, file_format: Format) -> bytes | None:
        """The float32 file of a format; None where only a quantised one is known."""
        if isinstance(self._source, ReadyModel) and not recipe_facts(self._source.manifest.recipe).is_exact:
            return None
        return self.make(EXACT, file_format)

    def _exact_onnx(self, source: TrainedModel) -> bytes:
        if "onnx" not in self._exact:
            self._say("converting to ONNX")
            self._exact["onnx"] = to_onnx(source.network)
        return self._exact["onnx"]

    def _tflite(self, source: TrainedModel, recipe: Recipe, batch: Batch | None, method: Method) -> bytes:
        exact = recipe_facts(recipe).is_exact
        if exact and "tflite" in self._exact:
            return self._exact["tflite"]
        self._say(f"converting to TFLite ({recipe})")
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            source.network.export(Path(folder))
            made = to_tflite(Path(folder), recipe, batch, method)
        if exact:
            self._exact["tflite"] = made
        return made


def calibrated(
    source: Source, maker: Maker, plans: Sequence[Plan], pictures: CalibrationSet, say: Callable[[str], None]
) -> tuple[CalibrationSet, tuple[str, ...]]:
    """The pictures without those that set off values far beyond all others', the same ones for all formats.

    Args:
        source: the model.
        maker: gives its network in float, through which to look.
        plans: what is to be made; nothing is looked at where no file of it needs pictures.
        pictures: to calibrate with.
        say: takes what goes on, a sentence a call.

    Returns:
        The pictures to use, and what the user should know of them, a sentence each.
    """
    own = source.manifest.recipe if isinstance(source, ReadyModel) else None
    form = next((form for recipe, form in plans if recipe != own and recipe_facts(recipe).is_quantised), None)
    exact = None if form is None else maker.float_network(form)
    if form is None or exact is None:
        return pictures, ()
    say("looking for unusual calibration pictures")
    spec = replace(source.manifest.input, layout=layout_of(source, form))
    found = outliers(exact, form, spec, pictures.images)
    if not found.places:
        return pictures, ()
    note = left_out(found, len(pictures.images))
    say(f"note: {note}")
    return pictures.without(found.places), (note,)


def named_after_layer(source: Source, file_format: Format, error: ModelError) -> ModelError:
    """The same complaint with the layer that the converters refuse, where one alone is refused by itself too."""
    from edge_fer_convert.blame import refused_layer

    model = source.network.keras_model if isinstance(source, TrainedModel) else None
    layer = None if model is None else refused_layer(model, file_format)
    return error if layer is None else ModelError(f"layer {layer[0]!r} ({layer[1]}): {error}")
