"""The noise of one sub, blind to stars, nebulae, gradients and the converter's steps."""

from __future__ import annotations

import math

import numpy as np

from starwell.frame import Float32, Float64, Pixels, Planes

_CLIP = 4.0
_ROWS_APART = 32
_LEAST_SAMPLES = 40_000
_FIRST_LOOK = 20_000  # samples: where to start clipping need not be precise


def haar_noise(pixels: Pixels, step: int = 1) -> float:
    """Noise per pixel in ADU: the 4-sigma-clipped rms of the Haar diagonal detail on sampled row pairs.

    pixels H×W; step 2 compares pixels of the same colour on a Bayer mosaic. The detail is
    (a - b - c + d)/2, so any plane gradient cancels and white noise keeps its sigma. A clipped rms, not a
    MAD: medians of quantised samples sit on the converter's steps. The 4-sigma truncation costs 0.05 %.
    0 for a constant frame, NaN where no 2×2 cell is finite (methods.md, Decision 1).
    """
    detail = _diagonal_detail(pixels, step)
    size = np.abs(detail[np.isfinite(detail)])
    if size.size == 0:
        return math.nan
    square = np.square(size, dtype=np.float64)
    sample = size[:: 1 + size.size // _FIRST_LOOK]
    sigma = float(np.quantile(sample, 0.6827)) or math.sqrt(float(square.mean()))
    kept = -1
    for _ in range(30):
        inside = size <= _CLIP * sigma
        count = int(np.count_nonzero(inside))
        if count in (kept, 0):
            break
        kept, sigma = count, math.sqrt(float(square[inside].mean()))
    return sigma


def _diagonal_detail(pixels: Pixels, step: int) -> Float32:
    """The detail of disjoint 2×2 cells, flat; rows of every mosaic phase take their turn."""
    height, width = pixels.shape
    cells = width // (2 * step) * step
    if cells == 0 or height < 2 * step:
        return np.empty(0, np.float32)
    rows_wanted = max(height // _ROWS_APART, math.ceil(_LEAST_SAMPLES / cells))
    apart = max(1, height // (2 * step * rows_wanted)) * 2 * step
    top = np.arange(0, height - 2 * step + 1, apart)
    top += np.arange(len(top)) % step
    down = pixels[top].astype(np.float32) - pixels[top + step].astype(np.float32)
    pairs = down[:, : 2 * cells].reshape(len(top), -1, 2, step)
    detail: Float32 = (pairs[:, :, 0] - pairs[:, :, 1]).ravel()
    detail *= np.float32(0.5)
    return detail


def plane_noise(pixels: Pixels, planes: Planes) -> Float64:
    """Noise per channel in ADU, (channels,): each colour plane by itself, the two greens as one."""
    variance = np.zeros(planes.channels)
    count = np.zeros(planes.channels)
    for plane in planes.planes:
        variance[plane.channel] += haar_noise(planes.view(pixels, plane)) ** 2
        count[plane.channel] += 1
    return np.sqrt(variance / count)
