"""The first subs of a stack, judged by their median: no sub comes first, so none is trusted first.

A running mean would never forget a trail in its first sub. The median of up to 7 subs is the reference they
are judged by; then they are read once more and stacked with their masks. In between they are held as
float16, in less memory than the sums will need, which are not touched before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import cv2
import numpy as np

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32
from starwell.stack.judge import Compared, Judge
from starwell.stack.ledger import Entry, pack, unpack
from starwell.stack.rejection import Rule, Scene, survey
from starwell.stack.ring import RING
from starwell.stack.running import BAND_ROWS, Added, RunningStack
from starwell.stack.trails import Trail

_LARGEST = 6e4
"""float16 ends at 65504; brighter is a saturated star."""

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
    ring = _Ring(stack, len(entries))
    for i, entry in enumerate(entries):
        ring.hold(i, reread(entry.number), entry)
    ring.settle()
    judged = [ring.judged(i, entry) for i, entry in enumerate(entries)]
    del ring
    added = []
    for entry, trails in judged:
        stack.restore(reread(entry.number), entry)
        masked = sum(unpack(mask).size for mask in entry.masks)
        added.append(Added(entry, masked / stack.sums.count.size, trails))
    stack.survey()
    return added


class _Ring:
    """The first subs as float16 deviations from one level per channel, and their median."""

    def __init__(self, stack: RunningStack, count: int) -> None:
        self._stack = stack
        channels = len(stack.channels)
        self._level = np.zeros(channels, np.float32)
        self._held = np.empty((count, channels, *stack.size), np.float16)
        self._median = np.empty((channels, *stack.size), np.float32)
        self._rules: list[list[Rule]] = []
        starts = range(0, stack.size[0], BAND_ROWS)
        bands = [(y, min(y + BAND_ROWS, stack.size[0])) for y in starts]
        self._tasks = [(channel, *rows) for rows in bands for channel in stack.channels]

    def hold(self, i: int, calibrated: Calibrated, entry: Entry) -> None:
        """Warp and keep a sub, not a number where it does not count."""
        stack = self._stack
        sub = stack.contribution(calibrated, entry)
        if i == 0:
            middle = stack.size[0] // 2
            for channel in stack.channels:
                band = sub.band(channel, middle, min(middle + 8, stack.size[0]), stack.scratch)
                self._level[channel] = np.median(band.y[band.ok == 1]) if band.ok.any() else 0

        def hold(task: tuple[int, int, int]) -> None:
            channel, y0, y1 = task
            _, y, ok, _ = sub.band(channel, y0, y1, stack.scratch)
            np.subtract(y, self._level[channel], out=y)
            np.clip(y, -_LARGEST, _LARGEST, out=y)
            np.copyto(y, np.nan, where=ok == 0)
            self._held[i, channel, y0:y1] = y

        stack.each(hold, [(channel, *rows) for rows in sub.bands() for channel in stack.channels])
        self._rules.append(stack.rules(sub, [_NO_SCENE] * len(stack.channels)))

    def settle(self) -> None:
        """The median of what is held, and the scene it shows."""

        def settle(task: tuple[int, int, int]) -> None:
            channel, y0, y1 = task
            self._median[channel, y0:y1] = median(self._held[:, channel, y0:y1].astype(np.float32))

        self._stack.each(settle, self._tasks)
        height, width = (n // 2 for n in self._stack.size)
        scenes = []
        for level, full in zip(self._level, self._median, strict=True):
            half = cv2.resize(full[: 2 * height, : 2 * width], (width, height), interpolation=cv2.INTER_AREA)
            np.nan_to_num(half, copy=False)
            scenes.append(survey(half + level, self._stack.fwhm_px))
        for rules in self._rules:
            rules[:] = [replace(rule, scene=scene) for rule, scene in zip(rules, scenes, strict=True)]

    def judged(self, i: int, entry: Entry) -> tuple[Entry, tuple[Trail, ...]]:
        """The entry with masks and scatter, and the trails of a held sub."""
        stack = self._stack
        judge = Judge(self._rules[i], stack.size, stack.fwhm_px)

        def compare(channel: int, y0: int, y1: int) -> Compared:
            held = self._held[i, channel, y0:y1].astype(np.float32)
            middle = self._median[channel, y0:y1]
            deviation = held - middle
            ok = np.isfinite(deviation).view(np.uint8)
            np.nan_to_num(deviation, copy=False)
            return Compared(deviation, middle + self._level[channel], None, ok)

        def band(task: tuple[int, int, int]) -> None:
            judge.band(compare(*task), task[0], task[1], stack.scratch)

        judge.measure_scatter(compare, stack.each)
        stack.each(band, self._tasks)
        trails = judge.trails()
        masks = [judge.masks(channel) for channel in stack.channels]
        if trails:
            under = np.unique(np.concatenate([trail.pixels(stack.size) for trail in trails]))
            for channel, held in enumerate(self._held[i]):
                counted = under[np.isfinite(held.reshape(-1)[under])]
                masks[channel] = np.union1d(masks[channel], counted)
        return replace(entry, masks=tuple(map(pack, masks)), scatter=judge.scatter), trails


def median(held: Float32) -> Float32:
    """Median along the first axis of what is finite; of two the lower one, else the middle two's mean.

    held (n, H, W) is sorted in place by exchanges of whole planes; not a number where nothing is.
    """
    missing = np.isnan(held)
    np.copyto(held, np.inf, where=missing)
    n = len(held)
    spare = np.empty_like(held[0])
    for last in range(n - 1, 0, -1):
        for k in range(last):
            np.minimum(held[k], held[k + 1], out=spare)
            np.maximum(held[k], held[k + 1], out=held[k + 1])
            held[k] = spare
    if not missing.any():
        return _middle(held, n)
    count = n - missing.sum(axis=0)
    out = np.full(held.shape[1:], np.nan, np.float32)
    for m in range(1, n + 1):
        np.copyto(out, _middle(held, m), where=count == m)
    return out


def _middle(ordered: Float32, n: int) -> Float32:
    low, high = ordered[(n - 1) // 2], ordered[n // 2]
    return low if n <= 2 else (low + high) / 2
