"""How often functions that call each other are run in the end, without running any."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_NODES = 1_000_000
"""What a graph may come to when each call is replaced by what it calls; EfficientNetB7 has 11,000."""


def most_nodes_of_calls(sizes: Mapping[str, int], calls: Mapping[str, Sequence[str]]) -> int:
    """The nodes of the largest function with each call in it replaced by the nodes of the function called.

    Args:
        sizes: the own nodes of each function.
        calls: the functions that each calls, once for each call; calls of unknown ones are left out.

    Raises:
        ValueError: functions call each other in a circle.
    """
    whole: dict[str, int] = {}
    for begin in sizes:
        # Depth first without recursion: a function is done when all that it calls is.
        waiting, open_ones = [begin], set[str]()
        while waiting:
            name = waiting[-1]
            if name in whole:
                waiting.pop()
                continue
            missing = [called for called in calls.get(name, ()) if called in sizes and called not in whole]
            if not missing:
                inner = sum(whole.get(called, 0) for called in calls.get(name, ()))
                whole[name] = min(sizes[name] + inner, MOST_NODES + 1)
                open_ones.discard(name)
                waiting.pop()
                continue
            open_ones.add(name)
            if missing[0] in open_ones:
                raise ValueError(f"{name} calls itself")
            waiting.append(missing[0])
    return max(whole.values(), default=0)
