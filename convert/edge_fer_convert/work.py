"""Making and measuring one file after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, get_args

from edge_fer.errors import ConfigError
from edge_fer_convert.budget import complaint
from edge_fer_convert.contents import layout_of, plans_for
from edge_fer_convert.drafts import draft, merit
from edge_fer_convert.onnx_recipes import Method
from edge_fer_convert.package import producers, write_model
from edge_fer_convert.ready import ReadyModel
from edge_fer_convert.recipes import RECIPES, recipe_facts

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge_fer.inference.manifest import Calibration, Format, Manifest, Recipe
    from edge_fer_convert.contents import Maker, Plan, Source
    from edge_fer_convert.drafts import Yardstick
    from edge_fer_convert.result import ConvertedFile


@dataclass(frozen=True, slots=True)
class Work:
    """What making one file needs."""

    trained: Source
    base: Manifest
    by: Yardstick
    folder: Path
    maker: Maker
    say: Callable[[str], None]

    def file(self, plan: Plan, name: str, methods: Sequence[Method]) -> ConvertedFile:
        """Make and measure a file; of several methods of calibration the best is kept."""
        recipe, file_format = plan
        made_here = not (isinstance(self.trained, ReadyModel) and recipe == self.trained.manifest.recipe)
        if not recipe_facts(recipe).needs_calibration or not made_here:
            methods = methods[:1]
        best: tuple[ConvertedFile, bytes] | None = None
        for method in methods:
            data = self.maker.make(recipe, file_format, method)
            self.say(f"checking {name}" + (f" calibrated by {method}" if len(methods) > 1 else ""))
            twin = self.maker.float_network(file_format) if recipe == "static_wi8_ai8" else None
            one = draft(self.folder / name, data, self._manifest(recipe, file_format, method), self.by, twin)
            if best is None or merit(one) > merit(best[0]):
                best = one, data
        if best is None:
            raise ConfigError("nothing to make: name at least one method of calibration")
        if len(methods) > 1:
            write_model(best[0].path, best[1], best[0].manifest)  # the last one tried lies there
        return best[0]

    def best(self, file_format: Format, names: dict[Plan, str], max_loss: float | None) -> ConvertedFile:
        """The first recipe, from the smallest file on, that keeps within the budget; the last one anyhow."""
        plans = [plan for plan in names if plan[1] == file_format]
        for plan in plans:
            file = self.file(plan, names[plan], get_args(Method))
            lost = complaint(file, self.base, measured=self.by.check is not None, max_loss=max_loss)
            if lost is None or plan == plans[-1]:
                break
            self.say(f"{lost}: trying the next recipe")
            for left in self.folder.glob(f"{file.path.name}*"):
                left.unlink()
        return file

    def _manifest(self, recipe: Recipe, file_format: Format, method: Method) -> Manifest:
        own = recipe == self.trained.manifest.recipe
        calibration: Calibration | None = None
        if isinstance(self.trained, ReadyModel) and own:
            calibration = self.base.calibration  # of whoever made the file; often unknown
        elif recipe_facts(recipe).needs_calibration:
            calibration = replace(self.maker.calibration(file_format).facts, method=method)
        return replace(
            self.base,
            format=file_format,
            recipe=recipe,
            input=replace(self.base.input, layout=layout_of(self.trained, file_format)),
            calibration=calibration,
            accuracy=self.base.accuracy if own else (),
            produced_by=producers(file_format, ready=isinstance(self.trained, ReadyModel)),
        )


def all_plans(source: Path, trained: Source, formats: Sequence[Format] | None) -> list[Plan]:
    """Every recipe that can be made, the smallest file first."""
    if isinstance(trained, ReadyModel) and trained.manifest.recipe != "fp32":
        return plans_for(source, trained, None, formats)
    ready_lite = isinstance(trained, ReadyModel) and trained.manifest.format == "tflite"
    order = [recipe.name for recipe in reversed(RECIPES)]
    return plans_for(source, trained, None if ready_lite else order, formats)
