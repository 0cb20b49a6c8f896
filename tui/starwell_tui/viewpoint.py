"""Which part of a picture a pane shows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.session.events import PreviewReady

Picture = NDArray[np.uint8]

STEP = 2**0.5
SMALLEST_PX = 16
"""No nearer than so many pixels of the picture across."""
PAN = 0.25


class Window(NamedTuple):
    """A part of a picture, in its pixels."""

    left: int
    top: int
    columns: int
    rows: int

    def within(self, other: Window) -> bool:
        """Whether the other has all of this."""
        return (
            other.left <= self.left
            and other.top <= self.top
            and self.left + self.columns <= other.left + other.columns
            and self.top + self.rows <= other.top + other.rows
        )

    def of(self, picture: Picture) -> Picture:
        """The pixels."""
        return picture[self.top : self.top + self.rows, self.left : self.left + self.columns]


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """zoom: 1 shows the whole picture. x, y: the middle, as fractions of it."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5

    def window(self, tall: int, wide: int, width: float, height: float) -> Window:
        """The part of a picture of this size that fills a pane of this aspect."""
        scale = min(width / wide, height / tall) * self.zoom
        rows = max(min(round(height / scale), tall), 1)
        columns = max(min(round(width / scale), wide), 1)
        top = round(min(max(self.y * tall - rows / 2, 0), tall - rows))
        left = round(min(max(self.x * wide - columns / 2, 0), wide - columns))
        return Window(left, top, columns, rows)

    def zoomed(self, factor: float, most: float) -> Viewpoint:
        """Nearer or further, between the whole picture and `most`."""
        zoom = min(max(self.zoom * factor, 1.0), max(most, 1.0))
        return replace(self, zoom=1.0 if zoom < 1.01 else zoom)

    def whole(self) -> Viewpoint:
        """All of the picture."""
        return Viewpoint()

    def panned(self, across: float, down: float) -> Viewpoint:
        """Quarters of what is shown to the right and down."""
        half = 0.5 / self.zoom
        x = min(max(self.x + across * PAN / self.zoom, half), 1 - half)
        y = min(max(self.y + down * PAN / self.zoom, half), 1 - half)
        return replace(self, x=x, y=y)


def pixels_of(shown: PreviewReady) -> Picture:
    """The picture as rows×columns or rows×columns×3."""
    flat = np.frombuffer(shown.pixels, np.uint8)
    shape = (shown.rows, shown.columns) + ((shown.channels,) if shown.channels > 1 else ())
    return flat.reshape(shape)


def full_size(shown: PreviewReady) -> tuple[int, int]:
    """Rows and columns of the whole of it, one pixel to a pixel."""
    return shown.full_rows or shown.rows, shown.full_columns or shown.columns
