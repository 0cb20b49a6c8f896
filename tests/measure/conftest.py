"""Small star fields with known truth, drawn without the simulator."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.special import erf

from starwell.frame import Bayer, Facts, Float32, Float64, Planes
from starwell.measure.stars import Stars

COLOURS = {"R": 0, "G": 1, "B": 2}


@dataclass
class Field:
    """A drawn sub: stars at x, y with flux in ADU."""

    pixels: Float32
    x: Float64
    y: Float64
    flux: Float64

    def errors(self, stars: Stars, within: float = 2.0) -> tuple[Float64, Float64]:
        """Offsets (n, 2) of the found stars from the true ones, and found over true flux."""
        distance, index = cKDTree(np.column_stack([self.x, self.y])).query(stars.xy)
        near = distance < within
        index = index[near]
        truth = np.column_stack([self.x[index], self.y[index]])
        return stars.xy[near] - truth, stars.flux_adu[near] / self.flux[index]


def stamp(x: float, y: float, fwhm: float, reach: int, moffat: bool) -> tuple[Float64, int, int]:
    """A star of flux 1, integrated over pixels, and the row and column where its cut-out begins."""
    row, column = round(y) - reach, round(x) - reach
    side = 2 * reach + 1
    if moffat:
        alpha = fwhm / (2 * np.sqrt(2**0.25 - 1))
        fine = (np.arange(5 * side) + 0.5) / 5 - 0.5
        r2 = (fine[:, None] + row - y) ** 2 + (fine + column - x) ** 2
        light = (1 + r2 / alpha**2) ** -4 * 3 / (np.pi * alpha**2)
        return light.reshape(side, 5, side, 5).mean(axis=(1, 3)), row, column
    s = fwhm / np.sqrt(8 * np.log(2)) * np.sqrt(2)
    edges = np.arange(side + 1) - 0.5
    across, down = (np.diff(erf((edges + o - c) / s)) / 2 for o, c in ((column, x), (row, y)))
    return down[:, None] * across, row, column


@pytest.fixture
def draw() -> Callable[..., Field]:
    """Draw stars on a flat sky: (count, fwhm, size, sky, sigma, seed, fluxes, moffat, trail_px, colour)."""
    return _draw


def _draw(
    count: int = 60,
    fwhm: float = 3.0,
    *,
    size: tuple[int, int] = (512, 512),
    sky: float = 200.0,
    sigma: float = 10.0,
    seed: int = 1,
    fluxes: tuple[float, float] = (5e3, 2e5),
    moffat: bool = False,
    trail: tuple[float, float] = (0.0, 0.0),
    margin: float = 12.0,
    crowded: bool = False,
) -> Field:
    rng = np.random.default_rng(seed)
    h, w = size
    pixels = rng.normal(sky, sigma, size)
    x, y = _places(rng, count, size, margin, apart=0.0 if crowded else 25.0)
    flux = np.exp(rng.uniform(*np.log(fluxes), len(x)))
    reach = int(4 * fwhm + 4)
    steps = max(1, int(2 * np.hypot(*trail)))
    for a, b, f in zip(x, y, flux, strict=True):
        for k in (np.arange(steps) + 0.5) / steps - 0.5:
            light, row, column = stamp(a + k * trail[0], b + k * trail[1], fwhm, reach, moffat)
            y0, y1, x0, x1 = (
                max(row, 0),
                min(row + len(light), h),
                max(column, 0),
                min(column + len(light), w),
            )
            pixels[y0:y1, x0:x1] += f / steps * light[y0 - row : y1 - row, x0 - column : x1 - column]
    return Field(pixels.astype(np.float32), x, y, flux)


def _places(
    rng: np.random.Generator, count: int, size: tuple[int, int], margin: float, apart: float
) -> tuple[Float64, Float64]:
    places = np.empty((0, 2))
    for _ in range(200 * count):
        if len(places) == count:
            break
        one = rng.uniform(margin, np.array(size[::-1]) - 1 - margin)
        if apart == 0 or len(places) == 0 or np.hypot(*(places - one).T).min() > apart:
            places = np.vstack([places, one])
    return places[:, 0], places[:, 1]


@pytest.fixture
def mono() -> Callable[[Float32], Planes]:
    """The planes of a mono sub."""
    return lambda pixels: Planes.of(Facts(pixels.shape))


@pytest.fixture
def mosaic() -> Callable[[Float32], Planes]:
    """The planes of an RGGB sub."""
    return lambda pixels: Planes.of(Facts(pixels.shape, bayer=Bayer.RGGB))


@pytest.fixture
def coloured() -> Callable[[Float32, tuple[float, float, float], tuple[float, float, float]], Float32]:
    """Turn light above `sky` into an RGGB mosaic: each colour's share of it, above its own sky."""

    def tint(
        light: Float32, shares: tuple[float, float, float], skies: tuple[float, float, float]
    ) -> Float32:
        out = np.empty_like(light)
        for place, letter in (((0, 0), "R"), ((0, 1), "G"), ((1, 0), "G"), ((1, 1), "B")):
            view = np.s_[place[0] :: 2, place[1] :: 2]
            out[view] = light[view] * shares[COLOURS[letter]] + skies[COLOURS[letter]]
        return out

    return tint
