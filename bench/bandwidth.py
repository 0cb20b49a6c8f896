"""What the machine's memory can move, and so the least time a sub can take.

python bench/bandwidth.py
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from statistics import median

import numpy as np

THREADS = 2
LEAST_B_PER_PX = 35
"""Calibrating and binning a sub (15) and warping it into the sums (20) touch at least this much memory."""

_PIXELS = 32_000_000
_PIECES = 32
_ROUNDS = 15


def gb_per_s() -> dict[str, float]:
    """Copy and triad, float32, two threads; GB (1e9 B) read and written per second, medians.

    The triad a = b + s·c is done piece by piece in the cache, as a fused loop would.
    """
    a, b, c = (np.full(_PIXELS, value, np.float32) for value in (0, 1, 2))
    pieces = [slice(i * _PIXELS // _PIECES, (i + 1) * _PIXELS // _PIECES) for i in range(_PIECES)]
    small = 1 << 16

    def copy(piece: slice) -> None:
        np.copyto(a[piece], b[piece])

    def triad(piece: slice) -> None:
        spare = np.empty(small, np.float32)
        for start in range(piece.start, piece.stop, small):
            part = slice(start, min(start + small, piece.stop))
            product = spare[: part.stop - part.start]
            np.multiply(c[part], np.float32(3), out=product)
            np.add(b[part], product, out=a[part])

    seconds = {"copy": _seconds(copy, pieces), "triad": _seconds(triad, pieces)}
    return {"copy": 8 * _PIXELS / seconds["copy"] / 1e9, "triad": 12 * _PIXELS / seconds["triad"] / 1e9}


def bound_ms(pixels: int, rates: dict[str, float]) -> float:
    """The least time for a sub of so many pixels at the best of these rates."""
    return pixels * LEAST_B_PER_PX / max(rates.values()) / 1e6


def _seconds(work: Callable[[slice], None], pieces: list[slice]) -> float:
    times = []
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in range(_ROUNDS):
            started = time.perf_counter()
            list(pool.map(work, pieces))
            times.append(time.perf_counter() - started)
    return median(times[2:])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", help="not used: every script here takes one")
    parser.parse_args()
    print(json.dumps(gb_per_s()))
