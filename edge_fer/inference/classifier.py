"""Scores of face crops by a model that an engine has loaded: the same for every engine and format.

What the model expects is in its manifest: the classifier puts crops into its order of axes and its type, runs them
through the engine, restores what it gives to real numbers, and makes probabilities of these.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edge_fer.errors import EdgeFerError, ModelError
from edge_fer.inference.decoding import check_crops, check_declared_shape, first_line, scores_from_outputs, try_model
from edge_fer.inference.formats import check_format, format_of
from edge_fer.inference.manifest import manifest_for_format, read_model_bytes
from edge_fer.inference.recipes import recipe_facts
from edge_fer.inference.tensor_values import values_of
from edge_fer.types import ModelFile

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from edge_fer.inference.first_load import FirstLoad
    from edge_fer.inference.manifest import Manifest
    from edge_fer.protocols import Engine, EngineSession
    from edge_fer.types import Batch, InputSpec, Scores


@dataclass(frozen=True, slots=True)
class NamedEngine:
    """An engine, and what to call it."""

    name: str
    """As a user types it."""
    title: str
    """As messages call it."""
    engine: Engine
    built_in: bool = False
    """Whether it comes with edge-fer: a model of strangers is then tried with it in a confined process first."""


class ModelClassifier:
    """Scores face crops with a model; the crops of a frame go through in one call where the model takes any number."""

    def __init__(
        self,
        model: Path,
        with_engine: NamedEngine,
        threads: int = 1,
        *,
        data: bytes | None = None,
        first_load: FirstLoad | None = None,
    ) -> None:
        """Load the model and try it on one crop.

        Args:
            model: the file, beside which its manifest lies.
            with_engine: the engine that loads it.
            threads: threads that the engine may use.
            data: the content of the file, where it was read already.
            first_load: called with the content before a built-in engine sees it, and raises where it must not.

        Raises:
            ModelError: the file or its manifest is unusable.
            MissingExtra: what the engine needs is not installed, or does not work here.
        """
        data = read_model_bytes(model) if data is None else data
        self.engine, self.model = with_engine.name, model
        self._name, self._title = str(model), with_engine.title
        format_name = format_of(model)
        check_format(data, model, format_name)
        self.manifest: Manifest = manifest_for_format(model, format_name, data)
        if first_load is not None and with_engine.built_in:
            first_load(model, with_engine.name, data)
        alone = recipe_facts(self.manifest.recipe).int8_weights_alone
        self._session: EngineSession | None = self._loaded(
            with_engine.engine, ModelFile(model, format_name, data, alone), threads
        )
        inputs, outputs = self._session.inputs, self._session.outputs
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(f"{model} has {len(inputs)} inputs and {len(outputs)} outputs: one of each is needed")
        self._stores, self._gives = values_of(inputs[0], self._name), values_of(outputs[0], self._name)
        check_declared_shape(self._name, self.manifest, list(inputs[0].shape), list(outputs[0].shape))
        self._stores.check_scaling(self.manifest.input, self._name)
        batch = inputs[0].shape[0]
        if batch not in (1, None) and batch > 0:
            raise ModelError(f"{model} takes {batch} faces at a time: convert it again with a batch of 1 or any size")
        self._one_by_one = batch == 1
        self._channels_first = self.manifest.input.layout == "NCHW"
        try_model(self._outputs, self._name, self.manifest)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels in the order of the scores."""
        return self.manifest.labels

    @property
    def input_spec(self) -> InputSpec:
        """How crops must be made for this model."""
        return self.manifest.input

    def classify(self, crops: Batch) -> list[Scores]:
        """Score crops, float32 [N, height, width, channels]; N may be 0.

        Raises:
            ModelError: the engine failed, or gave values that are no scores.
        """
        check_crops(crops, self.manifest.input)
        if len(crops) == 0:
            return []
        return scores_from_outputs(self._outputs(crops), self._name, self.manifest)

    def close(self) -> None:
        """Release the engine; may be called more than once."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _loaded(self, engine: Engine, model: ModelFile, threads: int) -> EngineSession:
        try:
            return engine.load(model, threads)
        except EdgeFerError:
            raise
        except Exception as error:  # an engine of others may raise anything
            raise ModelError(f"{self._title} cannot load {self._name}: {_sentence(error)}") from error

    def _outputs(self, crops: Batch) -> NDArray[Any]:
        session = self._session
        if session is None:
            raise ModelError(f"{self._name} was closed")
        batch = self._stores.stored(crops.transpose(0, 3, 1, 2) if self._channels_first else crops)
        batch = np.ascontiguousarray(batch)
        parts = [batch[row : row + 1] for row in range(len(batch))] if self._one_by_one else [batch]
        try:
            found = [session.run(part)[0] for part in parts]
        except EdgeFerError:
            raise
        except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
            raise ModelError(f"{self._name} failed in {self._title}: {_sentence(error)}") from None
        if not self._one_by_one:
            return self._gives.restored(found[0])
        # An output may have no axis for faces, as its input has one.
        rows = [self._gives.restored(one).reshape(1, -1) for one in found]
        return rows[0] if len(rows) == 1 else np.concatenate(rows)


def _sentence(error: Exception) -> str:
    """An engine's complaint in one line; the kind of error where it does not say more than a word."""
    text = first_line(error)
    return text if " " in text else f"{type(error).__name__}: {text}"
