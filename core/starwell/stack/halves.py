"""Half-stacks of the odd and the even subs on fixed tiles: the noise a stack really has.

Tiles cover 1/16 of the area, less of large ones. Only the odd half is summed: the even one is the whole
minus it. The difference of the halves is blind to everything that stands still; its scatter over blocks of
b px shows noise that interpolation or dithering has correlated (methods, section 9).
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64
from starwell.stack.kernels import clipped_rms

BLOCKS = (1, 2, 4, 8, 16)
"""Block sizes in px at which the noise is read."""

_EVERY = 4
"""One tile in four along each axis, on large sensors fewer: so many pixels tell the noise to 1 %."""

_MOST_PX = 450_000
_MOST_VALUES = 30_000
"""Their rms is good to 0.4 %."""


class Halves:
    """The odd subs' sums on the tiles, fixed point like the stack's own."""

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        self.tile = 64 if min(size) >= 1024 else 32
        self._every = max(_EVERY, round(math.sqrt(size[0] * size[1] / _MOST_PX)))
        step = self._every * self.tile
        self._starts = tuple(tuple(range(self.tile, n - self.tile + 1, step)) for n in size)
        shape = (channels, len(self._starts[0]) * self.tile, len(self._starts[1]) * self.tile)
        self.total = np.zeros(shape, np.float64)
        self.weight = np.zeros(shape, np.int32)

    def add(self, channel: int, y0: int, q: Float32, inner: tuple[slice, slice], weight: int) -> None:
        """Add the tiles' part of a rectangle of a band that begins at row y0; q as in the stack's sums."""
        rows, columns = inner
        for row, tile_y in enumerate(self._starts[0]):
            a, b = max(tile_y - y0, rows.start), min(tile_y - y0 + self.tile, rows.stop)
            if b <= a:
                continue
            first = row * self.tile + a + y0 - tile_y
            for column, tile_x in enumerate(self._starts[1]):
                left, right = max(tile_x, columns.start), min(tile_x + self.tile, columns.stop)
                if right > left:
                    x = column * self.tile + left - tile_x
                    there = np.s_[channel, first : first + b - a, x : x + right - left]
                    self.total[there] += q[a:b, left:right]
                    self.weight[there] += weight

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

    def gather(self, whole: NDArray[np.generic]) -> NDArray[np.generic]:
        """The tiles of a full H×W array, side by side."""
        rows = [whole[y : y + self.tile] for y in self._starts[0]]
        tiles = [np.concatenate([r[:, x : x + self.tile] for x in self._starts[1]], axis=1) for r in rows]
        return np.concatenate(tiles)

    def noise(self, channel: int, total: Float64, weight: NDArray[np.int32]) -> dict[int, float]:
        """b·rms of the b×b block means of the stack's temporal noise, ADU, per block size.

        total, weight: the stack's sums of the channel, H×W. Var(stack) = Var(A - B)·Wa·Wb/(Wa + Wb)².
        Empty where fewer than two halves exist.
        """
        if not all(self._starts):
            return {}
        wa, sa = self.weight[channel].astype(np.float64), self.total[channel]
        wb = self.gather(weight).astype(np.float64) - wa
        sb = self.gather(total).astype(np.float64) - sa
        both = (wa > 0) & (wb > 0)
        if not both.any():
            return {}
        a, b = (np.divide(s, w, out=np.zeros_like(s), where=both) for s, w in ((sa, wa), (sb, wb)))
        noise = (a - b) * np.sqrt(np.maximum(wa * wb, 0)) / np.maximum(wa + wb, 1)
        return {block: _block_rms(noise, both, block) for block in BLOCKS}


def _block_rms(noise: Float64, both: NDArray[np.bool_], block: int) -> float:
    """Tiles are multiples of every block size, so no block straddles two of them."""
    if block == 1:
        values = noise[both]
    else:
        size = (noise.shape[1] // block, noise.shape[0] // block)
        blocks = cv2.resize(noise, size, interpolation=cv2.INTER_AREA)
        lonely = cv2.resize((~both).astype(np.float32), size, interpolation=cv2.INTER_AREA)
        values = blocks[lonely == 0]
    values = values[:: max(1, values.size // _MOST_VALUES)]
    return block * clipped_rms((values - np.median(values)).astype(np.float32)) if values.size else math.nan
