"""Whether light gets in where none should: judged from the first two darks, dark flats or biases of a series.

Four signs, each enough: a level that no dark has, charge that no dark sensor gathers, a slope across the
middle of the frame (amplifier glow sits at the edges), and stars.
"""

from __future__ import annotations

import numpy as np

from starwell.frame import FULL_SCALE_ADU, Facts, Float32, Frame, Planes
from starwell.measure.sub import measure

_TILES = 16
_MIDDLE = slice(4, -4)
_SLOPE_SIGMA = 3.0
_FEWEST_STARS = 12
_NARROWEST_STAR_PX = 1.8
"""Hot pixels that smear into their neighbours, as a CCD's do, stay below this."""

_DARK_E_S = 30.0
_AT_CELSIUS = 25.0
_DOUBLING_K = 6.0
"""The warmest sensors of amateurs (Kodak CCDs) gather less than this, and double it every 6 K."""

_READ_NOISE_E = 17.0


def light_leak(first: Frame, second: Frame, bias_adu: float | None = None) -> str | None:
    """What says that light gets in, in words; None in the dark.

    bias_adu: level of a bias of the same settings; without it charge is judged from the noise alone.
    """
    facts = first.facts
    a, b = (frame.pixels.astype(np.float32) for frame in (first, second))
    level = float(np.median(a))
    if level > 0.25 * min(facts.saturation_adu, FULL_SCALE_ADU):
        return f"half of its pixels are above {level:.0f} ADU"
    rounding = (1 << facts.adu_shift) / np.sqrt(12)
    sigma = max(_sigma(a - b) / np.sqrt(2), rounding)
    charge = _charge_e(facts, sigma, None if bias_adu is None else level - bias_adu)
    if charge is not None and charge > (most := _most_charge_e(facts, by_noise=bias_adu is None)):
        return f"its pixels hold {charge:.0f} e-, and a sensor in the dark gathers no more than {most:.0f} e-"
    slope = _slope(a + b) / 2
    if slope > _SLOPE_SIGMA * sigma:
        return f"its level rises by {slope:.1f} ADU across the middle, {slope / sigma:.1f} times the noise"
    planes = Planes.of(facts)
    stars = measure(np.minimum(a, b), planes, saturation_adu=facts.saturation_adu).stars
    if stars.count >= _FEWEST_STARS and stars.fwhm_px > _NARROWEST_STAR_PX:
        return f"it shows {stars.count} stars"
    return None


def _charge_e(facts: Facts, sigma_adu: float, above_bias_adu: float | None) -> float | None:
    if facts.egain is None:
        return None
    if above_bias_adu is not None:
        return above_bias_adu * facts.egain
    return (sigma_adu * facts.egain) ** 2


def _most_charge_e(facts: Facts, *, by_noise: bool) -> float:
    """What a dark may hold at its temperature; judged by noise, the read noise of a CCD included."""
    celsius = _AT_CELSIUS if facts.sensor_celsius is None else facts.sensor_celsius
    rate = _DARK_E_S * 2 ** ((celsius - _AT_CELSIUS) / _DOUBLING_K)
    allowed = rate * (facts.exposure.seconds or 0.0) * facts.exposure.bin**2
    return allowed + _READ_NOISE_E**2 * facts.exposure.bin**2 * (1.0 if by_noise else 0.2)


def _sigma(pixels: Float32) -> float:
    sample = pixels.ravel()[:: max(1, pixels.size // 1_000_000)]
    return float(1.4826 * np.median(np.abs(sample - np.median(sample))))


def _slope(pixels: Float32) -> float:
    """Rise of the plane through the medians of the middle tiles, from edge to edge of them, ADU."""
    rows = np.array_split(np.arange(pixels.shape[-2]), _TILES)[_MIDDLE]
    columns = np.array_split(np.arange(pixels.shape[-1]), _TILES)[_MIDDLE]
    tiles = np.array(
        [[np.median(pixels[..., r[0] : r[-1] + 1, c[0] : c[-1] + 1]) for c in columns] for r in rows]
    )
    across = np.linspace(-0.5, 0.5, len(tiles))
    rise = across @ (tiles - tiles.mean()) / (len(tiles) * across @ across)
    down = (tiles - tiles.mean()) @ across / (len(tiles) * across @ across)
    return float(np.hypot(rise.sum(), down.sum()))
