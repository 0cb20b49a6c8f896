"""Stars as the highest pixels of their surroundings: quick where they are small and there are enough."""

from __future__ import annotations

import numpy as np

from starwell.frame import Float32, Float64, Mask
from starwell.measure.luminance import Index

REACH = 2
SQUARE: Index = np.indices((2 * REACH + 1, 2 * REACH + 1)).reshape(2, -1).T - REACH
"""(dy, dx) of the 5×5 about a pixel, in the order of memory."""

CENTRE = len(SQUARE) // 2
_LEAST_AREA = 5
"""Pixels of the 3×3 about a summit that must stand out with it."""

_RIDGE = 0.6
"""What stays so high on both sides of a summit is a satellite's trail, a nebula or a saturated star."""

_NEAREST = sorted(set(range(len(SQUARE))) - {CENTRE}, key=lambda k: int(np.square(SQUARE[k]).sum()))
_INNER = np.flatnonzero(np.abs(SQUARE).max(axis=1) <= 1)
_RIM = [k for k in range(CENTRE) if np.abs(SQUARE[k]).max() == REACH]
"""Half of the outermost; the other half is opposite."""


def summits(smooth: Float32, active: Index, level: float) -> tuple[Float64, Float64]:
    """Centres of the summits among the active (flat, ascending) px of a smoothed plane, brightest first.

    A summit is the highest of 5×5 px, of equal ones the first, and no ridge; 5 px of its 3×3 exceed level.
    Its centre is that of the parabolas through its neighbours; its brightness what the 3×3 hold.
    """
    height, width = smooth.shape
    y, x = np.divmod(active, width)
    inside = (x >= REACH) & (x < width - REACH) & (y >= REACH) & (y < height - REACH)
    top = active[inside]
    flat, square = np.ravel(smooth), SQUARE[:, 0] * width + SQUARE[:, 1]
    for k in _NEAREST[:8]:
        top = top[_higher(flat[top], flat[top + square[k]], k)]
    return summits_of(flat[top[:, None] + square], np.column_stack(np.divmod(top, width)), level)


def summits_of(near: Float32, places: Index, level: float) -> tuple[Float64, Float64]:
    """The same of pixels given with their 5×5 (n, 25), those above level; places: row and column of each."""
    chosen = np.flatnonzero(near[:, CENTRE] > level)
    for k in _NEAREST:
        chosen = chosen[_higher(near[chosen, CENTRE], near[chosen, k], k)]
    near = near[chosen]
    around = near[:, _INNER].astype(np.float64)
    starlike = np.count_nonzero(around > level, axis=1) >= _LEAST_AREA
    starlike &= _on_ridge(near) < _RIDGE * near[:, CENTRE]
    around, places = around[starlike], places[chosen[starlike]]
    order = np.argsort(-around.sum(axis=1), kind="stable")
    around, places = around[order], places[order]
    return places[:, 1] + _vertex(around[:, 3:6]), places[:, 0] + _vertex(around[:, 1:8:3])


def _higher(here: Float32, there: Float32, k: int) -> Mask:
    """Whether a pixel wins against its k-th neighbour."""
    won: Mask = here > there if k < CENTRE else here >= there
    return won


def _on_ridge(near: Float32) -> Float32:
    """How high it is on both sides of these px, 2 px away, in the direction in which it is highest."""
    opposite = [len(SQUARE) - 1 - k for k in _RIM]
    return np.minimum(near[:, _RIM], near[:, opposite]).max(axis=1)  # type: ignore[no-any-return]


def _vertex(three: Float64) -> Float64:
    """Where a parabola through the heights at -1, 0 and 1, the middle one the highest, has its top."""
    left, middle, right = three.T
    bend = 2 * middle - left - right
    shift: Float64 = np.divide(right - left, 2 * bend, out=np.zeros_like(middle), where=bend > 0)
    return shift
