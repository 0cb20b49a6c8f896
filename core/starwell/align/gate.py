"""What makes a fit a match: more pairs than chance gives, spread over the frame, at the right scale."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from starwell.align.fit import INLIER_PX, Complex, Fit, Similarity, shrunk_sigma

MOST_RMS_PX = 0.8
PREDICTED_PX = 3.0
"""A fit within this of the prediction is believed with fewer pairs."""

_CORNER_ERROR_PX = 0.5
_LINE = 0.04
"""Narrowest rms extent of the matched stars over the widest below which they lie on a line."""

_CLUMP = 1 / 16
"""Stars within this fraction of the common area count half."""

_GRID = 9


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why there is no alignment, as a short sentence."""

    reason: str


@dataclass(frozen=True, slots=True)
class Gate:
    """The conditions one pair of star lists sets; counts of stars, size (height, width)."""

    stars: int
    reference: int
    size: tuple[int, int]
    scale: tuple[float, float]
    expected: Similarity | None = None

    @property
    def smaller(self) -> int:
        """Length of the shorter list."""
        return min(self.stars, self.reference)

    @property
    def least(self) -> int:
        """Pairs without which nothing is ever accepted."""
        return 4 if self.expected is not None else 6

    def needed(self, predicted: bool = False) -> int:
        """Pairs needed: 6, 5 + 5·sqrt(mu) and a tenth of the smaller list; mu is how many chance gives.

        Where the prediction agrees: 4, 3 + 5·sqrt(mu) and a tenth.
        """
        mu = self.stars * self.reference * math.pi * INLIER_PX**2 / math.prod(self.size)
        least, offset = (4, 3) if predicted else (6, 5)
        return max(least, math.ceil(offset + 5 * math.sqrt(mu)), math.ceil(self.smaller / 10))

    def refusal(self, fit: Fit, stars: Complex) -> Refusal | None:
        """The reason not to believe a fit of these stars, None when it is a match."""
        needed = self.needed(self.predicts(fit.similarity))
        if fit.matched < needed:
            return Refusal(f"no match: {fit.matched} of {self.smaller} stars agree, {needed} are needed")
        scale = abs(fit.similarity.a)
        low, high = self.scale[0] * 0.995, self.scale[1] * 1.005
        if not low <= scale <= high:
            return Refusal(f"no match: a scale of {scale:.4f} is outside {low:.3f}-{high:.3f}")
        if fit.rms_px >= MOST_RMS_PX:
            return Refusal(f"no match: {fit.rms_px:.2f} px rms between the stars, {MOST_RMS_PX} is the limit")
        return self._spread_refusal(fit, stars[fit.i], needed)

    def predicts(self, similarity: Similarity) -> bool:
        """Whether the expected similarity takes every corner to within 3 px of where this one does."""
        return self.expected is not None and self.disagreement(self.expected, similarity) <= PREDICTED_PX

    def disagreement(self, one: Similarity, other: Similarity) -> float:
        """Largest distance between where two maps take the corners, px."""
        corners = grid(self.size, 2)
        return float(np.abs(one.apply(corners) - other.apply(corners)).max())

    def _spread_refusal(self, fit: Fit, z: Complex, needed: int) -> Refusal | None:
        centred = z - z.mean()
        narrow, wide = np.sqrt(np.abs(np.linalg.eigvalsh(np.cov([centred.real, centred.imag]))))
        if narrow <= _LINE * wide:
            return Refusal(f"no match: the {fit.matched} stars that agree lie on a line")
        common = overlap(fit.similarity, self.size)
        if not len(common):
            return Refusal("no match: the fields do not overlap")
        # The distribution of a uniform square has an rms extent of side/sqrt(12).
        spanned = 12 * narrow * wide / (math.prod(self.size) * len(common) / _GRID**2)
        if spanned < _CLUMP and fit.matched < 2 * needed:
            return Refusal(
                f"no match: the {fit.matched} stars that agree crowd in {spanned:.1%} of the common area"
            )
        error = corner_error(fit, z, common)
        if error > _CORNER_ERROR_PX:
            return Refusal(f"too coarse: {fit.matched} matched stars leave the edge open by {error:.1f} px")
        return None


def grid(size: tuple[int, int], count: int) -> Complex:
    """count×count points from corner to corner of a frame (height, width)."""
    height, width = size
    x, y = np.meshgrid(np.linspace(0, width - 1, count), np.linspace(0, height - 1, count))
    return (x + 1j * y).ravel()


def overlap(similarity: Similarity, size: tuple[int, int]) -> Complex:
    """The points of a grid over the sub that land within the reference."""
    points = grid(size, _GRID)
    mapped = similarity.apply(points)
    inside = (np.abs(mapped.real - (size[1] - 1) / 2) <= size[1] / 2) & (
        np.abs(mapped.imag - (size[0] - 1) / 2) <= size[0] / 2
    )
    return np.asarray(points[inside])


def corner_error(fit: Fit, z: Complex, at: Complex) -> float:
    """Standard error of the fit at the worst of these points, px per coordinate.

    sigma·sqrt(1/n + |at - mean|²/sum|z - mean|²): least squares, with sigma corrected for the 4 parameters.
    """
    n = fit.matched
    sigma = shrunk_sigma(fit.rms_px * math.sqrt(n / (n - 2)), n - 2)
    moment = np.sum(np.abs(z - z.mean()) ** 2)
    return float(sigma * np.sqrt(1 / n + np.abs(at - z.mean()).max() ** 2 / moment))
