"""A warp's one-dimensional passes, for fields that hardly turn: strips of pixels share a kernel's weights.

Every call covers as many pixels as its strip has, writes into the caller's buffers and releases the
interpreter lock while it runs.
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from starwell.frame import Float32, Float64
from starwell.stack.kernels import Kernel

PHASES = 256
"""Sub-pixel phases are rounded to 1/256 px: an error of at most 0.002 px."""

NODES = 8
"""Between phases a node apart a kernel is nearly linear: a third of a percent of its middle weight."""

PHASE_ERROR_PX = 0.008
"""How far a strip's shared phase may be from a pixel's own."""


class Taps(NamedTuple):
    """Weights of shape (PHASES + 1, n); tap k reads the pixel k - before from the whole part.

    nodes (NODES, n): the broken line through the phases that is nearest to the weights; the first node,
    moved by a tap, is also the last.
    """

    weights: Float32
    before: int
    nodes: Float32

    @property
    def after(self) -> int:
        """How many pixels beyond the whole part are read."""
        return len(self.weights[0]) - 1 - self.before


def _lanczos3(x: Float64) -> Float64:
    """L(x) = sinc(x)·sinc(x/3) for |x| < 3."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0.0)


def _catmull_rom(x: Float64) -> Float64:
    """Cubic convolution with A = -1/2 (Keys 1981)."""
    r = np.abs(x)
    near, far = (1.5 * r - 2.5) * r * r + 1, ((-0.5 * r + 2.5) * r - 4) * r + 2
    return np.where(r < 1, near, np.where(r < 2, far, 0.0))


def _tent(x: Float64) -> Float64:
    """1 - |x| for |x| < 1."""
    return np.where(np.abs(x) < 1, 1 - np.abs(x), 0.0)


_SHAPES = {Kernel.LANCZOS: (_lanczos3, 3), Kernel.CUBIC: (_catmull_rom, 2), Kernel.LINEAR: (_tent, 1)}


@cache
def taps(kernel: Kernel, stretch: int = 1) -> Taps:
    """The phase table of a kernel; stretched by 2 it reads rows in which every other pixel is an empty 0.

    Weights that meet real pixels sum to 1: over all taps, or over each parity when stretched.
    """
    shape, reach = _SHAPES[kernel]
    offsets = np.arange(-reach * stretch + 1, reach * stretch + 1)
    phase = np.arange(PHASES + 1)[:, None] / PHASES
    weights = shape((offsets - phase) / stretch)
    for parity in range(stretch):
        weights[:, parity::stretch] /= weights[:, parity::stretch].sum(axis=1, keepdims=True)
    hats = np.maximum(1 - np.abs(NODES * phase - np.arange(NODES + 1)), 0)
    # Keeps sums of 1 and centroids, which are linear in the phase; what it smears at one phase it
    # sharpens at another.
    nodes = np.linalg.lstsq(hats, weights, rcond=None)[0][:-1]
    return Taps(weights.astype(np.float32), reach * stretch - 1, nodes.astype(np.float32))


def whole_and_phase(shift: float) -> tuple[int, int]:
    """A shift in px as whole pixels and a row of the phase table."""
    return divmod(round(shift * PHASES), PHASES)


def strip_length(slope: float, longest: int) -> int:
    """How many pixels may share one phase when it drifts by slope px per pixel: slope·length/2 <= error."""
    return (
        longest
        if abs(slope) * longest <= 2 * PHASE_ERROR_PX
        else max(1, int(2 * PHASE_ERROR_PX / abs(slope)))
    )


class Line(NamedTuple):
    """Where a pass reads: along + across·(the other coordinate) + start, along about 1."""

    along: float
    across: float
    start: float


Columns = tuple[int, int]
"""First and end of those that are wanted."""

_LANES = 64
"""Pixels: a multiple of what any processor treats at once. A part of a row that begins so many after the row
does comes out bit by bit as in the whole row."""


def _part(start: int, end: int, wanted: Columns | None) -> Columns:
    """Of start … end as many lanes as hold what is wanted."""
    if wanted is None:
        return start, end
    before, after = (n - start for n in wanted)
    return start + max(before, 0) // _LANES * _LANES, min(start - -after // _LANES * _LANES, end)


def horizontal(
    rows: Float32,
    first_row: int,
    line: Line,
    kernel: Taps,
    out: Float32,
    pad: int,
    offset: float = 0.0,
    wanted: Columns | None = None,
) -> None:
    """mid(x, v) = offset + sum over k of w_k·row_v[floor(X) + k], X = along·x + across·v + start.

    Rows of a strip share a phase. out is (rows, width + 2·pad), x = 0 at column pad; columns whose X lies
    outside the row keep what they held. Taps beyond the row's ends repeat its end pixels. wanted: x that are
    to be right; all others may hold anything finite.
    """
    n, source_width = rows.shape
    width = out.shape[1] - 2 * pad
    height = strip_length(line.across, n)
    length = strip_length(line.along - 1, width)
    for v in range(0, n, height):
        strip = rows[v : v + height]
        row = first_row + v + (len(strip) - 1) / 2
        for x in range(0, width, length):
            end = min(x + length, width)
            centre = (x + end - 1) / 2
            whole, phase = whole_and_phase((line.along - 1) * centre + line.across * row + line.start)
            a, b = max(x + whole - kernel.before, 0), min(end + whole + kernel.after, source_width)
            if b <= a:
                continue
            weights = kernel.weights[phase : phase + 1]
            target = out[v : v + height, a - whole + pad : b - whole + pad]
            if length == width:
                if wanted is not None:
                    reach = wanted[0] + whole - kernel.before, wanted[1] + whole + kernel.after
                    a, b = _part(a, b, reach)
                    target = out[v : v + height, a - whole + pad : b - whole + pad]
                _correlate(strip[:, a:b], weights, target, (kernel.before, 0), offset)
                continue
            spread = np.empty((len(strip), b - a), np.float32)
            _correlate(strip[:, a:b], weights, spread, (kernel.before, 0), offset)
            left, right = max(x + whole, 0), min(end + whole, source_width)
            target[:, left - a : right - a] = spread[:, left - a : right - a]


def vertical(
    mid: Float32,
    first_row: int,
    line: Line,
    kernel: Taps,
    out: Float32,
    pad: int,
    factor: float,
    spare: Float32,
    table: Table,
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
        a, b = _part(0, width, wanted)
        _correlate(mid[here, a:b], weights[:, None], out[there, a:b], (0, kernel.before))
    elif kernel.weights.shape[1] > _FEW_TAPS and NODES * abs(line.across) * _NARROW <= 1:
        shift = line.across * np.arange(width) + start
        _vertical_blended(mid, first_row, shift, kernel, out, pad, factor, spare, wanted)
    else:
        whole, part = divmod(round(start * _SHARED), _SHARED)
        table.fill(kernel, factor, line.across, part / _SHARED, width)
        _vertical_by_column(mid, whole - first_row - kernel.before, table, out[pad : pad + n], wanted)


_NARROW = 64
"""Strips narrower than this cost more in calls than weights held per column do."""

_FEW_TAPS = 2
"""With so few a product per tap costs less than two passes and a blend."""


def _rows_of(top: int, n: int, kernel: Taps, height: int, pad: int) -> tuple[slice, slice]:
    """The rows read for n rows from row `top` on, of those there are, and the padded rows they make."""
    a = min(max(top - kernel.before, 0), height)
    b = max(min(n + top + kernel.after, height), a)
    return slice(a, b), slice(a - top + pad, b - top + pad)


def _correlate(
    source: Float32, weights: Float32, out: Float32, anchor: tuple[int, int], offset: float = 0.0
) -> None:
    if source.size:
        border = cv2.BORDER_REPLICATE
        cv2.filter2D(source, -1, weights, dst=out, anchor=anchor, delta=offset, borderType=border)


def _vertical_blended(
    mid: Float32,
    first_row: int,
    shift: Float64,
    kernel: Taps,
    out: Float32,
    pad: int,
    factor: float,
    spare: Float32,
    wanted: Columns | None,
) -> None:
    """The vertical pass where the phase drifts slowly: what even nodes give, what odd ones, and between them.

    One long call per node takes the place of many short ones; it reaches from the node before to the next.
    """
    place = NODES * shift
    node = np.floor(place).astype(np.int64)
    edges = [0, *(np.flatnonzero(node[1:] != node[:-1]) + 1).tolist(), len(node)]
    n, anchor = len(out) - 2 * pad, (0, kernel.before)
    inner, weights = slice(pad, pad + n), (np.float32(factor) * kernel.nodes)[:, :, None]
    first, last = int(node[0]), int(node[-1])
    # columns between two nodes are counted from the lower one of them
    nodes = range(first, last + 2) if last >= first else range(first + 1, last - 1, -1)
    wholes = sorted({m // NODES for m in nodes})
    rows = {whole: _rows_of(whole - first_row, n, kernel, len(mid), pad) for whole in wholes}
    for m, start, stop in zip(nodes, [0, *edges[:-1]], [*edges[1:], edges[-1]], strict=True):
        x, end = _part(start, stop, wanted)
        if end <= x:
            continue
        whole, phase = divmod(m, NODES)
        target, (here, there) = spare if m % 2 else out, rows[whole]
        if there.start > pad or there.stop < pad + n:
            target[inner, x:end] = 0
        _correlate(mid[here, x:end], weights[phase], target[there, x:end], anchor)
    columns = slice(*wanted) if wanted else slice(None)
    even, odd = out[inner, columns], spare[inner, columns]
    towards_odd = np.abs(place - node - node % 2).astype(np.float32)[columns]
    np.subtract(odd, even, out=odd)
    np.multiply(odd, towards_odd, out=odd)
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

    def fill(self, kernel: Taps, factor: float, across: float, start: float, width: int) -> None:
        """For Y = across·x + start + j, where it is not what the table holds already."""
        asked = (id(kernel.weights), factor, across, start, width)
        if asked == self._made_for:
            return
        steps = np.rint(PHASES * (across * np.arange(width) + start)).astype(np.int64)
        whole, phase = np.divmod(steps, PHASES)
        edges = [0, *(np.flatnonzero(np.diff(whole)) + 1).tolist(), width]
        self.runs = [(x, end, int(whole[x])) for x, end in pairwise(edges)]
        rows = max(1, min(max(_TABLE_PX, _CALL_PX * len(self.runs)) // width, _MOST_ROWS))
        weights = np.float32(factor) * kernel.weights[phase].T
        if self.weights.shape != (len(weights), rows, width):
            self.weights = np.empty((len(weights), rows, width), np.float32)
        self.weights[...] = weights[:, None]
        self._made_for = asked


def _vertical_by_column(mid: Float32, top: int, table: Table, out: Float32, wanted: Columns | None) -> None:
    """The vertical pass with a phase for every column: one product per tap on runs of equal floor(Y).

    top: the row of mid that the first tap of row 0 reads where floor(Y) of the table is 0.
    """
    rows = table.weights.shape[1]
    for first, last, whole in table.runs:
        x, end = _part(first, last, wanted)
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


class Scale(NamedTuple):
    """What is made of every pixel on the way: value·factor + offset."""

    factor: float = 1.0
    offset: float = 0.0


AS_IT_IS = Scale()
