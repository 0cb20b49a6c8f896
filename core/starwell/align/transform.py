"""A plane affine map between pixel coordinates: similarity in practice, affine in form."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from starwell.frame import Float64


@dataclass(frozen=True, slots=True)
class Transform:
    """Takes (x, y) to (a·x + b·y + tx, c·x + d·y + ty), in pixels."""

    a: float = 1.0
    b: float = 0.0
    tx: float = 0.0
    c: float = 0.0
    d: float = 1.0
    ty: float = 0.0

    @staticmethod
    def from_matrix(matrix: ArrayLike) -> Transform:
        """From a 2×3 (or 3×3 affine) matrix."""
        m = np.asarray(matrix, dtype=np.float64)
        return Transform(*(float(v) for v in m[:2].ravel()))

    @staticmethod
    def similarity(angle_deg: float, scale: float = 1.0, tx: float = 0.0, ty: float = 0.0) -> Transform:
        """Rotation by angle (x towards y), scale, then shift."""
        cos, sin = (scale * f(math.radians(angle_deg)) for f in (math.cos, math.sin))
        return Transform(cos, -sin, tx, sin, cos, ty)

    @property
    def matrix(self) -> Float64:
        """The 2×3 matrix."""
        return np.array([[self.a, self.b, self.tx], [self.c, self.d, self.ty]])

    @property
    def scale(self) -> float:
        """Square root of the area scale."""
        return math.sqrt(abs(self.a * self.d - self.b * self.c))

    @property
    def angle_deg(self) -> float:
        """Rotation in -180..180 degrees, x towards y."""
        return math.degrees(math.atan2(self.c - self.b, self.a + self.d))

    @property
    def mirrored(self) -> bool:
        """Whether the map flips handedness."""
        return self.a * self.d - self.b * self.c < 0

    def apply(self, xy: ArrayLike) -> Float64:
        """Map points (…, 2)."""
        points = np.asarray(xy, dtype=np.float64)
        return points @ self.matrix[:, :2].T + self.matrix[:, 2]

    def inverse(self) -> Transform:
        """The map back."""
        det = self.a * self.d - self.b * self.c
        a, b, c, d = self.d / det, -self.b / det, -self.c / det, self.a / det
        return Transform(a, b, -(a * self.tx + b * self.ty), c, d, -(c * self.tx + d * self.ty))

    def __matmul__(self, first: Transform) -> Transform:
        """The map that applies `first`, then this one."""
        m = np.vstack([self.matrix, (0, 0, 1)]) @ np.vstack([first.matrix, (0, 0, 1)])
        return Transform.from_matrix(m)

    def corner_distance(self, other: Transform, size: tuple[int, int]) -> float:
        """Largest distance between where the two maps take the corners of a frame (height, width), px."""
        h, w = size
        corners = np.array([(0, 0), (w - 1, 0), (0, h - 1), (w - 1, h - 1)], dtype=np.float64)
        return float(np.hypot(*(self.apply(corners) - other.apply(corners)).T).max())
