"""The ADU scale of pixels as a file gives them."""

from __future__ import annotations

import numpy as np

from starwell.frame import FULL_SCALE_ADU, Pixels

UNIT_SCALE_LIMIT = 10.0
"""Float pixels that stay within ± this are taken for 0..1, stars above 1 included (the limit Siril uses)."""
SCALED = "float 0..1 read as 0..65535 ADU"


def to_adu(array: Pixels) -> tuple[Pixels, tuple[str, ...]]:
    """Float pixels of 0..1 as 0..65535 ADU (in place), with a flag that says so; NaN is kept."""
    if array.dtype.kind != "f" or array.size == 0:
        return array, ()
    highest = np.fmax.reduce(array, axis=None)
    if not highest <= UNIT_SCALE_LIMIT or np.fmin.reduce(array, axis=None) < -UNIT_SCALE_LIMIT:
        return array, ()
    array *= array.dtype.type(FULL_SCALE_ADU)
    return array, (SCALED,)


def full_scale(pixels: Pixels) -> float:
    """The largest ADU these pixels can hold: the limit of short integers; for wider ones 65535 if it fits."""
    if pixels.dtype.kind in "iu" and pixels.dtype.itemsize <= 2:
        return float(np.iinfo(pixels.dtype).max)
    highest = float(np.fmax.reduce(pixels, axis=None)) if pixels.size else 0.0
    return highest if FULL_SCALE_ADU < highest < np.inf else FULL_SCALE_ADU
