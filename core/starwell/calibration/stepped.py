"""A dark and a flat in 16 bits: whole steps, and the few pixels beyond them kept as they are.

Half the memory, and half the bytes every sub has to read. How far steps round, and why that is far below any
noise: docs/decisions/0008-masters-in-sixteen-bits.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.defects import DEAD_FLAT, Indices
from starwell.frame import Float32, Pixels, sampled

BAND_ROWS = 128
"""Rows treated at a time: long enough calls, and pixels that are still in a core's cache at the next one."""

FINEST_ADU = 2.0**-6
"""The steps of an offset: 1/64 ADU, more only where most of it does not fit into the 1,023 ADU of those."""
FLAT_ERROR = 2e-5
"""No response is rounded by more than this part of itself."""

_MOST = 65535
_RARE = 0.002
"""This part of the pixels at either end is not asked how many steps there ought to be."""
_ROOM = 1.25
_BELOW = 0.25
"""The part of the spare steps that lies below: what stands out of a dark is hot, hardly ever cold."""

_AS_THEY_ARE = frozenset(np.dtype(kind) for kind in ("u1", "u2", "i2", "f4"))
"""Pixels that OpenCV takes beside 16-bit steps."""

Steps = NDArray[np.uint16]


@dataclass(frozen=True, slots=True, eq=False)
class Stepped:
    """Values least + step·steps, right to half a step; at the flat indices `beyond` they are `exact`."""

    steps: Steps
    step: float
    least: float
    beyond: Indices
    exact: Float32

    @property
    def held(self) -> Float32:
        """What the steps say where they do not hold, of `beyond`."""
        steps = self.steps.reshape(-1)[self.beyond]
        return (self.least + self.step * steps).astype(np.float32)


def bands(height: int) -> Iterator[slice]:
    """The bands of so many rows."""
    return (slice(y, min(y + BAND_ROWS, height)) for y in range(0, height, BAND_ROWS))


def offset_steps(offset: Float32 | None) -> Stepped | float:
    """An offset in ADU, H×W or 3×H×W, or 1×1 for all pixels, which has no steps; 0 for none.

    The step is a power of two, and multiples of it stay what they are.
    """
    if offset is None or offset.size == 1:
        return 0.0 if offset is None else float(offset.flat[0])
    low, high = _range(sampled(offset))
    step = max(FINEST_ADU, 2.0 ** math.ceil(math.log2(max(_ROOM * (high - low) / _MOST, 1e-30))))
    spare = _MOST * step - (high - low)
    least = step * math.floor((low - _BELOW * spare) / step)
    return _stepped(offset, lambda rows: rows, (least, least + _MOST * step), step, least)


def inverse_steps(flat: Float32) -> Stepped | Float32:
    """1/a of a flat of mean 1, H×W or 3×H×W; 0 where the sensor is blind, for those pixels are filled.

    In single precision where steps would round more than FLAT_ERROR: a corner with two fifths of the light.
    """
    some = inverse(sampled(flat))
    low, high = _range(some[some > 0])
    most = min(_ROOM * high, low * FLAT_ERROR * 2 * _MOST)
    if most < high:
        return inverse(flat)
    step = most / _MOST
    return _stepped(flat, inverse, (step / 2 / FLAT_ERROR, most), step, 0.0)


def inverse(flat: Float32) -> Float32:
    """1/a, 0 where there is next to no response."""
    inverted = np.zeros_like(flat)
    np.divide(1.0, flat, out=inverted, where=flat >= DEAD_FLAT)
    return inverted


def _range(values: Float32) -> tuple[float, float]:
    """Where all but the rarest of the values lie that are a number."""
    some = values[np.isfinite(values)]
    if not some.size:
        return 0.0, 1.0
    low, high = np.quantile(some, [_RARE, 1 - _RARE])
    return float(low), float(high)


def _stepped(
    values: Float32,
    made: Callable[[Float32], Float32],
    within: tuple[float, float],
    step: float,
    least: float,
) -> Stepped:
    """What is made of these values, band by band; beyond is what does not lie within (0 does from 0 on)."""
    steps = np.empty(values.shape, np.uint16)
    beyond, exact = [np.empty(0, np.intp)], [np.empty(0, np.float32)]
    width = values.shape[-1]
    rows, targets = values.reshape(-1, width), steps.reshape(-1, width)
    for band in bands(len(rows)):
        part = made(rows[band])
        # the nearest step, or the first or last one
        cv2.addWeighted(part, 1 / step, part, 0, -least / step, dst=targets[band], dtype=cv2.CV_16U)
        far = ~((part >= within[0]) & (part <= within[1]))  # what is no number is not within
        if least == 0:
            far &= part != 0
        out = np.flatnonzero(far)
        beyond.append(out + band.start * width)
        exact.append(part.reshape(-1)[out])
    return Stepped(steps, step, least, np.concatenate(beyond), np.concatenate(exact))


class Correction:
    """(raw - offset)·(1/a), with both in 16 bits.

    offset: ADU, of the sub's shape in steps, or the same for all; inverse: the steps of a flat's 1/a.
    """

    def __init__(self, offset: Stepped | float, inverse: Stepped | Float32 | None) -> None:
        self._offset = offset if isinstance(offset, Stepped) else None
        self._constant = 0.0 if isinstance(offset, Stepped) else offset
        self._inverse = inverse
        self._factor, self._excess = _listed(self._offset, self._inverse)

    def apply(self, raw: Pixels, out: Float32) -> None:
        """Correct a sub into out, band by band in the order of memory.

        raw may be the last bytes of out: it is then overwritten.
        """
        width = out.shape[-1]
        sources, targets = raw.reshape(-1, width), out.reshape(-1, width)
        for band in bands(len(targets)):
            self._band(sources[band], targets[band], band)
        self._mend(out)

    def _band(self, raw: Pixels, out: Float32, band: slice) -> None:
        if raw.dtype not in _AS_THEY_ARE:
            raw = raw.astype(np.float32)
        elif np.may_share_memory(raw, out):
            raw = raw.copy()
        if self._offset is None:
            # half of numpy's time where it would have to convert as well
            cv2.subtract(raw, self._constant, dst=out, dtype=cv2.CV_32F)
        else:
            steps, step = _rows(self._offset.steps, band), self._offset.step
            cv2.addWeighted(raw, 1, steps, -step, -self._offset.least, dst=out, dtype=cv2.CV_32F)
        if isinstance(self._inverse, Stepped):
            steps, step = _rows(self._inverse.steps, band), self._inverse.step
            cv2.multiply(out, steps, dst=out, scale=step, dtype=cv2.CV_32F)
        elif self._inverse is not None:
            np.multiply(out, _rows(self._inverse, band), out=out)

    def _mend(self, pixels: Float32) -> None:
        """Set right what lies beyond the steps, when all bands are done."""
        flat = pixels.reshape(-1)
        for combine, (index, by) in ((np.multiply, self._factor), (np.subtract, self._excess)):
            if index.size:
                flat[index] = combine(flat[index], by)


def _rows(pixels: Pixels, band: slice) -> Pixels:
    """Rows of all planes, counted through."""
    return pixels.reshape(-1, pixels.shape[-1])[band]


_Listed = tuple[Indices, Float32]
_NONE: _Listed = (np.empty(0, np.intp), np.empty(0, np.float32))


def _listed(offset: Stepped | None, inverse: Stepped | Float32 | None) -> tuple[_Listed, _Listed]:
    """What pixels beyond the inverse's steps are yet to be multiplied by, and others to be lowered by."""
    factor = excess = _NONE
    if isinstance(inverse, Stepped):
        factor = inverse.beyond, inverse.exact / inverse.held
    if offset is not None:
        above = offset.exact - offset.held
        if inverse is not None:
            above = above * _at(inverse, offset.beyond)
        excess = offset.beyond, above
    return factor, excess


def _at(inverse: Stepped | Float32, index: Indices) -> Float32:
    """The inverse at these places."""
    if not isinstance(inverse, Stepped):
        return inverse.reshape(-1)[index]
    values = (inverse.step * inverse.steps.reshape(-1)[index]).astype(np.float32)
    known = np.searchsorted(inverse.beyond, index)
    known = np.minimum(known, max(inverse.beyond.size - 1, 0))
    if inverse.beyond.size:
        here = inverse.beyond[known] == index
        values[here] = inverse.exact[known[here]]
    return values
