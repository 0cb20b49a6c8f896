"""What stars are sought and measured on: the luminance of mono, mosaic and 3-plane subs."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Pixels, Planes
from starwell.measure.background import Background, all_finite, bin_by

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
    half: the 2×2 bin of an H×W array, if it is there already.
    """

    pixels: Pixels
    planes: Planes
    sky: Background
    factor: int = 1
    plane: Float32 | None = None
    half: Float32 | None = None

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
        reach = np.arange(-radius, radius + 1)
        rows = np.clip(np.rint(y).astype(np.intp)[:, None] + reach, 0, self.size[0] - 1)[:, :, None]
        columns = np.clip(np.rint(x).astype(np.intp)[:, None] + reach, 0, self.size[1] - 1)[:, None, :]
        if self.plane is not None:
            light = self.plane[rows, columns]
            sx, sy = (self.factor * (p + 0.5) - 0.5 for p in (x, y))
            sky: Float32 | Float64 = (self._shares @ self.sky.at(sx, sy))[:, None, None]
        elif self.pixels.ndim == 3:
            light = self.pixels[:, rows, columns].mean(axis=0)
            sky = self.sky.at(x, y).mean(axis=0)[:, None, None]
        else:
            light, sky = self.pixels[rows, columns], self._sky_of_pixels(x, y, rows, columns)
        cut: Float32 = np.subtract(light, sky, dtype=np.float32)
        if not all_finite(cut):
            np.nan_to_num(cut, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return cut

    def _sky_of_pixels(self, x: Float64, y: Float64, rows: Index, columns: Index) -> Float32:
        sky = self.sky.at(x, y).astype(np.float32)
        if self.planes.planes[0].step == 1:
            mono: Float32 = sky[0][:, None, None]
            return mono
        channel = np.zeros((2, 2), np.intp)
        for plane in self.planes.planes:
            channel[plane.y0, plane.x0] = plane.channel
        stars = np.arange(len(x))[:, None, None]
        mosaic: Float32 = sky[channel[rows % 2, columns % 2], stars]
        return mosaic

    def binned(self, factor: int) -> Luminance:
        """This sub binned by `factor` in all, sky included; a mosaic's 2×2 cells become super-pixels."""
        if self.plane is not None:
            plane = bin_by(self.plane, factor // self.factor)
        elif self.pixels.ndim == 3:
            plane = np.mean([bin_by(p, factor) for p in self.pixels], axis=0, dtype=np.float32)
        else:
            plane = self.half if factor == 2 and self.half is not None else bin_by(self.pixels, factor)
        if not all_finite(plane):
            level = float(self._shares @ self.sky.sky_adu)
            plane = np.nan_to_num(plane, nan=level, posinf=level, neginf=level)
        return Luminance(self.pixels, self.planes, self.sky, factor, plane)

    @property
    def _shares(self) -> Float64:
        """How much each channel brings to the luminance."""
        channels = [plane.channel for plane in self.planes.planes]
        return np.bincount(channels, minlength=self.planes.channels) / len(channels)
