"""What a conversion found, for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_fer.inference.notes import SIGMOIDS
from edge_fer_convert.page import counted
from edge_fer_convert.recipes import recipe_facts

if TYPE_CHECKING:
    from edge_fer_convert.result import ConversionResult, ConvertedFile

_WORST_SHOWN = 3


def summary(result: ConversionResult) -> str:
    """What came out, how close it is to the trained model, and what became of its operations."""
    pictures = result.files[0].agreement.pictures
    lines = [f"agreement with the trained model on {pictures} pictures ({result.agreement_source}):"]
    lines += [f"{'kB':>7} {'same top':>9} {'max diff':>9} {'mean diff':>9} {'accuracy':>9} {'ms/face':>8}  file"]
    for file in result.files:
        found = file.agreement
        accuracy = f"{file.manifest.accuracy[0].accuracy:.2%}" if file.manifest.accuracy else "-"
        lines.append(
            f"{file.size_bytes / 1000:7.0f} {found.top_1:9.1%} {found.max_difference:9.4f} "
            f"{found.mean_difference:9.4f} {accuracy:>9} {file.milliseconds_per_face:8.3f}  {file.path}"
        )
    if result.trained.accuracy:
        entry = result.trained.accuracy[0]
        lines.append(f"the trained model: {entry.accuracy:.2%} on {entry.data_set} ({entry.split})")
    for file in result.files:
        lines += _of_operations(file)
    if result.walls:
        lines.append(f"confined by: {result.walls}")
    if result.trained.output_kind == "sigmoids":
        lines.append(f"note: {SIGMOIDS}")
    contradicted = result.trained.warnings
    if contradicted:
        lines += [f"WARNING: {sentence}" for sentence in contradicted]
        lines.append("The files were written all the same, and their manifests hold these warnings.")
    return "\n".join(lines)


def _of_operations(file: ConvertedFile) -> list[str]:
    found = file.operations
    lines = [f"{file.path.name}: folded {counted(found.folded)}; fused {counted(found.fused)}"]
    if recipe_facts(file.manifest.recipe).is_quantised:
        lines[0] += f"; left in float {counted(found.in_float)}"
    if file.layer_errors:
        worst = [f"{one.name} {one.relative_error:.1%}" for one in file.layer_errors[:_WORST_SHOWN]]
        lines.append(f"  8 bits change most: {', '.join(worst)}")
    if file.float_milliseconds_per_face is not None and recipe_facts(file.manifest.recipe).is_quantised:
        lines.append(
            f"  {file.milliseconds_per_face:.3f} ms per face against {file.float_milliseconds_per_face:.3f} in float"
        )
    return lines
