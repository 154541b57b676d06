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
from edge_fer_convert.recipes import recipe_facts
from edge_fer_convert.simplify import without_transposes
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
        wanted = list(dict.fromkeys(recipes or ["static_wi8_ai8"]))
        where = list(dict.fromkeys(formats or ["onnx", "tflite"]))
    return [(recipe, file_format) for file_format in where for recipe in wanted]


def layout_of(source: Source, file_format: Format) -> TensorLayout:
    """The order of axes that a made file takes."""
    if isinstance(source, ReadyModel):
        return source.manifest.input.layout
    return "NCHW" if file_format == "onnx" else "NHWC"


class Maker:
    """Makes the files of one model; what several need is made once."""

    def __init__(self, source: Source, pictures: CalibrationSet, say: Callable[[str], None]) -> None:
        """Nothing is converted yet.

        Args:
            source: what to make files of.
            pictures: to calibrate with.
            say: takes what goes on, a sentence a call.
        """
        self._source, self._pictures, self._say = source, pictures, say
        self._exact: dict[Format, bytes] = {}
        self._calibration: CalibrationSet | None = None
        self.transposes_removed = 0
        self.notes: list[str] = []
        """What the user should know of the calibration, a sentence each."""

    def make(self, recipe: Recipe, file_format: Format, method: Method = "min-max") -> bytes:
        """The bytes of one file; `method` is of calibration, for int8.

        Raises:
            ModelError: a converter refuses the model, and the layer where one alone is refused by itself too.
        """
        batch = self._inputs(file_format) if recipe_facts(recipe).needs_calibration else None
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
        if isinstance(self._source, ReadyModel) and self._source.manifest.recipe != "fp32":
            return None
        return self.make("fp32", file_format)

    def calibration(self, file_format: Format) -> CalibrationSet:
        """The pictures without those that set off values far beyond all others', the same ones for all formats.

        Args:
            file_format: through which to look, when asked for the first time.
        """
        if self._calibration is None:
            exact, spec = self.float_network(file_format), self._source.manifest.input
            self._calibration = self._pictures
            if exact is not None:
                self._say("looking for unusual calibration pictures")
                spec = replace(spec, layout=layout_of(self._source, file_format))
                found = outliers(exact, file_format, spec, self._pictures.images)
                if found.places:
                    self._calibration = self._pictures.without(found.places)
                    self.notes.append(left_out(found, len(self._pictures.images)))
                    self._say(f"note: {self.notes[-1]}")
        return self._calibration

    def _inputs(self, file_format: Format) -> Batch:
        return self.calibration(file_format).batch(self._source.manifest.input)

    def _exact_onnx(self, source: TrainedModel) -> bytes:
        if "onnx" not in self._exact:
            self._say("converting to ONNX")
            self._exact["onnx"], self.transposes_removed = without_transposes(to_onnx(source.network))
        return self._exact["onnx"]

    def _tflite(self, source: TrainedModel, recipe: Recipe, batch: Batch | None, method: Method) -> bytes:
        if recipe == "fp32" and "tflite" in self._exact:
            return self._exact["tflite"]
        self._say(f"converting to TFLite ({recipe})")
        with tempfile.TemporaryDirectory(prefix="edge-fer-") as folder:
            source.network.export(Path(folder))
            made = to_tflite(Path(folder), recipe, batch, method)
        if recipe == "fp32":
            self._exact["tflite"] = made
        return made


def named_after_layer(source: Source, file_format: Format, error: ModelError) -> ModelError:
    """The same complaint with the layer that the converters refuse, where one alone is refused by itself too."""
    from edge_fer_convert.blame import refused_layer

    model = source.network.keras_model if isinstance(source, TrainedModel) else None
    layer = None if model is None else refused_layer(model, file_format)
    return error if layer is None else ModelError(f"layer {layer[0]!r} ({layer[1]}): {error}")
