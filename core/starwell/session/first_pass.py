"""Which subs the first pass of an exact stack needs: enough that nothing hides in their mean.

The second pass judges every sub by the first one's mean. A mean of n subs adds 1/(2n) to what a sub differs
from it by: with half of 40 subs a trail stands out 1.2 % less than with all of them, with a fifth of 100
2 % less. That of 128 is good to a twelfth of sigma; a season's further thousands would be read once more
for nothing (docs/decisions/0007-a-season-on-several-machines.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from starwell.align.transform import Transform
from starwell.stack.ring import RING

Sub = TypeVar("Sub")

_FEWEST = 20

_POINTS = 24
"""Along each axis of the frame: where it is asked which subs saw the sky there."""
_SEEN_BY = 12
"""So many subs of the first pass, or half of them, show every point that so many subs saw."""


def spread(numbers: Sequence[int], count: int = RING) -> list[int]:
    """Up to 7 of the subs, evenly over the night: what drift or dither moves is in the fewest of them."""
    count = min(count, len(numbers))
    return [numbers[round(i * (len(numbers) - 1) / max(count - 1, 1))] for i in range(count)]


def first_pass(poses: Mapping[int, Transform], size: tuple[int, int], most: int) -> list[int]:
    """The subs of the first pass, those that begin it first: an eighth, 20 at least, `most` at most.

    poses: of all subs, by number, to the reference's px; size (height, width). More come only where the
    frames moved so far apart that parts of the sky would be in too few.
    """
    numbers = list(poses)
    count = min(most, max(_FEWEST, -(-len(numbers) // 8)))
    chosen = numbers if len(numbers) <= count else _enough(poses, size, spread(numbers, count))
    ring = spread(chosen)
    return [*ring, *(number for number in chosen if number not in ring)]


def groups(subs: Sequence[Sub], most: int) -> list[Sequence[Sub]]:
    """Neighbours together, in groups of so many that differ in length by at most one."""
    count = max(1, -(-len(subs) // most))
    ends = [round(i * len(subs) / count) for i in range(count + 1)]
    return [subs[a:b] for a, b in pairwise(ends)]


def _enough(poses: Mapping[int, Transform], size: tuple[int, int], chosen: list[int]) -> list[int]:
    """Those chosen, and further ones until no point of the frame is in too few."""
    numbers = list(poses)
    seen = np.array([_seen(poses[number], size) for number in numbers])
    mine = np.isin(numbers, chosen)
    lacking = np.minimum(seen.sum(axis=0), min(_SEEN_BY, len(chosen) // 2)) - seen[mine].sum(axis=0)
    for i in np.flatnonzero(~mine):
        if (seen[i] & (lacking > 0)).any():
            mine[i] = True
            lacking -= seen[i]
    return [number for number, taken in zip(numbers, mine, strict=True) if taken]


def _seen(pose: Transform, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which points of the reference's frame lie in the sub's."""
    edge = np.array([size[1] - 1, size[0] - 1])
    axes = [np.linspace(0, end, _POINTS) for end in edge]
    points = np.stack(np.meshgrid(*axes), axis=-1).reshape(-1, 2)
    there = pose.inverse().apply(points)
    return np.asarray(((there >= 0) & (there <= edge)).all(axis=-1), np.bool_)
