"""One sub before the stack's mean: its scatter from sampled bands, its masks band by band, its trails."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Mask
from starwell.stack.kernels import Indices, Scratch, clipped_rms
from starwell.stack.rejection import CELL, STAR_ADU, Rule, outliers
from starwell.stack.trails import BIN, Trail, find_trails

SAMPLE_ROWS = 8
_MOST_SAMPLES = 8
_FEWEST_PIXELS = 200
_SAMPLE_COLUMNS = 1000
"""So many columns of the sampled bands, at least, are enough."""

_STARLESS = 0.3
"""Sky is where the star term is below this part of sigma."""


_EVENED = (1 / np.sqrt(1 + 1 / np.maximum(np.arange(4096), 1))).astype(np.float32)
"""Sigma of a sub over that of its deviation from a mean of n subs, by n."""


class Compared(NamedTuple):
    """A band of a sub beside the mean: y - m, m, and how many subs m is of (None: m counts as exact).

    mean: m where asked for, by an index into the band. counts: whether pixels, band-flat, are to be judged
    at all; the deviation of all others is 0.
    """

    deviation: Float32
    mean: Callable[[Any], Float32]
    subs: NDArray[np.uint16] | None
    counts: Callable[[Indices], Mask]


Compare = Callable[[int, int, int], Compared]
"""Channel, first and end row to a compared band."""


class Each(Protocol):
    """Runs work on every item, in threads; results in order."""

    def __call__(self, work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
        """Run."""


Found = dict[int, Indices]
"""A channel's outliers by the first row of their band, flat on the output."""


def binned_shape(channels: int, size: tuple[int, int]) -> tuple[int, int, int]:
    """Of the binned deviation of subs of this size."""
    return channels, size[0] // BIN, size[1] // BIN


class Judge:
    """Judges one sub on a stack of this size; rules: one per channel.

    binned: where its binned deviation is put, which is 0 before.
    """

    def __init__(
        self, rules: list[Rule], size: tuple[int, int], fwhm_px: float, binned: Float32 | None = None
    ) -> None:
        self.rules = rules
        self.found: list[Found] = [{} for _ in rules]
        self._size = size
        self._fwhm_px = fwhm_px
        self._binned = np.zeros(binned_shape(len(rules), size), np.float32) if binned is None else binned
        """The deviation in units of its sigma, averaged over BIN×BIN px, 0 on stars."""

    def join(self, found: list[Found]) -> None:
        """Know of outliers that another judge of this sub found, in the same binned deviation."""
        for mine, theirs in zip(self.found, found, strict=True):
            mine.update(theirs)

    @property
    def scatter(self) -> tuple[float, ...]:
        """The scalar each channel's model sigma is multiplied by."""
        return tuple(rule.scatter for rule in self.rules)

    def measure_scatter(self, compare: Compare, each: Each) -> None:
        """Set each rule's scatter: 4-sigma-clipped rms of D/sigma on starless pixels of up to 8 bands."""
        height = self._size[0]
        count = min(_MOST_SAMPLES, max(1, height // (2 * SAMPLE_ROWS)))
        starts = [(2 * i + 1) * height // (2 * count) // 2 * 2 for i in range(count)]
        for channel, rule in enumerate(self.rules):

            def sample(y0: int, channel: int = channel, rule: Rule = rule) -> Float32:
                y1 = min(y0 + SAMPLE_ROWS, height)
                return _sky(compare(channel, y0, y1), y0, rule)

            z = np.concatenate(each(sample, starts))
            scatter = clipped_rms(z) if z.size >= _FEWEST_PIXELS else 1.0
            self.rules[channel] = replace(rule, scatter=scatter if scatter > 0 else 1.0)

    def band(self, compared: Compared, channel: int, y0: int, scratch: Scratch) -> Indices:
        """The band's outliers as sorted band-flat indices; remembers them, and its binned deviation."""
        deviation, mean, subs, counts = compared
        self._bin(deviation, subs, channel, y0, scratch)
        found = outliers(deviation, mean, subs, y0, self.rules[channel], scratch)
        found = found[counts(found)]
        self.found[channel][y0] = found + y0 * self._size[1]
        return found

    def _bin(
        self,
        deviation: Float32,
        subs: NDArray[np.uint16] | None,
        channel: int,
        y0: int,
        scratch: Scratch,
    ) -> None:
        """Keep D binned, with the noise of a mean of few subs, as at the edges, evened out."""
        rows, width = (n // BIN for n in deviation.shape)
        if not (rows and width):
            return
        half = scratch.take("half", (2 * rows, 2 * width))
        binned = self._binned[channel, y0 // BIN : y0 // BIN + rows]
        # Halved twice: OpenCV is three times faster at that than at averaging 4×4.
        for source, target in ((deviation[: rows * BIN, : width * BIN], half), (half, binned)):
            cv2.resize(source, target.shape[::-1], dst=target, interpolation=cv2.INTER_AREA)
        if subs is not None:
            few = subs[BIN // 2 :: BIN, BIN // 2 :: BIN][:rows, :width]
            np.multiply(binned, _EVENED.take(few, mode="clip"), out=binned)
        _to_sigmas(binned, y0 // BIN, self.rules[channel])

    def masks(self, channel: int) -> Indices:
        """All outliers so far, sorted flat indices of the output."""
        bands = [self.found[channel][y0] for y0 in sorted(self.found[channel])]
        return np.concatenate([np.empty(0, np.int64), *bands])

    def trails(self) -> tuple[Trail, ...]:
        """Straight lines in the deviation of all channels together; the last that is asked of it."""
        together, *others = self._binned
        for channel in others:
            together += channel
        return tuple(find_trails(together, self._fwhm_px))


def _sky(compared: Compared, y0: int, rule: Rule) -> Float32:
    """D/sigma of starless pixels that count; a pixel that is its own reference (0) says nothing."""
    every = max(1, compared.deviation.shape[1] // _SAMPLE_COLUMNS)
    deviation, mean = compared.deviation[:, ::every], compared.mean(np.s_[:, ::every])
    subs = None if compared.subs is None else compared.subs[:, ::every]
    y, x = y0 + np.arange(len(deviation))[:, None], every * np.arange(deviation.shape[1])
    variance, star = rule.variance(y, x, mean, subs)
    sky = (deviation != 0) & (star < _STARLESS**2 * variance)
    z: Float32 = deviation[sky] / np.sqrt(variance[sky])
    return z[np.isfinite(z)]


def _to_sigmas(binned: Float32, first: int, rule: Rule) -> None:
    """Divide rows of the binned deviation, from row `first` on, by sigma; 0 on stars."""
    per_cell, per_star = CELL // BIN, BIN // 2
    ny, nx = binned.shape
    cells = slice(first // per_cell, -(-(first + ny) // per_cell))
    sigma = np.sqrt(rule.noise.variance(rule.scene.low[cells], cells))

    def spread(cells: NDArray[Any]) -> NDArray[Any]:
        return np.repeat(np.repeat(cells, per_cell, axis=1), per_cell, axis=0)[:ny, :nx]

    np.divide(binned, spread(sigma), out=binned)
    star = rule.scene.star[per_star * first + BIN // 4 :: per_star, BIN // 4 :: per_star][:ny, :nx]
    starless = star < spread(np.minimum(sigma / STAR_ADU, 65535).astype(np.uint16))
    np.multiply(binned, starless, out=binned)
    cv2.patchNaNs(binned, 0)
