"""The noise of one sub, blind to stars, nebulae, gradients and the converter's steps."""

from __future__ import annotations

import math

import numpy as np

from starwell.frame import Float32, Float64, Pixels, Planes
from starwell.measure.background import all_finite
from starwell.measure.halved import Halved

_CLIP = 4.0
_ROWS_APART = 32
_LEAST_SAMPLES = 40_000
_CORE = 3.0
_ONE_SIGMA = 0.6827
_FIRST_LOOK = 20_000  # samples: where to start clipping need not be precise


def haar_noise(pixels: Pixels | Halved, step: int = 1) -> float:
    """Noise per pixel in ADU: the 4-sigma-clipped rms of the Haar diagonal detail on sampled row pairs.

    pixels H×W; step 2 compares pixels of the same colour on a Bayer mosaic. The detail is
    (a - b - c + d)/2, so any plane gradient cancels and white noise keeps its sigma. A clipped rms, not a
    MAD: medians of quantised samples sit on the converter's steps. The 4-sigma truncation costs 0.05 %.
    0 for a constant frame, NaN where no 2×2 cell is finite (methods.md, Decision 1).
    """
    size = _diagonal_detail(pixels, step)
    if not all_finite(size):
        size = size[np.isfinite(size)]
    if size.size == 0:
        return math.nan
    np.abs(size, out=size)
    sample = np.sort(size[:: 1 + size.size // _FIRST_LOOK])
    return _clipped_rms(size, float(sample[int(_ONE_SIGMA * len(sample))]))


def _clipped_rms(size: Float32, guess: float) -> float:
    """The rms of those of these sizes that are within 4 of it.

    What is within 3 of the guess is summed once, and the rounds look at the few beyond.
    """
    bound = np.float32(_CORE * guess)
    beyond = np.sort(size[size > bound]).astype(np.float64)
    squares = np.concatenate([[0.0], np.cumsum(np.square(beyond))])
    within = size.size - len(beyond)
    core = np.minimum(size, bound)
    core *= core
    sum_within = float(core.sum()) - len(beyond) * float(bound) ** 2
    sigma, kept = guess or math.sqrt(squares[-1] / size.size), -1
    for _ in range(30):
        if _CLIP * sigma < bound:
            return _clipped_rms(size, 0.0)
        few = int(np.searchsorted(beyond, _CLIP * sigma, side="right"))
        if within + few in (kept, 0):
            break
        kept = within + few
        sigma = math.sqrt(max(sum_within + squares[few], 0.0) / kept)
    return sigma


def _diagonal_detail(pixels: Pixels | Halved, step: int) -> Float32:
    """The detail of disjoint 2×2 cells, flat; rows of every mosaic phase take their turn."""
    height, width = pixels.shape
    cells = width // (2 * step) * step
    if cells == 0 or height < 2 * step:
        return np.empty(0, np.float32)
    rows_wanted = max(height // _ROWS_APART, math.ceil(_LEAST_SAMPLES / cells))
    apart = max(1, height // (2 * step * rows_wanted)) * 2 * step
    top = np.arange(0, height - 2 * step + 1, apart)
    top += np.arange(len(top)) % step
    down = np.asarray(pixels[top], np.float32) - np.asarray(pixels[top + step], np.float32)
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
