"""A picture in sixels, for terminals that draw them: sixteen even greys, or as many reds at night."""

from __future__ import annotations

import fcntl
import re
import struct
import termios

import numpy as np

from starwell.errors import PlanError
from starwell.terminal.cells import resampled
from starwell.terminal.colours import Picture, luminance

LEVELS = 16
BAND_PX = 6
"""A sixel is so many pixels high."""

_SIZE = struct.Struct("HHHH")
_REPEATS = re.compile(r"(.)\1{3,}")


def render(
    picture: Picture, width_px: int, height_px: int, *, night: bool = False, brightness: float = 1.0
) -> str:
    """The uint8 H×W or H×W×3 picture, fitted into so many pixels, as one sequence; colours as greys.

    Its height is a multiple of 6, so that no row of characters below is touched. brightness: of the reds.
    Raises PlanError where there is no room for a single sixel.
    """
    if min(width_px, height_px // BAND_PX) < 1 or 0 in picture.shape:
        raise PlanError(f"{width_px}×{height_px} px leave no room for a picture of {picture.shape}.")
    grey = luminance(picture) if picture.ndim == 3 else picture
    tall, wide = fitted_px(grey.shape, width_px, height_px)
    shades = resampled(grey, tall, wide)
    levels = (shades.astype(np.uint16) * (LEVELS - 1) + 127) // 255
    bands = levels.astype(np.uint8).reshape(tall // BAND_PX, BAND_PX, wide)
    body = "-".join(_band(band) for band in bands)
    return f'\x1bP0;1;0q"1;1;{wide};{tall}{_palette(night, brightness)}{body}\x1b\\'


def fitted_px(size: tuple[int, ...], width_px: int, height_px: int) -> tuple[int, int]:
    """Height, a multiple of 6, and width that a picture of this height and width takes."""
    scale = min(width_px / size[1], height_px / size[0])
    bands = min(max(round(size[0] * scale / BAND_PX), 1), height_px // BAND_PX)
    return bands * BAND_PX, min(max(round(size[1] * scale), 1), width_px)


def cell_px(terminal: int) -> tuple[int, int] | None:
    """Height and width of a character in pixels; None where the terminal does not say."""
    try:
        rows, columns, width, height = _SIZE.unpack(
            fcntl.ioctl(terminal, termios.TIOCGWINSZ, bytes(_SIZE.size))
        )
    except OSError:
        return None
    if not (rows and columns and width >= columns and height >= rows):
        return None
    return height // rows, width // columns


def _palette(night: bool, brightness: float) -> str:
    """The colour registers, in percent."""
    shades = [round(100 * (brightness if night else 1.0) * level / (LEVELS - 1)) for level in range(LEVELS)]
    return "".join(
        f"#{level};2;{shade};{0 if night else shade};{0 if night else shade}"
        for level, shade in enumerate(shades)
    )


def _band(band: Picture) -> str:
    """Six rows of levels: each level that occurs is drawn over the width, one after the other."""
    weights = (1 << np.arange(BAND_PX, dtype=np.uint8))[:, None]
    drawn = []
    for level in np.unique(band):
        sixels = ((band == level) * weights).sum(axis=0, dtype=np.uint8) + np.uint8(63)
        text = sixels.tobytes().decode("ascii").rstrip("?")
        drawn.append(f"#{level}{_REPEATS.sub(_repeat, text)}")
    return "$".join(drawn)


def _repeat(found: re.Match[str]) -> str:
    return f"!{len(found[0])}{found[1]}"
