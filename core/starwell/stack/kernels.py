"""The inner loops: band-wise numpy and OpenCV, and nothing else loops over pixels in the stack.

Every function works on a band that fits the cache, writes into the caller's scratch and releases the
interpreter lock while it runs.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

import cv2
import numpy as np
from numpy.typing import DTypeLike, NDArray

from starwell.frame import Float32, Float64, Mask, flat_true

Indices = NDArray[np.int64]
Kept = TypeVar("Kept")


class Kernel(StrEnum):
    """What a warp interpolates with."""

    LANCZOS = "lanczos"
    CUBIC = "cubic"
    LINEAR = "bilinear"


class Scratch(threading.local):
    """Buffers by name, one set per thread, kept from sub to sub."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}
        self._kept: dict[str, Any] = {}

    def keep(self, name: str, make: Callable[[], Kept]) -> Kept:
        """What this thread keeps by a name, made when it is first asked for."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: Kept = self._kept[name]
        return kept

    def take(self, name: str, shape: tuple[int, int], dtype: DTypeLike = np.float32) -> NDArray[Any]:
        """A contiguous array of this shape; what it holds is whatever was there before (at first 0)."""
        size = shape[0] * shape[1]
        buffer = self._buffers.get(name)
        if buffer is None or buffer.size < size or buffer.dtype != dtype:
            buffer = self._buffers[name] = np.zeros(size, dtype)
        return buffer[:size].reshape(shape)


def mean_of(total: Float64, weight: NDArray[Any], out: Float32) -> None:
    """m = S/W, not a number where nothing was stacked yet (and so never an outlier's reference)."""
    narrow = weight if weight.dtype == np.int32 else weight.astype(np.float64)
    cv2.divide(total, narrow, dst=out, dtype=cv2.CV_32F)


def beyond(deviation: NDArray[Any], limit: NDArray[Any], magnitude: NDArray[Any], far: Mask) -> Indices:
    """Flat indices where |D| > limit; limit is one row, the same for all rows of the band."""
    np.abs(deviation, out=magnitude)
    np.greater(magnitude, limit, out=far)
    return flat_true(far)


class Sums(NamedTuple):
    """A part of the running sums of one channel."""

    total: Float64
    weight: NDArray[np.int32]
    subs: NDArray[np.uint16]


def whole_of_steps(steps: NDArray[Any], level: float, step: float, weight: int, out: Float32) -> None:
    """q = round(weight·(level + step·k)) of whole numbers k of any kind, the same of each."""
    np.multiply(steps, np.float32(weight * step), out=out)
    np.add(out, np.float32(weight * level), out=out)
    np.rint(out, out=out)


def accumulate(q: Float32, weight: int, sums: Sums) -> None:
    """S += q, W += w, n += 1, or with a negative weight (and q of it) the exact opposite.

    q is whole, so that sums in float64 are exact below 2^53.
    """
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
    found: Mask = some.take(np.searchsorted(some, flat), mode="clip") == flat
    return found


_FIRST_LOOK = 20_000
"""Values: where to start clipping need not be precise."""


def clipped_rms(values: Float32, kappa: float = 4.0, rounds: int = 8) -> float:
    """Rms about 0 of what lies within kappa of it, from a MAD start; not a number without values."""
    if not values.size:
        return math.nan
    magnitude = np.abs(values)
    sigma = 1.4826 * float(np.median(magnitude[:: 1 + magnitude.size // _FIRST_LOOK]))
    for _ in range(rounds):
        kept = magnitude[magnitude <= kappa * sigma]
        before, sigma = sigma, math.sqrt(float(np.mean(np.square(kept, dtype=np.float64))))
        if abs(sigma - before) <= 1e-4 * before:
            break
    return sigma
