"""Make the demo's faces: seven pictures, one an emotion, each the average of many training faces.

An average of 60 or more people shows nobody, yet a detector finds it and a model reads its emotion. The way:
duplicates are removed; faces on whose emotion the label and the FER+ voters agree are grouped by likeness (k-means
on 12x12 pictures of equal brightness and contrast, so that a group shares pose, light and expression); each group's
average is sharpened; averages that the frontal-face cascade does not find, or that come close to any one picture,
are refused; the best of the rest is kept.

    python -m demo_faces.average_faces --data DIR --out FILE [--model MODEL]

`DIR` holds `training.png`, a sheet of grey 48x48 faces in 100 columns (FER-2013, Goodfellow et al., arXiv 1307.0414),
and `training.csv` with one row per face: label number, row number, and the ten FER+ votes (Barsoum et al.,
arXiv 1608.01041) neutral, happiness, surprise, sadness, anger, disgust, fear, contempt, unknown, not a face.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from demo_faces.similar_faces import (
    LARGEST_GROUP,
    SIDE,
    SMALLEST_GROUP,
    VOTE_COLUMNS,
    Faces,
    agreed_faces,
    aligned,
    different_pictures,
    groups,
    normalised,
)
from edge_fer.atomic_files import write_atomically
from edge_fer.camera.demo import TEXTURE_SIDE, soft_oval
from edge_fer.errors import EdgeFerError, ModelError, SourceError
from edge_fer.faces.crop import whole_to_batch
from edge_fer.faces.haar import bundled_cascade
from edge_fer.inference.open_model import open_classifier
from edge_fer.types import FER_LABELS

Score: TypeAlias = Callable[[Faces], NDArray[np.float32]]
"""Probabilities float32 [N, 7] in the order of `FER_LABELS` for uint8 [N, 48, 48] faces."""

SHEET_COLUMNS = 100
HIGHEST_CORRELATION = 0.9
"""No picture may correlate higher than this with its group's average: the average must show nobody."""


@dataclass(frozen=True)
class AverageFace:
    """The average of one group of similar faces."""

    image: NDArray[np.uint8]
    """Grey uint8 [48, 48], sharpened."""
    members: int
    """Number of different pictures in the group."""
    agreement: float
    """Mean share of the FER+ voters who chose the emotion, 0.0 to 1.0."""
    coherence: float
    """Mean correlation of the pictures' details with the average's; the higher, the clearer its eyes and mouth."""
    highest_correlation: float
    """Pearson correlation of the average with the picture that is most like it."""
    probability: float | None = None
    """Mean that `score` gave to the emotion over the sizes that it was shown at; None without `score`."""

    @property
    def rank(self) -> float:
        """Higher is better: how sure the model, or else the voters, are of it, times how clear it is."""
        return (self.agreement if self.probability is None else self.probability) * self.coherence


def read_sheet(folder: Path) -> tuple[Faces, NDArray[np.int64], NDArray[np.int64]]:
    """Read faces uint8 [N, 48, 48], label numbers [N] and FER+ votes [N, 10].

    Raises:
        SourceError: a file is missing or is not what the module's docstring says.
    """
    sheet = cv2.imread(str(folder / "training.png"), cv2.IMREAD_GRAYSCALE)
    if sheet is None:
        raise SourceError(f"no sheet of faces: {folder / 'training.png'}; give the folder that holds it with --data")
    if sheet.shape[0] % SIDE or sheet.shape[1] != SIDE * SHEET_COLUMNS:
        raise SourceError(f"not a sheet of 48x48 faces in 100 columns: {folder / 'training.png'}")
    try:
        table = np.loadtxt(folder / "training.csv", delimiter=",", skiprows=1, dtype=np.int64, ndmin=2)
    except (OSError, ValueError) as error:
        raise SourceError(f"no labels: {folder / 'training.csv'}: {error}") from error
    tiles = sheet.reshape(-1, SIDE, SHEET_COLUMNS, SIDE).transpose(0, 2, 1, 3).reshape(-1, SIDE, SIDE)
    if table.shape[1] != 12 or len(table) > len(tiles):
        raise SourceError(f"labels do not fit the sheet: {folder / 'training.csv'}: {table.shape}, {len(tiles)} tiles")
    return tiles[: len(table)].astype(np.uint8), table[:, 0], table[:, 2:]


def details(faces: Faces) -> NDArray[np.float32]:
    """Keep what is finer than light and head shape, inside the face: float32 [N, 2304], rows of mean 0 and length 1."""
    oval = cv2.resize(soft_oval(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    fine = [(face - cv2.GaussianBlur(face.astype(np.float32), (0, 0), 4.0)) * oval + 128 for face in faces]
    return normalised(np.clip(np.stack(fine), 0, 255).astype(np.uint8), SIDE)


def sharpened_average(faces: Faces) -> NDArray[np.uint8]:
    """Average faces of equal brightness and contrast, sharpen (unsharp mask) and spread over 12 to 243."""
    flat = normalised(faces, SIDE).mean(axis=0).reshape(SIDE, SIDE)
    double = cv2.resize(flat, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC)
    for sigma, amount in ((5.0, 0.6), (2.0, 1.0)):
        double = double + amount * (double - cv2.GaussianBlur(double, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE))
    sharp = cv2.resize(double, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    low, high = np.percentile(sharp, (1, 99))
    spread: NDArray[np.uint8] = np.clip(12 + (sharp - low) * (231 / max(float(high - low), 1e-6)), 0, 255).astype(
        np.uint8
    )
    return spread


def as_found(face: NDArray[np.uint8], cascade: cv2.CascadeClassifier) -> Faces:
    """Show a face as the demo does, small to large and tilted, and return what the cascade cuts out: uint8 [9, 48, 48].

    Empty unless the cascade finds exactly one face each time, with contrast spread and without, about as large as it
    is, and with some to spare: by 8 raw hits where 5 are usual.
    """
    crops = []
    texture = cv2.resize(face, (TEXTURE_SIDE, TEXTURE_SIDE), interpolation=cv2.INTER_CUBIC)
    for side, tilt_degrees in itertools.product((48, 80, 140), (-8.0, 0.0, 8.0)):
        move = cv2.getRotationMatrix2D((TEXTURE_SIDE / 2, TEXTURE_SIDE / 2), tilt_degrees, side / TEXTURE_SIDE)
        move[0, 2] += side - TEXTURE_SIDE / 2
        move[1, 2] += side - TEXTURE_SIDE / 2
        size = (2 * side, 2 * side)
        shown = cv2.warpAffine(texture, move, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)
        opacity = cv2.warpAffine(soft_oval(), move, size, flags=cv2.INTER_AREA)
        wall = np.tile(np.linspace(80, 140, 2 * side, dtype=np.float32), (2 * side, 1))
        canvas = (opacity * shown + (1 - opacity) * wall).astype(np.uint8)
        for searched in (canvas, cv2.equalizeHist(canvas)):
            boxes = cascade.detectMultiScale(searched, scaleFactor=1.2, minNeighbors=8)
            if len(boxes) != 1 or boxes[0][2] < 0.6 * side:
                return np.empty((0, SIDE, SIDE), np.uint8)
        x, y, width, height = boxes[0]
        crops.append(cv2.resize(canvas[y : y + height, x : x + width], (SIDE, SIDE), interpolation=cv2.INTER_AREA))
    return np.stack(crops).astype(np.uint8)


def candidates(
    faces: Faces, agreement: NDArray[np.float32], emotion: str, score: Score | None, seed: int
) -> list[AverageFace]:
    """Average the groups of one emotion's faces; keep averages that the cascade finds and that show nobody."""
    cascade = cv2.CascadeClassifier(str(bundled_cascade()))
    both = np.concatenate([faces, faces[:, :, ::-1]])
    found: list[AverageFace] = []
    for members in groups(faces, seed):
        pictures = np.unique(members % len(faces))
        for fitted in (both[members], aligned(both[members])):
            image = sharpened_average(fitted)
            crops = as_found(image, cascade)
            likeness = normalised(fitted, SIDE) @ normalised(image[None], SIDE)[0]
            if likeness.max() <= HIGHEST_CORRELATION and len(crops):
                surety = None if score is None else float(score(crops)[:, FER_LABELS.index(emotion)].mean())
                shares = float(agreement[pictures].mean())
                coherence = float((details(fitted) @ details(image[None])[0]).mean())
                found.append(AverageFace(image, len(pictures), shares, coherence, float(likeness.max()), surety))
    return found


def average_faces(
    faces: Faces, labels: NDArray[np.int64], votes: NDArray[np.int64], score: Score | None = None, seed: int = 0
) -> dict[str, AverageFace]:
    """Make one average face an emotion, in the order of `FER_LABELS`.

    Args:
        faces: grey uint8 [N, 48, 48].
        labels: numbers [N] into `FER_LABELS`.
        votes: FER+ votes [N, 10].
        score: a model that ranks the averages; without it the voters' agreement does.
        seed: of the grouping; the same seed and faces give the same averages.

    Raises:
        EdgeFerError: an emotion has no group that makes an average face.
    """
    result: dict[str, AverageFace] = {}
    for emotion in FER_LABELS:
        agreed = agreed_faces(labels, votes, emotion)
        agreed = agreed[different_pictures(faces[agreed])]
        shares = votes[agreed, VOTE_COLUMNS[emotion]] / np.maximum(votes[agreed].sum(axis=1), 1)
        found = candidates(faces[agreed], shares.astype(np.float32), emotion, score, seed)
        if not found:
            raise EdgeFerError(
                f"no average face for {emotion}: of {len(agreed)} different faces no group of {SMALLEST_GROUP} to "
                f"{LARGEST_GROUP} gives one that the cascade finds and that shows nobody; give more faces"
            )
        result[emotion] = max(found, key=lambda face: face.rank)
    return result


def write_sheet(averages: dict[str, AverageFace], path: Path) -> None:
    """Write the averages side by side as one grey PNG, whole or not at all."""
    _, encoded = cv2.imencode(
        ".png", np.hstack([face.image for face in averages.values()]), [cv2.IMWRITE_PNG_COMPRESSION, 9]
    )
    try:
        write_atomically(path, encoded.tobytes(), mode=None)
    except OSError as error:
        raise EdgeFerError(f"cannot write {path}: {error.strerror}; give another place with --out") from error


def score_of_model(path: Path) -> Score:
    """Turn an edge-fer model file into a `Score`.

    Raises:
        EdgeFerError: the model cannot be loaded.
        ModelError: it does not know the emotions of `FER_LABELS`.
    """
    classifier = open_classifier(path)
    if set(classifier.labels) != set(FER_LABELS):
        raise ModelError(f"{path} knows {', '.join(classifier.labels)}; give a model of {', '.join(FER_LABELS)}")

    def score(faces: Faces) -> NDArray[np.float32]:
        results = classifier.classify(whole_to_batch(list(faces), classifier.input_spec))
        return np.array([[result.as_dict()[label] for label in FER_LABELS] for result in results], np.float32)

    return score


def main(arguments: list[str] | None = None) -> int:
    """Run as a command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo_faces.average_faces", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder with training.png and training.csv")
    parser.add_argument("--out", type=Path, required=True, help="PNG to write: seven faces side by side")
    parser.add_argument("--seed", type=int, default=0, help="seed of the grouping (default 0)")
    parser.add_argument("--model", type=Path, help="model file that ranks the averages (default: the voters do)")
    options = parser.parse_args(arguments)
    try:
        score = None if options.model is None else score_of_model(options.model)
        averages = average_faces(*read_sheet(options.data), score=score, seed=options.seed)
        write_sheet(averages, options.out)
    except EdgeFerError as error:
        print(f"Error: {error}", file=sys.stderr)
        return error.exit_code
    for emotion, face in averages.items():
        print(
            f"{emotion:9} {face.members:4} faces, voters agree {face.agreement:.2f}, "
            f"nearest picture correlates {face.highest_correlation:.2f}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
