"""Which part of a picture a pane shows, and between which black and white."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from starwell.session.events import PreviewReady

Picture = NDArray[np.uint8]

STEP = 2**0.5
SMALLEST_PX = 16
"""No nearer than so many pixels of the picture across."""
PAN = 0.25
LEVEL_STEP = 8


@dataclass(frozen=True, slots=True)
class Viewpoint:
    """zoom: 1 shows the whole picture. x, y: the middle, as fractions of it. black, white: of its bytes."""

    zoom: float = 1.0
    x: float = 0.5
    y: float = 0.5
    black: int = 0
    white: int = 255

    def cut(self, picture: Picture, width: float, height: float) -> Picture:
        """The part that fills a pane of this aspect, with its contrast."""
        tall, wide = picture.shape[:2]
        rows, columns = self._extent(tall, wide, width, height)
        top = round(min(max(self.y * tall - rows / 2, 0), tall - rows))
        left = round(min(max(self.x * wide - columns / 2, 0), wide - columns))
        part = picture[top : top + rows, left : left + columns]
        return part if (self.black, self.white) == (0, 255) else self._curve()[part]

    def zoomed(self, factor: float, most: float) -> Viewpoint:
        """Nearer or further, between the whole picture and `most`."""
        zoom = min(max(self.zoom * factor, 1.0), max(most, 1.0))
        return replace(self, zoom=1.0 if zoom < 1.01 else zoom)

    def whole(self) -> Viewpoint:
        """All of the picture."""
        return replace(self, zoom=1.0, x=0.5, y=0.5)

    def panned(self, across: float, down: float) -> Viewpoint:
        """Quarters of what is shown to the right and down."""
        half = 0.5 / self.zoom
        x = min(max(self.x + across * PAN / self.zoom, half), 1 - half)
        y = min(max(self.y + down * PAN / self.zoom, half), 1 - half)
        return replace(self, x=x, y=y)

    def levelled(self, end: str, steps: int) -> Viewpoint:
        """Black or white moved, at least a step apart."""
        if end == "black":
            return replace(self, black=min(max(self.black + steps * LEVEL_STEP, 0), self.white - LEVEL_STEP))
        return replace(self, white=max(min(self.white + steps * LEVEL_STEP, 255), self.black + LEVEL_STEP))

    def _extent(self, tall: int, wide: int, width: float, height: float) -> tuple[int, int]:
        """Rows and columns of the picture that are shown."""
        scale = min(width / wide, height / tall) * self.zoom
        return max(min(round(height / scale), tall), 1), max(min(round(width / scale), wide), 1)

    def _curve(self) -> Picture:
        levels = (np.arange(256) - self.black) * (255 / (self.white - self.black))
        return np.asarray(np.rint(levels.clip(0, 255)), np.uint8)


def pixels_of(shown: PreviewReady) -> Picture:
    """The picture as rows×columns or rows×columns×3."""
    flat = np.frombuffer(shown.pixels, np.uint8)
    shape = (shown.rows, shown.columns) + ((shown.channels,) if shown.channels > 1 else ())
    return flat.reshape(shape)
