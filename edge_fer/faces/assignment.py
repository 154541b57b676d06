"""Which detection belongs to which track: the cheapest pairing, exactly, for the few that compete for each other."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def assign(possible: Sequence[Sequence[int]], cost: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """Pair rows with columns so that as many as possible are paired, and of those pairings the cheapest.

    Most faces are far from each other, so rows and columns are first split into groups that compete; a group of one
    row and one column needs no thought, the others go through the Hungarian method (Kuhn 1955, in Jonker and
    Volgenant's form of shortest augmenting paths, O(n^3)).

    Args:
        possible: for each row the columns that it may be paired with.
        cost: finite cost of pairing a row with a column; asked only of possible pairs that compete with others.

    Returns:
        (row, column) pairs in the order of the rows; each row and column occurs once at most.
    """
    pairs: list[tuple[int, int]] = []
    for rows, columns in _groups(possible):
        if len(rows) == 1 and len(columns) == 1:
            pairs.append((rows[0], columns[0]))
        else:
            costs = [[cost(row, column) if column in possible[row] else math.inf for column in columns] for row in rows]
            pairs += [(rows[r], columns[c]) for r, c in _hungarian(costs)]
    return sorted(pairs)


def _groups(possible: Sequence[Sequence[int]]) -> list[tuple[list[int], list[int]]]:
    """Rows and columns that are joined by possible pairs, directly or through others."""
    rows_of: dict[int, list[int]] = {}
    for row, columns in enumerate(possible):
        for column in columns:
            rows_of.setdefault(column, []).append(row)
    groups: list[tuple[list[int], list[int]]] = []
    grouped: set[int] = set()
    for start, own in enumerate(possible):
        if not own or start in grouped:
            continue
        if len(own) == 1 and len(rows_of[own[0]]) == 1:
            groups.append(([start], [own[0]]))
            continue
        rows, joined, waiting = {start}, set[int](), [start]
        while waiting:
            for column in possible[waiting.pop()]:
                if column not in joined:
                    joined.add(column)
                    waiting += [row for row in rows_of[column] if row not in rows]
                    rows.update(rows_of[column])
        grouped |= rows
        groups.append((sorted(rows), sorted(joined)))
    return groups


def _hungarian(costs: list[list[float]]) -> list[tuple[int, int]]:
    finite = [cost for row in costs for cost in row if not math.isinf(cost)]
    # Leaving a pair out must cost more than any way of keeping it.
    forbidden = (max(map(abs, finite), default=0.0) + 1.0) * 2.0 * (len(costs) + len(costs[0]) + 1)
    size = max(len(costs), len(costs[0]))
    square = [[forbidden] * size for _ in range(size)]
    for r, row in enumerate(costs):
        for c, cost in enumerate(row):
            square[r][c] = forbidden if math.isinf(cost) else cost
    row_of = _shortest_paths(square, size)
    return [
        (row, column)
        for column, row in enumerate(row_of)
        if row < len(costs) and column < len(costs[0]) and not math.isinf(costs[row][column])
    ]


def _shortest_paths(square: list[list[float]], size: int) -> list[int]:
    """Row of each column in the cheapest complete pairing of a square matrix."""
    row_price, column_price = [0.0] * (size + 1), [0.0] * (size + 1)
    # Index 0 stands for "none"; rows and columns count from 1 here.
    row_of, came_from = [0] * (size + 1), [0] * (size + 1)
    for row in range(1, size + 1):
        row_of[0], column = row, 0
        distance, seen = [math.inf] * (size + 1), [False] * (size + 1)
        while row_of[column] != 0:
            seen[column] = True
            current, step, following = row_of[column], math.inf, 0
            for other in range(1, size + 1):
                if seen[other]:
                    continue
                reduced = square[current - 1][other - 1] - row_price[current] - column_price[other]
                if reduced < distance[other]:
                    distance[other], came_from[other] = reduced, column
                if distance[other] < step:
                    step, following = distance[other], other
            for other in range(size + 1):
                if seen[other]:
                    row_price[row_of[other]] += step
                    column_price[other] -= step
                else:
                    distance[other] -= step
            column = following
        while column:
            row_of[column] = row_of[came_from[column]]
            column = came_from[column]
    return [row - 1 for row in row_of[1:]]
