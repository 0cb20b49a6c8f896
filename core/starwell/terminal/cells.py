"""Rows of runs of equally coloured characters: what a terminal shows, before it is told so.

Only characters of one column are ever used, by an allow-list: width tables call some block elements ambiguous
and miss others.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.errors import PlanError
from starwell.picture.pool import pool
from starwell.terminal.colours import RGB, ColourDepth, Palette, Picture, xterm_index

QUADS = " ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█"
"""Block elements; bit 1 is the upper left quarter, 2 the upper right, 4 the lower left, 8 the lower right."""

SHADES = " .:-=+*#%@"
SINGLE_WIDTH = frozenset(QUADS + SHADES)
"""Every character a row may hold."""

CELL_ASPECT = 2.0
"""How much taller than wide a terminal's cell is."""

_RESET = "\x1b[0m"
_DITHER = np.array([[0, 8, 2, 10], [12, 4, 14, 6], [3, 11, 1, 9], [15, 7, 13, 5]])
_DITHER_FROM, _DITHER_STEP = 84, 10


class Run(NamedTuple):
    """Neighbouring characters of one colour; None is the terminal's own colour."""

    text: str
    fg: RGB | None = None
    bg: RGB | None = None


Row = tuple[Run, ...]


def fitted(size: Sequence[int], columns: int, rows: int) -> tuple[int, int]:
    """Columns and rows that a picture of this height and width takes when it fits into so many."""
    height, width = size[0], size[1]
    scale = min(columns / width, rows * CELL_ASPECT / height)
    return max(1, round(width * scale)), max(1, round(height * scale / CELL_ASPECT))


def resampled(picture: Picture, height: int, width: int) -> Picture:
    """A uint8 picture H×W or H×W×3 at height×width sub-cells; star peaks survive a reduction."""
    if picture.shape[:2] == (height, width):
        return picture
    if height > picture.shape[0] or width > picture.shape[1]:
        shrinks = height <= picture.shape[0] or width <= picture.shape[1]
        how = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, (width, height), interpolation=how), np.uint8)
    planes = picture[None] if picture.ndim == 2 else np.moveaxis(picture, -1, 0)
    small = np.rint(pool(planes.astype(np.float32), (height, width), quantum=1.0)).astype(np.uint8)
    return small[0] if picture.ndim == 2 else np.moveaxis(small, 0, -1)


def blocks(picture: Picture, columns: int, rows: int, across: int, down: int) -> Picture:
    """The sub-cells of the cells that this picture fits into: rows × columns × (down·across) [× 3].

    Raises PlanError for anything but uint8 H×W or H×W×3, and for no room at all.
    """
    if picture.dtype != np.uint8 or picture.ndim not in (2, 3) or picture.shape[2:] not in ((), (3,)):
        raise PlanError(f"A terminal shows uint8 H×W or H×W×3, not {picture.dtype} {picture.shape}.")
    if columns < 1 or rows < 1 or 0 in picture.shape:
        raise PlanError(f"{columns} columns by {rows} rows leave no room for a picture of {picture.shape}.")
    wide, tall = fitted(picture.shape, columns, rows)
    fine = resampled(picture, tall * down, wide * across)
    split = fine.reshape(tall, down, wide, across, *fine.shape[2:]).swapaxes(1, 2)
    return split.reshape(tall, wide, down * across, *fine.shape[2:])


def dithered(shades: Picture, across: int, down: int) -> NDArray[np.int64]:
    """Which sub-cells (bits) of rows × columns × (down·across) greys are lit on a terminal of one colour."""
    tall, wide, _ = shades.shape
    y, x = np.mgrid[0 : tall * down, 0 : wide * across]
    threshold = _DITHER_FROM + _DITHER_STEP * _DITHER[y % 4, x % 4]
    cut = threshold.reshape(tall, down, wide, across).swapaxes(1, 2).reshape(shades.shape)
    return np.asarray(((shades > cut) << np.arange(down * across)).sum(axis=-1), np.int64)


def runs(glyphs: Iterable[str], fg: Iterable[RGB | None], bg: Iterable[RGB | None]) -> Row:
    """One row of cells as runs; a blank takes the colour of the characters before it, for it shows none."""
    cells: list[Run] = []
    for glyph, front, back in zip(glyphs, fg, bg, strict=True):
        blank = glyph == " "
        if blank and cells and cells[-1].bg == back:
            cells.append(Run(glyph, cells[-1].fg, back))
        else:
            cells.append(Run(glyph, None if blank else front, back))
    grouped = groupby(cells, key=lambda cell: cell[1:])
    return tuple(Run("".join(cell.text for cell in same), *colour) for colour, same in grouped)


def rows_of(
    glyphs: NDArray[np.str_], fg: NDArray[np.int32], bg: NDArray[np.int32], colours: Palette
) -> list[Row]:
    """Cells rows × columns (characters, palette codes) as rows of runs."""
    table = {int(code): colours.rgb(int(code)) for code in np.union1d(fg, bg)}
    return [
        runs(line, [table[c] for c in front], [table[c] for c in back])
        for line, front, back in zip(glyphs.tolist(), fg.tolist(), bg.tolist(), strict=True)
    ]


def plain_rows(glyphs: NDArray[np.str_], fg: RGB | None = None) -> list[Row]:
    """Cells in the terminal's own colour, or all in one."""
    return [(Run("".join(line), fg),) for line in glyphs.tolist()]


def centred(lines: list[Row], columns: int, rows: int) -> list[Row]:
    """These rows with blanks around them: exactly so many columns and rows."""
    wide = sum(len(run.text) for run in lines[0])
    left = (columns - wide) // 2
    before, after = Run(" " * left), Run(" " * (columns - wide - left))
    padded = [tuple(run for run in (before, *line, after) if run.text) for line in lines]
    top = (rows - len(lines)) // 2
    blank: Row = (Run(" " * columns),)
    return [blank] * top + padded + [blank] * (rows - len(lines) - top)


def text_of(lines: Iterable[Row]) -> list[str]:
    """The characters alone."""
    return ["".join(run.text for run in line) for line in lines]


def to_ansi(lines: Iterable[Row], depth: ColourDepth) -> str:
    """The rows as text with escape sequences, each with a newline, reset first where it used a colour."""
    return "".join(_ansi_row(line, depth) + "\n" for line in lines)


def _ansi_row(line: Row, depth: ColourDepth) -> str:
    """One row; only what changes from run to run is sent."""
    if depth is ColourDepth.MONO:
        return "".join(run.text for run in line)
    out: list[str] = []
    fg: RGB | None = None
    bg: RGB | None = None
    for run in line:
        codes = [] if run.fg == fg else [_sgr(run.fg, depth, 38)]
        codes += [] if run.bg == bg else [_sgr(run.bg, depth, 48)]
        out.append(f"\x1b[{';'.join(codes)}m{run.text}" if codes else run.text)
        fg, bg = run.fg, run.bg
    return "".join(out) + (_RESET if any(run.fg or run.bg for run in line) else "")


def _sgr(colour: RGB | None, depth: ColourDepth, base: int) -> str:
    """The parameters that set foreground (base 38) or background (48)."""
    if colour is None:
        return str(base + 1)
    if depth is ColourDepth.TRUE:
        return f"{base};2;{colour.red};{colour.green};{colour.blue}"
    index = xterm_index(colour, depth)
    if depth is ColourDepth.INDEXED:
        return f"{base};5;{index}"
    return str(base - 8 + index if index < 8 else base + 52 + index - 8)
