"""What subs weigh where, of many at once: what nobody asks for between two subs is added up when it is.

A sub counts throughout a rectangle of every band, but for single pixels. Adding its weight to all of that
takes as long as adding its light; the rectangles of a hundred subs together take as long as those of one.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.stack.kernels import Indices
from starwell.stack.ledger import pack, unpack


class Counted(NamedTuple):
    """Rows top … bottom and columns left … right in which a sub of this weight counts, or did."""

    top: int
    bottom: int
    left: int
    right: int
    weight: int


class _Singles(NamedTuple):
    """What the weights of single pixels of a channel change by, packed: as ledgers have them, and int32."""

    channel: int
    flat: bytes
    weight: bytes


class Tally:
    """Rectangles by channel and band, and single pixels, until they are poured out.

    The bands of a sub may be added by several threads.
    """

    def __init__(self) -> None:
        self._of: defaultdict[tuple[int, int], list[Counted]] = defaultdict(list)
        self._singles: list[_Singles] = []

    def add(self, channel: int, band: int, counted: Counted) -> None:
        """Remember a rectangle of the band that begins at this row."""
        self._of[channel, band].append(counted)

    def change(self, channel: int, flat: Indices, weight: NDArray[np.int32]) -> None:
        """Remember that the weight of these pixels changes, and not how many subs count; one may repeat."""
        order = np.argsort(flat, kind="stable")
        weights = zlib.compress(weight[order].astype("<i4").tobytes(), 1)
        self._singles.append(_Singles(channel, pack(flat[order]), weights))

    def clear(self) -> None:
        """Forget them all."""
        self._of.clear()
        self._singles.clear()

    def pour(self, weight: NDArray[Any], count: NDArray[Any]) -> None:
        """Add all of them to weight and count, (C, H, W), and forget them."""
        for (channel, _), rectangles in self._of.items():
            rows = sorted({row for of in rectangles for row in of[:2]})
            for top, bottom in pairwise(rows):
                here = [of for of in rectangles if of.top <= top and of.bottom >= bottom]
                weights, counts = _along(here, weight.shape[-1])
                weight[channel, top:bottom] += weights.astype(weight.dtype)
                count[channel, top:bottom] += counts.astype(count.dtype)
        for one in self._singles:
            change = np.frombuffer(zlib.decompress(one.weight), "<i4")
            np.add.at(weight[one.channel].reshape(-1), unpack(one.flat), change)
        self.clear()


def _along(rectangles: list[Counted], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sum of weights, and how many subs more than fewer, in every column."""
    _, _, left, right, weight = np.array(rectangles, np.int64).reshape(-1, 5).T
    steps = np.zeros((2, width + 1), np.int64)
    for step, of in zip(steps, (weight, np.sign(weight)), strict=True):
        np.add.at(step, left, of)
        np.subtract.at(step, right, of)
    weights, counts = np.cumsum(steps, axis=1)[:, :width]
    return weights, counts
