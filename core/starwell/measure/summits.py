"""Stars as the highest pixels of their surroundings: quick where they are small and there are enough."""

from __future__ import annotations

import numpy as np

from starwell.frame import Float32, Float64
from starwell.measure.luminance import Index

_REACH = 2
_LEAST_AREA = 5
"""Pixels of the 3×3 about a summit that must stand out with it."""

_RIDGE = 0.6
"""What stays so high on both sides of a summit is a satellite's trail, a nebula or a saturated star."""

_RIM = ((0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (2, -1), (2, -2), (1, -2))
_NEAREST = sorted(
    (
        (dy, dx)
        for dy in range(-_REACH, _REACH + 1)
        for dx in range(-_REACH, _REACH + 1)
        if (dy, dx) != (0, 0)
    ),
    key=lambda d: (d[0] ** 2 + d[1] ** 2, d),
)


def summits(smooth: Float32, active: Index, level: float) -> tuple[Float64, Float64]:
    """Centres of the summits among the active (flat, ascending) px of a smoothed plane, brightest first.

    A summit is the highest of 5×5 px, of equal ones the first, and no ridge; 5 px of its 3×3 exceed level.
    Its centre is that of the parabolas through its neighbours; its brightness what the 3×3 hold.
    """
    height, width = smooth.shape
    y, x = np.divmod(active, width)
    inside = (x >= _REACH) & (x < width - _REACH) & (y >= _REACH) & (y < height - _REACH)
    top = active[inside]
    flat = np.ravel(smooth)
    for dy, dx in _NEAREST:
        step = dy * width + dx
        here, there = flat[top], flat[top + step]
        top = top[here > there if step < 0 else here >= there]
    reach = np.array([dy * width + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    around = flat[top[:, None] + reach].astype(np.float64)
    starlike = np.count_nonzero(around > level, axis=1) >= _LEAST_AREA
    starlike &= _on_ridge(flat, top, width) < _RIDGE * flat[top]
    top, around = top[starlike], around[starlike]
    order = np.argsort(-around.sum(axis=1), kind="stable")
    top, around = top[order], around[order]
    rows, columns = np.divmod(top, width)
    return columns + _vertex(around[:, 3:6]), rows + _vertex(around[:, 1:8:3])


def _on_ridge(flat: Float32, top: Index, width: int) -> Float32:
    """How high it is on both sides of these px, 2 px away, in the direction in which it is highest."""
    sides = [(flat[top + dy * width + dx], flat[top - dy * width - dx]) for dy, dx in _RIM]
    return np.max([np.minimum(*pair) for pair in sides], axis=0)  # type: ignore[no-any-return]


def _vertex(three: Float64) -> Float64:
    """Where a parabola through the heights at -1, 0 and 1, the middle one the highest, has its top."""
    left, middle, right = three.T
    bend = 2 * middle - left - right
    shift: Float64 = np.divide(right - left, 2 * bend, out=np.zeros_like(middle), where=bend > 0)
    return shift
