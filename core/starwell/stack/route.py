"""One sensor plane's way to the stack's grid: turned by an exact view, then nearly the identity."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starwell.align.transform import Transform
from starwell.frame import Float32, Float64, Plane
from starwell.stack.strips import PHASE_ERROR_PX

SMALL_SLOPE = math.sin(math.radians(0.35))
"""Beyond this rotation a strip would be a row high, and thousands of calls cost more than they save."""

_EXACT = 1e-9
"""A transform this close to whole pixels, over any sensor's width, is meant to be one."""

SMALL_STRETCH = 3e-4
"""Beyond this change of scale a block would be too short to be worth two passes."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """One plane's way: X = a·x + b·y + tx, Y = c·x + d·y + ty from output px to px of the turned plane."""

    plane: Plane
    transposed: bool
    flip_x: bool
    flip_y: bool
    size: tuple[int, int]
    to_plane: Transform
    per_plane_px: int
    strips: bool
    whole_shift: tuple[int, int] | None
    """(dx, dy) where every output pixel is a pixel of the plane: nothing to interpolate."""

    def view(self, plane_pixels: Float32) -> Float32:
        """The plane turned and flipped, without a copy."""
        turned = plane_pixels.T if self.transposed else plane_pixels
        return turned[:: -1 if self.flip_y else 1, :: -1 if self.flip_x else 1]


def route_of(plane: Plane, size: tuple[int, int], to_sub: Transform, output_step: int) -> Route:
    """Fold quarter turns and flips into the view so that what remains is near the identity."""
    to_plane = Transform(1 / plane.step, 0, -plane.x0 / plane.step, 0, 1 / plane.step, -plane.y0 / plane.step)
    m = (to_plane @ to_sub).matrix
    height, width = size
    transposed = abs(m[0, 1]) > abs(m[0, 0])
    if transposed:
        m, (height, width) = m[::-1].copy(), (width, height)
    flip_x, flip_y = bool(m[0, 0] < 0), bool(m[1, 1] < 0)
    if flip_x:
        m[0] = -m[0] + (0, 0, width - 1)
    if flip_y:
        m[1] = -m[1] + (0, 0, height - 1)
    ratio = max(1, plane.step // output_step)
    (a, b, _), (c, d, _) = m * ratio
    near = max(abs(b), abs(c)) <= SMALL_SLOPE and max(abs(a - b * c / d - 1), abs(d - 1)) <= SMALL_STRETCH
    turned, shift = Transform.from_matrix(m), _whole_shift(m) if ratio == 1 else None
    return Route(plane, transposed, flip_x, flip_y, (height, width), turned, ratio, near, shift)


def _whole_shift(m: Float64) -> tuple[int, int] | None:
    moved = m - np.eye(2, 3)
    whole = np.rint(moved)
    if whole[:, :2].any() or np.abs(moved - whole).max() > _EXACT:
        return None
    return int(whole[0, 2]), int(whole[1, 2])


def margin(route: Route, width: int) -> float:
    """How far inside the sensor's edge a pixel must fall, px.

    Strips share phases, and the rows a vertical tap reads are shifted against each other.
    """
    t = route.to_plane
    slope = max(abs(t.b), abs(t.c))
    exact = not route.strips or max(slope, abs(t.a * route.per_plane_px - 1)) * width < 1e-6
    return -1e-6 if exact else 2 * PHASE_ERROR_PX + 4 * slope * route.per_plane_px


def narrow(
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    slope: float,
    start: NDArray[np.float64],
    n: int,
    margin: float,
) -> None:
    """Keep the x with margin <= slope·x + start <= n - 1 - margin."""
    a, b = margin - start, n - 1 - margin - start
    if abs(slope) < 1e-12:
        high[(a > 0) | (b < 0)] = -1.0
        return
    ends = np.sort(np.stack([a, b]) / slope, axis=0)
    np.maximum(low, ends[0], out=low)
    np.minimum(high, ends[1], out=high)
