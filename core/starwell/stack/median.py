"""The median of the subs a stack begins with, by exchanges of whole planes: no pixel is sorted by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from starwell.frame import flat_true
from starwell.stack.held import MISSING, Steps, spare_planes
from starwell.stack.kernels import Scratch
from starwell.stack.ring import RING


def median(held: Sequence[Steps], out: Steps, scratch: Scratch) -> None:
    """Median of the planes of what is not MISSING; of two the lower one, else the middle two's mean.

    MISSING where nothing is.
    """
    if len(held) != RING:
        out[...] = _median_of_some(np.stack(held))
        return
    lowest, *free = spare_planes(scratch, RING + 3, out.shape)
    np.minimum(held[0], held[1], out=lowest)
    for plane in held[2:]:
        np.minimum(lowest, plane, out=lowest)
    lacking = flat_true(lowest == MISSING)
    planes = list(held)
    for (a, b), lower, upper in _MEDIAN_OF_SEVEN:
        before = planes[a], planes[b]
        for at, wanted, extreme in ((a, lower, np.minimum), (b, upper, np.maximum)):
            if wanted:
                planes[at] = extreme(*before, out=free.pop())
        free += [plane for plane in before if not any(plane is mine for mine in held)]
    np.copyto(out, planes[RING // 2])
    out.reshape(-1)[lacking] = _median_of_some(np.stack([h.reshape(-1)[lacking] for h in held])[:, None])


_EXCHANGES = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3)),
    *((3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)
"""After these the middle one of seven is in its place (J. L. Smith, XRT, 1996)."""


def _needed(exchanges: Sequence[tuple[int, int]], wanted: int) -> list[tuple[tuple[int, int], bool, bool]]:
    """Which side of every exchange has a part in what ends at `wanted`."""
    needed, found = {wanted}, []
    for a, b in reversed(exchanges):
        found.append(((a, b), a in needed, b in needed))
        needed |= {a, b} if needed & {a, b} else set()
    return found[::-1]


_MEDIAN_OF_SEVEN = _needed(_EXCHANGES, RING // 2)


def _median_of_some(held: Steps) -> Steps:
    """The same for any number of planes, which are sorted in place by exchanges."""
    n = len(held)
    missing = np.count_nonzero(held == MISSING, axis=0)
    spare = np.empty_like(held[0])
    for last in range(n - 1, 0, -1):
        for k in range(last):
            np.minimum(held[k], held[k + 1], out=spare)
            np.maximum(held[k], held[k + 1], out=held[k + 1])
            held[k] = spare
    out = _middle(held, 0)
    for gone in range(1, n) if missing.any() else ():
        np.copyto(out, _middle(held, gone), where=missing == gone)
    np.copyto(out, MISSING, where=missing == n)
    return out


def _middle(ordered: Steps, missing: int) -> Steps:
    """The median of the planes from `missing` on."""
    n = len(ordered) - missing
    low, high = ordered[missing + (n - 1) // 2], ordered[missing + n // 2]
    middle: Steps = low.copy() if n <= 2 or n % 2 else ((low.astype(np.int32) + high) // 2).astype(np.int16)
    return middle
