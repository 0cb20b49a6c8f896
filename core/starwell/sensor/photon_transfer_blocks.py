"""Robust statistics of pixel differences and patterns, on blocks small enough for light to be even there."""

from __future__ import annotations

import numpy as np

from starwell.frame import Float32, Float64, Mask

BLOCK = 32
"""Side of the blocks, in px of one colour plane: what is wider than that is illumination, not sensor."""
KEPT_VARIANCE = 0.998929
"""Part of a Gaussian's variance that lies within 4 sigmas: 1 - 8·φ(4)/(2Φ(4) - 1)."""
UNLIT = 0.25
"""Blocks with less than this part of the median light are left out."""

_START_SAMPLES = 100_000
_OUTLIER = 5.0


def clipped_rms(values: Float32 | Float64) -> float:
    """The rms of differences about zero within 4 sigmas, freed of what a Gaussian loses by that clipping.

    Not a MAD: a MAD of whole ADU sits on their steps (methods.md, Decision 1).
    """
    size = np.abs(values[np.isfinite(values)]).astype(np.float64)
    if size.size == 0:
        return 0.0
    start = size[:: max(1, size.size // _START_SAMPLES)]
    sigma = float(np.quantile(start, 0.6827)) or float(np.sqrt(np.mean(np.square(size))))
    for _ in range(30):
        inside = size[size <= 4.0 * sigma]
        new = float(np.sqrt(np.mean(np.square(inside)))) if inside.size else 0.0
        if abs(new - sigma) <= 1e-7 * sigma:
            break
        sigma = new
    return sigma / float(np.sqrt(KEPT_VARIANCE))


def blocked(view: Float32) -> Float64:
    """The pixels of a plane by blocks of 32×32, (blocks, pixels); the remainder at the edges is left out."""
    side = max(2, min(BLOCK, *view.shape))
    rows, columns = view.shape[0] // side, view.shape[1] // side
    part = view[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return part.transpose(0, 2, 1, 3).reshape(rows * columns, side * side).astype(np.float64)


def regular(blocks: Float64) -> Mask:
    """Which pixels belong to their block's population: within 5 sigmas of its median."""
    count = blocks.shape[1]
    low, middle, high = round(0.1587 * count), count // 2, min(count - 1, round(0.8413 * count))
    ordered = np.partition(blocks, (low, middle, high), axis=1)
    sigma = np.maximum((ordered[:, high] - ordered[:, low]) / 2, 1.0)
    good: Mask = np.abs(blocks - ordered[:, middle, None]) <= _OUTLIER * sigma[:, None]
    return good


def block_means(blocks: Float64) -> Float64:
    """Mean of each block's regular pixels."""
    good = regular(blocks)
    means: Float64 = np.sum(blocks, axis=1, where=good) / np.maximum(good.sum(axis=1), 1)
    return means


def flattened(blocks: Float64, *, tilt: bool) -> Float64:
    """The blocks without their means, and with tilt without their planes; outliers are NaN.

    The values are raised by the root of n/(n - p) for the p figures taken off, so that white noise keeps its
    variance.
    """
    good = regular(blocks)
    means = np.sum(blocks, axis=1, where=good) / np.maximum(good.sum(axis=1), 1)
    rest: Float64 = np.where(good, blocks - means[:, None], 0.0)
    count, taken = blocks.shape[1], 1
    if tilt:
        side = round(count**0.5)
        ramp = np.linspace(-1, 1, side)
        for slope in (np.repeat(ramp, side), np.tile(ramp, side)):
            slope /= np.linalg.norm(slope)
            rest -= (rest @ slope)[:, None] * slope
        taken = 3
    rest *= np.sqrt(count / (count - taken))
    rest[~good] = np.nan
    return rest


def evened(difference: Float64, light: Float64) -> tuple[Float64, Float64]:
    """Differences of a pair scaled to the mean light, so that shot noise is as strong everywhere.

    difference: (blocks, pixels). light: (blocks,), above the pedestal. Returns the scaled differences of
    the lit blocks, and the light of these.
    """
    lit = light > UNLIT * np.median(light)
    mean = light[lit].mean()
    return difference[lit] * np.sqrt(mean / light[lit])[:, None], light[lit]
