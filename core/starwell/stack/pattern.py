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
from starwell.stack.halves import Halves

SCALES = (1, 2)
"""Samples that are averaged before the mask is laid over them."""

_MASK_RMS = 6.0
_BLOCK = 4
_BRIGHT_SIGMAS = 3.0
_ODD_TILE = 5.0
_LEAST_PX = 1000
_LEAST_TILES = 4
_LEAST_COHERENCE = 0.02
_FARTHEST_PX = 8.0


class Common(NamedTuple):
    """At one scale, ADU² as for white noise: the halves' covariance, its error, the temporal variance."""

    covariance: float
    error: float
    temporal: float


class Coherence(NamedTuple):
    """How much of a pattern on the sensor both halves share: at each scale, and of all its power."""

    scales: tuple[float, ...]
    white: float


class Pattern(NamedTuple):
    """Variance of the fixed pattern in the stack over that of its temporal noise, and its error."""

    ratio: float
    error: float


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


def coherence(odd: Float64, even: Float64, odd_weight: Float64, even_weight: Float64) -> Coherence:
    """From where points of the stack lie on the sensor in odd and in even subs, (subs, points, 2) samples.

    Subs that moved by d share the pattern's cosine transform at d, scale by scale.
    """
    apart = np.minimum(np.abs(odd[:, None] - even[None, :]), _FARTHEST_PX)
    weights = odd_weight[:, None] * even_weight[None, :]

    def shared(table: Float64) -> float:
        along = np.interp(apart, _DISTANCES, table).prod(axis=-1).mean(axis=-1)
        return float((along * weights).sum() / weights.sum())

    return Coherence(tuple(shared(table) for table in _SHARED), shared(_SHARED_WHITE))


def pattern(measured: tuple[Common, ...], shared: Coherence, temporal: float, fwhm: float) -> Pattern | None:
    """The fixed pattern, with the stars' share taken out; None where subs moved too far to tell.

    temporal: the stack's temporal variance where interpolation tells no lies, ADU². fwhm: of stars, samples.
    Per scale: covariance/smoothed = F·g + S·s/smoothed, smoothed being the temporal variance over `temporal`.
    """
    if min(shared.scales) < _LEAST_COHERENCE or temporal <= 0:
        return None
    smoothed = [max(m.temporal / temporal, 1e-3) for m in measured]
    fixed = [m.covariance / h for m, h in zip(measured, smoothed, strict=True)]
    errors = [m.error / h for m, h in zip(measured, smoothed, strict=True)]
    stars = [_star_power(scale, fwhm) / h for scale, h in zip(SCALES, smoothed, strict=True)]
    share = shared.scales[0] * stars[1] - shared.scales[1] * stars[0]
    if share < 0.1 * shared.scales[0] * stars[1]:
        return None
    white = shared.white / share / temporal
    ratio = (fixed[0] * stars[1] - fixed[1] * stars[0]) * white
    return Pattern(ratio, math.hypot(errors[0] * stars[1], errors[1] * stars[0]) * abs(white))


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


_FREQUENCIES = (np.arange(500) + 0.5) / 1000
_DISTANCES = np.arange(0, _FARTHEST_PX, 0.05)


def _power(scale: int) -> Float64:
    """What averaging over so many samples and the mask leave of white noise, along one axis."""
    box = np.cos(np.pi * _FREQUENCIES) ** 2 if scale == 2 else np.ones_like(_FREQUENCIES)
    power: Float64 = box * np.sin(np.pi * scale * _FREQUENCIES) ** 4
    power /= power.sum()
    return power


def _star_power(scale: int, fwhm: float) -> float:
    """What they leave of the power of faint stars of this FWHM (samples), relative to white noise."""
    sigma = max(fwhm, 1.0) / 2.3548
    stars = np.exp(-((2 * np.pi * sigma * _FREQUENCIES) ** 2))
    return float((_power(scale) * stars).sum()) ** 2


def _cosine(power: Float64) -> Float64:
    """The transform of a power at _DISTANCES; nothing from the farthest on."""
    table: Float64 = np.cos(2 * np.pi * _DISTANCES[:, None] * _FREQUENCIES) @ power
    table[-1] = 0
    return table


_SHARED = tuple(_cosine(_power(scale)) for scale in SCALES)
_SHARED_WHITE = _cosine(np.full(len(_FREQUENCIES), 1 / len(_FREQUENCIES)))
