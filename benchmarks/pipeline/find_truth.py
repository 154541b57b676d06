"""Find every face of a film as thoroughly as the cascades allow, for a person to review: find_truth.py FILM OUT.json

Four cascades, both ways for profiles, on the grey, the equalised and the locally equalised frame, also turned by 12
and 25 degrees. What agrees is joined over time; the joined boxes of each chain are printed with the frames they span,
and --keep names those that a person found to be faces on a contact sheet. Only boxes are written, never pixels.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np

CASCADES = ("frontalface_default", "frontalface_alt2", "frontalface_alt", "profileface")
Square = tuple[float, float, float, float]


def overlap(a: Square, b: Square) -> float:
    """Intersection over union of two boxes (x, y, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)


def hits(grey: np.ndarray, cascades: dict[str, cv2.CascadeClassifier]) -> list[Square]:
    """All raw findings of a frame."""
    height, width = grey.shape
    local = cv2.createCLAHE(2.0, (8, 8)).apply(grey)
    found: list[Square] = []
    for picture in (grey, cv2.equalizeHist(grey), local):
        for cascade in cascades.values():
            found += [tuple(box) for box in cascade.detectMultiScale(picture, 1.1, 3, minSize=(24, 24))]
        mirrored = np.ascontiguousarray(picture[:, ::-1])
        for x, y, w, h in cascades["profileface"].detectMultiScale(mirrored, 1.1, 3, minSize=(24, 24)):
            found.append((width - x - w, y, w, h))
    for degrees in (-25, -12, 12, 25):
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
        back, turned = cv2.invertAffineTransform(turn), cv2.warpAffine(local, turn, (width, height))
        for name in ("frontalface_default", "frontalface_alt2"):
            for x, y, w, h in cascades[name].detectMultiScale(turned, 1.1, 4, minSize=(24, 24)):
                centre_x, centre_y = back @ (x + w / 2, y + h / 2, 1.0)
                found.append((centre_x - w / 2, centre_y - h / 2, w, h))
    return found


def main() -> None:
    """Search, join, print, and write what is to be kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("film", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--keep", type=int, nargs="*", default=[], help="numbers of the chains that are faces")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    folder = Path(cv2.data.haarcascades)
    cascades = {name: cv2.CascadeClassifier(str(folder / f"haarcascade_{name}.xml")) for name in CASCADES}
    capture = cv2.VideoCapture(str(arguments.film))
    chains: list[dict[int, tuple[list[int], int]]] = []
    frame = 0
    while (read := capture.read())[0]:
        groups: list[list[Square]] = []
        for hit in hits(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY), cascades):
            for group in groups:
                if overlap(tuple(np.median(group, 0)), hit) > 0.35:
                    group.append(hit)
                    break
            else:
                groups.append([hit])
        for group in sorted(groups, key=len, reverse=True):
            box = [int(value) for value in np.median(group, 0)]
            near = [chain for chain in chains if frame - 10 <= max(chain) < frame]
            best = max(near, key=lambda chain: overlap(chain[max(chain)][0], box), default=None)
            if best is not None and overlap(best[max(best)][0], box) > 0.25:
                best[frame] = (box, len(group))
            else:
                chains.append({frame: (box, len(group))})
        frame += 1
    for number, chain in enumerate(chains):
        agreeing = sum(count for _, count in chain.values())
        print(f"chain {number}: frames {min(chain)} to {max(chain)}, in {len(chain)}, {agreeing} hits")
    faces = [[chains[number][at][0] for number in arguments.keep if at in chains[number]] for at in range(frame)]
    digest = hashlib.sha256(arguments.film.read_bytes()).hexdigest()
    arguments.out.write_text(json.dumps({"film_sha256": digest, "frames": frame, "faces": faces}) + "\n")


if __name__ == "__main__":
    main()
