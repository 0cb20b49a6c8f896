"""What stars are sought and measured on: the luminance of mono, mosaic and 3-plane subs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Pixels, Planes
from starwell.measure.background import Background, all_finite
from starwell.measure.halved import bin_by

Index = NDArray[np.intp]

TENT = np.array([0.25, 0.5, 0.25], np.float32)
TENT_VARIANCE_PX2 = 0.5
"""What the tent kernel adds to the variance of a profile, per axis."""


@dataclass(frozen=True, slots=True, eq=False)
class Luminance:
    """A sub seen without colour, at one scale.

    factor: sensor px per px of this view. plane (h, w) is the binned luminance, sky included, or None at
    factor 1, where patches are cut from the pixels themselves: a mosaic is smoothed there with a 1-2-1 tent,
    which gives every colour the same kernel about its own place, so that no centroid depends on colour.
    """

    pixels: Pixels
    planes: Planes
    sky: Background
    factor: int = 1
    plane: Float32 | None = None

    @property
    def mosaic(self) -> bool:
        """Whether patches are smoothed colour samples."""
        return self.factor == 1 and self.planes.planes[0].step == 2

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of this view."""
        height, width = self.pixels.shape[-2:] if self.plane is None else self.plane.shape
        return int(height), int(width)

    def patches(self, x: Float64, y: Float64, radius: int) -> Float32:
        """Square cut-outs (n, 2·radius + 1, 2·radius + 1) about the px nearest to x, y; edges repeat."""
        if self.mosaic:
            rough = self.raw_patches(x, y, radius + 1)
            smooth = cv2.sepFilter2D(rough.reshape(-1, rough.shape[2]), -1, TENT, TENT)
            return np.ascontiguousarray(smooth.reshape(rough.shape)[:, 1:-1, 1:-1])
        return self.raw_patches(x, y, radius)

    def raw_patches(self, x: Float64, y: Float64, radius: int) -> Float32:
        """The same without the tent, above the sky; samples that are not numbers count as sky."""
        height, width = self.size
        column, row = np.rint(x).astype(np.intp), np.rint(y).astype(np.intp)
        inside = (column >= radius) & (column < width - radius) & (row >= radius) & (row < height - radius)
        if inside.all():
            cut = self._inside(x, y, column, row, radius)
        else:
            side = 2 * radius + 1
            cut = np.empty((len(x), side, side), np.float32)
            for where, cut_out in ((inside, self._inside), (~inside, self._at_the_edge)):
                if where.any():
                    cut[where] = cut_out(x[where], y[where], column[where], row[where], radius)
        if not all_finite(cut):
            np.nan_to_num(cut, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return cut

    def _inside(self, x: Float64, y: Float64, column: Index, row: Index, radius: int) -> Float32:
        """Cut-outs that lie within the frame: whole rows of them are copied at a time."""
        left, top, side = column - radius, row - radius, 2 * radius + 1
        windows = sliding_window_view(self._seen, (side, side), axis=(-2, -1))
        light: Float32 = windows[..., top, left, :, :]
        if not self.mosaic:
            return self._above_sky(light, self._sky_of_stars(x, y))
        sky = self._sky_of_mosaic(x, y, *((p[:, None] + (0, 1)) for p in (top, left)))
        for down, across in np.ndindex(2, 2):
            light[:, down::2, across::2] -= sky[:, down, across, None, None]
        return light

    def _at_the_edge(self, x: Float64, y: Float64, column: Index, row: Index, radius: int) -> Float32:
        """Cut-outs that reach beyond the frame."""
        reach = np.arange(-radius, radius + 1)
        rows, columns = (
            np.clip(p[:, None] + reach, 0, n - 1) for p, n in zip((row, column), self.size, strict=True)
        )
        light: Float32 = self._seen[..., rows[:, :, None], columns[:, None, :]]
        if self.mosaic:
            return light - self._sky_of_mosaic(x, y, rows, columns)
        return self._above_sky(light, self._sky_of_stars(x, y))

    @property
    def _seen(self) -> Pixels:
        return self.pixels if self.plane is None else self.plane

    @staticmethod
    def _above_sky(light: Float32, sky: Float64) -> Float32:
        """Cut-outs (n, side, side), or of each of 3 planes, less the sky of their stars."""
        grey = light.mean(axis=0) if light.ndim == 4 else light
        return np.subtract(grey, sky[:, None, None], dtype=np.float32)

    def _sky_of_stars(self, x: Float64, y: Float64) -> Float64:
        """The sky of the luminance at these px of the view."""
        x, y = (self.factor * (p + 0.5) - 0.5 for p in (x, y))
        return np.asarray(self._shares @ self.sky.at(x, y))

    def _sky_of_mosaic(self, x: Float64, y: Float64, rows: Index, columns: Index) -> Float32:
        """The sky at these stars in the colours of their rows and columns (n, rows, columns)."""
        channel = np.zeros((2, 2), np.intp)
        for plane in self.planes.planes:
            channel[plane.y0, plane.x0] = plane.channel
        colours = channel[rows[:, :, None] % 2, columns[:, None, :] % 2]
        sky: Float32 = self.sky.at(x, y).astype(np.float32)[colours, np.arange(len(x))[:, None, None]]
        return sky

    def binned(self, factor: int) -> Luminance:
        """This sub binned by `factor` in all, sky included; a mosaic's 2×2 cells become super-pixels."""
        if self.plane is not None:
            plane = bin_by(self.plane, factor // self.factor)
        elif self.pixels.ndim == 3:
            plane = np.mean([bin_by(p, factor) for p in self.pixels], axis=0, dtype=np.float32)
        else:
            plane = bin_by(self.pixels, factor)
        if not all_finite(plane):
            level = float(self._shares @ self.sky.sky_adu)
            plane = np.nan_to_num(plane, nan=level, posinf=level, neginf=level)
        return Luminance(self.pixels, self.planes, self.sky, factor, plane)

    @property
    def _shares(self) -> Float64:
        """How much each channel brings to the luminance."""
        channels = [plane.channel for plane in self.planes.planes]
        return np.bincount(channels, minlength=self.planes.channels) / len(channels)
