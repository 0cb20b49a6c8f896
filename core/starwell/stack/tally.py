"""Who counts where, of many subs at once: what nobody asks for between two subs is added up when it is.

A sub counts throughout a rectangle of every band. Adding its weight to every pixel there takes as long as
adding its light; the rectangles of a hundred subs together take as long as those of one.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class Counted(NamedTuple):
    """Rows top … bottom and columns left … right in which a sub of this weight counts, or did."""

    top: int
    bottom: int
    left: int
    right: int
    weight: int


class Tally:
    """Rectangles by channel and band, until they are poured out; may be filled from any thread."""

    def __init__(self) -> None:
        self._of: defaultdict[tuple[int, int], list[Counted]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(self, channel: int, band: int, counted: Counted) -> None:
        """Remember a rectangle of the band that begins at this row."""
        with self._lock:
            self._of[channel, band].append(counted)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._of.clear()

    def pour(self, weight: NDArray[Any], count: NDArray[Any]) -> None:
        """Add all of them to weight and count, (C, H, W), and forget them."""
        with self._lock:
            for (channel, _), rectangles in self._of.items():
                rows = sorted({row for of in rectangles for row in of[:2]})
                for top, bottom in pairwise(rows):
                    here = [of for of in rectangles if of.top <= top and of.bottom >= bottom]
                    weights, counts = _along(here, weight.shape[-1])
                    weight[channel, top:bottom] += weights.astype(weight.dtype)
                    count[channel, top:bottom] += counts.astype(count.dtype)
            self._of.clear()


def _along(rectangles: list[Counted], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The sum of weights, and how many subs more than fewer, in every column."""
    _, _, left, right, weight = np.array(rectangles, np.int64).reshape(-1, 5).T
    steps = np.zeros((2, width + 1), np.int64)
    for step, of in zip(steps, (weight, np.sign(weight)), strict=True):
        np.add.at(step, left, of)
        np.subtract.at(step, right, of)
    weights, counts = np.cumsum(steps, axis=1)[:, :width]
    return weights, counts
