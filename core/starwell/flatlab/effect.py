"""What a flat is worth on frames it has never seen: the fixed pattern it leaves, without any noise model.

Two independent means A and B of held-out frames, corrected by one method, share their fixed pattern and not
their noise: FPN² = Cov(A, B) over the pixels of small cells (methods.md, section 2.3).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from starwell.flatlab.deficits import Bench
from starwell.frame import Float32, Float64, Mask, Planes

CELL_PX = 64
"""Side of the cells a plane is taken off from: what is wider than that is light, not pattern."""
S = TypeVar("S", np.float32, np.bool_)

TILES = 16
"""The bootstrap draws from TILES × TILES tiles."""

_DRAWS = 2000
_SEED = 20260101
_LEAST_CELL_PX = 8
_LEAST_DIVISOR = 0.05
"""A same-condition flat's pixel is not taken for darker than this: it would divide by nothing."""


class Method(StrEnum):
    """How a sub is flat-fielded."""

    NONE = "none"
    BRIGHT = "bright"
    SAME_CONDITION = "same_condition"
    HYBRID = "hybrid"
    ADDITIVE = "additive"


@dataclass(frozen=True, slots=True, eq=False)
class Corrections:
    """The maps of every method, H×W: a(x), the same-condition flat (e-, and its level), where the hybrid uses
    it, and b(x) in e-.
    """

    bright: Float32
    same_condition: tuple[Float32, float]
    flagged: Mask
    additive_e: Float32

    def corrected(self, method: Method, light_e: Float32, rows: slice) -> Float32:
        """Rows of dark-subtracted light as this method leaves them."""
        a = self.bright[rows]
        match method:
            case Method.NONE:
                return light_e
            case Method.BRIGHT:
                return light_e / a
            case Method.SAME_CONDITION:
                return light_e / self._divisor(rows)
            case Method.HYBRID:
                divisor: Float32 = np.where(self.flagged[rows], self._divisor(rows), a)
                return light_e / divisor
            case Method.ADDITIVE:
                return light_e / a + self.additive_e[rows]

    def _divisor(self, rows: slice) -> Float32:
        flat, level = self.same_condition
        divisor: Float32 = flat[rows] / np.float32(level)
        return np.maximum(divisor, np.float32(_LEAST_DIVISOR), out=divisor)


@dataclass(frozen=True, slots=True, eq=False)
class Effect:
    """One method's fixed pattern. by_tile: sums of FPN² and pixels of each tile, (2, tiles).

    flagged: rms error of the flagged pixels, relative; None where there are none.
    """

    by_tile: Float64
    flagged: float | None

    @property
    def variance(self) -> float:
        """FPN², relative to the sky; noise can bring it below 0."""
        return float(self.by_tile[0].sum() / self.by_tile[1].sum())

    @property
    def percent(self) -> float:
        """FPN in percent of the sky."""
        return 100 * float(np.sqrt(max(self.variance, 0.0)))

    def interval(self, part: float = 0.95) -> tuple[float, float]:
        """The bootstrap's interval of `percent`."""
        drawn = _drawn(self.by_tile)
        tail = (1 - part) / 2
        low, high = np.quantile(drawn, (tail, 1 - tail))
        return 100 * float(np.sqrt(max(low, 0))), 100 * float(np.sqrt(max(high, 0)))

    def depth(self, noise: float) -> float | None:
        """N*: subs of this relative noise at which the pattern equals what is left of it, undithered."""
        return noise**2 / self.variance if self.variance > 0 else None


Gain = tuple[float, float, float]
"""A part of the FPN that is taken away, and the ends of its interval."""


def improvement(before: Effect, after: Effect, part: float = 0.99) -> Gain:
    """How much of before's FPN after takes away, and the ends of the bootstrap's interval, 0..1.

    The same tiles are drawn for both.
    """
    old, new = (np.sqrt(np.maximum(_drawn(one.by_tile), 0)) for one in (before, after))
    gains = 1 - np.divide(new, old, out=np.ones_like(new), where=old > 0)
    tail = (1 - part) / 2
    low, high = np.quantile(gains, (tail, 1 - tail))
    base = before.percent
    return (1 - after.percent / base if base > 0 else 0.0), float(low), float(high)


def _drawn(by_tile: Float64) -> Float64:
    """FPN² of so many draws of the tiles with replacement; the same draws for every method."""
    count = by_tile.shape[1]
    chosen = np.random.default_rng(_SEED).integers(0, count, (_DRAWS, count))
    sums = by_tile[:, chosen].sum(axis=2)
    values: Float64 = sums[0] / sums[1]
    return values


Light = Callable[[slice], Float32]
"""Rows of a held-out mean, dark-subtracted, e-."""


def effects(
    bench: Bench,
    corrections: Corrections,
    pair: tuple[Light, Light],
) -> Mapping[Method, Effect]:
    """Every method on two independent means of the same light."""
    return {method: _effect(bench, corrections, pair, method) for method in Method}


def _effect(bench: Bench, corrections: Corrections, pair: tuple[Light, Light], method: Method) -> Effect:
    shape = bench.bright.shape
    planes = Planes.of(bench.facts)
    step = planes.planes[0].step
    cell = max(_LEAST_CELL_PX, min(CELL_PX, min(shape) // TILES)) // step
    sums: list[Float64] = []
    places: list[Float64] = []
    flagged_sum, flagged_count = 0.0, 0
    for y in range(0, shape[0] // (cell * step) * cell * step, cell * step):
        rows = slice(y, y + cell * step)
        corrected = [corrections.corrected(method, light(rows), rows) for light in pair]
        blind, flagged = bench.blind[rows], corrections.flagged[rows]
        for plane in planes.planes:
            a, b = (cells(planes.view(one, plane), cell) for one in corrected)
            seen = cells(~planes.view(blind, plane), cell)
            there = cells(planes.view(flagged, plane), cell) & seen
            uneven_a, uneven_b = uneven(a, seen), uneven(b, seen)
            product = np.where(seen, uneven_a * uneven_b, 0.0)
            free = np.maximum(seen.sum(axis=1) - 3, 1)
            sums.append(np.array([product.sum(axis=1), free], np.float64))
            x = (np.arange(len(a)) + 0.5) / len(a)
            places.append(np.array([np.full(len(a), y / shape[0]), x]))
            flagged_sum += float(product[there].sum())
            flagged_count += int(there.sum())
    rms = float(np.sqrt(max(flagged_sum, 0.0) / flagged_count)) if flagged_count else None
    return Effect(_tiled(np.concatenate(sums, axis=1), np.concatenate(places, axis=1)), rms)


def cells(view: NDArray[S], cell: int) -> NDArray[S]:
    """A band one cell high, as (cells, pixels); what is left at its end stays out."""
    count = view.shape[1] // cell
    part = view[:cell, : count * cell].reshape(cell, count, cell)
    return part.transpose(1, 0, 2).reshape(count, cell * cell)


def uneven(cells: Float32, seen: Mask) -> Float64:
    """How far pixels stray from their cell's plane, relative to its median."""
    values = cells.astype(np.float64)
    middle = np.median(values, axis=1, keepdims=True)
    rest: Float64 = np.where(seen, values / np.where(middle == 0, 1, middle) - 1, 0.0)
    rest -= rest.mean(axis=1, keepdims=True)
    side = round(cells.shape[1] ** 0.5)
    ramp = np.linspace(-1, 1, side)
    for slope in (np.repeat(ramp, side), np.tile(ramp, side)):
        slope /= np.linalg.norm(slope)
        rest -= (rest @ slope)[:, None] * slope
    return rest


def _tiled(sums: Float64, places: Float64) -> Float64:
    """The cells' sums by tile; as many tiles as there are cells, where these are fewer."""
    tile = (np.minimum((places * TILES).astype(int), TILES - 1) * np.array([[TILES], [1]])).sum(axis=0)
    _, index = np.unique(tile, return_inverse=True)
    return np.array([np.bincount(index, weights=one) for one in sums])
