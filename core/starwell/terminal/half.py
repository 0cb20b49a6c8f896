"""A picture in half blocks: two square pixels a cell, one above the other."""

from __future__ import annotations

import numpy as np

from starwell.terminal.cells import Row, blocks, centred, dithered, plain_rows, rows_of
from starwell.terminal.colours import ColourDepth, Picture, luminance, palette

_GLYPHS = np.array(list(" ▀▄█"))


def render(
    picture: Picture, columns: int, rows: int, colours: ColourDepth, *, night: bool = False
) -> list[Row]:
    """Exactly so many rows of so many columns, the uint8 H×W or H×W×3 picture fitted and centred in them."""
    halves = blocks(picture, columns, rows, 1, 2)
    if colours is ColourDepth.MONO:
        glyphs = _GLYPHS[dithered(luminance(halves) if halves.ndim == 4 else halves, 1, 2)]
        return centred(plain_rows(glyphs), columns, rows)
    chosen = palette(colours, coloured=halves.ndim == 4, night=night)
    fg, bg = chosen.codes(halves[:, :, 0]), chosen.codes(halves[:, :, 1])
    glyphs = np.where(fg == bg, " ", "▀")
    return centred(rows_of(glyphs, fg, bg, chosen), columns, rows)
