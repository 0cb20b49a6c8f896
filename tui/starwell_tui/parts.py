"""Which part of a picture to ask the engine for at one pixel to a pixel."""

from __future__ import annotations

from starwell.remote.messages import Look
from starwell.session.events import PreviewReady
from starwell_tui.viewpoint import Window, full_size

MOST_PX = (1600, 1200)
"""Columns and rows of the largest part that an engine sends."""
BESIDE = 0.25
"""A part is larger than what is seen by this at each side, so that panning finds it there."""


def wanted(of: str, whole: PreviewReady | None, window: Window, given: Look) -> Look:
    """The look that shows this window of the whole as sharp as it is; the given one where that does.

    No part where the whole is not shrunk, or where the window is too large for one.
    """
    seen_whole = whole is None or (window.rows, window.columns) == full_size(whole)
    if whole is None or seen_whole or whole.full_columns <= whole.columns:
        return Look(of)
    if window.columns > MOST_PX[0] or window.rows > MOST_PX[1]:
        return Look(of)
    if given.of == of and given.crop and window.within(Window(*given.crop)):
        return given
    return Look(of, _with_margin(window, *full_size(whole)))


def _with_margin(window: Window, tall: int, wide: int) -> tuple[int, int, int, int]:
    columns = min(round(window.columns * (1 + 2 * BESIDE)), MOST_PX[0], wide)
    rows = min(round(window.rows * (1 + 2 * BESIDE)), MOST_PX[1], tall)
    left = min(max(window.left - (columns - window.columns) // 2, 0), wide - columns)
    top = min(max(window.top - (rows - window.rows) // 2, 0), tall - rows)
    return left, top, columns, rows
