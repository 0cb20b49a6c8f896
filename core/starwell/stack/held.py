"""The first subs of a stack, kept as 16-bit whole numbers in the memory of the sums, which are still empty.

Every block of rows holds its seven planes where its own sums will be, so that block by block they can be
replaced by these.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, flat_true
from starwell.stack.contribution import Band
from starwell.stack.kernels import Indices, Scratch, distinct, whole_of_steps
from starwell.stack.sums import Accumulators

Steps = NDArray[np.int16]
Grid = tuple[tuple[float, float], ...]
Block = tuple[int, int, int]
"""Channel, first and end row."""

MISSING = -32768
"""Where a held sub has nothing."""

MOST = 16383
"""What two of them differ by fits 16 bits."""

BLOCK_ROWS = 128


class _Aside(NamedTuple):
    """Pixels that are not what is held: block-flat indices and their steps."""

    flat: Indices
    steps: Float32


class HeldSubs:
    """Up to seven subs in whole steps above a level, per channel of one grid.

    A pixel that does not count is MISSING and one beyond MOST ends there, so that both can be compared; what
    they really are is kept aside.
    """

    def __init__(self, sums: Accumulators, count: int) -> None:
        self._sums = sums
        height = sums.size[0]
        rows = [(y, min(y + BLOCK_ROWS, height)) for y in range(0, height, BLOCK_ROWS)]
        self.blocks: list[Block] = [(channel, *r) for r in rows for channel in range(len(sums.sum))]
        self._planes = {block: sums.lend(*block)[:count] for block in self.blocks}
        self._aside: dict[tuple[int, Block], list[_Aside]] = {
            (i, block): [] for i in range(count) for block in self.blocks
        }

    def planes(self, block: Block) -> list[Steps]:
        """The block of every sub."""
        return self._planes[block]

    def block_of(self, channel: int, row: int) -> Block:
        """The block a row is in."""
        y0 = row // BLOCK_ROWS * BLOCK_ROWS
        return channel, y0, min(y0 + BLOCK_ROWS, self._sums.size[0])

    def write(self, i: int, channel: int, band: Band, scratch: Scratch) -> None:
        """Keep a band of sub i, in steps. Bands may be of any height, and end in any block."""
        (rows, width), y0 = band.q.shape, band.y0
        blocks = [
            self.block_of(channel, y) for y in range(y0 // BLOCK_ROWS * BLOCK_ROWS, y0 + rows, BLOCK_ROWS)
        ]
        if len(blocks) == 1:
            held = self._planes[blocks[0]][i][y0 - blocks[0][1] :][:rows]
        else:
            (held,) = spare_planes(scratch, 1, band.q.shape)
        aside = np.concatenate([_narrowed(band.q, held), band.cover.faint])
        band.erase(held, MISSING)
        steps = np.rint(band.q.reshape(-1)[aside])
        for block in blocks:
            _, start, stop = block
            first, end = max(start, y0), min(stop, y0 + rows)
            if len(blocks) > 1:
                self._planes[block][i][first - start : end - start] = held[first - y0 : end - y0]
            here = (aside >= (first - y0) * width) & (aside < (end - y0) * width)
            self._aside[i, block].append(_Aside(aside[here] + (y0 - start) * width, steps[here]))

    @staticmethod
    def copied(planes: list[Steps], scratch: Scratch) -> Steps:
        """Planes beside each other, in scratch."""
        copy = spare_planes(scratch, len(planes), planes[0].shape)
        for target, plane in zip(copy, planes, strict=True):
            np.copyto(target, plane)
        return copy

    def taken(self, block: Block, scratch: Scratch) -> Steps:
        """The planes (n, rows, width) of a block, in scratch; its sums are empty from now on."""
        copy = self.copied(self._planes.pop(block), scratch)
        for part in self._sums.band(*block):
            part[...] = 0
        return copy

    def pixels(
        self, i: int, block: Block, plane: Steps, grid: Grid, weight: int, scratch: Scratch
    ) -> Float32:
        """q of a taken plane, in scratch: what the sub's own band was. Beyond its reach anything."""
        q = scratch.take("plane", plane.shape)
        level, step = grid[block[0]]
        whole_of_steps(plane, level, step, weight, q)
        for flat, steps in self._aside.pop((i, block)):
            whole_of_steps(steps, level, step, weight, steps)
            q.reshape(-1)[flat] = steps
        return q


def spare_planes(scratch: Scratch, count: int, shape: tuple[int, ...]) -> Steps:
    """So many planes in scratch; the next ones asked for take their place."""
    rows, width = shape
    return scratch.take("planes", (count * rows, width), np.int16).reshape(count, rows, width)


def _narrowed(steps: Float32, out: Steps) -> Indices:
    """Steps as whole 16-bit numbers; flat indices of those beyond, which stop at the ends."""
    cv2.addWeighted(steps, 1, steps, 0, 0, dst=out, dtype=cv2.CV_16S)
    found = [np.empty(0, np.int64)]
    if out.max() > MOST:
        found.append(flat_true(out > MOST))
    if out.min() < -MOST:
        found.append(flat_true(out < -MOST))
    beyond = distinct(*found)
    out.reshape(-1)[beyond] = np.copysign(MOST, steps.reshape(-1)[beyond])
    return beyond
