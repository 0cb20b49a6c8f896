"""The first subs of a stack, judged by their median: no sub comes first, so none is trusted first.

A running mean would never forget a trail in its first sub. The median of up to 7 subs is the reference they
are judged by; then they are read once more and stacked with their masks. In between they are held as
16-bit whole numbers, in the memory of the sums, which are still empty.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32
from starwell.stack.contribution import Contribution
from starwell.stack.judge import Compared, Judge
from starwell.stack.kernels import distinct, flat_true
from starwell.stack.ledger import Entry, pack, unpack
from starwell.stack.rejection import Rule, Scene, survey
from starwell.stack.ring import RING
from starwell.stack.running import BAND_ROWS, Added, RunningStack
from starwell.stack.trails import Trail

Held = NDArray[np.int16]

MISSING = -32768
"""Where a held sub has nothing."""

STEPS_PER_SIGMA = 8
"""Rounding to an eighth of sigma adds 0.07 % to it and leaves 4096 sigma of range."""

_MEDIAN_ROWS = 32
"""Seven planes of so many rows still fit the second-level cache."""

_NO_SCENE = Scene(np.zeros((1, 1), np.float16), np.zeros((1, 1), np.float32))

Reread = Callable[[int], Calibrated]
"""A sub's number to the calibrated sub, the same every time."""


def start(stack: RunningStack, entries: Sequence[Entry], reread: Reread) -> list[Added]:
    """Begin a stack with up to 7 subs; every one is read twice. PlanError with more, or when it has begun."""
    if stack.stacked or not 1 <= len(entries) <= RING:
        raise PlanError(
            f"A stack begins empty and with 1 to {RING} subs, not {len(entries)}; clear it first."
        )
    if not stack.reject:
        return [stack.add(reread(entry.number), entry) for entry in entries]
    try:
        judged = _judged_by_median(stack, entries, reread)
    finally:
        stack.sums.clear()  # the ring was kept there
    added = []
    for entry, trails in judged:
        stack.restore(reread(entry.number), entry)
        masked = sum(unpack(mask).size for mask in entry.masks)
        added.append(Added(entry, masked / stack.sums.count.size, trails))
    stack.survey()
    return added


def _judged_by_median(
    stack: RunningStack, entries: Sequence[Entry], reread: Reread
) -> list[tuple[Entry, tuple[Trail, ...]]]:
    ring = _Ring(stack, len(entries))
    for i, entry in enumerate(entries):
        ring.hold(i, reread(entry.number), entry)
    ring.settle()
    return [ring.judged(i, entry) for i, entry in enumerate(entries)]


class _Ring:
    """The first subs as whole eighths of their sky noise above one level per channel, and their median."""

    def __init__(self, stack: RunningStack, count: int) -> None:
        self._stack = stack
        channels = len(stack.channels)
        self._level = np.zeros(channels)
        self._step = np.ones(channels)
        self._held = stack.sums.lend()[:count]
        self._median = np.empty((channels, *stack.size), np.int16)
        self._rules: list[list[Rule]] = []
        starts = range(0, stack.size[0], BAND_ROWS)
        bands = [(y, min(y + BAND_ROWS, stack.size[0])) for y in starts]
        self._tasks = [(channel, *rows) for rows in bands for channel in stack.channels]

    def hold(self, i: int, calibrated: Calibrated, entry: Entry) -> None:
        """Warp and keep a sub, MISSING where it does not count."""
        stack = self._stack
        sub = stack.contribution(calibrated, entry)
        self._rules.append(stack.rules(sub, [_NO_SCENE] * len(stack.channels)))
        if i == 0:
            for channel in stack.channels:
                self._set_scale(sub, channel)

        def hold(task: tuple[int, int, int]) -> None:
            channel, y0, y1 = task
            band = sub.band(channel, y0, y1, stack.scratch)
            scale, held = 1 / self._step[channel], self._held[i][channel, y0:y1]
            # Rounds, and what lies beyond 16 bits stops at their ends.
            cv2.addWeighted(band.y, scale, band.y, 0, -scale * self._level[channel], held, cv2.CV_16S)
            band.erase(held, MISSING)

        stack.each(hold, [(channel, *rows) for rows in sub.bands() for channel in stack.channels])

    def _set_scale(self, sub: Contribution, channel: int) -> None:
        """Level and step of a channel, from the middle rows of the first sub."""
        middle = self._stack.size[0] // 2
        band = sub.band(channel, middle, min(middle + 8, self._stack.size[0]), self._stack.scratch)
        seen = band.y[band.reach.inner]
        level = float(np.median(seen)) if seen.size else 0.0
        variance = self._rules[0][channel].noise.variance(np.full(1, level, np.float32), ...)
        self._level[channel] = level
        self._step[channel] = math.sqrt(float(np.median(variance))) / STEPS_PER_SIGMA

    def settle(self) -> None:
        """The median of what is held, and the scene it shows."""

        def settle(task: tuple[int, int, int]) -> None:
            channel, y0, y1 = task
            for y in range(y0, y1, _MEDIAN_ROWS):
                rows = np.s_[channel, y : min(y + _MEDIAN_ROWS, y1)]
                self._median[rows] = median(np.stack([held[rows] for held in self._held]))

        self._stack.each(settle, self._tasks)
        half = (self._stack.size[0] // 2, self._stack.size[1] // 2)
        for channel in self._stack.channels:
            scene = survey(partial(self._half_rows, channel), half, self._stack.fwhm_px)
            for rules in self._rules:
                rules[channel] = replace(rules[channel], scene=scene)

    def _half_rows(self, channel: int, y0: int, y1: int) -> Float32:
        """Rows of the median at half resolution in ADU; the level where nothing is."""
        width = self._stack.size[1] // 2
        rows = self._median[channel, 2 * y0 : 2 * y1, : 2 * width]
        full = self._stack.scratch.take("work", rows.shape)
        np.copyto(full, rows)
        np.copyto(full, 0, where=rows == MISSING)
        half: Float32 = cv2.resize(full, (width, y1 - y0), interpolation=cv2.INTER_AREA)
        half *= np.float32(self._step[channel])
        half += np.float32(self._level[channel])
        return half

    def compared(self, i: int, channel: int, y0: int, y1: int) -> Compared:
        """A band of a held sub beside the median."""
        held, middle = self._held[i][channel, y0:y1], self._median[channel, y0:y1]
        take = self._stack.scratch.take
        deviation, mean = take("deviation", held.shape), take("mean", held.shape)
        np.copyto(mean, middle)
        cv2.subtract(held, middle, dst=deviation, dtype=cv2.CV_32F)
        step, level = np.float32(self._step[channel]), np.float32(self._level[channel])
        np.multiply(deviation, step, out=deviation)
        np.multiply(mean, step, out=mean)
        np.add(mean, level, out=mean)
        missing = np.equal(held, MISSING, out=take("missing", held.shape, np.bool_))
        np.copyto(deviation, 0, where=missing)
        return Compared(deviation, mean, None, lambda flat: ~missing.reshape(-1)[flat])

    def judged(self, i: int, entry: Entry) -> tuple[Entry, tuple[Trail, ...]]:
        """The entry with masks and scatter, and the trails of a held sub."""
        stack = self._stack
        judge = Judge(self._rules[i], stack.size, stack.fwhm_px)

        def band(task: tuple[int, int, int]) -> None:
            judge.band(self.compared(i, *task), task[0], task[1], stack.scratch)

        judge.measure_scatter(partial(self.compared, i), stack.each)
        stack.each(band, self._tasks)
        trails = judge.trails()
        masks = [judge.masks(channel) for channel in stack.channels]
        if trails:
            under = distinct(*(trail.pixels(stack.size) for trail in trails))
            for channel, held in enumerate(self._held[i]):
                counted = under[held.reshape(-1)[under] != MISSING]
                masks[channel] = distinct(masks[channel], counted)
        return replace(entry, masks=tuple(map(pack, masks)), scatter=judge.scatter), trails


def median(held: Held) -> Held:
    """Median along the first axis of what is not MISSING; of two the lower one, else the middle two's mean.

    held (n, H, W) is overwritten; MISSING where nothing is.
    """
    if len(held) != RING:
        return _median_of_some(held)
    lowest = np.minimum.reduce(held, axis=0)
    lacking = flat_true(lowest == MISSING)
    some = held.reshape(RING, -1)[:, lacking][:, None]
    planes, spare = list(held), lowest
    for a, b in _MEDIAN_OF_SEVEN:
        np.minimum(planes[a], planes[b], out=spare)
        np.maximum(planes[a], planes[b], out=planes[b])
        planes[a], spare = spare, planes[a]
    out: Held = planes[RING // 2]
    out.reshape(-1)[lacking] = _median_of_some(some)
    return out


_MEDIAN_OF_SEVEN = (
    *((0, 5), (0, 3), (1, 6), (2, 4), (0, 1), (3, 5), (2, 6), (2, 3)),
    *((3, 6), (4, 5), (1, 4), (1, 3), (3, 4)),
)
"""Exchanges after which the middle one of seven is in its place (J. L. Smith, XRT, 1996)."""


def _median_of_some(held: Held) -> Held:
    """The same for any number of planes, which are sorted in place by exchanges."""
    n = len(held)
    missing = np.count_nonzero(held == MISSING, axis=0)
    spare = np.empty_like(held[0])
    for last in range(n - 1, 0, -1):
        for k in range(last):
            np.minimum(held[k], held[k + 1], out=spare)
            np.maximum(held[k], held[k + 1], out=held[k + 1])
            held[k] = spare
    out = _middle(held, 0)
    for gone in range(1, n) if missing.any() else ():
        np.copyto(out, _middle(held, gone), where=missing == gone)
    np.copyto(out, MISSING, where=missing == n)
    return out


def _middle(ordered: Held, missing: int) -> Held:
    """The median of the planes from `missing` on."""
    n = len(ordered) - missing
    low, high = ordered[missing + (n - 1) // 2], ordered[missing + n // 2]
    middle: Held = low.copy() if n <= 2 or n % 2 else ((low.astype(np.int32) + high) // 2).astype(np.int16)
    return middle
