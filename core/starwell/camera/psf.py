"""Point-spread functions as mixtures of round Gaussians: separable, so exact over pixels and fast.

A Moffat profile *is* such a mixture: (1 + r²/α²)**-β, normalised, is the mean over s ~ Gamma(β - 1) of
Gaussians with variance α²/2s. Shaken and defocused stars are the mixture at several offsets.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float32, Float64, Plane

HALF_WIDTHS_PX = (6, 9, 13, 19, 28, 42, 63, 95, 140)
"""Half-widths that a star's patch may have."""

EDGE_E = 0.01
"""Light per pixel that a patch may cut off at its edge."""

_CHUNK = 3_000_000  # elements of the largest temporary array


@dataclass(frozen=True, slots=True, eq=False)
class Psf:
    """Gaussians of `sigma` px at (dx, dy) holding `weight` of the light (sum 1): arrays of one length."""

    sigma: Float64
    weight: Float64
    dx: Float64
    dy: Float64

    @staticmethod
    def seen(fwhm_px: float, beta: float | None) -> Psf:
        """A Moffat profile of this FWHM, or a Gaussian for beta None."""
        if beta is None:
            sigma, weight = np.array([fwhm_px / math.sqrt(8 * math.log(2))]), np.ones(1)
        else:
            alpha = fwhm_px / (2 * math.sqrt(2 ** (1 / beta) - 1))
            first, last, step = (
                -12 / (beta - 1),
                math.log(beta + 6 * math.sqrt(beta) + 6),
                1.2 / math.sqrt(beta),
            )
            s = np.exp(np.arange(first, last, step))  # the trapezoid in ln s converges exponentially
            weight = s ** (beta - 1) * np.exp(-s)
            sigma, weight = alpha / np.sqrt(2 * s), weight / weight.sum()
        return Psf(sigma, weight, np.zeros_like(sigma), np.zeros_like(sigma))

    def drawn_out(self, length_px: float, angle_deg: float, fwhm_px: float) -> Psf:
        """Moved along a straight line, centred, at even speed."""
        count = math.ceil(3 * length_px / fwhm_px) + 1
        along = length_px * ((np.arange(count) + 0.5) / count - 0.5)
        angle = math.radians(angle_deg)
        return self._at(along * math.cos(angle), along * math.sin(angle))

    def ringed(self, diameter_px: float, obstruction: float, fwhm_px: float) -> Psf:
        """Spread evenly over the ring that a telescope with a central obstruction makes out of focus.

        Beyond 4 FWHM without the wings of its seeing, which a wide ring drowns.
        """
        if diameter_px > 4 * fwhm_px and len(self.sigma) > 1:
            return Psf.seen(fwhm_px, None).ringed(diameter_px, obstruction, fwhm_px)
        count = math.ceil(4 * (diameter_px / fwhm_px) ** 2) + 8
        k = np.arange(count)
        inner = obstruction**2
        radius = diameter_px / 2 * np.sqrt(inner + (1 - inner) * (k + 0.5) / count)
        angle = k * math.pi * (3 - math.sqrt(5))  # a sunflower's seeds cover evenly
        x, y = radius * np.cos(angle), radius * np.sin(angle)
        return self._at(x - x.mean(), y - y.mean())

    def _at(self, dx: Float64, dy: Float64) -> Psf:
        k = len(dx)
        return Psf(
            np.tile(self.sigma, k),
            np.tile(self.weight, k) / k,
            (self.dx + dx[:, None]).ravel(),
            (self.dy + dy[:, None]).ravel(),
        )

    def brightness(self, radius_px: float) -> float:
        """The highest light per px² anywhere at this distance, for a star of 1 e-."""
        beyond = np.maximum(radius_px - np.hypot(self.dx, self.dy), 0)
        variance = self.sigma**2
        return float((self.weight * np.exp(-(beyond**2) / (2 * variance)) / (2 * math.pi * variance)).sum())

    def add_stars(self, view: Float32, plane: Plane, x: Float64, y: Float64, flux_e: Float64) -> None:
        """Add stars at sensor px (x, y) to the pixels of one plane of a frame, each pixel integrated."""
        edges = np.array([EDGE_E / max(self.brightness(half), 1e-30) for half in HALF_WIDTHS_PX[:-1]])
        classes = np.searchsorted(edges, flux_e)
        for k, half in enumerate(HALF_WIDTHS_PX):
            chosen = np.flatnonzero(classes == k)
            width = math.ceil((2 * half + 1) / plane.step)
            step = max(1, _CHUNK // (width * max(width, len(self.sigma))))
            for start in range(0, len(chosen), step):
                some = chosen[start : start + step]
                left = np.ceil((x[some] - half - plane.x0) / plane.step).astype(np.int64)
                top = np.ceil((y[some] - half - plane.y0) / plane.step).astype(np.int64)
                columns = self._shares(plane.x0 + plane.step * left - x[some], width, plane.step, self.dx)
                rows = self._shares(plane.y0 + plane.step * top - y[some], width, plane.step, self.dy)
                rows *= self.weight[:, None] * flux_e[some, None, None]
                _paste(view, np.swapaxes(rows, 1, 2) @ columns, left, top)

    def _shares(self, first: Float64, width: int, step: int, offset: Float64) -> Float64:
        """Each Gaussian's share in pixels at first + step·j from a star: stars × Gaussians × width."""
        from scipy.special import erf  # large, and a night with a real camera simulates nothing

        centre = first[:, None, None] + step * np.arange(width) - offset[:, None]
        scale = (1 / (math.sqrt(2) * self.sigma))[:, None]
        shares: Float64 = 0.5 * (erf((centre + 0.5) * scale) - erf((centre - 0.5) * scale))
        return shares


def _paste(view: Float32, patches: Float64, left: NDArray[np.int64], top: NDArray[np.int64]) -> None:
    height, width = view.shape
    n = patches.shape[1]
    for patch, x, y in zip(patches, left.tolist(), top.tolist(), strict=True):
        x0, y0, x1, y1 = max(x, 0), max(y, 0), min(x + n, width), min(y + n, height)
        if x0 < x1 and y0 < y1:
            view[y0:y1, x0:x1] += patch[y0 - y : y1 - y, x0 - x : x1 - x]
