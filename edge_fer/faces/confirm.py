"""A face that a search found is believed where a look at it agrees, at another scale and turned upright."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from edge_fer.faces.crop_looking import EXAMINED_SCORE, EXAMINED_TURNED_SCORE, TURNED_DEGREES
from edge_fer.faces.geometry import Place, same_face
from edge_fer.faces.looking import Examiner, Manner
from edge_fer.faces.observe import SURE_AGREEING

if TYPE_CHECKING:
    from edge_fer.faces.looking import Looker, Sighting
    from edge_fer.picture import Picture
    from edge_fer.types import Face

UPRIGHT_SCORE = 0.91
"""A network's score below which a new face is looked at turned both ways too: upright ones in webcams and a portrait
reached 0.92 to 0.94, and the portrait turned by 45 degrees 0.88, with landmarks that show no turn at all."""

CERTAIN_SCORE = 0.88
"""Mean of a network's scores, of the search and of a look, that needs no examination: in 198 pictures without a person
the best was 0.86."""

DENIED_SECONDS, RISEN_SCORE = 0.5, 0.1
"""What looks denied is not looked at again for so long, unless its score has risen by this: a lamp stays a lamp."""

OFF_SIDES = 0.25
"""How far from where a search found it a look may see a face, in sides, and be right about its place."""

TURNED_LESS = 0.65
"""Share of a turn at which a turned face is examined too."""

HEAD_SHARE = 0.7
"""Share of a head that its face takes up."""

UPRIGHT_STEPS, SETTLED_DEGREES = 5, 3.0
"""In single pictures a turned face is looked at so many times at most, until its turn changes by less than this."""


def confirmed(picture: Picture, face: Face, looker: Looker, *, tilted: bool = False) -> Sighting | None:
    """What a look at a face that a search found sees; None where it sees none.

    Args:
        picture: the frame.
        face: as it was found.
        looker: looks at it, turned in several ways where it may be tilted.
        tilted: whether a step that looks for tilted heads found it.
    """
    place, manner = Place.of(face.box), looker.usual
    if face.landmarks is not None and abs(face.landmarks.roll_degrees) > TURNED_DEGREES:
        manner = Manner(manner.cascade, face.landmarks.roll_degrees)
    seen = looker.look(picture, place, manner)
    known = bool(seen) and seen[0].strong and (seen[0].score is None or seen[0].score >= UPRIGHT_SCORE)
    if known or not (tilted or face.landmarks is not None):
        return seen[0] if seen else None
    # It may be turned by more than landmarks show, or there are none; or another scale shows it better.
    clear = bool(seen) and seen[0].strong and _mean_score(seen[0], face) >= CERTAIN_SCORE
    for other in looker.fallbacks:
        if other.degrees or (face.landmarks is not None and not clear):
            seen += looker.look(picture, place, other)
    if face.landmarks is not None and not any(one.agreeing >= SURE_AGREEING for one in seen):
        # Of a soft or dark face a search often sees the whole head.
        smaller = Place(place.x, place.y, HEAD_SHARE * place.side)
        for other in (looker.usual, *looker.fallbacks):
            seen += looker.look(picture, smaller, other)
    best = max(seen, key=lambda one: (one.score or 0.0, one.agreeing), default=None)
    if best is not None and best.score is None and best.manner.degrees and not best.strong:
        # On turned patches cascades find more that is none.
        return None
    if best is None or best.score is None or face.detection_score is None:
        return best
    if _mean_score(best, face) >= CERTAIN_SCORE:
        return replace(best, agreeing=SURE_AGREEING)
    if not isinstance(looker, Examiner):
        return best
    if abs(best.manner.degrees) > SETTLED_DEGREES:
        best = upright(picture, best, looker)
    if is_face(picture, best, looker):
        return replace(best, agreeing=SURE_AGREEING)
    # A turned look may be surer of a face that stands upright, and wrong about its place.
    found = next((one for one in seen if one is not best and one.place.near(place, OFF_SIDES)), None)
    if found is not None and is_face(picture, found, looker):
        return replace(found, agreeing=SURE_AGREEING)
    return None


def _mean_score(seen: Sighting, face: Face) -> float:
    """Mean of the scores of a look and of the search; 0.0 where one of them gives none."""
    return (seen.score + face.detection_score) / 2 if seen.score and face.detection_score else 0.0


def is_face(picture: Picture, seen: Sighting, looker: Examiner) -> bool:
    """Whether several crops agree that what a look saw is a face."""
    degrees = seen.manner.degrees
    if abs(degrees) <= TURNED_DEGREES:
        return looker.examine(picture, seen.place, degrees) >= EXAMINED_SCORE
    # Landmarks bring the turn nearer to the truth by steps that are too small, from 35 degrees down.
    turns = (degrees, TURNED_LESS * degrees)
    return any(looker.examine(picture, seen.place, turn) >= EXAMINED_TURNED_SCORE for turn in turns)


def upright(picture: Picture, seen: Sighting, looker: Looker) -> Sighting:
    """The same face looked at again until its turn is known."""
    for _ in range(UPRIGHT_STEPS):
        again = looker.look(picture, seen.place, seen.manner)
        if not again or (again[0].score or 0.0) < (seen.score or 0.0) - 0.1:
            break
        change = abs(again[0].manner.degrees - seen.manner.degrees)
        seen = again[0]
        if change < SETTLED_DEGREES:
            break
    return seen


@dataclass(slots=True)
class Denied:
    """Places where looks have denied a face for now."""

    places: list[tuple[Place, float, float]]
    """Each with its score and the time in seconds."""

    def holds(self, place: Place, score: float, at: float) -> bool:
        """Whether a face there was denied in the last `DENIED_SECONDS` with a score that was hardly lower."""
        self.places = [one for one in self.places if 0.0 <= at - one[2] < DENIED_SECONDS]
        return any(score < known + RISEN_SCORE and same_face(place, one) for one, known, _ in self.places)

    def add(self, place: Place, score: float, at: float) -> None:
        """Note that a face with this score was denied there at a time in seconds."""
        self.places.append((place, score, at))
