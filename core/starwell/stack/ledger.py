"""What is written down about every sub of a stack: enough to take it out again, exactly."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from starwell.align.transform import Transform
from starwell.measure.compare import Normalisation
from starwell.stack.kernels import Indices


class State(StrEnum):
    """Whether a sub is in the sums."""

    STACKED = "stacked"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Entry:
    """One sub: how it is to be stacked, and once it was, how it has been.

    transform: sub sensor px -> reference sensor px. weight: per channel, of a pixel with the reference's
    noise 1. scatter: per channel, the scalar its model sigma was multiplied by; empty until stacked.
    masks: per channel, the packed output pixels left out (see unpack); empty until stacked. grid: per
    channel (level, step) in ADU of the whole steps its pixels were rounded to, as those of a stack's first
    subs are; empty for all others.
    """

    number: int
    transform: Transform
    normalisation: Normalisation
    weight: tuple[float, ...]
    scatter: tuple[float, ...] = ()
    masks: tuple[bytes, ...] = ()
    grid: tuple[tuple[float, float], ...] = ()
    state: State = State.STACKED


def pack(indices: Indices) -> bytes:
    """Sorted flat pixel indices as zlib-packed uint32 differences: about 2 bytes per masked pixel."""
    return zlib.compress(np.diff(indices, prepend=0).astype("<u4").tobytes(), 1)


def unpack(mask: bytes) -> Indices:
    """The sorted flat pixel indices of a packed mask."""
    return np.cumsum(np.frombuffer(zlib.decompress(mask), "<u4").astype(np.int64))
