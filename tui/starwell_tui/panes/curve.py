"""A curve of noise against subs in braille: both axes logarithmic, so that 1/√N is a straight line."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""The bits of a braille cell by [row, column]."""

Curve = Sequence[tuple[float, float]]
"""Points (x, y), both above zero, x ascending."""


def braille(
    curve: Curve, columns: int, rows: int, x_range: tuple[float, float], y_range: tuple[float, float]
) -> NDArray[np.int64]:
    """rows×columns of braille bits of the points joined by straight lines in log-log."""
    bits = np.zeros((rows, columns), np.int64)
    across, down = 2 * columns - 1, 4 * rows - 1
    x = across * _place([point[0] for point in curve], x_range)
    y = down * (1 - _place([point[1] for point in curve], y_range))
    dots_x = np.arange(np.ceil(x[0] - 0.5), np.floor(x[-1] + 0.5) + 1).astype(int)
    dots_y = np.rint(np.interp(dots_x, x, y)).astype(int)
    for dot_x, dot_y in zip(dots_x.clip(0, across), dots_y.clip(0, down), strict=True):
        bits[dot_y // 4, dot_x // 2] |= DOTS[dot_y % 4, dot_x % 2]
    return bits


def _place(values: Sequence[float], ends: tuple[float, float]) -> NDArray[np.float64]:
    low, high = np.log(ends)
    return np.asarray((np.log(values) - low) / max(high - low, 1e-9))
