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
    from edge_fer_convert.calibration import CalibrationSet
    from edge_fer_convert.contents import Maker, Plan, Source
    from edge_fer_convert.drafts import Yardstick
    from edge_fer_convert.result import ConvertedFile


@dataclass(frozen=True, slots=True)
class Task:
    """What all files of a conversion have in common."""

    trained: Source
    base: Manifest
    """Of the trained model, with the name that files get."""
    by: Yardstick
    folder: Path
    """Where files are made."""
    pictures: CalibrationSet
    """To calibrate with."""


class Work:
    """Makes and measures one file after the other."""

    def __init__(self, task: Task, maker: Maker, say: Callable[[str], None]) -> None:
        """Nothing is made yet; `maker` keeps what several files need, and `say` takes a sentence a call."""
        self._task, self._maker, self._say = task, maker, say

    def file(self, plan: Plan, name: str, methods: Sequence[Method]) -> ConvertedFile:
        """Make and measure a file; of several methods of calibration the best is kept."""
        recipe, file_format = plan
        trained, quantised = self._task.trained, recipe_facts(recipe).is_quantised
        made_here = not (isinstance(trained, ReadyModel) and recipe == trained.manifest.recipe)
        if not quantised or not made_here:
            methods = methods[:1]
        best: tuple[ConvertedFile, bytes] | None = None
        for method in methods:
            data = self._maker.make(recipe, file_format, self._task.pictures, method)
            self._say(f"checking {name}" + (f" calibrated by {method}" if len(methods) > 1 else ""))
            twin = self._maker.float_network(file_format) if quantised else None
            manifest = self._manifest(recipe, file_format, method)
            one = draft(self._task.folder / name, data, manifest, self._task.by, twin)
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
            lost = complaint(file, self._task.base, measured=self._task.by.check is not None, max_loss=max_loss)
            if lost is None or plan == plans[-1]:
                break
            self._say(f"{lost}: trying the next recipe")
            for left in self._task.folder.glob(f"{file.path.name}*"):
                left.unlink()
        return file

    def _manifest(self, recipe: Recipe, file_format: Format, method: Method) -> Manifest:
        own = recipe == self._task.trained.manifest.recipe
        calibration: Calibration | None = None
        if isinstance(self._task.trained, ReadyModel) and own:
            calibration = self._task.base.calibration  # of whoever made the file; often unknown
        elif recipe_facts(recipe).is_quantised:
            calibration = replace(self._task.pictures.facts, method=method)
        return replace(
            self._task.base,
            format=file_format,
            recipe=recipe,
            input=replace(self._task.base.input, layout=layout_of(self._task.trained, file_format)),
            calibration=calibration,
            accuracy=self._task.base.accuracy if own else (),
            produced_by=producers(file_format, ready=isinstance(self._task.trained, ReadyModel)),
        )


def all_plans(source: Path, trained: Source, formats: Sequence[Format] | None) -> list[Plan]:
    """Every recipe that can be made, the smallest file first."""
    if isinstance(trained, ReadyModel) and not recipe_facts(trained.manifest.recipe).is_exact:
        return plans_for(source, trained, None, formats)
    ready_lite = isinstance(trained, ReadyModel) and trained.manifest.format == "tflite"
    order = [recipe.name for recipe in reversed(RECIPES)]
    return plans_for(source, trained, None if ready_lite else order, formats)
