"""One sub before the stack's mean: its scatter from sampled bands, its masks band by band, its trails."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Mask
from starwell.stack.contribution import Band
from starwell.stack.kernels import Indices, Scratch, clipped_rms
from starwell.stack.rejection import Deviation, Rule, outliers
from starwell.stack.scene import CELL, STAR_ADU, Scene
from starwell.stack.trails import BIN, Trail, find_trails
from starwell.threads import Each

SAMPLE_ROWS = 4
_MOST_SAMPLES = 12
"""In a turned field every height has a phase of its own, and the kernel leaves more or less noise at it."""

_FEWEST_PIXELS = 200
_SAMPLE_COLUMNS = 1500
"""So many columns of the sampled bands, at least, are enough."""

_STARLESS = 0.3
"""Sky is where the star term is below this part of sigma."""


_EVENED = (1 / np.sqrt(1 + 1 / np.maximum(np.arange(4096), 1))).astype(np.float32)
"""Sigma of a sub over that of its deviation from a mean of n subs, by n."""


class Compared(NamedTuple):
    """A band of a sub beside the mean: y - m, m, and how many subs m is of (None: m counts as exact).

    deviation: y - m in units of so many ADU, single precision or whole, contiguous. mean: m at band-flat
    pixels. counts: whether band-flat pixels are to be judged at all; the deviation of all others is 0.
    """

    deviation: Deviation
    unit_adu: float
    mean: Callable[[Indices], Float32]
    subs: NDArray[np.uint16] | None
    counts: Callable[[Indices], Mask]


def beside(band: Band, mean: Float32, subs: NDArray[np.uint16] | None, out: Float32) -> Compared:
    """A band of a sub beside these rows of a mean; out: for the deviation, may be the mean itself."""
    adu = 1 / band.weight
    cv2.addWeighted(band.q, adu, mean, -1, 0, dst=out)
    band.erase(out, 0)

    def before(flat: Indices) -> Float32:
        m: Float32 = band.q.reshape(-1).take(flat) * np.float32(adu) - out.reshape(-1).take(flat)
        return m

    return Compared(out, 1.0, before, subs, band.counts)


Compare = Callable[[int, int, int], Compared]
"""Channel, first and end row to a compared band."""


Found = dict[int, Indices]
"""A channel's outliers by the first row of their band, flat on the output."""


def sampled_from(height: int) -> list[int]:
    """The rows at which scatter is measured: the first of SAMPLE_ROWS each."""
    count = min(_MOST_SAMPLES, max(1, height // (2 * SAMPLE_ROWS)))
    return [(2 * i + 1) * height // (2 * count) // 2 * 2 for i in range(count)]


class Judge:
    """Judges one sub on a stack of this size; rules: one per channel."""

    def __init__(self, rules: list[Rule], size: tuple[int, int], fwhm_px: float) -> None:
        self.rules = rules
        self._found: list[Found] = [{} for _ in rules]
        self._size = size
        self._fwhm_px = fwhm_px
        self._binned = np.zeros((len(rules), *(n // BIN for n in size)), np.float32)
        """The deviation in units of its sigma, averaged over BIN×BIN px, 0 on stars."""
        self._limits: dict[tuple[int, int], Deviation] = {}

    @property
    def scatter(self) -> tuple[float, ...]:
        """The scalar each channel's model sigma is multiplied by."""
        return tuple(rule.scatter for rule in self.rules)

    def measure_scatter(self, compare: Compare, each: Each) -> None:
        """Set each rule's scatter: 4-sigma-clipped rms of D/sigma on starless pixels of up to 12 bands."""
        height = self._size[0]
        starts = sampled_from(height)
        for channel, rule in enumerate(self.rules):

            def sample(y0: int, channel: int = channel, rule: Rule = rule) -> Float32:
                y1 = min(y0 + SAMPLE_ROWS, height)
                return _sky(compare(channel, y0, y1), y0, rule)

            z = np.concatenate(each(sample, starts))
            scatter = clipped_rms(z) if z.size >= _FEWEST_PIXELS else 1.0
            self.rules[channel] = replace(rule, scatter=scatter if scatter > 0 else 1.0)
        self._limits = {}

    def band(self, compared: Compared, channel: int, y0: int, scratch: Scratch) -> Indices:
        """The band's outliers as sorted band-flat indices; remembers them, and its binned deviation."""
        deviation, unit_adu, mean, subs, counts = compared
        self._bin(deviation, unit_adu, channel, y0, scratch)
        limit = self._limit(compared, channel, y0)
        found = outliers(deviation, unit_adu, mean, subs, y0, self.rules[channel], limit, scratch)
        found = found[counts(found)]
        self._found[channel][y0] = found + y0 * self._size[1]
        return found

    def _limit(self, compared: Compared, channel: int, y0: int) -> Deviation:
        """Above what the columns of a band can be outliers, in the deviation's units; worked out for all."""
        (height, width), first = compared.deviation.shape, y0 // CELL
        cells = -(-height // CELL)
        # a last band may begin at no multiple of its own height
        starts = range(0, -(-self._size[0] // CELL), cells) if first % cells == 0 else [first]
        limits = self._limits.get((channel, cells))
        if limits is None or len(limits) != len(starts):
            rule = self.rules[channel]
            limits = rule.first_limits(compared.deviation.dtype, compared.unit_adu, starts)
            self._limits[channel, cells] = limits
        limit: Deviation = limits[starts.index(first), :width]
        return limit

    def _bin(self, deviation: Deviation, unit_adu: float, channel: int, y0: int, scratch: Scratch) -> None:
        rows, width = (n // BIN for n in deviation.shape)
        if not (rows and width):
            return
        kind = deviation.dtype
        half = scratch.take("half", (2 * rows, 2 * width), kind)
        binned = self._binned[channel, y0 // BIN : y0 // BIN + rows]
        quarter = binned if kind == binned.dtype else scratch.take("quarter", binned.shape, kind)
        # Halved twice: OpenCV is three times faster at that than at averaging 4×4.
        for source, target in ((deviation[: rows * BIN, : width * BIN], half), (half, quarter)):
            cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)
        if quarter is not binned:
            np.multiply(quarter, np.float32(unit_adu), out=binned)

    def masks(self, channel: int) -> Indices:
        """All outliers so far, sorted flat indices of the output."""
        bands = [self._found[channel][y0] for y0 in sorted(self._found[channel])]
        return np.concatenate([np.empty(0, np.int64), *bands])

    def trails(self, counts: NDArray[np.uint16] | None, each: Each) -> tuple[Trail, ...]:
        """Straight lines in the deviation of all channels together; the last that is asked of it.

        counts: of the mean with this sub in it; None where it is one of many subs.
        """
        tasks = []
        for channel, (rule, binned) in enumerate(zip(self.rules, self._binned, strict=True)):
            scale = _per_bin(rule, None if counts is None else counts[channel])
            rows = range(0, len(binned), _ROWS_AT_ONCE)
            tasks += [(rule.scene, scale, binned, y, min(y + _ROWS_AT_ONCE, len(binned))) for y in rows]
        each(_to_sigmas, tasks)
        together, *others = self._binned
        for channel in others:
            together += channel
        return tuple(find_trails(together, self._fwhm_px))


_ROWS_AT_ONCE = 128
"""Of bins."""

_UNEVEN = 0.97
"""Where cells hold so much less than those beside them they are the edge of some subs: no lines are there."""


def _per_bin(rule: Rule, counts: NDArray[np.uint16] | None) -> tuple[Float32, NDArray[np.uint16]]:
    """Per cell 1/sigma of D, with the noise of a mean of few subs evened out, and the largest star term."""
    sigma = np.sqrt(rule.noise.variance(rule.scene.low))
    inverse = np.divide(1, sigma, out=np.zeros_like(sigma), where=sigma > 0)
    if counts is not None:
        corners = np.pad(counts[::CELL, ::CELL], ((0, 1), (0, 1)), mode="edge").astype(np.int64) - 1
        evened = _EVENED.take(corners, mode="clip")
        around = [evened[i:, j:][: len(sigma), : sigma.shape[1]] for i in (0, 1) for j in (0, 1)]
        most = np.maximum.reduce(around)
        inverse *= most * (np.minimum.reduce(around) >= _UNEVEN * most)
    return inverse, np.minimum(sigma / STAR_ADU, 65535).astype(np.uint16)


def _sky(compared: Compared, y0: int, rule: Rule) -> Float32:
    """D/sigma of starless pixels that count; a pixel that is its own reference (0) says nothing."""
    width = compared.deviation.shape[1]
    every = max(1, width // _SAMPLE_COLUMNS)
    deviation = compared.deviation[:, ::every]
    subs = None if compared.subs is None else compared.subs[:, ::every]
    y, x = np.arange(len(deviation))[:, None], every * np.arange(deviation.shape[1])
    variance, star = rule.variance(y0 + y, x, compared.mean(y * width + x), subs)
    sky = (deviation != 0) & (star < _STARLESS**2 * variance)
    z: Float32 = np.float32(compared.unit_adu) * deviation[sky] / np.sqrt(variance[sky])
    return z[np.isfinite(z)]


def _to_sigmas(task: tuple[Scene, tuple[Float32, NDArray[np.uint16]], Float32, int, int]) -> None:
    """Rows first … end of the binned deviation in sigmas; 0 on stars."""
    scene, (inverse, limit), whole, first, end = task
    binned = whole[first:end]
    per_cell, per_star = CELL // BIN, BIN // 2
    cells = np.s_[first // per_cell : -(-end // per_cell)]

    def spread(cells: NDArray[Any]) -> NDArray[Any]:
        size = (per_cell * cells.shape[1], per_cell * len(cells))
        fine: NDArray[Any] = cv2.resize(cells, size, interpolation=cv2.INTER_NEAREST)
        return fine[: len(binned), : binned.shape[1]]

    np.multiply(binned, spread(inverse[cells]), out=binned)
    star = scene.star[per_star * first + BIN // 4 :: per_star, BIN // 4 :: per_star]
    star = star[: len(binned), : binned.shape[1]]
    np.multiply(binned, star < spread(limit[cells]), out=binned)
    cv2.patchNaNs(binned, 0)
