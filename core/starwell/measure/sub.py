"""All that is measured on one calibrated sub."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from starwell.frame import Float64, Pixels, Planes
from starwell.measure.background import Background, all_finite, background
from starwell.measure.luminance import Luminance
from starwell.measure.noise import plane_noise
from starwell.measure.stars import Stars, find_stars

_SAMPLED_FROM = 1 << 21
_ROWS_APART = 31  # odd, so that every colour of a mosaic is seen


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """Noise per channel (channels,), sky, stars, and the shares of pixels that are saturated or no number."""

    sigma_adu: Float64
    background: Background
    stars: Stars
    saturated_fraction: float
    nan_fraction: float = 0.0


def measure(pixels: Pixels, planes: Planes, *, saturation_adu: float, faint: bool = False) -> Measured:
    """Measure a calibrated sub, H×W (mono or mosaic, as planes say) or 3×H×W, in ADU.

    saturation_adu: on the scale of these pixels. faint: look 1 sigma deeper for stars. Never raises for what
    the sky or the camera did: an empty sub has no stars.
    """
    pixels = np.asarray(pixels, np.float32)
    rows_apart = _ROWS_APART if pixels.size > _SAMPLED_FROM else 1
    sample = np.ascontiguousarray(pixels[..., ::rows_apart, :])
    sky = background(pixels, planes)
    luminance = Luminance(pixels, planes, sky)
    return Measured(
        sigma_adu=plane_noise(pixels, planes),
        background=sky,
        stars=find_stars(luminance, saturation_adu=saturation_adu, faint=faint),
        saturated_fraction=float(np.count_nonzero(sample >= saturation_adu) / sample.size),
        nan_fraction=0.0 if all_finite(sample) else float(np.count_nonzero(np.isnan(sample)) / sample.size),
    )
