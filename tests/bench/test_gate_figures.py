"""What the camera loop should reach: each figure from its samples, its limit, and why one is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from edge_fer_bench.commands import Start
from edge_fer_bench.measuring import Turn

from tests.bench.conftest import load_script

figures = load_script("gate_figures")
Judged = load_script("tracking_metrics").Judged
EFFORT = replace(figures.FULL, memory_frames=100)


def turn(frames: int, wall_ms: float, cpu_ms: float) -> Turn:
    return Turn(frames, frames, frames * wall_ms / 1e3, frames * cpu_ms / 1e3, 0.0, 0.0, 0.0)


def competed(found: int = 9, false: int = 0) -> object:
    judged, plain = Judged(9, found, false, 0, 0), Judged(9, 6, 20, 0, 0)
    return figures.Competed(turn(40, 4.0, 3.0), turn(4, 40.0, 36.0), judged, plain)


def samples() -> object:
    """A loop that is ten times as fast as the plain one, and late."""
    names = figures.SCENES
    acted = {name: figures.Acted(turn(60, 3.0, 4.0), Judged(60, 60, 0, 0, 1), (100.0, 300.0)) for name in names}
    return figures.GateSamples(
        turns={name: [turn(60, 3.0, 0.3 if name == figures.NOBODY else 4.0)] * 2 for name in names},
        acted=acted,
        competed={name: [competed()] * 2 for name in (figures.ONE_FACE, figures.THREE_FACES, "folder/party.mp4")},
        own_cost_ms=dict.fromkeys((figures.ONE_FACE, figures.THREE_FACES, figures.EIGHT_FACES), (0.25, 0.75)),
        late_ms=(3.0, 60.0),
        held=[(10, 100_000_000), (100, 100_090_000)],
        starts={"--help": [Start(0.5, 0.4, None)], "predict": [Start(0.5, 0.4, 1)], "run": [Start(1, 1, 80_000_000)]},
    )


def test_figures_are_computed_from_their_samples_and_held_against_their_limits() -> None:
    found = {one.name: one for one in figures.gate_figures(samples(), EFFORT)}
    for name, value in (
        ("plain_fps: party.mp4", 10.0),
        ("plain_cpu: 1 face", 12.0),
        ("plain_found", 1.5),
        ("label_delay", 300.0),
        ("idle", 0.075),
        ("memory", 0.09),
    ):
        assert found[name].value == pytest.approx(value)
        assert found[name].met
    assert {name for name, one in found.items() if not one.met} == {"late", "help"}  # 60 ms of 50, 0.5 s of 0.15
    assert found["plain_fps: party.mp4"].limit < found["plain_fps: 1 face"].limit


def test_worse_than_the_plain_loop_is_not_met() -> None:
    worse = samples()
    worse.competed = {figures.ONE_FACE: [competed(found=5, false=3)]}  # type: ignore[attr-defined]
    found = {one.name: one for one in figures.gate_figures(worse, EFFORT)}
    assert (found["plain_found"].met, found["plain_false"].met) == (False, False)


def test_what_a_quick_run_leaves_out_says_why() -> None:
    quick = figures.GateSamples(turns=samples().turns)  # type: ignore[attr-defined]
    found = figures.gate_figures(quick, figures.QUICK)
    left_out = {one.name: one.left_out for one in found if one.value is None}
    assert left_out["memory"] == "left out of a quick run: takes thousands of frames"
    assert left_out["predict"] == "not measured"
    lines = figures.gate_lines(found)
    assert "(left out of a quick run: takes thousands of frames)" in " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= 120
