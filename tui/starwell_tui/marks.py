"""Lines drawn into a picture: a crosshair and the target box."""

from __future__ import annotations

import numpy as np

from starwell_tui.viewpoint import Picture

WHITE = 255
GAP = 0.03
"""How much of the picture stays free around the crosshair's middle."""


def crosshair(picture: Picture, x: float, y: float, thick: int) -> Picture:
    """Lines through a point, in pixels of this part, but for the point itself."""
    drawn = np.array(picture)
    tall, wide = drawn.shape[:2]
    left, top = round(x - thick / 2), round(y - thick / 2)
    free = max(GAP * max(tall, wide), 2 * thick)
    across = np.abs(np.arange(wide) + 0.5 - x) > free
    down = np.abs(np.arange(tall) + 0.5 - y) > free
    drawn[max(top, 0) : max(top + thick, 0), across] = WHITE
    drawn[down, max(left, 0) : max(left + thick, 0)] = WHITE
    return drawn


def outline(picture: Picture, left: float, top: float, right: float, bottom: float, thick: int) -> Picture:
    """The frame of a box, in pixels of this part; what lies outside is cut off."""
    drawn = np.array(picture)
    tall, wide = drawn.shape[:2]
    x = np.arange(wide) + 0.5
    y = np.arange(tall) + 0.5
    inside_x, inside_y = (x > left) & (x < right), (y > top) & (y < bottom)
    inner_x = (x > left + thick) & (x < right - thick)
    inner_y = (y > top + thick) & (y < bottom - thick)
    drawn[(inside_y[:, None] & inside_x) & ~(inner_y[:, None] & inner_x)] = WHITE
    return drawn
