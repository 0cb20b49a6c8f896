"""One frame of the focus loop: how sharp it is, and what a screen shows of it."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Frame, Pixels, Planes, sampled
from starwell.measure.luminance import TENT
from starwell.measure.stars import Stars
from starwell.measure.sub import measure
from starwell.picture.stretch import Stretch, curve_for, sky_of
from starwell.session.events import PreviewReady

_STAR_PX = (64, 128)
_TILE_PX = 160
_GAP_PX = 2
_GAP_SHADE = 90
_BELOW_SKY = 2.0


class FocusFrame:
    """Measured as it comes, without masters. Everything has row 0 at the top of the picture."""

    def __init__(self, frame: Frame) -> None:
        facts = frame.facts
        pixels: Pixels = frame.pixels.astype(np.float32)
        measured = measure(pixels, Planes.of(facts), saturation_adu=facts.saturation_adu)
        grey = pixels.mean(axis=0) if pixels.ndim == 3 else pixels
        self.stars: Stars = measured.stars
        self.celsius = facts.sensor_celsius
        self._facts = facts
        self._grey: Float32 = grey if facts.top_down else np.ascontiguousarray(grey[::-1])
        self._y = self.stars.y if facts.top_down else facts.size[0] - 1 - self.stars.y
        self._mosaic = facts.bayer is not None and pixels.ndim == 2
        self._sky = sky_of(sampled(self._grey).ravel())
        self._shown = self._brightest()

    @property
    def corners(self) -> tuple[float | None, ...]:
        """HFR (median, px) by thirds of the frame, row by row."""
        height, width = self._facts.size
        where = 3 * (3 * self._y // height).astype(np.intp) + (3 * self.stars.x // width).astype(np.intp)
        radii = self.stars.star_hfr_px
        return tuple(float(np.median(radii[where == k])) if (where == k).any() else None for k in range(9))

    @property
    def saturated(self) -> bool:
        """Whether the star that is shown is."""
        return self._shown is not None and bool(self.stars.saturated[self._shown])

    @property
    def peak_adu(self) -> float | None:
        """The highest pixel of the star that is shown."""
        box = self._star_box()
        if box is None:
            return None
        x, y, side = box
        return float(self._grey[y : y + side, x : x + side].max())

    def star_picture(self, number: int) -> PreviewReady | None:
        """The surroundings of the brightest star that is not saturated, pixel by pixel."""
        box = self._star_box()
        if box is None:
            return None
        x, y, side = box
        cut = self._smooth(x, y, side, side)
        black = self._sky.median - _BELOW_SKY * self._sky.sigma
        white = max(float(cut.max()), black + 1.0)
        shade = np.clip((cut - black) * (255 / (white - black)), 0, 255)
        return self._picture("focus", number, np.rint(shade).astype(np.uint8), (x, y, side, side))

    def corner_picture(self, number: int) -> PreviewReady:
        """Centre, edges and corners, pixel by pixel, as 3×3 tiles of one stretch."""
        height, width = self._facts.size
        side = max(1, min(_TILE_PX, height // 3, width // 3))
        apart = side + _GAP_PX
        drawn = np.full((2 * apart + side, 2 * apart + side), _GAP_SHADE, np.uint8)
        curve = curve_for(Stretch.AUTO, self._sky, white_adu=self._facts.saturation_adu)
        for row, y in enumerate((0, (height - side) // 2, height - side)):
            for column, x in enumerate((0, (width - side) // 2, width - side)):
                tile = np.rint(255 * curve(self._smooth(x, y, side, side))).astype(np.uint8)
                drawn[row * apart :, column * apart :][:side, :side] = tile
        return self._picture("corners", number, drawn, None)

    def _picture(
        self, of: str, number: int, drawn: NDArray[np.uint8], crop: tuple[int, int, int, int] | None
    ) -> PreviewReady:
        return PreviewReady(
            of=of,
            number=number,
            rows=drawn.shape[0],
            columns=drawn.shape[1],
            channels=1,
            pixels=drawn.tobytes(),
            full_rows=self._facts.size[0],
            full_columns=self._facts.size[1],
            crop=crop,
        )

    def _brightest(self) -> int | None:
        if self.stars.count == 0:
            return None
        unsaturated = np.flatnonzero(~self.stars.saturated)
        return int(unsaturated[0]) if len(unsaturated) else 0

    def _star_box(self) -> tuple[int, int, int] | None:
        """x, y and side of the square about the star that is shown."""
        if self._shown is None:
            return None
        height, width = self._facts.size
        radius = self.stars.star_hfr_px[self._shown]
        side = int(np.clip(2 * math.ceil(4 * radius), *_STAR_PX))
        side = min(side, height, width)
        x, y = round(float(self.stars.x[self._shown])), round(float(self._y[self._shown]))
        return _inside(x - side // 2, width - side), _inside(y - side // 2, height - side), side

    def _smooth(self, x: int, y: int, width: int, height: int) -> Float32:
        """A part of the frame; a mosaic without its pattern."""
        if not self._mosaic:
            return self._grey[y : y + height, x : x + width]
        top, left = max(y - 1, 0), max(x - 1, 0)
        around = self._grey[top : y + height + 1, left : x + width + 1]
        smooth: Float32 = cv2.sepFilter2D(np.ascontiguousarray(around), -1, TENT, TENT)
        return smooth[y - top :, x - left :][:height, :width]


def _inside(start: int, most: int) -> int:
    return min(max(start, 0), most)
