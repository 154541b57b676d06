"""What can be made of a model: each recipe says by its name what it does to weights and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Format, Recipe


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """One way to store a model."""

    name: Recipe
    needs_calibration: bool
    """True where the ranges of the activations are measured on pictures."""
    summary: str


RECIPES: tuple[RecipeFacts, ...] = (
    RecipeFacts("fp32", False, "32-bit floats, as trained"),
    RecipeFacts("fp16", False, "16-bit weights: half the size; a CPU computes in 32 bits all the same"),
    RecipeFacts("dynamic_wi8_afp32", False, "8-bit weights, 32-bit float activations: a quarter of the size"),
    RecipeFacts("static_wi8_ai8", True, "8-bit weights and activations, one scale a channel"),
)
"""In the order in which files are made."""
FOUND_RECIPES: tuple[RecipeFacts, ...] = (
    RecipeFacts("static_wi8_ai16", True, "8-bit weights, 16-bit activations (TensorFlow's int16x8)"),
)
"""What others make, and a file is recognised as."""

SUFFIX_OF_FORMAT: dict[Format, str] = {"onnx": ".onnx", "tflite": ".tflite"}


def recipe_facts(name: Recipe) -> RecipeFacts:
    """The facts of a recipe; KeyError where this version does not make it."""
    return {recipe.name: recipe for recipe in (*RECIPES, *FOUND_RECIPES)}[name]
