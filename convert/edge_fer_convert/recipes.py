"""What can be made of a model: each recipe says what it does to weights and activations, and so what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_fer.inference.formats import SUFFIX_OF_FORMAT
from edge_fer.inference.recipes import RECIPE_FACTS, RecipeFacts, recipe_facts

if TYPE_CHECKING:
    from edge_fer.inference.manifest import Recipe

__all__ = ["EXACT", "RECIPES", "SUFFIX_OF_FORMAT", "USUAL", "MadeRecipe", "RecipeFacts", "recipe_facts", "recipe_names"]


@dataclass(frozen=True, slots=True)
class MadeRecipe:
    """One way to store a model that is made here."""

    facts: RecipeFacts
    word: str
    """What the command line calls it."""
    summary: str

    @property
    def name(self) -> Recipe:
        """As manifests and names of files have it."""
        return self.facts.name


RECIPES: tuple[MadeRecipe, ...] = (
    MadeRecipe(recipe_facts("fp32"), "fp32", "32-bit floats, as trained"),
    MadeRecipe(recipe_facts("fp16"), "fp16", "16-bit weights: half the size; a CPU computes in 32 bits all the same"),
    MadeRecipe(
        recipe_facts("dynamic_wi8_afp32"), "dynamic", "8-bit weights, 32-bit float activations: a quarter of the size"
    ),
    MadeRecipe(recipe_facts("static_wi8_ai8"), "int8", "8-bit weights and activations, one scale per channel"),
)
"""In the order in which files are made; other recipes are recognised in files that others made."""

EXACT: Recipe = next(one.name for one in RECIPES if one.facts.is_exact)
"""The network as it was trained."""

USUAL: Recipe = next(one.name for one in RECIPES if one.facts.is_quantised)
"""What is made where nothing is asked for."""


def recipe_names() -> tuple[Recipe, ...]:
    """Every recipe that a file may be of."""
    return tuple(facts.name for facts in RECIPE_FACTS)
