"""How the values of a picture are distributed, from a sample of its pixels."""

from __future__ import annotations

import numpy as np

from starwell.frame import Pixels, sampled
from starwell.session.events import HistogramReady

BINS = 128
_LEAST_SHARE, _MOST_SHARE = 0.001, 0.995
_SIGMAS = 15.0
_ROOM = 1.1


def histogram(of: str, number: int, pixels: Pixels, stack: str = "") -> HistogramReady | None:
    """The sky and what stands out of it, in ADU; None where no pixel is a number.

    From the darkest pixels to well above the sky, or as far as the brightest 0.5 % begin.
    """
    values = sampled(pixels).astype(np.float32).ravel()
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, median, most = (float(v) for v in np.quantile(values, (_LEAST_SHARE, 0.5, _MOST_SHARE)))
    sigma = 1.4826 * float(np.median(np.abs(values - np.float32(median))))
    high = median + _ROOM * max(most - median, _SIGMAS * sigma, 1.0)
    steps = np.clip((values - low) * (BINS / (high - low)), 0, BINS - 1).astype(np.intp)
    counts = np.bincount(steps, minlength=BINS)
    return HistogramReady(
        of=of, number=number, low_adu=low, high_adu=high, counts=tuple(counts.tolist()), stack=stack
    )
