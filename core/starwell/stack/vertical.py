"""The vertical pass of a warp: in a turned field its phase drifts along the rows.

What that drift is, a sub's bands work out once. Long calls: threads wait for each other between them.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from starwell.frame import Float32
from starwell.stack.strips import (
    NODES,
    PHASE_ERROR_PX,
    PHASES,
    Columns,
    Line,
    Taps,
    correlate,
    part_of,
    whole_and_phase,
)


def vertical(
    mid: Float32,
    first_row: int,
    line: Line,
    kernel: Taps,
    out: Float32,
    pad: int,
    factor: float,
    spare: Float32,
    drift: Drift,
    wanted: Columns | None = None,
) -> None:
    """out(x, j) = factor·(sum over k of w_k·mid[floor(Y) + k, x]), Y = along·j + across·x + start.

    mid's row 0 is the source's row first_row; its ends must be the source's own ends or beyond the taps.
    out is (rows + 2·pad, width), j = 0 at row pad; spare another such array. Rows beyond the source's hold
    anything finite, and so do columns that are not wanted.
    """
    n, width = out.shape[0] - 2 * pad, out.shape[1]
    start = line.start + (line.along - 1) * (n - 1) / 2
    if abs(line.across) * width <= 2 * PHASE_ERROR_PX:
        whole, phase = whole_and_phase(start + line.across * (width - 1) / 2)
        here, there = _rows_of(whole - first_row, n, kernel, len(mid), pad)
        weights = np.float32(factor) * kernel.weights[phase]
        a, b = part_of(0, width, wanted)
        correlate(mid[here, a:b], weights[:, None], out[there, a:b], (0, kernel.before))
        return
    whole, part = divmod(round(start * _SHARED), _SHARED)
    drifts = Line(1.0, line.across, part / _SHARED)
    if kernel.weights.shape[1] > _FEW_TAPS and NODES * abs(line.across) * _NARROW <= 1:
        drift.ramp.fill(drifts, width)
        _vertical_blended(mid, whole - first_row, drift.ramp, kernel, out, pad, factor, spare, wanted)
    else:
        drift.table.fill(kernel, factor, drifts, width)
        top = whole - first_row - kernel.before
        _vertical_by_column(mid, top, drift.table, out[pad : pad + n], wanted)


_NARROW = 64
"""Strips narrower than this cost more in calls than weights held per column do."""

_FEW_TAPS = 2
"""With so few a product per tap costs less than two passes and a blend."""


def _rows_of(top: int, n: int, kernel: Taps, height: int, pad: int) -> tuple[slice, slice]:
    """The rows read for n rows from row `top` on, of those there are, and the padded rows they make."""
    a = min(max(top - kernel.before, 0), height)
    b = max(min(n + top + kernel.after, height), a)
    return slice(a, b), slice(a - top + pad, b - top + pad)


class Ramp:
    """Columns between two nodes of a drifting phase: those that a node serves, and how far each is from it.

    pieces: node, first and end column of what lies between the nodes before and after it. towards_odd: how
    far every column is on its way from an even node to an odd one.
    """

    def __init__(self) -> None:
        self._made_for: tuple[object, ...] = ()
        self.pieces: list[tuple[int, int, int]] = []
        self.towards_odd = np.empty(0, np.float32)

    def fill(self, line: Line, width: int) -> None:
        """For Y = j + across·x + start, where it does not hold that already."""
        if self._made_for == (line, width):
            return
        place = NODES * (line.across * np.arange(width) + line.start)
        node = np.floor(place).astype(np.int64)
        edges = [0, *(np.flatnonzero(node[1:] != node[:-1]) + 1).tolist(), len(node)]
        first, last = int(node[0]), int(node[-1])
        # columns between two nodes are counted from the lower one of them
        nodes = range(first, last + 2) if last >= first else range(first + 1, last - 1, -1)
        self.pieces = list(zip(nodes, [0, *edges[:-1]], [*edges[1:], edges[-1]], strict=True))
        self.towards_odd = np.abs(place - node - node % 2).astype(np.float32)
        self._made_for = line, width


def _vertical_blended(
    mid: Float32,
    top: int,
    ramp: Ramp,
    kernel: Taps,
    out: Float32,
    pad: int,
    factor: float,
    spare: Float32,
    wanted: Columns | None,
) -> None:
    """The vertical pass where the phase drifts slowly: what even nodes give, what odd ones, and between them.

    One long call per node takes the place of many short ones; it reaches from the node before to the next.
    top: the row of mid that is row 0 where floor(Y) of the ramp is 0.
    """
    n, anchor = len(out) - 2 * pad, (0, kernel.before)
    inner, weights = slice(pad, pad + n), (np.float32(factor) * kernel.nodes)[:, :, None]
    for m, start, stop in ramp.pieces:
        x, end = part_of(start, stop, wanted)
        if end <= x:
            continue
        whole, phase = divmod(m, NODES)
        here, there = _rows_of(top + whole, n, kernel, len(mid), pad)
        target = spare if m % 2 else out
        if there.start > pad or there.stop < pad + n:
            target[inner, x:end] = 0
        correlate(mid[here, x:end], weights[phase], target[there, x:end], anchor)
    columns = slice(*wanted) if wanted else slice(None)
    even, odd = out[inner, columns], spare[inner, columns]
    np.subtract(odd, even, out=odd)
    np.multiply(odd, ramp.towards_odd[columns], out=odd)
    np.add(even, odd, out=even)


_SHARED = 4 * PHASES
"""Where columns begin is rounded to 1/1024 px, so that the bands of a sub share their weights."""

_TABLE_PX = 150_000
"""Of the table of a tap: long calls, for threads wait for each other between calls."""

_CALL_PX = 32_000
"""Where runs are short: fewer pixels than this cost more in calls than in arithmetic."""

_MOST_ROWS = 64


class Table:
    """The weights of every column and tap, each repeated over some rows: products need both alike.

    weights: (taps, rows, width). runs: first and end column of those with the same floor(Y), and that.
    """

    def __init__(self) -> None:
        self._made_for: tuple[object, ...] = ()
        self.weights = np.empty((0, 0, 0), np.float32)
        self.runs: list[tuple[int, int, int]] = []

    def fill(self, kernel: Taps, factor: float, line: Line, width: int) -> None:
        """For Y = j + across·x + start, where it does not hold that already."""
        asked = (id(kernel.weights), factor, line, width)
        if asked == self._made_for:
            return
        steps = np.rint(PHASES * (line.across * np.arange(width) + line.start)).astype(np.int64)
        whole, phase = np.divmod(steps, PHASES)
        edges = [0, *(np.flatnonzero(np.diff(whole)) + 1).tolist(), width]
        self.runs = [(x, end, int(whole[x])) for x, end in pairwise(edges)]
        rows = max(1, min(max(_TABLE_PX, _CALL_PX * len(self.runs)) // width, _MOST_ROWS))
        weights = np.float32(factor) * kernel.weights[phase].T
        if self.weights.shape != (len(weights), rows, width):
            self.weights = np.empty((len(weights), rows, width), np.float32)
        self.weights[...] = weights[:, None]
        self._made_for = asked


class Drift(NamedTuple):
    """How the vertical phase drifts over the columns: worked out once for the bands of a sub."""

    ramp: Ramp
    table: Table

    @staticmethod
    def unknown() -> Drift:
        """Of no sub yet."""
        return Drift(Ramp(), Table())


def _vertical_by_column(mid: Float32, top: int, table: Table, out: Float32, wanted: Columns | None) -> None:
    """The vertical pass with a phase for every column: one product per tap on runs of equal floor(Y).

    top: the row of mid that the first tap of row 0 reads where floor(Y) of the table is 0.
    """
    rows = table.weights.shape[1]
    for first, last, whole in table.runs:
        x, end = part_of(first, last, wanted)
        if end <= x:
            continue
        weights = table.weights[:, :, x:end]
        for row in range(0, len(out), rows):
            part = out[row : row + rows, x:end]
            n = len(part)
            source = _held(mid[:, x:end], top + whole + row, n + len(weights) - 1)
            cv2.multiply(source[:n], weights[0, :n], dst=part)
            for k in range(1, len(weights)):
                cv2.accumulateProduct(source[k : k + n], weights[k, :n], part)


def _held(rows: Float32, first: int, n: int) -> Float32:
    """Rows first … first + n, the end rows repeated beyond the ends."""
    if 0 <= first <= len(rows) - n:
        return rows[first : first + n]
    return rows[np.clip(np.arange(first, first + n), 0, len(rows) - 1)]
