"""Fit what measures the roll of heads, on FER-2013's training split: fit_roll.py [--out edge_fer/faces/roll.npz]

Each face that FER+'s annotators could read is laid twice (those held back once) into a part of a scene, mirrored or
not, turned by up to 65 degrees; its box is off by as much as detectors are (13 % in size, 6 % in place). A perceptron
learns the turn from the gradients by Adam with a cosine schedule and a Huber loss. About a minute.
"""

from __future__ import annotations

import argparse
import sys
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

import laying

from edge_fer.faces.roll import AROUND, SIDE, UNIT_DEGREES, WEIGHTS_FILE, gradients

HELD_BACK, MOST_DEGREES, SCENE = 2000, 65.0, 110
HIDDEN, EPOCHS, BATCH, RATE, DECAY, HUBER = (64, 32), 16, 256, 2e-3, 3e-4, 0.25


def samples() -> tuple[np.ndarray, np.ndarray]:
    """Gradients float32 [N, 900] and turns in units of 45 degrees; the first `HELD_BACK` are for checking."""
    known, random, describe = laying.faces("train"), np.random.default_rng(21), gradients()
    numbers = np.array(laying.faces_for_people("train"))
    random.shuffle(numbers)
    inputs, turns = [], []
    for number in np.concatenate([numbers[:HELD_BACK], numbers[HELD_BACK:], numbers[HELD_BACK:]]):
        ground = laying.grounds()[random.integers(len(laying.grounds()))]
        top, left = random.integers(0, ground.shape[0] - SCENE), random.integers(0, ground.shape[1] - SCENE)
        scene = ground[top : top + SCENE, left : left + SCENE].copy()
        degrees, side = float(random.uniform(-MOST_DEGREES, MOST_DEGREES)), random.uniform(40, 56)
        face = known.images[int(number)]
        if random.random() < 0.5:
            face = np.ascontiguousarray(face[:, ::-1])
        laying.lay(scene, face, laying.Laid(0, SCENE / 2, SCENE / 2, side, degrees))
        scale = SIDE / (side * np.exp(random.normal() * 0.13) * AROUND)
        x, y = SCENE / 2 + random.normal() * 0.06 * side, SCENE / 2 + random.normal() * 0.06 * side
        cut = np.array([[scale, 0, SIDE / 2 - scale * x], [0, scale, SIDE / 2 - scale * y]])
        grey = cv2.cvtColor(scene, cv2.COLOR_BGR2GRAY)
        inputs.append(describe.compute(cv2.warpAffine(grey, cut, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)))
        turns.append(degrees / UNIT_DEGREES)
    return np.array(inputs, np.float32).reshape(len(inputs), -1), np.array(turns, np.float32)


def fitted(inputs: np.ndarray, turns: np.ndarray) -> list[np.ndarray]:
    """Weights and biases of three layers by turns, for inputs as they are."""
    random, train = np.random.default_rng(0), np.arange(HELD_BACK, len(turns))
    middle, spread = inputs[train].mean(0), inputs[train].std(0) + 1e-3
    scaled = (inputs - middle) / spread
    sizes = [inputs.shape[1], *HIDDEN, 1]
    layers: list[np.ndarray] = []
    for before, after in pairwise(sizes):
        layers.append((random.standard_normal((before, after)) * np.sqrt(2 / before)).astype(np.float32))
        layers.append(np.zeros(after, np.float32))
    first, second = [np.zeros_like(one) for one in layers], [np.zeros_like(one) for one in layers]
    step, steps = 0, EPOCHS * (len(train) // BATCH)
    for _ in range(EPOCHS):
        random.shuffle(train)
        for start in range(0, len(train) - BATCH + 1, BATCH):
            chosen = train[start : start + BATCH]
            values = passed(layers, scaled[chosen])
            error = np.clip(values[-1][:, 0] - turns[chosen], -HUBER, HUBER)[:, None] / BATCH
            step += 1
            rate = RATE * (0.5 + 0.5 * np.cos(np.pi * step / steps))
            for index in range(len(layers) - 2, -1, -2):
                below = error @ layers[index].T * (values[index // 2] > 0)
                slopes = (values[index // 2].T @ error + DECAY * layers[index], error.sum(0))
                for place, slope in zip((index, index + 1), slopes, strict=True):
                    first[place] += 0.1 * (slope - first[place])
                    second[place] += 0.001 * (slope * slope - second[place])
                    size = np.sqrt(second[place] / (1 - 0.999**step)) + 1e-8
                    layers[place] -= rate * first[place] / (1 - 0.9**step) / size
                error = below
    # The scaling of the inputs goes into the first layer.
    layers[0] = layers[0] / spread[:, None]
    layers[1] = layers[1] - middle @ layers[0]
    return layers


def passed(layers: list[np.ndarray], values: np.ndarray) -> list[np.ndarray]:
    """The inputs and what each layer makes of them."""
    results = [values]
    for index in range(0, len(layers), 2):
        values = values @ layers[index] + layers[index + 1]
        if index < len(layers) - 2:
            values = np.maximum(values, 0)
        results.append(values)
    return results


def main() -> None:
    """Fit, check on the faces held back, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=WEIGHTS_FILE)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if laying.faces("train") is None:
        sys.exit("left out: FER-2013 is not beside the repository")
    inputs, turns = samples()
    layers = fitted(inputs, turns)
    stored = {f"weights_{n}": layers[2 * n].astype(np.float16) for n in range(3)}
    np.savez_compressed(
        arguments.out, **stored, **{f"bias_{n}": layers[2 * n + 1].astype(np.float32) for n in range(3)}
    )
    near = np.abs(turns[:HELD_BACK]) <= 1.0
    answers = passed(layers, inputs[:HELD_BACK])[-1][:, 0]
    off = np.abs(answers - turns[:HELD_BACK])[near] * UNIT_DEGREES
    half, most = np.median(off), np.quantile(off, 0.9)
    print(f"{near.sum()} faces held back: half within {half:.1f} degrees, 9 in 10 within {most:.1f}")


if __name__ == "__main__":
    main()
