"""A warp's one-dimensional passes, for fields that hardly turn: strips of pixels share a kernel's weights.

Every call covers as many pixels as its strip has, writes into the caller's buffers and releases the
interpreter lock while it runs.
"""

from __future__ import annotations

from functools import cache
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


def part_of(start: int, end: int, wanted: Columns | None) -> Columns:
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
                    a, b = part_of(a, b, reach)
                    target = out[v : v + height, a - whole + pad : b - whole + pad]
                correlate(strip[:, a:b], weights, target, (kernel.before, 0), offset)
                continue
            spread = np.empty((len(strip), b - a), np.float32)
            correlate(strip[:, a:b], weights, spread, (kernel.before, 0), offset)
            left, right = max(x + whole, 0), min(end + whole, source_width)
            target[:, left - a : right - a] = spread[:, left - a : right - a]


def correlate(
    source: Float32, weights: Float32, out: Float32, anchor: tuple[int, int], offset: float = 0.0
) -> None:
    """out = offset + the sum of weights times pixels about each one; ends are held."""
    if source.size:
        border = cv2.BORDER_REPLICATE
        cv2.filter2D(source, -1, weights, dst=out, anchor=anchor, delta=offset, borderType=border)


class Scale(NamedTuple):
    """What is made of every pixel on the way: value·factor + offset."""

    factor: float = 1.0
    offset: float = 0.0


AS_IT_IS = Scale()
