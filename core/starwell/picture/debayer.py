"""Colour from one Bayer sub: bilinear at full size, or one colour pixel per 2×2 cell."""

from __future__ import annotations

import cv2
import numpy as np

from starwell.errors import PlanError
from starwell.frame import Bayer, Colour, Facts, Float32, Pixels, Planes

_CROSS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
_SQUARE = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4


def bilinear(mosaic: Pixels, bayer: Bayer) -> Float32:
    """Full-size 3×H×W float32 of an H×W mosaic; measured pixels keep their values.

    Mirroring about the edge pixel keeps the Bayer phase, so edges need no case of their own.
    Raises PlanError for anything but a mosaic of at least 2×2.
    """
    _check(mosaic)
    rgb = np.empty((3, *mosaic.shape), np.float32)
    sparse = np.zeros(mosaic.shape, np.float32)
    planes = Planes.of(Facts(shape=mosaic.shape, bayer=bayer))
    for channel in range(3):
        sparse[:] = 0
        for plane in planes.planes:
            if plane.channel == channel:
                planes.view(sparse, plane)[:] = planes.view(mosaic, plane)
        kernel = _CROSS if channel == 1 else _SQUARE
        cv2.filter2D(sparse, -1, kernel, dst=rgb[channel], borderType=cv2.BORDER_REFLECT_101)
    return rgb


def super_pixel(mosaic: Pixels, bayer: Bayer) -> Float32:
    """Half-size 3×(H//2)×(W//2) float32: one red, the mean of two greens, one blue per cell.

    An odd last row or column is left out. Raises PlanError for anything but a mosaic of at least 2×2.
    """
    _check(mosaic)
    height, width = mosaic.shape[0] // 2, mosaic.shape[1] // 2
    whole = mosaic[: 2 * height, : 2 * width]
    planes = Planes.of(Facts(shape=whole.shape, bayer=bayer), Colour.SUPER)
    rgb = np.zeros((3, height, width), np.float32)
    for plane in planes.planes:
        rgb[plane.channel] += planes.view(whole, plane)
    rgb[1] *= 0.5
    return rgb


def _check(mosaic: Pixels) -> None:
    """Refuse what is not a mosaic."""
    if mosaic.ndim != 2 or min(mosaic.shape) < 2:
        raise PlanError(
            f"Colour can only be made from a Bayer mosaic of at least 2×2 pixels, not from {mosaic.shape}; "
            "show this frame without a Bayer pattern."
        )
