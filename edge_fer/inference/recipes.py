"""How a model file stores numbers: what each recipe does to weights and activations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from edge_fer.inference.manifest_types import Recipe

Stored: TypeAlias = Literal["float32", "float16", "int16", "int8"]


@dataclass(frozen=True, slots=True)
class RecipeFacts:
    """One way to store a model."""

    name: Recipe
    weights: Stored
    activations: Stored
    """What is computed with: of a file with 16-bit weights some engines compute in 32 bits all the same."""

    @property
    def is_exact(self) -> bool:
        """Whether the network is stored as it was trained."""
        return self.weights == "float32"

    @property
    def is_quantised(self) -> bool:
        """Whether activations are whole numbers too, whose ranges are measured on pictures."""
        return self.activations in ("int8", "int16")

    @property
    def int8_weights_alone(self) -> bool:
        """Whether weights are whole numbers, and all is computed in floats."""
        return self.weights == "int8" and not self.is_quantised


RECIPE_FACTS: tuple[RecipeFacts, ...] = (
    RecipeFacts("fp32", "float32", "float32"),
    RecipeFacts("fp16", "float16", "float32"),
    RecipeFacts("dynamic_wi8_afp32", "int8", "float32"),
    RecipeFacts("static_wi8_ai8", "int8", "int8"),
    RecipeFacts("static_wi8_ai16", "int8", "int16"),
)


def recipe_facts(name: Recipe) -> RecipeFacts:
    """The facts of a recipe by its name in a manifest."""
    return next(facts for facts in RECIPE_FACTS if facts.name == name)
