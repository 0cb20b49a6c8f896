"""A picture in plain characters, for terminals without block elements or colours."""

from __future__ import annotations

import numpy as np

from starwell.terminal.cells import SHADES, Row, blocks, centred, plain_rows, runs
from starwell.terminal.colours import RGB, ColourDepth, Picture, luminance, palette

_SKY = 72
"""Shades up to here stay blank: just above where the automatic stretch puts the sky."""

_RAMP = np.array(list(SHADES))
_NIGHT = {
    ColourDepth.TRUE: RGB(255, 0, 0),
    ColourDepth.INDEXED: RGB(255, 0, 0),
    ColourDepth.SIXTEEN: RGB(170, 0, 0),
}


def render(
    picture: Picture, columns: int, rows: int, colours: ColourDepth, *, night: bool = False
) -> list[Row]:
    """Exactly so many rows of so many columns, the uint8 H×W or H×W×3 picture fitted and centred in them.

    The character carries the brightness; with 256 colours or more it also takes the picture's hue.
    """
    cell = blocks(picture, columns, rows, 1, 1)[:, :, 0]
    grey = luminance(cell) if cell.ndim == 3 else cell
    above = np.clip(grey.astype(np.int64) - _SKY, 0, 255 - _SKY)
    glyphs = _RAMP[-(-above * (len(SHADES) - 1) // (255 - _SKY))]
    if night or cell.ndim == 2 or colours in (ColourDepth.MONO, ColourDepth.SIXTEEN):
        return centred(plain_rows(glyphs, _NIGHT.get(colours) if night else None), columns, rows)
    chosen = palette(colours, coloured=True)
    codes = chosen.codes(_full_bright(cell)).tolist()
    lines = [
        runs(line, map(chosen.rgb, code), [None] * len(line))
        for line, code in zip(glyphs.tolist(), codes, strict=True)
    ]
    return centred(lines, columns, rows)


def _full_bright(colours: Picture) -> Picture:
    """The same hues with their strongest channel at 255."""
    strongest = np.maximum(colours.max(axis=-1, keepdims=True), 1).astype(np.float32)
    return np.asarray(np.rint(colours * (255 / strongest)), np.uint8)
