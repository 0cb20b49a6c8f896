"""A charge threshold per pixel from its deficits at several levels: d(L) = q·(1 - e^(-L/q))."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from starwell.frame import Float32, Float64

GRID_E = np.geomspace(0.05, 20.0, 64)
"""Thresholds q that are tried, e-; between them the likeliest is found by a parabola in log q."""
_CHUNK = 4096


def deficit_of(q: Float32 | Float64, level_e: float) -> Float32:
    """What a threshold of q keeps back of a charge of level_e, both e-."""
    lost: Float32 = (-q * np.expm1(-level_e / q)).astype(np.float32)
    return lost


def thresholds(levels_e: Sequence[float], deficits_e: Float32, errors_e: Float32) -> Float32:
    """The q of each pixel, e-; deficits and errors are (levels, pixels)."""
    model = np.array([[deficit_of(q, level) for q in GRID_E] for level in levels_e], np.float64)
    q = np.empty(deficits_e.shape[1], np.float32)
    for start in range(0, q.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        off = (deficits_e[:, None, part] - model[:, :, None]) / errors_e[:, None, part]
        q[part] = _lowest(np.square(off).sum(axis=0))
    return q


def _lowest(chi_square: Float64) -> Float32:
    """Where a curve over the grid, (grid, pixels), is lowest, between the grid's points too."""
    best = chi_square.argmin(axis=0)
    inner = np.clip(best, 1, len(GRID_E) - 2)
    here = np.arange(chi_square.shape[1])
    below, at, above = (chi_square[inner + k, here] for k in (-1, 0, 1))
    bend = below - 2 * at + above
    step = np.divide(below - above, 2 * bend, out=np.zeros_like(bend), where=bend > 0)
    ratio = GRID_E[1] / GRID_E[0]
    q: Float32 = (GRID_E[inner] * ratio ** np.clip(step, -1, 1)).astype(np.float32)
    return q
