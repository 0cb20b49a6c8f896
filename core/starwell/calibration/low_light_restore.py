"""A low-light map made ready for the subs of one setting.

Deficits that do not depend on the sky go into what every sub is lowered by, and cost nothing; those of pixels
with a threshold are added pixel by pixel, for they grow with the local sky.
"""

from __future__ import annotations

from math import floor, log2

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.calibration.defects import Defects, Points, Repair
from starwell.calibration.low_light import LowLight
from starwell.calibration.low_light_levels import MESH_PX
from starwell.calibration.low_light_matching import electrons_per_adu, place
from starwell.frame import Facts, Float32, Planes

Indices = NDArray[np.intp]
_SAMPLES = 8
"""Samples along each side of a cell of the sky's mesh."""
_STEPS = 4
"""Which pixels keep back too much is decided anew when the sky changes by this part of an octave."""


class Restore:
    """What of a map concerns the lights' window, in their ADU. defects: those that are filled in any case."""

    def __init__(self, low: LowLight, facts: Facts, defects: Defects) -> None:
        x, y = place(low, facts)
        self._part = part = np.s_[y : y + facts.size[0], x : x + facts.size[1]]
        self.egain = electrons_per_adu(low, facts)
        self._step = 2 if facts.bayer is not None else 1
        self._defects = defects
        self._filled: tuple[float, Repair, Points] | None = None
        cold = low.cold[part]
        self._cold: Indices = np.flatnonzero(cold)
        self._keeps: Float32 = (low.deficit_e if low.threshold_e is None else low.threshold_e)[part][cold]
        self._mesh = _Mesh(facts, self._cold)
        self._amplitude: Float32 | None = None
        if low.threshold_e is not None:
            level = low.level_map(facts)[cold]
            self._amplitude = low.deficit_e[part][cold] / (
                -np.expm1(-level / self._keeps) * np.float32(self.egain)
            )

    def lowered(self, low: LowLight, offset: Float32 | None, flat: Float32 | None) -> Float32:
        """The offset less a·b/K: (light - that)/a then holds the deficits that do not grow with the sky.

        low: the map, of which nothing the size of a frame is kept.
        """
        lowered = low.deficit_e[self._part] * np.float32(-1 / self.egain)
        if self._amplitude is not None:
            lowered.reshape(-1)[self._cold] = 0
        if flat is not None:
            lowered *= flat
        if offset is not None:
            lowered += offset
        return lowered

    def add(self, pixels: Float32) -> tuple[Repair, Points]:
        """Give back what grows with the sky; which pixels are then to be filled, and how.

        Those are the defects, and pixels that keep back more than twice this sub's sky, which is taken in
        steps: subs of about one sky have the same pixels filled.
        """
        sky_e = self._mesh.of(pixels, self.egain)
        if self._amplitude is not None:
            local = np.maximum(self._mesh.at_pixels(sky_e), 0)
            pixels.reshape(-1)[self._cold] += self._amplitude * -np.expm1(-local / self._keeps)
        level = float(np.median(sky_e))
        step = 2.0 ** (floor(_STEPS * log2(level)) / _STEPS) if level > 0 else 0.0
        filled = self._filled  # another thread may replace it at any time
        if filled is None or filled[0] != step:
            unusable = Defects.at(self._cold[self._keeps > 2 * step], self._defects.size)
            joined = self._defects.joined(unusable)
            self._filled = filled = step, Repair(joined, self._step), joined.xy
        return filled[1:]


class _Mesh:
    """The local sky: medians of sampled pixels over 64×64 px, smoothed, looked up at a list of pixels."""

    def __init__(self, facts: Facts, at: Indices) -> None:
        self._planes: Planes = Planes.of(facts)
        height, width = facts.size
        self._cells = max(1, height // MESH_PX), max(1, width // MESH_PX)
        y, x = np.divmod(at, width)
        rows = np.minimum(y * self._cells[0] // height, self._cells[0] - 1)
        columns = np.minimum(x * self._cells[1] // width, self._cells[1] - 1)
        channel = np.zeros(facts.size, np.uint8)
        for plane in self._planes.planes:
            self._planes.view(channel, plane)[...] = plane.channel
        cells = self._cells[0] * self._cells[1]
        first = channel.reshape(-1)[at].astype(np.intp) * cells
        self._at: Indices = first + rows * self._cells[1] + columns

    def of(self, pixels: Float32, egain: float) -> Float32:
        """The sky in e-, (channels, cells down, cells across)."""
        ny, nx = self._cells
        skies = np.zeros((self._planes.channels, ny, nx), np.float32)
        for channel in range(self._planes.channels):
            samples = [
                self._sampled(self._planes.view(pixels, plane))
                for plane in self._planes.planes
                if plane.channel == channel
            ]
            mesh = np.median(np.concatenate(samples, axis=1), axis=1).reshape(ny, nx)
            skies[channel] = cv2.blur(cv2.medianBlur(mesh, 3), (3, 3))
        skies *= np.float32(egain)
        return skies

    def at_pixels(self, skies_e: Float32) -> Float32:
        """The sky at the pixels of the list."""
        return skies_e.reshape(-1)[self._at]

    def _sampled(self, view: Float32) -> Float32:
        """Evenly spread samples of every cell, (cells, samples)."""
        ny, nx = self._cells
        rows = np.linspace(0, view.shape[0] - 1, ny * _SAMPLES).round().astype(int)
        columns = np.linspace(0, view.shape[1] - 1, nx * _SAMPLES).round().astype(int)
        picked = view[np.ix_(rows, columns)].reshape(ny, _SAMPLES, nx, _SAMPLES)
        samples: Float32 = picked.transpose(0, 2, 1, 3).reshape(ny * nx, -1)
        return samples
