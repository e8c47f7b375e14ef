"""How keys are put into as few statements as hold them: a hundred each, and the bytes of a URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

__all__ = ["packed"]

T = TypeVar("T")


def packed(items: Sequence[T], cost: Callable[[T], int], most: int, room: int) -> list[list[T]]:
    """Return the items in few groups, each in the items' order.

    Long and short items are spread evenly: a thousand names that take less than ten URLs together
    are ten groups, though a run of a hundred of them may take more than one.

    Args:
        items: What is put into groups.
        cost: The bytes that one takes.
        most: Items of a group, at most.
        room: Bytes of a group, at most; an item that takes more has a group of its own.
    """
    costs = [min(cost(item), room) for item in items]
    count = max(-(-len(items) // most), -(-sum(costs) // room))
    while (groups := _spread(costs, count, most, room)) is None:
        count += 1
    return [[items[place] for place in sorted(group)] for group in groups]


def _spread(costs: Sequence[int], count: int, most: int, room: int) -> list[list[int]] | None:
    """Put the costliest first, each into the group that has the least; None if one overflows."""
    groups: list[list[int]] = [[] for _ in range(count)]
    sizes = [0] * count
    for place in sorted(range(len(costs)), key=costs.__getitem__, reverse=True):
        open_groups = (i for i in range(count) if len(groups[i]) < most)
        least = min(open_groups, key=sizes.__getitem__)
        groups[least].append(place)
        sizes[least] += costs[place]
        if sizes[least] > room:
            return None
    return groups
