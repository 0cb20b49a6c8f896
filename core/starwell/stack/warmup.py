"""The first subs of a stack, judged by their median: no sub comes first, so none is trusted first.

A running mean would never forget a trail in its first sub. The median of up to 7 subs is the reference they
are judged by; until then they are held, and what is held then makes the sums, so that every sub is read
once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import cv2
import numpy as np

from starwell.calibration.calibrate import Calibrated
from starwell.errors import PlanError
from starwell.frame import Float32
from starwell.heap import give_back
from starwell.stack.contribution import Band, Contribution
from starwell.stack.held import BLOCK_ROWS, MISSING, Block, Grid, HeldSubs, Steps
from starwell.stack.judge import SAMPLE_ROWS, Compared, Judge, sampled_from
from starwell.stack.kernels import Indices, Scratch, distinct
from starwell.stack.ledger import Entry, State, pack
from starwell.stack.median import median
from starwell.stack.reach import Cover, within
from starwell.stack.rejection import Rule
from starwell.stack.ring import RING
from starwell.stack.running import Added, RunningStack
from starwell.stack.scene import Scene, survey
from starwell.stack.sums import Left
from starwell.stack.trails import Trail

STEPS_PER_SIGMA = 16
"""Rounding to a sixteenth of sigma adds 0.02 % to it and leaves 2048 sigma of range."""

_MEDIAN_ROWS = 32
"""Seven planes of so many rows still fit the second-level cache."""

_NO_SCENE = Scene(np.zeros((1, 1), np.uint16), np.zeros((1, 1), np.float32))

Reread = Callable[[int], Calibrated]
"""A sub's number to the calibrated sub, the same every time."""


def start(
    stack: RunningStack, entries: Sequence[Entry], reread: Reread, room: Float32 | None = None
) -> list[Added]:
    """Begin a stack with up to 7 subs; every one is read once. PlanError with more, or when it has begun.

    Their entries come back with the grid they were rounded to. room: where subs are reread into, free after
    the last of them; the median is kept there if it fits.
    """
    if stack.stacked or not 1 <= len(entries) <= RING:
        raise PlanError(
            f"A stack begins empty and with 1 to {RING} subs, not {len(entries)}; clear it first."
        )
    if not stack.reject:
        return [stack.add(reread(entry.number), entry) for entry in entries]
    try:
        ring = _Ring(stack, len(entries))
        for i, entry in enumerate(entries):
            ring.hold(i, reread(entry.number), entry)
        added = ring.stacked(room)
    except BaseException:
        stack.sums.clear()  # the ring was kept there
        raise
    del ring
    give_back()
    return added


class _Ring:
    """The first subs, held, and their median."""

    def __init__(self, stack: RunningStack, count: int) -> None:
        self._stack = stack
        self._scratch = Scratch()
        """Buffers that are of no use to the stack afterwards."""
        self._held = HeldSubs(stack.sums, count)
        self._median: Steps
        self._grid: Grid = ()
        self._subs: list[Contribution] = []
        self._rules: list[list[Rule]] = []
        self._covers: list[dict[Block, Cover]] = []

    def hold(self, i: int, calibrated: Calibrated, entry: Entry) -> None:
        """Warp and keep a sub."""
        stack = self._stack
        sub = stack.contribution(calibrated, entry)
        self._rules.append(stack.rules(sub, [_NO_SCENE] * len(stack.channels)))
        if i == 0:
            self._grid = tuple(self._grid_of(sub, channel) for channel in stack.channels)
        sub.entry = replace(entry, grid=self._grid)

        def hold(task: Block) -> None:
            band = sub.steps(*task, stack.scratch)
            self._held.write(i, task[0], band, self._scratch)

        stack.each(hold, [(channel, *rows) for rows in sub.bands() for channel in stack.channels])
        sub.calibrated = replace(calibrated, pixels=calibrated.pixels[..., :0, :0])
        self._subs.append(sub)
        covers = [sub.covers(channel, BLOCK_ROWS) for channel in stack.channels]
        self._covers.append({block: covers[block[0]][block[1] // BLOCK_ROWS] for block in self._held.blocks})

    def _grid_of(self, sub: Contribution, channel: int) -> tuple[float, float]:
        """Level and step of a channel, from the middle rows of the first sub."""
        middle = self._stack.size[0] // 2
        band = sub.band(channel, middle, min(middle + 8, self._stack.size[0]), self._stack.scratch)
        seen = band.q[band.cover.reach.inner]
        level = float(np.median(seen)) / band.weight if seen.size else 0.0
        variance = self._rules[0][channel].noise.variance(np.full(1, level, np.float32))
        return level, math.sqrt(float(np.median(variance))) / STEPS_PER_SIGMA

    def stacked(self, room: Float32 | None) -> list[Added]:
        """Judge all of them by their median, then make the stack of them; room: as start has it."""
        stack = self._stack
        self._median = _placed((len(stack.channels), *stack.size), room)
        self._settle()
        judged = [found for group in _pairs(len(self._subs)) for found in self._judged(group)]
        masks = [found for found, *_ in judged]
        del self._median
        lefts = stack.each(partial(self._pour, masks), self._held.blocks)
        by_channel = sorted(range(len(lefts)), key=self._held.blocks.__getitem__)
        added = []
        for i, (sub, (masked, scatter, trails)) in enumerate(zip(self._subs, judged, strict=True)):
            stack.leave(sub, [lefts[k][i] for k in by_channel])
            stack.counted(sub, masked, [rule.noise for rule in self._rules[i]], 1)
            entry = replace(sub.entry, masks=tuple(map(pack, masked)), scatter=scatter, state=State.STACKED)
            added.append(Added(entry, sum(m.size for m in masked) / stack.sums.masked.size, trails))
        stack.begin([rule.scene for rule in self._rules[0]])
        return added

    def _settle(self) -> None:
        """The median of what is held, and the scene it shows."""

        def settle(block: Block) -> None:
            channel, y0, y1 = block
            planes = self._held.planes(block)
            for y in range(0, y1 - y0, _MEDIAN_ROWS):
                rows = slice(y, min(y + _MEDIAN_ROWS, y1 - y0))
                part = [plane[rows] for plane in planes]
                median(part, self._median[channel, y0:y1][rows], self._scratch)

        self._stack.each(settle, self._held.blocks)
        for channel in self._stack.channels:
            rows, stars = partial(self._half_rows, channel), self._stack.stars[channel]
            scene = survey(rows, stars, self._stack.fwhm_px, self._stack.each)
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
        level, step = self._grid[channel]
        half *= np.float32(step)
        half += np.float32(level)
        return half

    def _compared(self, i: int, channel: int, y0: int, y1: int) -> Compared:
        """Rows of a held sub beside the median, those up to the end of a block."""
        block = self._held.block_of(channel, y0)
        y1 = min(y1, block[2])
        held = self._held.planes(block)[i][y0 - block[1] : y1 - block[1]]
        middle, (level, step) = self._median[channel, y0:y1], self._grid[channel]
        deviation = self._stack.scratch.take("steps apart", held.shape, np.int16)
        cv2.subtract(held, middle, dst=deviation)
        here = (channel, y0, y1)
        cover = self._covers[i].get(here) or self._subs[i].cover(*here)
        band = Band(y0, deviation, 0, cover)
        band.erase(deviation, 0)

        def mean(flat: Indices) -> Float32:
            m: Float32 = middle.reshape(-1).take(flat) * np.float32(step) + np.float32(level)
            return m

        return Compared(deviation, step, mean, None, band.counts)

    def _judged(
        self, group: Sequence[int]
    ) -> Iterator[tuple[list[Indices], tuple[float, ...], tuple[Trail, ...]]]:
        """The masks, scatter and trails of these subs."""
        stack = self._stack
        judges = [Judge(self._rules[i], stack.size, stack.fwhm_px) for i in group]
        for i, judge in zip(group, judges, strict=True):
            self._subs[i].foresee(sampled_from(stack.size[0]), SAMPLE_ROWS)
            judge.measure_scatter(partial(self._compared, i), stack.each)

        def judge_block(task: tuple[int, Judge, Block]) -> None:
            i, judge, block = task
            judge.band(self._compared(i, *block), block[0], block[1], stack.scratch)

        tasks = [(i, j, block) for block in self._held.blocks for i, j in zip(group, judges, strict=True)]
        stack.each(judge_block, tasks)
        trails = stack.each(lambda judge: judge.trails(None, _one_by_one), judges)
        for i, judge, found in zip(group, judges, trails, strict=True):
            under = distinct(*(trail.pixels(stack.size) for trail in found)) if found else None
            yield [self._masked(i, judge, channel, under) for channel in stack.channels], judge.scatter, found

    def _masked(self, i: int, judge: Judge, channel: int, under: Indices | None) -> Indices:
        masks = judge.masks(channel)
        return masks if under is None else distinct(masks, self._stack.crossed(self._subs[i], channel, under))

    def _pour(self, masks: list[list[Indices]], block: Block) -> list[Left]:
        """Replace what a block holds by its sums; per sub what is yet to change."""
        channel, y0, y1 = block
        width, scratch = self._stack.size[1], self._stack.scratch
        lefts = []
        for i, plane in enumerate(self._held.taken(block, self._scratch)):
            sub = self._subs[i]
            weight = sub.weight[channel]
            q = self._held.pixels(i, block, plane, self._grid, weight, scratch)
            band = Band(y0, q, weight, self._covers[i][block])
            masked = within(masks[i][channel], y0 * width, y1 * width)
            lefts.append(self._stack.sums.settle(sub, channel, band, masked, 1))
        return lefts


def _one_by_one(work: Callable[[Any], Any], items: Iterable[Any]) -> list[Any]:
    return [work(item) for item in items]


def _placed(shape: tuple[int, ...], room: Float32 | None) -> Steps:
    """An array of steps in the room's memory, or of its own where it does not fit."""
    size = math.prod(shape)
    if room is None or 2 * room.size < size:
        return np.empty(shape, np.int16)
    return room.reshape(-1).view(np.int16)[:size].reshape(shape)


def _pairs(count: int) -> list[range]:
    return [range(i, min(i + 2, count)) for i in range(0, count, 2)]
