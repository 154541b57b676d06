from __future__ import annotations

import json
import runpy

from tests.conftest import REPOSITORY


def test_the_readme_shows_the_measured_figures_of_the_peers() -> None:
    draw = runpy.run_path(str(REPOSITORY / "benchmarks" / "peers" / "draw.py"))
    figures = json.loads(draw["FIGURES"].read_text())
    shown = (REPOSITORY / "README.md").read_text()
    assert f"{draw['BEGIN']}\n{draw['table'](figures)}\n{draw['END']}" in shown, "run benchmarks/peers/draw.py"


def test_labels_of_peers_stand_in_the_order_of_the_data_set() -> None:
    """A peer whose labels were read in another order would be right on a fifth of the faces at most."""
    figures = json.loads((REPOSITORY / "benchmarks" / "results" / "peers.json").read_text())
    shares = {name: one["public_test_right"] / figures["public_test"] for name, one in figures["peers"].items()}
    assert min(shares.values()) > 0.6, shares
