from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_fer.faces import assignment

COST = st.one_of(st.just(math.inf), st.integers(0, 20).map(float))
TABLES = st.integers(1, 5).flatmap(
    lambda columns: st.lists(st.lists(COST, min_size=columns, max_size=columns), min_size=1, max_size=5)
)


def assign(costs: list[list[float]]) -> list[tuple[int, int]]:
    """As the real one, from a table with infinity where a pair is out of the question."""
    possible = [[column for column, cost in enumerate(row) if cost < math.inf] for row in costs]

    def cost(row: int, column: int) -> float:
        assert column in possible[row]
        return costs[row][column]

    return assignment.assign(possible, cost)


def best_by_trying(costs: list[list[float]]) -> tuple[int, float]:
    """Most pairs, then least cost, over all ways."""
    rows, columns = len(costs), len(costs[0])
    best = (0, 0.0)
    for chosen in itertools.product(range(-1, columns), repeat=rows):
        used = [column for column in chosen if column >= 0]
        pairs = [(row, column) for row, column in enumerate(chosen) if column >= 0]
        if len(set(used)) < len(used) or any(math.isinf(costs[r][c]) for r, c in pairs):
            continue
        best = min(best, (-len(pairs), sum(costs[r][c] for r, c in pairs)))
    return -best[0], best[1]


@settings(max_examples=150, deadline=None)
@given(TABLES)
def test_as_many_pairs_as_possible_at_the_least_cost(costs: list[list[float]]) -> None:
    pairs = assign(costs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert pairs == sorted(pairs)
    cost = sum(costs[row][column] for row, column in pairs)
    assert (len(pairs), cost) == pytest.approx(best_by_trying(costs))


def test_the_greedy_choice_is_not_taken_where_it_costs_more() -> None:
    assert assign([[1.0, 2.0], [1.5, 9.0]]) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("costs", [[], [[]], [[], []], [[math.inf]], [[math.inf], [math.inf]]])
def test_nothing_to_pair(costs: list[list[float]]) -> None:
    assert assign(costs) == []


def test_nobody_asks_what_a_pair_costs_that_competes_with_none() -> None:
    asked: list[tuple[int, int]] = []

    def cost(row: int, column: int) -> float:
        asked.append((row, column))
        return float(row != column)

    assert assignment.assign([[0], [2, 1], [1, 2]], cost) == [(0, 0), (1, 1), (2, 2)]
    assert sorted(asked) == [(1, 1), (1, 2), (2, 1), (2, 2)]
