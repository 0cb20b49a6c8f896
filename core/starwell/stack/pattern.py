"""The fixed pattern in a stack: what both of its halves show alike on empty sky, and that is not the sky.

The difference of the halves is blind to what stands still on the sensor; their covariance is nothing else,
but for faint stars. A mask [1 -2 1]×[1 -2 1] all but erases those at 1 px and less so at 2 px, where the
pattern is as strong: the two scales tell them apart (methods, section 9). What is even along rows or columns
it does not see.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Mask
from starwell.stack.coherence import SCALES, Coherence, star_power
from starwell.stack.halves import Halves

LEAST_SHARED = 0.02
"""Where the halves share less of a pattern than this, it cannot be told from the faintest stars."""

_MASK_RMS = 6.0
_BLOCK = 4
_BRIGHT_SIGMAS = 3.0
_ODD_TILE = 5.0
_LEAST_PX = 1000
_LEAST_TILES = 4


class Common(NamedTuple):
    """At one scale, ADU² as for white noise: the halves' covariance, its error, the temporal variance."""

    covariance: float
    error: float
    temporal: float


class Pattern(NamedTuple):
    """Variance of the fixed pattern in the stack over that of its temporal noise, and its error.

    told: whether it is the pattern's; else only a bound, for the subs moved so far that they share little.
    """

    ratio: float
    error: float
    told: bool


def common(
    halves: Halves, channel: int, total: Float64, weight: NDArray[np.int32], step: int
) -> tuple[Common, ...] | None:
    """What the halves share at each scale; None where there is too little empty sky.

    total, weight: the stack's sums of the channel, H×W. step: output px between samples of a colour plane.
    """
    found: list[list[Float64]] = [[] for _ in SCALES]
    for odd, even, bright in _tile_rows(halves, channel, total, weight, step):
        for scale, of_scale in zip(SCALES, found, strict=True):
            of_scale.append(_products(odd, even, bright, step * scale))
    measured = [_measured(np.concatenate(rows, axis=1)) for rows in found if rows]
    kept = tuple(m for m in measured if m is not None)
    return kept if len(kept) == len(SCALES) else None


def pattern(
    measured: tuple[Common, ...], shared: Coherence, temporal: float, fwhm: float, *, coarse: bool = False
) -> Pattern:
    """The fixed pattern, with the stars' share taken out.

    temporal: the stack's temporal variance where interpolation tells no lies, ADU². fwhm: of stars, samples.
    coarse: planes that sample less finely than the stack are smoothed by more than the kernel, by as much as
    their temporal noise is. Per scale covariance = F·kept + S·stars, F the pattern of one sub, S faint stars.
    """
    fixed, errors = [], []
    for scale, of_scale in zip(measured, shared.scales, strict=True):
        left = scale.temporal / of_scale.smoothed if coarse else temporal
        fixed.append(scale.covariance / max(left, 1e-9 * temporal))
        errors.append(scale.error / max(left, 1e-9 * temporal))
    stars = [star_power(scale, fwhm) for scale in SCALES]
    kept = [of_scale.kept for of_scale in shared.scales]
    determinant = kept[0] * stars[1] - kept[1] * stars[0]
    if min(kept) < LEAST_SHARED or determinant < 0.1 * kept[0] * stars[1]:
        return Pattern(max(fixed[0], 0.0), errors[0], told=False)
    factor = shared.white / determinant
    ratio = (fixed[0] * stars[1] - fixed[1] * stars[0]) * factor
    return Pattern(ratio, math.hypot(errors[0] * stars[1], errors[1] * stars[0]) * abs(factor), told=True)


def _tile_rows(
    halves: Halves, channel: int, total: Float64, weight: NDArray[np.int32], step: int
) -> Iterator[tuple[Float32, Float32, Mask]]:
    """Rows of tiles (tile, tiles, tile): odd half, even half, and blocks that are bright or lack a half."""
    size = halves.tile
    for row in range(halves.total.shape[1] // size):
        part = np.s_[channel, row * size : (row + 1) * size]
        a_weight = halves.weight[part]
        b_weight = halves.gather(weight, row) - a_weight
        lonely = (a_weight <= 0) | (b_weight <= 0)
        a = halves.total[part] / np.maximum(a_weight, 1)
        b = (halves.gather(total, row) - halves.total[part]) / np.maximum(b_weight, 1)
        level = np.median(a[::4, ::4])
        odd, even = (a - level).astype(np.float32), (b - level).astype(np.float32)
        shape = (size, -1, size)
        yield odd.reshape(shape), even.reshape(shape), _bright(odd + even, lonely, size, step * _BLOCK)


def _bright(mean: Float32, lonely: Mask, size: int, block: int) -> Mask:
    """Blocks (down, tiles, across) that stand out of their tile, with those around them."""
    shape = (mean.shape[1] // block, mean.shape[0] // block)
    coarse: Float32 = cv2.resize(mean, shape, interpolation=cv2.INTER_AREA)
    tiles = coarse.reshape(size // block, -1, size // block)
    height = tiles - np.median(tiles, axis=(0, 2), keepdims=True)
    limit = _BRIGHT_SIGMAS * 1.4826 * np.median(np.abs(height))
    missing = cv2.resize(lonely.astype(np.float32), shape, interpolation=cv2.INTER_AREA).reshape(tiles.shape)
    bad = ((height > limit) | (missing > 0)).reshape(coarse.shape).astype(np.uint8)
    around = cv2.dilate(bad, np.ones((3, 3), np.uint8))
    blocks: Mask = around.reshape(tiles.shape) > 0
    return blocks


def _products(odd: Float32, even: Float32, bright: Mask, bin_px: int) -> Float64:
    """Per tile (3, tiles): pixels of empty sky, and there the means of a·b and of (a - b)²/4, masked."""
    a, b = (_masked(_binned(half, bin_px)) for half in (odd, even))
    repeat = a.shape[0] + 2
    fine = np.repeat(np.repeat(~bright, repeat // bright.shape[0], axis=0), repeat // bright.shape[2], axis=2)
    sky = fine[1:-1, :, 1:-1]
    count = sky.sum(axis=(0, 2))
    together = np.einsum("ijk,ijk,ijk->j", a, b, sky, dtype=np.float64)
    a -= b
    apart = np.einsum("ijk,ijk,ijk->j", a, a, sky, dtype=np.float64) / 4
    some = np.maximum(count, 1)
    return np.array([count, together / some, apart / some], np.float64)


def _binned(half: Float32, by: int) -> Float32:
    if by == 1:
        return half
    flat = half.reshape(half.shape[0], -1)
    binned: Float32 = cv2.resize(
        flat, (flat.shape[1] // by, flat.shape[0] // by), interpolation=cv2.INTER_AREA
    )
    binned *= np.float32(by)
    return binned.reshape(half.shape[0] // by, half.shape[1], half.shape[2] // by)


def _masked(tiles: Float32) -> Float32:
    """[1 -2 1]×[1 -2 1] over each tile, so that white noise keeps its rms."""
    across = tiles[:, :, :-2] - 2 * tiles[:, :, 1:-1] + tiles[:, :, 2:]
    down: Float32 = across[:-2] - 2 * across[1:-1] + across[2:]
    down /= np.float32(_MASK_RMS)
    return down


def _measured(tiles: Float64) -> Common | None:
    """The mean over tiles, those aside in which something stands out; its error is from their scatter."""
    tiles = tiles[:, tiles[0] > 0]
    if tiles.shape[1] < _LEAST_TILES or tiles[0].sum() < _LEAST_PX:
        return None
    loud = np.abs(tiles[1]) + tiles[2]
    away = loud - np.median(loud)
    count, together, apart = tiles[:, away <= _ODD_TILE * 1.4826 * np.median(np.abs(away))]
    total = count.sum()
    covariance = float((count * together).sum() / total)
    error = float(np.sqrt(np.square(count * (together - covariance)).sum()) / total)
    return Common(covariance, error, float((count * apart).sum() / total))
