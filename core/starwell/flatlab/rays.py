"""Takes cosmic rays out of a set as it streams by: one of 500 e- in 150 darks makes a pixel 3 e- too dark."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Pixels, sampled
from starwell.sensor.photon_transfer_blocks import clipped_rms

RING = 5
"""Frames held to learn what is usual for each pixel."""
SIGMAS = 8.0
"""A sample this far above its pixel's median is a ray; a hundred million frames hold one by chance."""

_RANGES = 4.0
_MOST_PART = 1e-3
_BAND_ROWS = 256
_HIGHEST = 65535


def without_rays(frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """The frames, struck samples at their pixel's median; as they are where there are too few to know it.

    A pixel that is noisier than others is left to its own scatter. A frame of which more than a thousandth is
    too bright saw another light, and is left alone.
    """
    ring = list(islice(frames, RING))
    if len(ring) < RING:
        yield from ring
        return
    usual, limit = _learnt(ring)
    level = _level(usual)
    while ring:
        yield _cleaned(ring.pop(0), usual, limit, level)
    for pixels in frames:
        yield _cleaned(pixels, usual, limit, level)


def _cleaned(pixels: Pixels, usual: Pixels, limit: NDArray[np.uint16], level: float) -> Pixels:
    # the lamp of this frame may be another than that of the ring
    brighter = round(_level(pixels) - level)
    struck = np.empty(pixels.shape, np.bool_)
    for y in range(0, len(pixels), _BAND_ROWS):
        rows = slice(y, y + _BAND_ROWS)
        struck[rows] = pixels[rows] > limit[rows].astype(np.int32) + brighter
    hit = int(np.count_nonzero(struck))
    if not 0 < hit <= max(1.0, _MOST_PART * pixels.size):
        return pixels
    cleaned = pixels.copy()
    cleaned[struck] = np.clip(usual[struck].astype(np.int32) + brighter, 0, _HIGHEST)
    return cleaned


def _learnt(ring: list[Pixels]) -> tuple[Pixels, NDArray[np.uint16]]:
    """Each pixel's median, and the value that only a ray reaches."""
    pairs = [sampled(a).astype(np.float32) - sampled(b) for a, b in zip(ring[1:], ring[:-1], strict=True)]
    sigma = float(np.mean([clipped_rms(pair - pair.mean()) for pair in pairs])) / 2**0.5
    usual = np.empty_like(ring[0])
    limit = np.empty(ring[0].shape, np.uint16)
    for y in range(0, len(usual), _BAND_ROWS):
        rows = slice(y, y + _BAND_ROWS)
        ordered = np.sort(np.stack([pixels[rows] for pixels in ring]), axis=0).astype(np.float32)
        middle, lowest, second = ordered[RING // 2], ordered[0], ordered[-2]
        usual[rows] = middle
        far = np.maximum(middle + SIGMAS * sigma, second + _RANGES * (second - lowest))
        limit[rows] = np.minimum(far, _HIGHEST)
    return usual, limit


def _level(pixels: Pixels) -> float:
    return float(np.mean(sampled(pixels), dtype=np.float64))
