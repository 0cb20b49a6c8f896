"""The inner loops: band-wise numpy and OpenCV, and nothing else loops over pixels in the stack.

Every function works on a band that fits the cache, writes into the caller's scratch and releases the
interpreter lock while it runs.
"""

from __future__ import annotations

import math
import threading
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from starwell.frame import Float32, Float64, Mask

PHASES = 256
"""Sub-pixel phases are rounded to 1/256 px: an error of at most 0.002 px."""

PHASE_ERROR_PX = 0.008
"""How far a strip's shared phase may be from a pixel's own."""

Indices = NDArray[np.int64]


class Kernel(StrEnum):
    """What a warp interpolates with."""

    LANCZOS = "lanczos"
    CUBIC = "cubic"
    LINEAR = "bilinear"


class Taps(NamedTuple):
    """Weights of shape (PHASES + 1, n); tap k reads the pixel k - before from the whole part."""

    weights: Float32
    before: int

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
    return Taps(weights.astype(np.float32), reach * stretch - 1)


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


class Scratch(threading.local):
    """Buffers by name, one set per thread, kept from sub to sub."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def take(self, name: str, shape: tuple[int, int], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """A contiguous array of this shape; what it holds is whatever was there before (at first 0)."""
        size = shape[0] * shape[1]
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = self._buffers[name] = np.zeros(size, dtype)
        return buffer[:size].reshape(shape)


class Line(NamedTuple):
    """Where a pass reads: along + across·(the other coordinate) + start, along about 1."""

    along: float
    across: float
    start: float


def horizontal(rows: Float32, first_row: int, line: Line, kernel: Taps, out: Float32, pad: int) -> None:
    """mid(x, v) = sum over k of w_k·row_v[floor(X) + k], X = along·x + across·v + start.

    Rows of a strip share a phase. out is (rows, width + 2·pad), x = 0 at column pad; columns whose X lies
    outside the row keep what they held. Taps beyond the row's ends repeat its end pixels.
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
                _correlate(strip[:, a:b], weights, target, (kernel.before, 0))
                continue
            spread = cv2.filter2D(
                strip[:, a:b], -1, weights, anchor=(kernel.before, 0), borderType=cv2.BORDER_REPLICATE
            )
            left, right = max(x + whole, 0), min(end + whole, source_width)
            target[:, left - a : right - a] = spread[:, left - a : right - a]


def vertical(mid: Float32, first_row: int, line: Line, kernel: Taps, out: Float32, pad: int) -> None:
    """out(x, j) = sum over k of w_k·mid[floor(Y) + k, x], Y = along·j + across·x + start.

    mid's row 0 is the source's row first_row; its ends must be the source's own ends or beyond the taps.
    out is (rows + 2·pad, width), j = 0 at row pad; one phase per strip of columns, or one per column.
    """
    n, width = out.shape[0] - 2 * pad, out.shape[1]
    step = strip_length(_FINER * line.across, width)
    if step < _NARROW:
        _vertical_by_column(mid, first_row, line, kernel, out[pad : pad + n])
        return
    for x in range(0, width, step):
        end = min(x + step, width)
        shift = (line.along - 1) * (n - 1) / 2 + line.across * (x + end - 1) / 2 + line.start
        whole, phase = whole_and_phase(shift)
        top = whole - first_row
        a, b = max(top - kernel.before, 0), min(n + top + kernel.after, len(mid))
        if b > a:
            weights = kernel.weights[phase][:, None]
            _correlate(
                mid[a:b, x:end], weights, out[a - top + pad : b - top + pad, x:end], (0, kernel.before)
            )


_FINER = 1.5
"""The vertical pass adds its phase error to that of the horizontal one, and so makes do with less of it."""

_NARROW = 40
"""Strips narrower than this cost more in calls than weights held per column do."""


def _correlate(source: Float32, weights: Float32, out: Float32, anchor: tuple[int, int]) -> None:
    cv2.filter2D(source, -1, weights, dst=out, anchor=anchor, borderType=cv2.BORDER_REPLICATE)


def _vertical_by_column(mid: Float32, first_row: int, line: Line, kernel: Taps, out: Float32) -> None:
    """The vertical pass with a phase for every column: one multiply-add per tap on runs of equal floor(Y)."""
    n, width = out.shape
    shift = line.across * np.arange(width) + ((line.along - 1) * (n - 1) / 2 + line.start)
    whole, phase = np.divmod(np.rint(shift * PHASES).astype(np.int64), PHASES)
    weights = np.ascontiguousarray(kernel.weights[phase].T)
    cuts = [0, *(np.flatnonzero(np.diff(whole)) + 1).tolist(), width]
    for x, end in pairwise(cuts):
        tall = max(8, _CACHED_PX // (end - x))
        term = np.empty((min(tall, n), end - x), np.float32)
        for row in range(0, n, tall):
            part = out[row : row + tall, x:end]
            product = term[: len(part)]
            first = row + int(whole[x]) - first_row - kernel.before
            rows = _held(mid[:, x:end], first, len(part) + len(weights) - 1)
            np.multiply(rows[: len(part)], weights[0, x:end], out=part)
            for k in range(1, len(weights)):
                np.multiply(rows[k : k + len(part)], weights[k, x:end], out=product)
                np.add(part, product, out=part)


_CACHED_PX = 60_000
"""Pixels of a piece whose sum, term and rows fit the second-level cache."""


def _held(rows: Float32, first: int, n: int) -> Float32:
    """Rows first … first + n, the end rows repeated beyond the ends."""
    if 0 <= first <= len(rows) - n:
        return rows[first : first + n]
    return rows[np.clip(np.arange(first, first + n), 0, len(rows) - 1)]


def mean_of(total: Float64, weight: NDArray[np.int32], out: Float32) -> None:
    """m = S/W, not a number where nothing was stacked yet (and so never an outlier's reference)."""
    cv2.divide(total, weight, dst=out, dtype=cv2.CV_32F)


def beyond(deviation: Float32, limit: Float32, magnitude: Float32, far: Mask) -> Indices:
    """Flat indices where |D| > limit; limit is one row, the same for all rows of the band."""
    np.abs(deviation, out=magnitude)
    np.greater(magnitude, limit, out=far)
    return flat_true(far)


def flat_true(mask: Mask) -> Indices:
    """np.flatnonzero for masks that are nearly empty: whole words of 8 pixels are skipped."""
    flat = mask.ravel()
    words = flat.size // 8
    hits = np.flatnonzero(flat[: 8 * words].view(np.uint64) != 0)
    places = (8 * hits[:, None] + np.arange(8)).ravel()
    places = places[flat[places]]
    if flat.size % 8:
        places = np.concatenate([places, 8 * words + np.flatnonzero(flat[8 * words :])])
    return places


class Sums(NamedTuple):
    """A part of the running sums of one channel."""

    total: Float64
    weight: NDArray[np.int32]
    subs: NDArray[np.uint16]


def quantise(y: Float32, scale: float, out: Float32) -> None:
    """q = round(y·scale): whole numbers, so that sums of them in float64 are exact below 2^53."""
    np.multiply(y, np.float32(scale), out=out)
    np.rint(out, out=out)


def accumulate(q: Float32, weight: int, sums: Sums) -> None:
    """S += q, W += w, n += 1; with a negative weight (and q of it) the exact opposite."""
    cv2.accumulate(q, sums.total)
    np.add(sums.weight, np.int32(weight), out=sums.weight)
    change = np.add if weight > 0 else np.subtract
    change(sums.subs, np.uint16(1), out=sums.subs)


def distinct(*indices: Indices) -> Indices:
    """All of these sorted, each once: what np.unique does by hashing, at a multiple of the time."""
    flat = np.sort(np.concatenate(indices))
    return flat[np.concatenate([[True], flat[1:] != flat[:-1]])] if flat.size else flat


def among(flat: Indices, some: Indices) -> Mask:
    """Whether each index is one of some, which are sorted."""
    if not some.size:
        return np.zeros(flat.shape, np.bool_)
    found: Mask = some[np.minimum(np.searchsorted(some, flat), some.size - 1)] == flat
    return found


def clipped_rms(values: Float32, kappa: float = 4.0, rounds: int = 8) -> float:
    """Rms about 0 of what lies within kappa of it, from a MAD start; not a number without values."""
    if not values.size:
        return math.nan
    magnitude = np.abs(values)
    sigma = 1.4826 * float(np.median(magnitude))
    for _ in range(rounds):
        kept = magnitude[magnitude <= kappa * sigma]
        before, sigma = sigma, math.sqrt(float(np.mean(np.square(kept, dtype=np.float64))))
        if abs(sigma - before) <= 1e-4 * before:
            break
    return sigma
