"""The sums a stack consists of, and what is read from them.

Fixed point: the sum is whole multiples of 2^-16 ADU·weight kept in float64, exact below 2^53, that is for
2 million saturated subs of weight 1 (docs/decisions/0001-sums-in-whole-float64.md).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.errors import FileDamaged
from starwell.frame import Float32, Float64
from starwell.stack.contribution import WEIGHT_ONE, Band, Contribution
from starwell.stack.halves import Halves, Reached
from starwell.stack.kernels import Indices, Scratch, Sums, accumulate, mean_of
from starwell.stack.rejection import NoiseMap
from starwell.stack.scene import CELL
from starwell.stack.tally import Counted, Tally
from starwell.threads import Each, Threads

_MODEL_ONE = float(1 << 20)
"""The model's sums are whole multiples of 2^-20 ADU², exact up to 2^33: they too have no order."""

MOST_SUBS = (1 << 15) - 1
"""So many subs of weight 1 fit the weights' 32 bits."""


class Left(NamedTuple):
    """What the rectangle of a band leaves to be changed: flat output indices and q there, in three parts.

    counts: how many are ragged (to be added), masked (to be taken back) and faint (to be made so).
    """

    flat: Indices
    q: Float32
    counts: tuple[int, int, int]


class Change(NamedTuple):
    """Single output pixels: flat indices, and what is added there to sum, weight and count (modulo 2^16)."""

    flat: Indices
    q: Float64
    weight: NDArray[np.int32]
    subs: NDArray[np.uint16]

    @classmethod
    def withdrawn(cls, flat: Indices, q: Float32, weight: int) -> Change:
        """Take these back."""
        here = flat.shape
        return cls(flat, -q.astype(np.float64), np.full(here, -weight, np.int32), np.full(here, _LESS))

    @classmethod
    def of(cls, lefts: Iterable[Left], weight: int, faint: int, sign: int) -> Change:
        """What bands have left, sign times; weight, faint: see Contribution."""
        flats, qs, parts = zip(*lefts, strict=True)
        q, counts, times = np.concatenate(qs).astype(np.float64), np.ravel(parts), len(parts)

        def each(ragged: int, masked: int, faint: int) -> NDArray[np.int64]:
            return np.repeat(np.tile([sign * ragged, sign * masked, sign * faint], times), counts)

        signs = each(1, -1, -1)
        q = q * signs + np.rint(q * (faint / weight)) * each(0, 0, 1)
        weights = each(weight, -weight, faint - weight).astype(np.int32)
        return cls(np.concatenate(flats), q, weights, signs.astype(np.uint16))


_LESS = np.uint16((1 << 16) - 1)


class Accumulators:
    """Per channel (C, H, W): sum float64, weight int32 (2^-16), count uint16, masked uint8.

    weight > 0 is where the stack has a value; count leaves out the faint votes of repaired pixels; masked
    counts rejected pixels and stops at 255. model: per 16×16 px cell the sums of w²·slope, w²·start,
    w²·least and w, from which the model variance is derived when it is asked for.
    """

    def __init__(self, channels: int, size: tuple[int, int]) -> None:
        shape = (channels, *size)
        self.size = size
        self.sum = np.zeros(shape, np.float64)
        self._weight: NDArray[Any] = np.zeros(shape, np.int32)
        self._count: NDArray[Any] = np.zeros(shape, np.uint16)
        self._tally = Tally()
        self._asked = threading.Lock()
        self.lent = False
        """Whether the weights' room is."""
        self.masked = np.zeros(shape, np.uint8)
        self.halves = Halves(channels, size)
        self.model = np.zeros((channels, 4, -(-size[0] // CELL), -(-size[1] // CELL)))

    @property
    def weight(self) -> NDArray[Any]:
        """Sum of the weights; their room is theirs again."""
        self.take_back()
        return self._weight

    @property
    def count(self) -> NDArray[Any]:
        """How many subs count."""
        self.take_back()
        return self._count

    @property
    def room_of_weights(self) -> Float32:
        """The weights' memory, single precision, to be written over before it is lent out."""
        return self._weight.view(np.float32)

    def lend_weights(self) -> None:
        """Leave the weights' room to others, before a stack begins anew.

        Until weights or counts are asked for: then those of all subs since are added up at once.
        """
        self.lent = True

    def take_back(self) -> None:
        """The weights' room is theirs again, and they are what they are."""
        with self._asked:
            if self.lent:
                self._weight.fill(0)
                self.lent = False
                self._tally.pour(self._weight, self._count)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Everything, by name, without a copy."""
        return {
            "sum": self.sum,
            "weight": self.weight,
            "count": self.count,
            "masked": self.masked,
            "odd_sum": self.halves.total,
            "odd_weight": self.halves.weight,
            "model": self.model,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take over arrays as `arrays()` gave them; FileDamaged where one is missing or of another shape."""
        for name, mine in self.arrays().items():
            theirs = arrays.get(name)
            if theirs is None or theirs.shape != mine.shape or theirs.dtype != mine.dtype:
                raise FileDamaged(
                    f"The checkpoint's '{name}' does not fit this stack: it is missing or of another size. "
                    "Stack the subs again."
                )
            mine[...] = theirs

    def add(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Add the sums of other subs, as `arrays()` gives them: bit for bit those of all subs in one."""
        for name, mine in self.arrays().items():
            theirs = np.minimum(arrays[name], 255 - mine) if name == "masked" else arrays[name]
            np.add(mine, theirs, out=mine)

    def widen(self) -> None:
        """Make room for more than MOST_SUBS: sums to which only those of others are added."""
        self._weight = self.weight.astype(np.int64)
        self._count = self.count.astype(np.uint32)
        self.halves.weight = self.halves.weight.astype(np.int64)

    def lend(self, channel: int, y0: int, y1: int) -> list[NDArray[np.int16]]:
        """Seven planes of these rows in the memory of their empty sums."""
        parts = [np.asarray(part.reshape(-1).view(np.int16)) for part in self.band(channel, y0, y1)]
        return [plane for part in parts for plane in part.reshape(-1, y1 - y0, self.size[1])]

    def clear(self, each: Each | None = None) -> None:
        """Back to an empty stack, by these threads; a room that is lent is left alone."""
        self._tally.clear()
        arrays = [self.sum, self._count, self.masked, self.halves.total, self.halves.weight, self.model]
        arrays += [] if self.lent else [self._weight]
        (each or Threads(1).each)(lambda array: array.fill(0), arrays)

    def band(self, channel: int, y0: int, y1: int) -> Sums:
        """The sums of these rows, to be added to."""
        rows = np.s_[channel, y0:y1]
        return Sums(self.sum[rows], self.weight[rows], self.count[rows])

    def settle(self, sub: Contribution, channel: int, band: Band, masked: Indices, sign: int) -> Left:
        """Add a band's pixels (or take them out), as if the whole rectangle counted; what is yet to `change`.

        masked: band-flat pixels that count but are to be left out. Taking out turns the band's own signs.
        """
        y0, q, weight, (reach, ragged, _, faint) = band
        places = np.concatenate([ragged, masked, faint])
        left = Left(places + y0 * q.shape[1], q.reshape(-1)[places], (ragged.size, masked.size, faint.size))
        if sign < 0:
            np.negative(q, out=q)
        inner = reach.inner
        if not self.lent:
            total, weights, subs = self.band(channel, y0, y0 + len(q))
            accumulate(q[inner], sign * weight, Sums(total[inner], weights[inner], subs[inner]))
        else:
            cv2.accumulate(q[inner], self.sum[channel, y0 : y0 + len(q)][inner])
            rows, columns = inner
            counted = Counted(y0 + rows.start, y0 + rows.stop, columns.start, columns.stop, sign * weight)
            self._tally.add(channel, y0, counted)
        if sub.odd:
            self.halves.add(channel, y0, q, inner, sign * weight)
        return left

    def change(self, sub: Contribution, channel: int, change: Change) -> None:
        """Add single output pixels to the sums; an index may repeat."""
        flat, q, weight, subs = change
        np.add.at(self.sum[channel].reshape(-1), flat, q)
        if self.lent:
            self._tally.change(channel, flat, weight)
        else:
            np.add.at(self._weight[channel].reshape(-1), flat, weight)
        np.add.at(self._count[channel].reshape(-1), flat, subs)
        if sub.odd:
            self.halves.change(channel, flat, q, weight, self.size[1])

    def mean_band(self, channel: int, y0: int, y1: int, scratch: Scratch) -> Float32:
        """Mean in ADU of these rows in scratch, not a number where there is none."""
        sums = self.band(channel, y0, y1)
        out = scratch.take("deviation", sums.total.shape)
        mean_of(sums.total, sums.weight, out)
        return out

    def mean(self, channel: int, step: int, scratch: Scratch, out: Float32 | None = None) -> Float32:
        """Mean in ADU averaged over step×step px by weight, 0 where there is none; into out, if given."""
        height, width = (n // step for n in self.size)
        if out is None:
            out = np.empty((height, width), np.float32)
        tall = max(1, 64 // step)
        for y0 in range(0, height, tall):
            y1 = min(y0 + tall, height)
            out[y0:y1] = self.mean_rows(channel, step, y0, y1, scratch)
        return out

    def mean_rows(self, channel: int, step: int, y0: int, y1: int, scratch: Scratch) -> Float32:
        """Rows y0 … y1 of that."""
        if step == 1:
            band = self.mean_band(channel, y0, y1, scratch)
            np.copyto(band, 0, where=np.isnan(band))
            return band
        total, weight = (
            self._binned(part[channel, y0 * step : y1 * step], step, scratch)
            for part in (self.sum, self.weight)
        )
        mean: Float32 = np.divide(total, weight, out=np.zeros_like(total), where=weight > 0)
        return mean

    def _binned(self, rows: NDArray[Any], step: int, scratch: Scratch) -> Float32:
        """Averages over step×step px."""
        size = self.size[1] // step, len(rows) // step
        single = scratch.take("work", rows.shape)
        np.copyto(single, rows, casting="same_kind")
        binned: Float32 = cv2.resize(single[:, : size[0] * step], size, interpolation=cv2.INTER_AREA)
        return binned

    def count_noise(
        self, channel: int, noise: NoiseMap, weight: float, covered: NDArray[np.bool_], sign: int
    ) -> None:
        """Add a sub to (or take it out of) the model variance, on the cells it covers."""
        terms = np.stack([noise.slope, noise.start, noise.least, np.full_like(noise.slope, 1 / weight)])
        terms = np.rint(weight**2 * covered * terms.astype(np.float64) * _MODEL_ONE)
        self.model[channel] += sign / _MODEL_ONE * terms

    def variance(self, channel: int, out: Float32 | None = None) -> Float32:
        """Model variance of the weighted mean in ADU², blind to what interpolation smoothed away; into out.

        Var = (sum of w²·Var_i)/(sum of w)² with the flat in Var_i: per cell v = (sum w²Var_i)/(sum w) at the
        pixel's own mean, then v/W with the pixel's own weight. Infinite where there is no weight.
        """
        slope, start, least, weight = self.model[channel]
        some = np.maximum(weight, 1 / WEIGHT_ONE)
        cells = [v / some for v in (slope, start, least)]
        out = self.mean(channel, 1, Scratch(), out)
        for row in range(len(weight)):
            rows = slice(row * CELL, (row + 1) * CELL)
            band, w = out[rows], self.weight[channel, rows]
            slopes, starts, lowest = (_spread(v[row], band.shape[1]) for v in cells)
            np.maximum(slopes * band + starts, lowest, out=band)
            np.divide(band * np.float32(WEIGHT_ONE), w, out=band, where=w > 0)
            band[w <= 0] = np.inf
        return out

    def noise(self, channel: int) -> dict[int, Reached]:
        """Half-stack noise of the channel in ADU by block size (px), where the stack is fully covered."""
        return self.halves.noise(channel, self.sum[channel], self.weight[channel])


def mask_pixels(masked: NDArray[np.uint8], flat: Indices, sign: int) -> None:
    """Count rejections at flat indices; a count of 255 stays."""
    values = masked.reshape(-1)[flat]
    masked.reshape(-1)[flat] = np.where(values < 255, values + np.uint8(sign % 256), values)


def _spread(cells: Float64, width: int) -> Float32:
    """A row of cells to full width, nearest."""
    return np.repeat(cells.astype(np.float32), CELL)[:width]
