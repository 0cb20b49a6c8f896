"""The dark rings that negative taps leave beside hard edges, found by the sky and lifted again."""

from __future__ import annotations

import numpy as np

from starwell.frame import Float32, flat_true
from starwell.stack.route import Route
from starwell.stack.strips import Columns, Scale

RINGING = 0.3
"""An undershoot below the two inner taps is clamped when it exceeds this part of their range."""

_SKY_ROWS = 128
"""About so many source rows have one sky."""
_SAMPLED_AT = np.array([0.1, 0.4, 0.6, 0.9])
"""Where among them the rows are of which it is taken."""
_SAMPLED_COLUMNS = 150


def low_skies(view: Float32) -> Float32:
    """6 sigma below the sky for every _SKY_ROWS or so of a sub's rows; sigma from the lower quartile."""
    height, width = view.shape
    count = max(1, round(height / _SKY_ROWS))
    rows = ((np.arange(count)[:, None] + _SAMPLED_AT) * (height / count)).astype(np.intp)
    sample = view[:, :: max(1, width // _SAMPLED_COLUMNS)][rows].reshape(count, -1)
    half = sample.shape[1] // 2
    sample.partition((half // 2, half), axis=1)
    low, sky = sample[:, half // 2], sample[:, half]
    skies: Float32 = sky - np.float32(6 / 0.6745) * (sky - low)
    return skies


def clamp_ringing(
    view: Float32,
    route: Route,
    y0: int,
    out: Float32,
    columns: Columns,
    scale: Scale,
    wanted: Columns,
    skies: Float32,
) -> None:
    """Lift the dark rings of the negative taps beside hard edges: saturated stars, glitches.

    v < min(inner taps) - 0.3·range(inner taps) becomes min(inner taps). Only pixels below the low_skies of
    the view are looked at: noise and the peaks of stars keep their linear interpolation. columns: those that
    anything is of. scale: what was made of the view.
    """
    start, end = max(columns[0], wanted[0]), min(columns[1], wanted[1])
    out = out[:, start : max(start, end)]
    if not out.size:
        return
    t = route.to_plane
    middle = t.c * (columns[0] + columns[1]) / 2 + t.d * (y0 + len(out) / 2) + t.ty
    near = min(max(int(middle / len(view) * len(skies)), 0), len(skies) - 1)
    limit = scale.factor * float(skies[near]) + scale.offset
    if out.min() >= limit:
        return
    y, x = np.divmod(flat_true(out < np.float32(limit)), out.shape[1])
    there = np.stack([x + start, y + y0], axis=1)
    at = np.floor(route.to_plane.apply(there)).astype(np.int64)
    left, top = (np.clip(at[:, k], 0, n - 2) for k, n in ((0, view.shape[1]), (1, view.shape[0])))
    inner = np.stack([view[top + j, left + i] for i in (0, 1) for j in (0, 1)])
    inner = inner * np.float32(scale.factor) + np.float32(scale.offset)
    floor, ceiling = inner.min(axis=0), inner.max(axis=0)
    values = out[y, x]
    out[y, x] = np.where(values < floor - RINGING * (ceiling - floor), floor, values)
