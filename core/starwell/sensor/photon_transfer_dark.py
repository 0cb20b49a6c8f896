"""Dark current twice over, by noise and by level, and the pixels that stand out of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from starwell.frame import Float32, Float64
from starwell.sensor.photon_transfer_blocks import clipped_rms
from starwell.sensor.photon_transfer_fit import Line, slope_in_time
from starwell.sensor.photon_transfer_levels import Level

HOT_SIGMAS = 6.0
"""A pixel whose dark current lies so far above the others' is hot."""
NOISY = 4.0
"""A pixel that scatters so many times more than the median one flickers (random telegraph noise)."""

_DISAGREE_SIGMAS = 4.0
_DISAGREE = 0.2
_FLOOR = 1e-3
_AS_LONG = 1e-3

_Figure = tuple[float, float] | tuple[None, None]


@dataclass(frozen=True, slots=True, eq=False)
class DarkCharge:
    """Dark current in e-/s; None where the sets cannot tell.

    by_variance: from the growth of the noise, by_mean: from that of the level, each with its error.
    clamped: the two contradict each other, because the camera subtracts its optical black. hot, rtn: how
    many pixels of map_pixels. rate_adu_s: per-pixel slope map, H×W.
    """

    by_variance: float | None = None
    by_variance_error: float | None = None
    by_mean: float | None = None
    by_mean_error: float | None = None
    clamped: bool = False
    hot: int | None = None
    hot_over_e_s: float | None = None
    rtn: int | None = None
    map_pixels: int = 0
    clipped: bool = False
    rate_adu_s: Float32 | None = None
    spread_adu: Float32 | None = None

    @property
    def e_per_s(self) -> float | None:
        """The figure to use: by level, as it is the more precise one, unless the camera hides it there."""
        if self.clamped or self.by_mean is None:
            return self.by_variance
        return self.by_mean


def measure(bias: Level | None, darks: list[Level], egain: float | None) -> DarkCharge:
    """Dark current from darks of several exposures; biases count as no exposure."""
    clean = [level for level in darks if level.floor_share <= _FLOOR and level.seconds is not None]
    levels = ([bias] if bias is not None else []) + sorted(clean, key=lambda level: level.seconds or 0.0)
    rtn, spread = _flickering([level for level in levels if level.spread_map is not None])
    hot, over, rates = _hot(levels)
    mapped = next((level.mean_map.size for level in levels if level.mean_map is not None), 0)
    variance: _Figure = (None, None)
    mean: _Figure = (None, None)
    if egain is not None and clean:
        variance = _scaled(_variance_slope(levels), egain**2)
        mean = _scaled(_mean_slope(levels), egain)
    return DarkCharge(
        by_variance=variance[0],
        by_variance_error=variance[1],
        by_mean=mean[0],
        by_mean_error=mean[1],
        clamped=_contradict(variance, mean),
        hot=hot,
        hot_over_e_s=None if egain is None or over is None else over * egain,
        rtn=rtn,
        map_pixels=mapped,
        clipped=len(clean) < len(darks),
        rate_adu_s=rates,
        spread_adu=spread,
    )


def warnings(found: DarkCharge, darks: list[Level]) -> list[str]:
    """What the user should know of the darks."""
    if not darks:
        return ["No darks: the dark current cannot be told."]
    told = []
    if found.clipped:
        told.append("Darks that clip at zero, or whose exposure is unknown, were left out.")
    if found.clamped:
        told.append(
            f"Black clamp: the darks' noise tells {found.by_variance:.4f} e-/s, their level only "
            f"{found.by_mean:.4f} e-/s. The camera subtracts its optical black; the noise was believed."
        )
    elif found.by_mean is not None and found.by_variance is None:
        told.append(
            "Dark current by level only (no pairs of darks): a camera that subtracts its optical black "
            "would hide it."
        )
    elif found.e_per_s is None:
        told.append("The dark current takes two exposures (or biases) and e-/ADU.")
    return told


def _scaled(line: Line | None, factor: float) -> _Figure:
    return (None, None) if line is None else (line.slope * factor, line.error * factor)


def _times(levels: list[Level]) -> Float64:
    return np.array([level.seconds or 0.0 for level in levels])


def _variance_slope(levels: list[Level]) -> Line | None:
    """Growth of the variance, in ADU²/s."""
    paired = [level for level in levels if level.pairs]
    planes = len(paired[0].variance_adu2) if paired else 1
    variance = np.array([float(level.variance_adu2.mean()) for level in paired])
    sigma = variance * np.sqrt([2 / (level.pixels * planes) for level in paired])
    return slope_in_time(_times(paired), variance, sigma)


def _mean_slope(levels: list[Level]) -> Line | None:
    """Growth of the level, in ADU/s; biases drift by a fraction of an ADU, and all weigh alike."""
    mean = np.array([float(level.mean_adu.mean()) for level in levels])
    return slope_in_time(_times(levels), mean, np.full(len(mean), 0.02))


def _contradict(variance: _Figure, mean: _Figure) -> bool:
    """Whether noise tells of more dark charge than the level does."""
    (by_noise, noise_error), (by_level, level_error) = variance, mean
    if by_noise is None or by_level is None or noise_error is None or level_error is None:
        return False
    apart, error = by_noise - by_level, float(np.hypot(noise_error, level_error))
    return apart > _DISAGREE_SIGMAS * error and apart > _DISAGREE * abs(by_noise)


def _hot(levels: list[Level]) -> tuple[int | None, float | None, Float32 | None]:
    """Pixels whose own slope of level against time stands out, from where, and the slopes; ADU/s."""
    mapped = [(level.seconds or 0.0, level.mean_map) for level in levels if level.mean_map is not None]
    times = np.array([seconds for seconds, _ in mapped])
    if len(times) < 2 or times.max() - times.min() < _AS_LONG:
        return None, None, None
    weight = (times - times.mean()) / np.square(times - times.mean()).sum()
    rates = np.zeros_like(mapped[0][1], dtype=np.float32)
    for factor, (_, values) in zip(weight, mapped, strict=True):
        rates += np.float32(factor) * values
    about = rates - np.median(rates)
    limit = HOT_SIGMAS * clipped_rms(about)
    return int(np.count_nonzero(about > limit)), limit, rates


def _flickering(levels: list[Level]) -> tuple[int | None, Float32 | None]:
    """Pixels far noisier than the median one, in the set of most frames; and the map of their scatter."""
    if not levels:
        return None, None
    spread = max(levels, key=lambda level: level.frames).spread_map
    assert spread is not None
    return int(np.count_nonzero(spread > NOISY * np.median(spread))), spread
