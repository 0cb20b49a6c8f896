"""The sky under the stars: a coarse mesh of clipped levels per channel."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from starwell.frame import Float32, Float64, Pixels, Planes
from starwell.measure.halved import Halved
from starwell.measure.mode import modes

_LARGEST_BOX_PX = 256
_SMALLEST_BOX_PX = 64
_BOXES_WANTED = 6
_LARGE_ROWS = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Background:
    """The sky of one sub.

    mesh_adu (channels, ny, nx): clipped levels of boxes centred at sensor px x (nx,), y (ny,). sky_adu
    (channels,): the level of the star-masked sky, the median of the boxes' modes.
    """

    mesh_adu: Float64
    x: Float64
    y: Float64
    sky_adu: Float64

    def at(self, x: ArrayLike, y: ArrayLike) -> Float64:
        """Sky in ADU, (channels, …), at sensor px: bilinear, and linear beyond the outermost centres."""
        ix, wx = _cell(self.x, np.asarray(x, np.float64))
        iy, wy = _cell(self.y, np.asarray(y, np.float64))
        jx, jy = np.minimum(ix + 1, len(self.x) - 1), np.minimum(iy + 1, len(self.y) - 1)
        m = self.mesh_adu
        upper = m[:, iy, ix] * (1 - wx) + m[:, iy, jx] * wx
        lower = m[:, jy, ix] * (1 - wx) + m[:, jy, jx] * wx
        return upper * (1 - wy) + lower * wy


def _cell(nodes: Float64, at: Float64) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.intp]], Float64]:
    """Index of the node to the left, and the fraction of the way to the next (beyond 0..1 outside)."""
    if len(nodes) == 1:
        return np.zeros(at.shape, np.intp), np.zeros(at.shape)
    place = (at - nodes[0]) / (nodes[1] - nodes[0])
    index = np.clip(np.floor(place).astype(np.intp), 0, len(nodes) - 2)
    return index, place - index


def background(pixels: Pixels, planes: Planes) -> Background:
    """Measure the sky of a mosaic or of 3 planes: clipped modes on samples of the 2×2 bin.

    Channels of a mosaic are their own planes, the greens averaged. A channel without a finite pixel is 0.
    """
    height, width = pixels.shape[-2:]
    box = int(np.clip(min(height, width) // _BOXES_WANTED, _SMALLEST_BOX_PX, _LARGEST_BOX_PX))
    nx, ny = max(1, round(width / box)), max(1, round(height / box))
    meshes, levels = [], []
    for channel in range(planes.channels):
        mesh, level = _mesh(_thinned(pixels, planes, channel), nx, ny)
        meshes.append(mesh)
        levels.append(level)
    x = (np.arange(nx) + 0.5) * width / nx - 0.5
    y = (np.arange(ny) + 0.5) * height / ny - 0.5
    return Background(np.array(meshes), x, y, np.array(levels))


def _thinned(pixels: Pixels, planes: Planes, channel: int) -> Float32:
    """The channel at half size; of large sensors some rows and columns, for 1,000 px tell a mode."""
    views = [planes.view(pixels, plane) for plane in planes.planes if plane.channel == channel]
    mosaic = planes.planes[0].step == 2
    large = views[0].shape[0] > _LARGE_ROWS
    across = 2 if large else 1
    down = 6 if large else 1 + (views[0].shape[0] > _LARGE_ROWS // 2)
    if mosaic:
        rows, columns = (min(v.shape[axis] for v in views) for axis in (0, 1))
        halves = [np.asarray(v[:rows:down, :columns:across], np.float32) for v in views]
        return np.ascontiguousarray(halves[0] if len(halves) == 1 else (halves[0] + halves[1]) / 2)
    half = Halved(views[0])
    return np.ascontiguousarray(half[np.arange(0, half.shape[0], down)][:, ::across])


def all_finite(samples: Float32) -> bool:
    """Whether every sample is a number; by the sum, which is one only then, and OpenCV's, which is quick."""
    if samples.size == 0:
        return True
    return math.isfinite(cv2.sumElems(np.ascontiguousarray(samples).reshape(1, -1))[0])


def _mesh(plane: Float32, nx: int, ny: int) -> tuple[Float64, float]:
    """The modes of ny×nx boxes, each the median of its 3×3, and the median of all."""
    box = plane.shape[0] // ny, plane.shape[1] // nx
    rows, columns = (
        np.rint((np.arange(count) + 0.5) * length / count - side / 2).astype(np.intp)
        for count, length, side in zip((ny, nx), plane.shape, box, strict=True)
    )
    boxes = sliding_window_view(plane, box)[rows[:, None], columns]
    levels = modes(boxes.reshape(ny * nx, -1)).reshape(ny, nx)
    if np.isnan(levels).all():
        return np.zeros((ny, nx)), 0.0
    mesh = _median_filtered(_filled(levels))
    return mesh, float(np.median(mesh))


def _filled(mesh: Float64) -> Float64:
    """NaN cells as the mean of the nearest others."""
    known = np.argwhere(~np.isnan(mesh))
    filled = mesh.copy()
    for cell in np.argwhere(np.isnan(mesh)):
        square = np.square(known - cell).sum(axis=1)
        filled[tuple(cell)] = mesh[tuple(known[square == square.min()].T)].mean()
    return filled


def _median_filtered(mesh: Float64) -> Float64:
    """Each cell the median of its 3×3: a bright star fills but one box."""
    padded = np.pad(mesh, 1, mode="reflect", reflect_type="odd")  # a gradient goes on beyond the edge
    around = sliding_window_view(padded, (3, 3)).reshape(*mesh.shape, 9)
    return np.asarray(np.sort(around, axis=2)[..., 4])
