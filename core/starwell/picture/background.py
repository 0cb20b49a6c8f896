"""The sky's gradient, for display only: a degree-2 surface through box medians that stars do not pull up.

Never subtracted from a stack: a mesh finer than the nebula takes the nebula away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Mask

BOX_PX = 32
_FEWEST_BOXES_A_SIDE = 8
_SMALLEST_BOX_PX = 4
_CLIP_HIGH, _CLIP_LOW, _ROUNDS = 1.5, 3.0, 8
_TERMS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Gradient:
    """A degree-2 surface over a plane: 1, x, y, x², xy, y² with x and y running -1..1 across the plane."""

    terms: Float64

    def over(self, size: tuple[int, int]) -> Float32:
        """The surface on every pixel of a plane of this height and width."""
        return self.within(size, (0, 0, size[1], size[0]))

    def within(self, size: tuple[int, int], box: tuple[int, int, int, int]) -> Float32:
        """The surface in a box (x, y, width, height) of such a plane."""
        left, top, width, height = box
        x, y = _axis(size[1])[left : left + width], _axis(size[0])[top : top + height]
        c, cx, cy, cxx, cxy, cyy = self.terms
        along_x = (cx * x + cxx * x * x).astype(np.float32)
        along_y = (c + cy * y + cyy * y * y).astype(np.float32)
        surface = np.multiply.outer((cxy * y).astype(np.float32), x.astype(np.float32))
        surface += along_x
        surface += along_y[:, None]
        return np.asarray(surface, np.float32)

    @property
    def level(self) -> float:
        """The surface's mean over the plane."""
        c, _, _, cxx, _, cyy = self.terms
        return float(c + (cxx + cyy) / 3)


def fit(plane: Float32, valid: Mask | None = None, box_px: int = BOX_PX) -> Gradient:
    """The gradient of one plane H×W; valid marks the pixels that count (all by default).

    Medians of box_px boxes (smaller ones in a small plane), at least half valid, fitted eight times while
    boxes above +1.5 sigma (stars, nebula) and below -3 sigma are left out. With too few boxes left for a
    surface the gradient is flat at their median.
    """
    x, y, medians = _box_medians(plane, valid, min(box_px, _box_for(plane.shape)))
    if medians.size < 2 * _TERMS:
        return _flat(float(np.median(medians)) if medians.size else 0.0)
    basis = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    kept = np.ones(medians.size, bool)
    terms = np.zeros(_TERMS)
    for _ in range(_ROUNDS):
        terms[:] = np.linalg.lstsq(basis[kept], medians[kept], rcond=None)[0]
        residual = medians - basis @ terms
        sigma = 1.4826 * float(np.median(np.abs(residual[kept])))
        kept = (residual <= _CLIP_HIGH * sigma) & (residual >= -_CLIP_LOW * sigma)
        if np.count_nonzero(kept) < 2 * _TERMS:
            break
    return Gradient(terms)


def _flat(level: float) -> Gradient:
    """A surface of one level."""
    return Gradient(np.array([level, 0.0, 0.0, 0.0, 0.0, 0.0]))


def _axis(n: int) -> Float64:
    """Pixel centres as -1..1."""
    return np.asarray((np.arange(n) - (n - 1) / 2) / (n / 2), np.float64)


def _box_for(shape: tuple[int, ...]) -> int:
    """The largest box that still leaves eight of them along the short side."""
    return max(_SMALLEST_BOX_PX, min(shape) // _FEWEST_BOXES_A_SIDE)


def _box_medians(plane: Float32, valid: Mask | None, box: int) -> tuple[Float64, Float64, Float64]:
    """Centres (-1..1) and medians of the boxes that are at least half valid."""
    ny, nx = plane.shape[0] // box, plane.shape[1] // box
    boxes = _boxed(plane, ny, nx, box)
    share = np.ones(ny * nx) if valid is None else _boxed(valid, ny, nx, box).mean(axis=1)
    medians = np.full(ny * nx, np.nan)
    full, part = share == 1, (share >= 0.5) & (share < 1)
    if full.any():
        medians[full] = np.median(boxes if full.all() else boxes[full], axis=1)
    if valid is not None and part.any():
        inside = _boxed(valid, ny, nx, box)[part]
        medians[part] = np.nanmedian(np.where(inside, boxes[part], np.nan), axis=1)
    used = np.flatnonzero(full | part)
    x = _axis(plane.shape[1])[: nx * box].reshape(nx, box).mean(axis=1)
    y = _axis(plane.shape[0])[: ny * box].reshape(ny, box).mean(axis=1)
    return np.tile(x, ny)[used], np.repeat(y, nx)[used], medians[used]


def _boxed(plane: NDArray[Any], ny: int, nx: int, box: int) -> NDArray[Any]:
    """The plane's whole boxes, one a row."""
    cut = plane[: ny * box, : nx * box].reshape(ny, box, nx, box)
    return cut.transpose(0, 2, 1, 3).reshape(ny * nx, box * box)
