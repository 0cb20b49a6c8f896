"""A picture in quarter blocks: two colours a cell, split along the best of the sixteen patterns."""

from __future__ import annotations

import numpy as np

from starwell.terminal.cells import QUADS, Row, blocks, centred, dithered, plain_rows, rows_of
from starwell.terminal.colours import ColourDepth, Picture, luminance, palette

_PATTERNS = (np.arange(1, 8)[:, None] >> np.arange(4)) & 1
"""The seven splits of four quarters in two (the eighth is no split; the others are these, swapped)."""

_GLYPHS = np.array(list(QUADS))
_FLAT_STEPS = 1.5


def render(
    picture: Picture, columns: int, rows: int, colours: ColourDepth, *, night: bool = False
) -> list[Row]:
    """Exactly so many rows of so many columns, the uint8 H×W or H×W×3 picture fitted and centred in them."""
    quarters = blocks(picture, columns, rows, 2, 2)
    if colours is ColourDepth.MONO:
        glyphs = _GLYPHS[dithered(luminance(quarters) if quarters.ndim == 4 else quarters, 2, 2)]
        return centred(plain_rows(glyphs), columns, rows)
    chosen = palette(colours, coloured=quarters.ndim == 4, night=night)
    bits, front, back = _split(quarters, _FLAT_STEPS * chosen.step)
    fg, bg = chosen.codes(front), chosen.codes(back)
    bits[fg == bg] = 0
    return centred(rows_of(_GLYPHS[bits], fg, bg, chosen), columns, rows)


def _split(quarters: Picture, flat: float) -> tuple[np.ndarray, Picture, Picture]:
    """The brighter quarters (bits), their colour, and the others' colour; cells of nearly one shade unsplit.

    2-means over the quarters of rows × columns × 4 [× 3]: of all splits the one with the greatest scatter
    between its two means. In integers, so that ties fall the same way everywhere.
    """
    four = quarters.astype(np.int64).reshape(*quarters.shape[:3], -1)
    total = four.sum(axis=2)
    inside = np.einsum("pq,yxqc->yxpc", _PATTERNS, four)
    n = _PATTERNS.sum(axis=1)
    outside = total[:, :, None] - inside
    between = (inside**2).sum(axis=-1) * (12 // n) + (outside**2).sum(axis=-1) * (12 // (4 - n))
    best = between.argmax(axis=-1)
    one = np.take_along_axis(inside, best[..., None, None], axis=2)[:, :, 0] / n[best][..., None]
    other = np.take_along_axis(outside, best[..., None, None], axis=2)[:, :, 0] / (4 - n[best])[..., None]
    swap = other.sum(axis=-1) > one.sum(axis=-1)
    bits = np.where(swap, 14 - best, best + 1)
    bright, dark = np.where(swap[..., None], other, one), np.where(swap[..., None], one, other)
    plain = np.ptp(four, axis=2).max(axis=-1) < flat
    mean = total / 4
    bits[plain], bright[plain], dark[plain] = 0, mean[plain], mean[plain]
    shape = quarters.shape[:2] + quarters.shape[3:]
    return bits, _bytes(bright).reshape(shape), _bytes(dark).reshape(shape)


def _bytes(means: np.ndarray) -> Picture:
    """Rounded to uint8."""
    return np.asarray(np.rint(means), np.uint8)
