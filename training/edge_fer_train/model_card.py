"""The model card: what was trained on what, how well it does and for whom it must not be used."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from edge_fer_train.settings import TrainingSettings

if TYPE_CHECKING:
    from edge_fer.evaluation.summary import ModelFigures
    from edge_fer_train.data import SplitInfo
    from edge_fer_train.results import RunResults


def model_card(results: RunResults, licence: str | None) -> str:
    """The card as Markdown with the front matter that Hugging Face reads."""
    return (
        "\n\n".join(
            [
                _front_matter(results, licence),
                f"# {results.name}",
                _summary(results),
                "## How well it does",
                _figures(results),
                "## What it was trained on",
                _data(results),
                "## How it was trained",
                _training(results),
                "## Known biases and limits",
                _limits(results),
                "## What it must not be used for",
                _misuse(),
                "## How to use it",
                _use(results),
            ]
        )
        + "\n"
    )


def table(header: list[str], rows: list[list[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [header, rule, *rows])


def changed_settings(settings: TrainingSettings) -> dict[str, object]:
    """The settings that are not at their defaults, by name."""
    defaults = TrainingSettings().as_dict()
    return {key: value for key, value in settings.as_dict().items() if value != defaults[key]}


def _front_matter(results: RunResults, licence: str | None) -> str:
    lines = ["---"]
    if licence:
        lines.append(f"license: {licence.lower()}")
    lines += ["library_name: keras", "pipeline_tag: image-classification", "tags:"]
    lines += [f"- {tag}" for tag in ("facial-expression-recognition", "emotion", "edge")]
    lines += ["metrics:", "- accuracy", "- f1", "model-index:", f"- name: {_quoted(results.name)}", "  results:"]
    for split, figures in _splits(results):
        lines += [
            "  - task:",
            "      type: image-classification",
            "    dataset:",
            f"      name: {_quoted(results.validation.data_set)}",
            f"      type: {_quoted(results.validation.data_set)}",
            f"      split: {_quoted(split)}",
            "    metrics:",
            "    - type: accuracy",
            f"      value: {figures.accuracy:.4f}",
            "    - type: f1",
            "      name: macro-F1",
            f"      value: {figures.macro_f1:.4f}",
        ]
    return "\n".join([*lines, "---"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _splits(results: RunResults) -> list[tuple[str, ModelFigures]]:
    split = results.validation.split
    return [(split, results.official), (f"{split} without copies", results.without_copies)]


def _summary(results: RunResults) -> str:
    spec = results.settings.input_spec()
    colour = "grey" if spec.channels == 1 else "colour"
    return (
        f"Says which of {len(results.label_names)} expressions a cropped face shows: "
        f"{', '.join(results.label_names)}. Architecture `{results.settings.arch}`, "
        f"{results.parameters:,} parameters, {results.multiply_adds / 1e6:.1f} million multiply-adds a face. "
        f"Input: {spec.width}x{spec.height} {colour} pixels, as (pixel - {spec.mean[0]:g}) / {spec.std[0]:g}. "
        "Output: logits in the order above."
    )


def _figures(results: RunResults) -> str:
    rows = [
        [
            split,
            f"{one.pictures:,}",
            f"{one.accuracy:.2%}",
            f"{one.accuracy_interval[0]:.1%} to {one.accuracy_interval[1]:.1%}",
            f"{one.macro_f1:.3f}",
        ]
        for split, one in _splits(results)
    ]
    classes = [
        [one.label, f"{one.precision:.3f}", f"{one.recall:.3f}", f"{one.f1:.3f}", f"{one.support:,}"]
        for one in results.official.classes
    ]
    return "\n\n".join(
        [
            "One network, one crop, no test-time tricks, 32-bit floats.",
            table(["split", "pictures", "accuracy", "95 % interval", "macro-F1"], rows),
            _copies(results),
            *_other_sets(results),
            f"The epoch to keep{', of the run and of each finish,' if results.settings.finishes else ''} was chosen on "
            "this very split (by the figure without copies), and so was the temperature of "
            f"{results.temperature:g}: on pictures that nobody chose by, expect a little less.",
            f"Calibration error (15 bins): {results.official.calibration_error:.3f} as trained, "
            f"{results.crossed_calibration_error:.3f} with a temperature (fitted on one half of the split, measured "
            "on the other, both ways).",
            f"On the whole split {results.validation.split}:",
            table(["class", "precision", "recall", "F1", "pictures"], classes),
        ]
    )


def _other_sets(results: RunResults) -> list[str]:
    if not results.others:
        return []
    rows = [
        [
            one.name,
            f"{one.figures.pictures:,}",
            f"{one.figures.accuracy:.2%}",
            f"{one.figures.macro_f1:.3f}",
            f"{one.calibration_error:.3f}",
        ]
        for one in results.others
    ]
    return [
        "On further sets, which the model was not trained on but chosen by (calibration error with the temperature):",
        table(["set", "pictures", "accuracy", "macro-F1", "calibration error"], rows),
    ]


def _copies(results: RunResults) -> str:
    if not results.copies:
        return "No picture of the split has an exact or near copy among the training pictures."
    return (
        f"{results.copies:,} pictures of the split have an exact or near copy among the training pictures (Pearson "
        "correlation of the pixels, mirrored or not, of 0.92 or more), which flatters the first figure; published "
        "figures on FER-2013 carry the same. The second leaves them out."
    )


def _data(results: RunResults) -> str:
    def row(info: SplitInfo, role: str) -> list[str]:
        return [role, info.data_set, info.split, f"{info.pictures:,}", *[f"{n:,}" for n in info.counts.values()]]

    header = ["used to", "data", "split", "pictures", *results.label_names]
    rows = [row(results.training, "train"), row(results.validation, "choose")]
    text = table(header, rows)
    if results.is_fer2013:
        text += (
            "\n\nBy size and labels the training pictures are the Training split of FER-2013 (Goodfellow et al., "
            "arXiv 1307.0414): faces found by searching the web for words of emotion, cropped by machine. People "
            "agree with its labels about 65 % of the time."
        )
    if results.settings.soft_labels:
        text += (
            "\n\nIn training, a second head learnt the votes of FER+'s ten annotators (Barsoum et al., arXiv "
            f"1608.01041); {_votes_use(results)}."
        )
    if results.teachers:
        text += f"\n\nThe model also learnt the answers of {', '.join(results.teachers)}."
    return text


def _votes_use(results: RunResults) -> str:
    mix = results.last_layer.mixture.votes_mix
    return f"its answers are mixed into the model's with a weight of {mix:g}" if mix else "it is not part of the model"


def _prior(results: RunResults) -> str:
    correction = results.last_layer.mixture.prior_correction
    if not correction:
        return ""
    return (
        f"\n\nThe frequencies of the classes among the training pictures are divided out of the logits with the "
        f"strength {correction:g} of 1 (Menon et al., arXiv 2007.07314); this is in the last layer's bias."
    )


def _training(results: RunResults) -> str:
    hours = results.training_seconds / 3600
    changed = changed_settings(dataclasses.replace(results.settings, finishes=()))
    lines = [f"- {key}: {value}" for key, value in changed.items()]
    for number, finish in enumerate(results.settings.finishes, 1):
        lines.append(f"- finish {number}: " + ", ".join(f"{key} {value}" for key, value in finish.items()))
    settings = "\n".join(lines)
    versions = ", ".join(f"{name} {version}" for name, version in results.produced_by.items())
    return (
        f"Recipe `{results.recipe}`, seed {results.settings.seed}, kept: {results.kept}; "
        f"{hours:.1f} hours on the {results.backend} backend ({versions}). Settings other than the defaults:"
        f"\n\n{settings or '- none'}{_prior(results)}\n\nAll of them are in `config.json`."
    )


def _limits(results: RunResults) -> str:
    worst = sorted((one for one in results.official.classes if one.support), key=lambda one: one.recall)[:3]
    rare = min(results.training.counts.items(), key=lambda item: item[1])
    common = max(results.training.counts.items(), key=lambda item: item[1])
    lines = [
        "A picture of a face is not a feeling: the model says which expression people would name, often wrongly.",
        "It finds least often: " + ", ".join(f"{one.label} (recall {one.recall:.0%})" for one in worst) + ".",
        f"The training pictures are uneven: {common[0]} {common[1]:,}, {rare[0]} {rare[1]:,}.",
        "How it does for people of different ages, sexes and skin colours was not measured: the data does not say "
        "who is in it. Other models trained on such data do worse for some groups than for others.",
        "Expressions differ between people and cultures; posed ones are overdrawn.",
    ]
    if results.is_fer2013:
        lines.append("Web pictures show actors, children, celebrities and stock photographs more often than life does.")
    return "\n".join(f"- {line}" for line in lines)


def _misuse() -> str:
    lines = [
        "Judging people at work, in education, in hiring, in policing, at borders, in credit or insurance. In the "
        "European Union, inferring emotions at work and in schools is prohibited (Regulation (EU) 2024/1689, "
        "article 5).",
        "Diagnosis, lie detection, or any decision about a person.",
        "Watching people who do not know of it. Inform them, and keep no pictures.",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _use(results: RunResults) -> str:
    return (
        "The manifest beside the file says what it expects. To run it on a small computer, make the files for its "
        f"engines:\n\n```\nedge-fer convert {results.name}.keras --int8 --calibration DATA --check DATA\n```"
    )


def settings_table(settings: TrainingSettings) -> list[tuple[str, str]]:
    """Every setting by name, in the order in which they are declared."""
    return [(field.name, str(getattr(settings, field.name))) for field in dataclasses.fields(settings)]
