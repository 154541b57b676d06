"""Recipes and settings: what is read, what is refused."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from edge_fer_train.settings import (
    ARCHITECTURE_NAMES,
    RANGES,
    TrainingSettings,
    read_recipe,
    read_settings,
    recipe_names,
    settings_from,
    write_settings,
)

from edge_fer.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def test_every_architecture_has_a_recipe_and_every_recipe_parses() -> None:
    assert set(ARCHITECTURE_NAMES) <= set(recipe_names())
    for name in recipe_names():
        settings = read_recipe(name)
        # All layers are trained in the end, but by the recipe of a last layer, whatever --epochs says.
        assert (settings.head_epochs + settings.last_layers_epochs < settings.epochs) == (name != "last-layer")
    assert all(read_recipe(name).arch == name for name in ARCHITECTURE_NAMES)


def test_a_recipe_of_ones_own_changes_what_it_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('arch = "nano"\nlearning_rate = 1\nsoft_labels = true\n')
    settings = read_recipe(str(path))
    assert settings == dataclasses.replace(TrainingSettings(), arch="nano", learning_rate=1, soft_labels=True)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epohcs = 3", "unknown training setting 'epohcs'; did you mean 'epochs'"),
        (b"as_dict = 3", "unknown training setting 'as_dict'"),
        (b"epochs = 3.5", "epochs must be a whole number, not 3.5"),
        (b"epochs = true", "epochs must be a whole number, not True"),
        (b"epochs = 0", "epochs must be 1 to 100000, not 0"),
        (b"epochs = '3'", "epochs must be a whole number, not '3'"),
        (b"learning_rate = true", "learning_rate must be a number, not True"),
        (b"learning_rate = nan", "learning_rate must be 1e-09 to 1000, not nan"),
        (b"soft_labels = 1", "soft_labels must be true or false, not 1"),
        (b"arch = 'smal'", "arch must be one of small, nano"),
        (b"balance = 'classweights'", "balance must be one of none, class-weights, oversample"),
        (b"augment = 'weak'", "augment must be one of none, light, camera, strong"),
        (b"weights = 1", "weights must be a text"),
        (b"channels = 2", r"channels must be 1 \(grey\) or 3 \(colour\)"),
        (b"std = 0", "std must be 0.001 to 1000, not 0"),
        (b"finishes = 3", r"finishes must be tables of settings, \[\[finishes\]\] in a recipe, not 3"),
        (b"finishes = [3]", "finishes must be tables of settings"),
        (b"[[finishes]]\nepochs = 1\n[[finishes]]\nepochs = 0", "finish 2: epochs must be 1 to 100000, not 0"),
        (b"[[finishes]]\nepohcs = 1", "finish 1: unknown training setting 'epohcs'; did you mean 'epochs'"),
        (b"[[finishes]]\narch = 'nano'", "finish 1 cannot change arch, which all finishes share"),
        (b"[[finishes]]\n[[finishes.finishes]]", "finish 1 cannot change finishes"),
        (b"[[finishes]]\ndistill = ['small']", "finish 1 cannot change distill"),
        (b"distill = 'small'", "distill must be a list of bundled models"),
        (b"distill = [3]", "distill must be a list of bundled models"),
        (b"epochs = ", "not a readable recipe"),
        (b"\xff\xfe", "not a readable recipe"),
    ],
)
def test_a_mistake_in_a_recipe_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=message) as caught:
        read_recipe(str(path))
    assert str(path) in str(caught.value)


def test_an_unknown_recipe_is_told_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no recipe 'smal'; there are cnn, cnn4, .*small"):
        read_recipe("smal")
    with pytest.raises(ConfigError, match="no recipe"):
        read_recipe(str(tmp_path / "none.toml"))


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    finishes = ({"epochs": 2, "augment": "light"}, {"learning_rate": 0.5})
    settings = dataclasses.replace(
        TrainingSettings(),
        arch="nano",
        seed=7,
        mixup_alpha=0.2,
        soft_labels=True,
        distill=("small",),
        finishes=finishes,
    )
    write_settings(settings, tmp_path / "config.json")
    assert read_settings(tmp_path / "config.json") == settings


@pytest.mark.parametrize("content", ["", "[1]", "3", "{", '{"epochs": 0}'])
def test_a_file_that_holds_no_settings_is_told(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"config\.json"):
        read_settings(path)


def test_every_number_has_a_range_that_its_default_lies_in() -> None:
    defaults: dict[str, Any] = TrainingSettings().as_dict()
    numbers = {key for key, value in defaults.items() if isinstance(value, (int, float)) and value is not False}
    assert numbers == set(RANGES)
    assert all(low <= defaults[key] <= high for key, (low, high) in RANGES.items())


def test_options_win_over_the_base() -> None:
    base = settings_from({"epochs": 5, "seed": 3}, "x")
    assert settings_from({"epochs": 7}, "x", base) == dataclasses.replace(base, epochs=7)


def test_a_finish_changes_what_it_names_and_runs_on_all_layers_at_the_full_size(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        "epochs = 9\nseed = 4\nsmall_share = 0.5\nweights = 'imagenet'\nhead_epochs = 2\nlast_layers_epochs = 3\n"
        "[[finishes]]\nepochs = 2\naugment = 'light'\n[[finishes]]\nseed = 5\n"
    )
    settings = read_recipe(str(path))
    alone = dataclasses.replace(TrainingSettings(), seed=4, small_share=0.0)
    assert settings.finish(0) == dataclasses.replace(alone, epochs=2, augment="light")
    assert settings.finish(1) == dataclasses.replace(alone, epochs=9, seed=5)
    assert settings.all_epochs == 20
