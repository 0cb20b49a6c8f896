"""Half-stacks of the odd and the even subs on fixed tiles: the noise a stack really has.

Tiles cover a quarter of the area of small sensors, less of large ones. Only the odd half is summed: the
even one is the whole minus it. The difference of the halves is blind to everything that stands still; its
scatter over blocks of b px shows noise that interpolation or dithering has correlated (methods, section 9).
"""

from __future__ import annotations

import math
from typing import NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Mask

Number = TypeVar("Number", bound=np.generic)

BLOCKS = (1, 2, 4, 8, 16)
"""Block sizes in px at which the noise is read."""

EVERY, MOST_PX = 2, 450_000
"""One tile in two along each axis, on large sensors fewer: so many px tell noise at 8 px blocks to 1 %."""

_CLIP, _ROUNDS = 4.0, 8
_COVERED = 0.95
_FULL = 0.95
_CELL = BLOCKS[-1]
_MOST_VALUES = 30_000
"""Their rms is good to 0.4 %."""


class Reached(NamedTuple):
    """Noise at one block size, and its standard error as a part of it; NaN where no block is covered."""

    sigma: float
    error: float


class Halves:
    """The odd subs' sums on the tiles, fixed point like the stack's own."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        self.tile = 64 if min(size) >= 768 else 32
        self._every = max(EVERY, round(math.sqrt(size[0] * size[1] / MOST_PX)))
        step = self._every * self.tile
        self._starts = tuple(tuple(range(self.tile, n - self.tile + 1, step)) for n in size)
        shape = (channels, len(self._starts[0]) * self.tile, len(self._starts[1]) * self.tile)
        self.total = np.zeros(shape, np.float64)
        self.weight = np.zeros(shape, np.int32)

    def add(self, channel: int, y0: int, q: Float32, inner: tuple[slice, slice], weight: int) -> None:
        """Add the tiles' part of a rectangle of a band that begins at row y0; q as in the stack's sums."""
        rows, columns = inner
        size, starts = self.tile, self._starts[1]
        for row, tile_y in enumerate(self._starts[0]):
            a, b = max(tile_y - y0, rows.start), min(tile_y - y0 + size, rows.stop)
            if b <= a:
                continue
            first = row * size + a + y0 - tile_y
            there = np.s_[channel, first : first + b - a]
            for column, tile_x in enumerate(starts):
                left, right = max(tile_x, columns.start), min(tile_x + size, columns.stop)
                if 0 < right - left < size:
                    x = column * size + left - tile_x
                    self.total[there][:, x : x + right - left] += q[a:b, left:right]
                    self.weight[there][:, x : x + right - left] += weight
            whole = [k for k, x in enumerate(starts) if x >= columns.start and x + size <= columns.stop]
            if whole:
                tiles = np.s_[whole[0] : whole[-1] + 1]
                step = (q.strides[0], self._every * size * q.itemsize, q.itemsize)
                shape = (b - a, len(whole), size)
                self._by_tile(self.total)[there][:, tiles] += as_strided(
                    q[a:, starts[whole[0]] :], shape, step, writeable=False
                )
                self._by_tile(self.weight)[there][:, tiles] += weight

    def _by_tile(self, whole: NDArray[Number]) -> NDArray[Number]:
        return whole.reshape(*whole.shape[:2], -1, self.tile)

    def change(
        self, channel: int, flat: NDArray[np.int64], q: Float64, weight: NDArray[np.int32], width: int
    ) -> None:
        """Add q and weight at single output pixels, where they lie on a tile."""
        places = []
        for v, starts in zip(np.divmod(flat, width), self._starts, strict=True):
            tile, within = np.divmod(v - self.tile, self._every * self.tile)
            on = (v >= self.tile) & (within < self.tile) & (tile < len(starts))
            places.append((tile * self.tile + within, on))
        (y, on_y), (x, on_x) = places
        on = on_y & on_x
        np.add.at(self.total[channel], (y[on], x[on]), q[on])
        np.add.at(self.weight[channel], (y[on], x[on]), weight[on])

    def gather(self, whole: NDArray[Number], row: int) -> NDArray[Number]:
        """A row of tiles of a full H×W array, side by side."""
        rows = whole[self._starts[0][row] :][: self.tile]
        return np.concatenate([rows[:, x : x + self.tile] for x in self._starts[1]], axis=1)

    def noise(self, channel: int, total: Float64, weight: NDArray[np.int32]) -> dict[int, Reached]:
        """b·rms of the b×b block means of the stack's temporal noise, ADU, per block size.

        total, weight: the stack's sums of the channel, H×W. Var(stack) = Var(A - B)·Wa·Wb/(Wa + Wb)². Taken
        where the stack is fully covered: in a turned or drifted one the corners hold fewer subs. Empty where
        fewer than two halves exist.
        """
        if not all(self._starts):
            return {}
        noise: Float32 = np.empty(self.total.shape[1:], np.float32)
        lonely = np.zeros(noise.shape, np.float32)
        cover = np.empty([n // _CELL for n in noise.shape], np.float32)
        for row in range(len(self._starts[0])):
            part = np.s_[row * self.tile : (row + 1) * self.tile]
            whole = self.gather(total, row), self.gather(weight, row)
            odd = self.total[channel, part], self.weight[channel, part]
            noise[part], lonely[part] = _difference(*odd, *whole)
            cells = np.s_[part.start // _CELL : part.stop // _CELL]
            cover[cells] = _cells(whole[1])
        if lonely.all():
            return {}
        thin = cover < _COVERED * np.quantile(cover, _FULL)
        if thin.any():
            lonely += np.repeat(np.repeat(thin, _CELL, axis=0), _CELL, axis=1)
        return _rms_by_block(noise, lonely if lonely.any() else None)


def _cells(weight: NDArray[np.int32]) -> Float32:
    """Mean weight by cells of the largest block's size."""
    size = (weight.shape[1] // _CELL, weight.shape[0] // _CELL)
    return cv2.resize(weight.astype(np.float32), size, interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]


def _difference(
    odd: Float64, odd_weight: NDArray[np.int32], whole: Float64, weight: NDArray[np.int32]
) -> tuple[Float32, Mask]:
    """(A - B)·sqrt(Wa·Wb)/(Wa + Wb) of sums, and where one of the halves is missing."""
    even_weight = weight - odd_weight
    lonely = (odd_weight <= 0) | (even_weight <= 0)
    if lonely.any():
        odd_weight, even_weight, weight = (np.where(lonely, 1, w) for w in (odd_weight, even_weight, weight))
    # A - B = (A - whole)·(Wa + Wb)/Wb
    apart = (odd / odd_weight - whole / weight).astype(np.float32)
    apart *= np.sqrt(np.divide(odd_weight, even_weight, dtype=np.float32))
    return apart, lonely


def _rms_by_block(noise: Float32, lonely: Float32 | None) -> dict[int, Reached]:
    """Of the block means; blocks with a px that is lonely do not count.

    Tiles are multiples of every block size, so no block straddles two of them.
    """
    found: dict[int, Reached] = {}
    for block in BLOCKS:
        if block > 1:
            noise = _halved(noise)
            lonely = None if lonely is None else _halved(lonely)
        values = noise.reshape(-1) if lonely is None else noise[lonely == 0]
        values = values[:: max(1, values.size // _MOST_VALUES)]
        sigma = block * _clipped_rms(values) if values.size > 1 else math.nan
        found[block] = Reached(sigma, 1 / math.sqrt(2 * max(values.size - 1, 1)))
    return found


def _clipped_rms(values: Float32) -> float:
    """Rms about the median of what lies within 4 of it."""
    values = np.sort(values)
    n = len(values)
    values -= values[n // 2]
    sigma = float(values[int(0.8413 * n)] - values[int(0.1587 * n)]) / 2
    for _ in range(_ROUNDS):
        first, end = np.searchsorted(values, np.array([-_CLIP, _CLIP], np.float32) * np.float32(sigma))
        kept = values[first:end] if end > first else values
        before, sigma = sigma, math.sqrt(float(np.mean(np.square(kept, dtype=np.float64))))
        if abs(sigma - before) <= 1e-4 * before:
            break
    return sigma


def _halved(values: Float32) -> Float32:
    """Means of 2×2."""
    size = (values.shape[1] // 2, values.shape[0] // 2)
    return cv2.resize(values, size, interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]
