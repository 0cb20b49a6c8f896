"""The 2×2 bin of a sub, made rows at a time: as a whole it is large, and hardly anyone needs all of it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Pixels

_AT_ONCE = 64
"""Rows, of whose pixels a copy is made."""


class Halved:
    """The bin of H×W pixels; the odd row and column at the lower and right edge are left out."""

    def __init__(self, pixels: Pixels) -> None:
        self._pixels = pixels
        self.shape = pixels.shape[0] // 2, pixels.shape[1] // 2

    def __getitem__(self, rows: NDArray[np.intp]) -> Float32:
        """These rows, in any order."""
        chosen = np.empty((len(rows), self.shape[1]), np.float32)
        for first in range(0, len(rows), _AT_ONCE):
            some = rows[first : first + _AT_ONCE]
            pairs = np.stack((2 * some, 2 * some + 1), axis=1)
            chosen[first : first + _AT_ONCE] = bin_by(self._pixels[pairs.ravel()], 2)
        return chosen

    def rows(self, first: int, end: int) -> Float32:
        """Rows first … end."""
        return bin_by(self._pixels[2 * first : 2 * end], 2)


def bin_by(plane: Pixels, factor: int) -> Float32:
    """Mean of factor×factor cells; the remainder at the right and lower edge is left out."""
    height, width = plane.shape[0] // factor, plane.shape[1] // factor
    whole = np.asarray(plane[: height * factor, : width * factor], np.float32)
    return cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[no-any-return]
