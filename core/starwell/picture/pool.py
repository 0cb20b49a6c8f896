"""Reducing a picture so that faint stars survive: means, but peaks where a star stands in the block."""

from __future__ import annotations

import cv2
import numpy as np

from starwell.frame import Float32

_STAR_SIGMA = 6.0
_STAR_SHARE = 0.05
"""At most this share of the blocks may show a peak; with more, the small picture fills with white squares."""

_SAMPLE_PX = 65536


def pool(planes: Float32, size: tuple[int, int], *, quantum: float = 0.0) -> Float32:
    """Planes C×H×W reduced to C×h×w; size is (h, w), neither larger than the planes.

    A block shows its mean, or its maximum where that stands 6 sigma above the mean and among the highest
    5 %. Which blocks do is decided on the mean of the channels, so that a star keeps its colour. quantum is
    the step of values that were integers; the noise is taken to be at least half of it.
    """
    height, width = size
    means = np.stack([cv2.resize(p, (width, height), interpolation=cv2.INTER_AREA) for p in planes])
    grey = planes[0] if len(planes) == 1 else planes.mean(axis=0)
    excess = _block_maxima(grey, size) - means.mean(axis=0)
    threshold = max(_STAR_SIGMA * max(_noise(grey), quantum / 2), float(np.quantile(excess, 1 - _STAR_SHARE)))
    stars = excess > threshold
    for plane, mean in zip(planes, means, strict=True):
        mean[stars] = _block_maxima(plane, size)[stars]
    return means


def halved(plane: Float32) -> Float32:
    """The means of 2×2 blocks of H×W; an odd last row or column is left out."""
    height, width = plane.shape[0] // 2, plane.shape[1] // 2
    return cv2.resize(  # type: ignore[no-any-return]
        plane[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA
    )


def _block_maxima(plane: Float32, size: tuple[int, int]) -> Float32:
    """The maximum of each of h×w blocks."""
    tall = _row_maxima(plane, size[0])
    return _row_maxima(np.ascontiguousarray(tall.T), size[1]).T


def _row_maxima(plane: Float32, n: int) -> Float32:
    """The maxima over n bands of rows: whole rows at a time, several times as fast as reduceat."""
    starts = np.arange(n) * len(plane) // n
    last = np.append(starts[1:], len(plane)) - 1
    maxima = plane[starts]
    for row in range(1, int((last - starts).max()) + 1):
        np.maximum(maxima, plane[np.minimum(starts + row, last)], out=maxima)
    return maxima


def _noise(plane: Float32) -> float:
    """1.4826 MAD of a sample of the pixels."""
    stride = max(1, int((plane.size / _SAMPLE_PX) ** 0.5))
    sample = plane[::stride, ::stride]
    return 1.4826 * float(np.median(np.abs(sample - np.median(sample))))
