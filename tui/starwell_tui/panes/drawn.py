"""A picture as lines of the screen: rows of a mosaic, or blanks that carry sixels."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rich.segment import ControlType, Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip

from starwell.session.events import PreviewReady
from starwell.terminal import sixel
from starwell.terminal.cells import Row
from starwell.terminal.colours import RGB
from starwell_tui.panes.pane import PLAIN, line
from starwell_tui.viewpoint import Picture

CONTROL: Sequence[tuple[ControlType, int]] = ((ControlType.CURSOR_FORWARD, 0),)
"""Tells Textual that a segment moves nothing and takes no columns."""


def sixels(part: Picture, region: Region, cell_px: tuple[int, int], red: float | None) -> list[Strip]:
    """Blank lines, the last of which ends with the whole picture and leaves the cursor alone."""
    tall, wide = cell_px
    size = region.width * wide, region.height * tall
    sequence = sixel.render(part, *size, night=red is not None, brightness=red or 1.0)
    taken = sixel.fitted_px(part.shape, *size)
    row = region.y + (size[1] - taken[0]) // (2 * tall) + 1
    column = region.x + (size[0] - taken[1]) // (2 * wide) + 1
    placed = f"\x1b7\x1b[{row};{column}H{sequence}\x1b8"
    blank = Segment(" " * region.width, PLAIN)
    last = Strip([blank, Segment(placed, None, CONTROL)], region.width)
    return [Strip([blank], region.width)] * (region.height - 1) + [last]


def without_sixels(drawn: Strip) -> Strip:
    """The line without pictures in it."""
    segments = [segment for segment in drawn if not segment.control]
    return Strip(segments, drawn.cell_length)


def same_size(one: PreviewReady | None, other: PreviewReady | None) -> bool:
    """Whether one picture covers the other."""
    return bool(one and other and (one.rows, one.columns) == (other.rows, other.columns))


def strip(row: Row, width: int) -> Strip:
    """A row of the mosaic as Textual wants it."""
    return line([(run.text, colours(run.fg, run.bg)) for run in row], width)


@lru_cache(4096)
def colours(fg: RGB | None, bg: RGB | None) -> Style:
    """A style by its two colours; made once, for Rich's are costly."""
    return PLAIN + Style(color=fg.hex if fg else None, bgcolor=bg.hex if bg else None)
