"""Seeded star lists of one sky seen twice."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from starwell.align.transform import Transform

SIZE = (3520, 4656)
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Pair:
    """Two lists, brightest first, and the transform that takes the first to the second."""

    stars: Points
    reference: Points
    truth: Transform

    def corner_error(self, found: Transform) -> float:
        """Largest distance from the truth at the corners of the sub, px."""
        return found.corner_distance(self.truth, SIZE)

    def common_error(self, found: Transform) -> float:
        """Largest distance from the truth where the frames overlap, px; infinite where they do not."""
        height, width = SIZE
        x, y = np.meshgrid(np.linspace(0, width - 1, 21), np.linspace(0, height - 1, 21))
        points = np.column_stack([x.ravel(), y.ravel()])
        places = self.truth.apply(points)
        inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=1)
        miss = np.hypot(*(found.apply(points) - places)[inside].T)
        return float(miss.max()) if len(miss) else math.inf


class Sky:
    """Makes pairs of star lists from one seed."""

    size = SIZE

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def about_centre(
        self, angle: float, shift: complex = 0, scale: float = 1.0, mirrored: bool = False
    ) -> Transform:
        """Turn about the frame's centre, then shift; a mirrored sub shows the sky upside down."""
        cx, cy = (SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2
        flip = Transform(d=-1.0) if mirrored else Transform()
        turn = Transform.similarity(angle, scale, shift.real + cx, shift.imag + cy)
        return turn @ flip @ Transform(tx=-cx, ty=-cy)

    def pointing(self, sigma_px: float = 200) -> Transform:
        """Either side of the pier, half a degree and some px off."""
        angle = self.rng.choice([0, 180]) + self.rng.normal(0, 0.5)
        return self.about_centre(angle, complex(*self.rng.normal(0, sigma_px, 2)))

    def anywhere(self, count: int) -> Points:
        """Positions all over the frame."""
        return self.rng.uniform(0, 1, (count, 2)) * (SIZE[1] - 1, SIZE[0] - 1)

    def seen_twice(
        self, count: int, keep: float, spurious: int, truth: Transform, jitter: float = 0.2
    ) -> Pair:
        """`count` stars a frame; each list keeps a share of them and adds spurious ones as bright."""
        height, width = SIZE
        half = 2.2 * math.hypot(height, width)
        total = round(count * (2 * half) ** 2 / (height * width))
        sky = self.rng.uniform(-half, half, (total, 2)) + np.array((width, height)) / 2
        magnitude = np.log(self.rng.uniform(size=total))

        def seen(places: Points) -> Points:
            inside = ((places >= 0) & (places <= (width - 1, height - 1))).all(axis=1)
            kept = inside & (self.rng.uniform(size=total) < keep)
            xy = places[kept] + self.rng.normal(0, jitter, (np.count_nonzero(kept), 2))
            faintness = magnitude[kept] + self.rng.normal(0, 0.1, len(xy))
            noise = np.log(self.rng.uniform(size=spurious))
            return np.vstack([xy, self.anywhere(spurious)])[np.argsort(np.r_[faintness, noise])]

        return Pair(seen(truth.inverse().apply(sky)), seen(sky), truth)

    def with_hot_pixels(self, pair: Pair, count: int) -> Pair:
        """The same pair with hot pixels that stay where they are on the sensor."""
        hot = self.anywhere(count)

        def mixed(stars: Points) -> Points:
            return self.rng.permutation(np.vstack([stars, hot + self.rng.normal(0, 0.03, hot.shape)]))

        return Pair(mixed(pair.stars), mixed(pair.reference), pair.truth)


@pytest.fixture(scope="session")
def sky() -> Callable[..., Sky]:
    """Sky(*seed)."""
    return Sky
