"""What dim and bright flats may differ in without a pixel being at fault: the lamp, rows and columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32

MESH_PX = 64
"""Sensor px per side of a cell of the large scale."""


@dataclass(frozen=True, slots=True)
class Ratios:
    """How far dim flats over the bright one stray from a constant, as a part of it.

    large: half the range over the 64 px mesh; rows, columns: rms, the noise of a row's median included.
    """

    large: float
    rows: float
    columns: float

    @staticmethod
    def worst(of: Sequence[Ratios]) -> Ratios:
        """The largest of each."""
        return Ratios(max(r.large for r in of), max(r.rows for r in of), max(r.columns for r in of))


def mesh_medians(pixels: Float32, cell: int) -> Float32:
    """Medians of the pixels in cells of about cell×cell."""
    edges = [np.linspace(0, n, max(1, round(n / cell)) + 1).round().astype(int) for n in pixels.shape]
    return np.array(
        [[np.nanmedian(pixels[y0:y1, x0:x1]) for x0, x1 in _pairs(edges[1])] for y0, y1 in _pairs(edges[0])],
        np.float32,
    )


def spread(mesh: Float32, size: tuple[int, int]) -> Float32:
    """A mesh as a full map, linear between the middles of its cells."""
    full: Float32 = cv2.resize(mesh, size[::-1], interpolation=cv2.INTER_LINEAR)
    return full


def levelled(light: Float32, step: int) -> tuple[Float32, float, Ratios]:
    """Dim over bright flat without the lamp's shape, rows and columns; its level; and what they were.

    light: one colour plane, whose pixels lie step sensor px apart.
    """
    level = float(np.median(light))
    mesh = mesh_medians(light, MESH_PX // step)
    even = light / spread(np.maximum(mesh, np.float32(1e-3 * level)), (light.shape[0], light.shape[1]))
    columns: Float32 = np.median(even, axis=0)
    even /= columns
    rows: Float32 = np.median(even, axis=1)
    even /= rows[:, None]
    even *= np.float32(level)
    large = float(mesh.max() - mesh.min()) / (2 * level)
    return even, level, Ratios(large, float(rows.std()), float(columns.std()))


def _pairs(edges: NDArray[np.int_]) -> list[tuple[int, int]]:
    return list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
