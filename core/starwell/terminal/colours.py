"""The colours a terminal has, and the nearest of them to a picture's.

Every colour handed out is an RGB triple that the terminal's palette holds, written as Rich maps it there:
in 256 colours the 26 greys are k·10.2, which Rich (and xterm_index here) take to black, the 24-step ramp and
white.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
Codes = NDArray[np.int32]


class RGB(NamedTuple):
    """A colour, 0..255 each."""

    red: int
    green: int
    blue: int

    @property
    def hex(self) -> str:
        """As #rrggbb."""
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


class ColourDepth(StrEnum):
    """How many colours the terminal shows; values as `--colour` takes them."""

    TRUE = "24bit"
    INDEXED = "256"
    SIXTEEN = "16"
    MONO = "none"


_GREYS = {
    ColourDepth.TRUE: np.rint(np.arange(64) * 255 / 63),
    ColourDepth.INDEXED: np.rint(np.arange(26) * 10.2),
    ColourDepth.SIXTEEN: np.array([0, 85, 170, 255]),
    ColourDepth.MONO: np.array([0, 255]),
}
_REDS = {
    **_GREYS,
    ColourDepth.INDEXED: np.array([0, 95, 135, 175, 215, 255]),
    ColourDepth.SIXTEEN: np.array([0, 170]),
}
_MEANT = {2: np.array([56, 160]), 4: np.array([56, 100, 160, 240]), 6: np.array([56, 84, 112, 152, 200, 255])}
"""Which shades so few levels stand for: a stretched sky (64) becomes black, the rest serves the nebula."""

_CUBE = np.array([0, 95, 135, 175, 215, 255])
_FINE = np.rint(np.arange(32) * 255 / 31)
_COARSEST_STEP = 16.0
_SIXTEEN = {(0, 0, 0): 0, (85, 85, 85): 8, (170, 170, 170): 7, (255, 255, 255): 15, (170, 0, 0): 1}


class Palette(NamedTuple):
    """What one kind of picture becomes on one kind of terminal.

    codes: uint8 colours (…,) or (…, 3) to one integer each; rgb: the colour of such an integer.
    step: how far apart two neighbouring shades are, of 255.
    """

    codes: Callable[[Picture], Codes]
    rgb: Callable[[int], RGB]
    step: float


def palette(depth: ColourDepth, *, coloured: bool, night: bool = False) -> Palette:
    """The palette for grey or coloured pictures; night is pure red, and 16 colours show greys only."""
    if night:
        return _shades(_REDS[depth], coloured, red=True)
    if coloured and depth is ColourDepth.TRUE:
        return _grid(_FINE)
    if coloured and depth is ColourDepth.INDEXED:
        return _cube_and_greys()
    return _shades(_GREYS[depth], coloured)


def luminance(colours: Picture) -> Picture:
    """The brightness of (…, 3) colours, Rec. 709 weights."""
    return np.asarray(np.rint(colours @ np.array([0.2126, 0.7152, 0.0722])), np.uint8)


def xterm_index(colour: RGB, depth: ColourDepth = ColourDepth.INDEXED) -> int:
    """The palette entry of a colour handed out for this depth (256 or 16 colours)."""
    if depth is ColourDepth.SIXTEEN:
        return _SIXTEEN[colour]
    if colour.red == colour.green == colour.blue:
        level = round(colour.red / 10.2)
        return {0: 16, 25: 231}.get(level, 231 + level)
    red, green, blue = (int(np.abs(_CUBE - part).argmin()) for part in colour)
    return 16 + 36 * red + 6 * green + blue


def _nearest(levels: NDArray[np.floating | np.integer], values: NDArray[np.uint8]) -> Codes:
    """The index of the nearest level."""
    table = np.abs(np.arange(256)[:, None] - levels).argmin(axis=1).astype(np.int32)
    return np.asarray(table[values], np.int32)


def _shades(levels: NDArray[np.floating | np.integer], coloured: bool, *, red: bool = False) -> Palette:
    """Greys, or reds, of these levels; colours count by their brightness."""

    def rgb(code: int) -> RGB:
        level = int(levels[code])
        return RGB(level, 0, 0) if red else RGB(level, level, level)

    def codes(colours: Picture) -> Codes:
        return _nearest(_MEANT.get(len(levels), levels), luminance(colours) if coloured else colours)

    return Palette(codes, rgb, min(255 / (len(levels) - 1), _COARSEST_STEP))


def _grid(levels: NDArray[np.floating | np.integer]) -> Palette:
    """A cube of colours with the same levels in red, green and blue."""
    n = len(levels)

    def codes(colours: Picture) -> Codes:
        red, green, blue = np.moveaxis(_nearest(levels, colours), -1, 0)
        return np.asarray((red * n + green) * n + blue, np.int32)

    def rgb(code: int) -> RGB:
        return RGB(int(levels[code // (n * n)]), int(levels[code // n % n]), int(levels[code % n]))

    return Palette(codes, rgb, 255 / (n - 1))


def _cube_and_greys() -> Palette:
    """The 6×6×6 cube, and the finer greys for colours that lie nearer to them."""
    levels = _GREYS[ColourDepth.INDEXED]
    cube, greys = _grid(_CUBE), _shades(levels, True)
    first_cube = len(levels)

    def codes(colours: Picture) -> Codes:
        grey = greys.codes(colours)
        from_grey = ((colours - levels[grey][..., None]) ** 2).sum(axis=-1)
        from_cube = ((colours - _CUBE[_nearest(_CUBE, colours)].astype(np.float64)) ** 2).sum(axis=-1)
        return np.where(from_grey <= from_cube, grey, first_cube + cube.codes(colours))

    def rgb(code: int) -> RGB:
        return greys.rgb(code) if code < first_cube else cube.rgb(code - first_cube)

    return Palette(codes, rgb, greys.step)
