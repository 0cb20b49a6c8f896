"""What is kept of a set while its frames stream by: two interleaved halves, noise, and the rails' share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starwell.errors import MasterMismatch
from starwell.flatlab.frames import FrameSet
from starwell.flatlab.rays import without_rays
from starwell.frame import Float32, Pixels, sampled
from starwell.sensor.photon_transfer_blocks import clipped_rms

_BAND_ROWS = 256
_MOST_PAIRS = 40
_TOLD_EVERY = 50
_CODES = 1 << 16
_PATCH_PX = 256
_PILED = 2.0
"""A lowest code that is this many times as frequent as the next one is a rail, not a tail."""

Told = Callable[[str], None]
Patch = tuple[int, tuple[slice, slice], Float32]
"""So many frames' mean, ADU, and where in the frame it lies."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """One set, in file ADU.

    halves: mean of the even and of the odd frames, H×W, or of all and nothing; counts: frames in each.
    variance: of every pixel over the frames, where it was asked for. noise_adu2: of a frame, by pairs brought
    to one level. floor_adu: the lowest code. at_floor: share of the samples there, if they pile up or it is
    0. saturated: samples at the top, by sampled pixel. patches: means of the first 1,
    2, 4, … frames, where they were asked for.
    """

    name: str
    halves: tuple[Float32, Float32]
    counts: tuple[int, int]
    variance: Float32 | None
    noise_adu2: float
    floor_adu: float
    at_floor: float
    saturated: NDArray[np.uint32]
    patches: tuple[Patch, ...] = ()

    @property
    def count(self) -> int:
        """All frames."""
        return sum(self.counts)

    def mean(self, rows: slice = slice(None)) -> Float32:
        """Mean of all frames; not a copy where they were not halved."""
        n0, n1 = self.counts
        if n1 == 0:
            return self.halves[0][rows]
        half0, half1 = self.halves
        total: Float32 = half0[rows] * np.float32(n0 / self.count) + half1[rows] * np.float32(n1 / self.count)
        return total


def summed(
    one: FrameSet,
    told: Told,
    *,
    halved: bool = True,
    variance: bool = False,
    patches: bool = False,
) -> Sums:
    """Read a set once. told: hears of every so many frames."""
    shape = one.facts.shape
    totals = (np.zeros(shape, np.uint32), np.zeros(shape if halved else (0, 0), np.uint32))
    counts = [0, 0]
    spread = _Spread(shape) if variance else None
    deepening = _Deepening(one.facts.size) if patches else None
    sample = _Sample(one.facts.saturation_adu)
    for i, pixels in enumerate(without_rays(_plain(one))):
        half = i % 2 if halved else 0
        np.add(totals[half], pixels, out=totals[half], casting="unsafe")
        counts[half] += 1
        sample.add(pixels)
        if spread is not None:
            spread.add(pixels)
        if deepening is not None:
            deepening.add(pixels)
        if (i + 1) % _TOLD_EVERY == 0 or i + 1 == one.count:
            told(f"{one.name}: {i + 1} of {one.count} frames")
    halves = _mean(totals[0], counts[0]), _mean(totals[1], counts[1])
    floor, at_floor = sample.floor()
    return Sums(
        one.name,
        halves,
        (counts[0], counts[1]),
        spread.variance() if spread is not None else None,
        sample.noise_adu2(),
        floor,
        at_floor,
        sample.saturated,
        tuple(deepening.patches) if deepening is not None else (),
    )


def _plain(one: FrameSet) -> Iterator[Pixels]:
    for pixels in one.frames():
        if pixels.dtype.kind == "i" and int(pixels.min()) < 0:
            raise MasterMismatch(f"--{one.name} holds negative values: it is not what the sensor gave.")
        yield pixels


def _mean(total: NDArray[np.uint32], count: int) -> Float32:
    """The mean as float32, in the total's own memory."""
    mean = total.view(np.float32)
    for y in range(0, len(total), _BAND_ROWS):
        rows = slice(y, y + _BAND_ROWS)
        mean[rows] = total[rows] / max(count, 1)
    return mean


class _Spread:
    """Variance of every pixel, about the first frame so that float32 holds it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._first: Pixels | None = None
        self._sum, self._squares = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self._n = 0

    def add(self, pixels: Pixels) -> None:
        self._n += 1
        if self._first is None:
            self._first = pixels
            return
        for y in range(0, len(pixels), _BAND_ROWS):
            rows = slice(y, y + _BAND_ROWS)
            off = pixels[rows].astype(np.float32)
            off -= self._first[rows]
            self._sum[rows] += off
            off *= off
            self._squares[rows] += off

    def variance(self) -> Float32:
        for y in range(0, len(self._sum), _BAND_ROWS):
            rows = slice(y, y + _BAND_ROWS)
            self._squares[rows] -= np.square(self._sum[rows]) / self._n
        self._squares /= max(self._n - 1, 1)
        return self._squares


class _Deepening:
    """Means of the first 1, 2, 4, … frames in the middle of the sensor."""

    def __init__(self, size: tuple[int, int]) -> None:
        low = [(n - min(n, _PATCH_PX)) // 4 * 2 for n in size]
        self._where = slice(low[0], low[0] + _PATCH_PX), slice(low[1], low[1] + _PATCH_PX)
        self._total: NDArray[np.uint32] | None = None
        self._n = 0
        self.patches: list[Patch] = []

    def add(self, pixels: Pixels) -> None:
        part = pixels[self._where].astype(np.uint32)
        self._total = part if self._total is None else self._total + part
        self._n += 1
        if self._n & (self._n - 1) == 0:
            self.patches.append((self._n, self._where, (self._total / self._n).astype(np.float32)))


class _Sample:
    """Levels and noise of some 250,000 pixels of every frame."""

    def __init__(self, saturation_adu: float) -> None:
        self._top = saturation_adu
        self._codes = np.zeros(_CODES, np.int64)
        self._before: Pixels | None = None
        self._pairs: list[float] = []
        self.saturated: NDArray[np.uint32] = np.zeros((0, 0), np.uint32)

    def add(self, pixels: Pixels) -> None:
        some = np.minimum(sampled(pixels), _CODES - 1)
        self._codes += np.bincount(some.ravel(), minlength=_CODES)[:_CODES]
        full = (some >= self._top).astype(np.uint32)
        self.saturated = full if self.saturated.size == 0 else self.saturated + full
        if self._before is None:
            self._before = some
        elif len(self._pairs) < _MOST_PAIRS:
            apart = some.astype(np.float32) - self._before
            apart -= apart.mean()
            self._pairs.append(clipped_rms(apart) ** 2 / 2)
            self._before = None

    def noise_adu2(self) -> float:
        """Variance of one frame."""
        return float(np.mean(self._pairs)) if self._pairs else 0.0

    def floor(self) -> tuple[float, float]:
        """The lowest code, and the share of samples that pile up there."""
        seen = np.flatnonzero(self._codes)
        if seen.size == 0:
            return 0.0, 0.0
        lowest = int(seen[0])
        count = int(self._codes[lowest])
        beside = int(self._codes[seen[1]]) if seen.size > 1 else 0
        piled = lowest == 0 or count > _PILED * beside
        return float(lowest), count / int(self._codes.sum()) if piled else 0.0
