"""Which deficits are real: most pixels lose nothing or a little, a few anything up to all the light.

(1 - p)·N(0, s² + tau²) + p·U(0, L), s the error of a deficit, tau what all pixels scatter by (noise cut off
at zero, small thresholds), p the share of cold pixels (methods, section 2.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

import numpy as np

from starwell.frame import Float32, Float64

_SAMPLES = 1 << 20
_BAND_ROWS = 256
_ROOT_TWO_PI = float(np.sqrt(2 * np.pi))


@dataclass(frozen=True, slots=True)
class Mixture:
    """share: p. width: by how much deficits scatter more than their error, sqrt(1 + tau²/s²). top_e: L."""

    share: float
    width: float
    top_e: float

    def shrunk(self, deficit_e: Float32, sigma_e: Float32) -> tuple[Float32, Float32]:
        """What is to be given back, in e-, and how likely each pixel is a cold one.

        b = d·(w + (1 - w)·tau²/(tau² + s²)), w = p·U/(p·U + (1 - p)·N).
        """
        dense = 1 - 1 / self.width**2
        lost, likely = np.empty_like(deficit_e), np.empty_like(deficit_e)
        for y in range(0, len(deficit_e), _BAND_ROWS):
            rows = slice(y, y + _BAND_ROWS)
            odds = (
                self.share / (1 - self.share) * _odds(deficit_e[rows], sigma_e[rows], self.width, self.top_e)
            )
            w = odds / (1 + odds)
            likely[rows] = w
            lost[rows] = deficit_e[rows] * (w + (1 - w) * dense)
        return lost, likely


def mixture(deficit_e: Float32, sigma_e: Float32, top_e: float) -> Mixture:
    """The mixture these deficits of these errors come from; p is the most likely one.

    The width is a MAD, blind to the few cold pixels; it never counts as less than the error itself.
    """
    every = max(1, isqrt(deficit_e.size // _SAMPLES))
    d, s = (v[::every, ::every].astype(np.float64).ravel() for v in (deficit_e, sigma_e))
    z = d / s
    width = max(1.0, 1.4826 * float(np.median(np.abs(z - np.median(z)))))
    return Mixture(_share(_odds(d, s, width, top_e)), width, top_e)


def _odds(d: Float32 | Float64, s: Float32 | Float64, width: float, top_e: float) -> Float64:
    """How much likelier a deficit is under U(0, L), blurred by its error, than under the dense normal."""
    d, s = np.asarray(d, np.float64), np.asarray(s, np.float64)
    from scipy.special import ndtr  # large, and most stacks need no mixture

    slab = (ndtr(d / s) - ndtr((d - top_e) / s)) / top_e
    # a pixel that gave less than nothing lost everything
    slab = np.where(d > top_e, np.maximum(slab, 0.5 / top_e), slab)
    exponent = np.minimum(np.square(d / (s * width)) / 2, 500.0)
    odds: Float64 = slab * _ROOT_TWO_PI * s * width * np.exp(exponent)
    return odds


def _share(odds: Float64) -> float:
    """The p that makes these odds likeliest: where the mean of (R - 1)/(1 + p(R - 1)) is 0, by halving.

    That mean falls with p, and is where the steps of expectation and maximisation come to rest.
    """
    gain = odds - 1
    low, high = -8.0, float(np.log10(0.5))

    def slope(power: float) -> float:
        return float(np.mean(gain / (1 + 10**power * gain)))

    if slope(low) <= 0:
        return 10**low
    for _ in range(40):
        middle = (low + high) / 2
        if slope(middle) > 0:
            low = middle
        else:
            high = middle
    return float(10**low)
