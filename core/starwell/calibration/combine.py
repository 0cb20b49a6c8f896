"""Robust combination of many frames into one, in bounded memory whatever their number.

A ring of at most 15 frames, spread over the series, gives each pixel's median, the noise at every level
and the pixels that are noisier than their level explains. Then every frame is read once more: the result
is the mean of the samples within CLIP sigmas of that median. A median of 15 stands up to 7 bad samples,
and the noise is known from all pixels of a level where one pixel of 3 frames could not tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import NormalDist

import numpy as np

from starwell.calibration.defects import Points
from starwell.calibration.screening import Screened
from starwell.files.frames import open_frame
from starwell.frame import Facts, Float32, Float64, Mask, Pixels, Planes
from starwell.sensor.photon_transfer_blocks import clipped_rms

CLIP = 4.5
"""Sigmas beyond which a sample is left out."""
RING = 15
RING_BYTES = 512 << 20
"""What the ring may hold: fewer frames of a large sensor are held, but never fewer than 5."""
NOISY = 4.0
"""A pixel this many times noisier than others of its level is listed (random telegraph noise)."""

_BAND_ROWS = 64
_LEAST_FOR_SPREAD = 8
_NOISE_SAMPLES = 400_000
_QUANTILES = np.array([0, 0.05, 0.2, 0.4, 0.6, 0.8, 0.95, 0.99, 0.997, 0.999, 1.0])


@dataclass(frozen=True, slots=True, eq=False)
class Combined:
    """A series' mean. noisy_xy: pixels noisier than their level explains. clipped: fraction, by file."""

    pixels: Float32
    noisy_xy: Points
    ring: int
    clipped: dict[Path, float]


@dataclass(frozen=True, slots=True, eq=False)
class NoiseCurve:
    """Noise of one frame against level, from frames of one series: level and sigma in ADU, rising."""

    level: Float64
    sigma: Float64

    def variance(self, level: Float32) -> Float32:
        """Variance at these levels; beyond the brightest measured one it grows as shot noise does."""
        known: Float64 = np.interp(level, self.level, np.square(self.sigma))
        beyond = np.maximum(level / max(self.level[-1], 1e-6), 1.0) if self.level[-1] > 0 else 1.0
        return (known * beyond).astype(np.float32)


def combine(screened: Screened, facts: Facts, pedestal: Float32 | None, blank: float) -> Combined:
    """The clipped mean of the screened frames, less the pedestal, each divided by its scale.

    blank: what a pixel becomes that no frame ever measured.
    """
    files = screened.files
    chosen = _ring_of(len(files), facts)
    held = [open_frame(files[i]).pixels for i in chosen]
    normalise = _Normaliser(facts, screened.scale, pedestal)
    curve = noise_curve(lambda k, rows: normalise.rows(held[k], chosen[k], rows), len(chosen), facts)
    centre = np.empty(facts.shape, np.float32)
    limit = np.empty(facts.shape, np.float32)
    noisy = np.zeros(facts.shape, np.bool_)
    for rows in _bands(facts.size[0]):
        stack = np.array([normalise.rows(pixels, i, rows) for pixels, i in zip(held, chosen, strict=True)])
        part = np.s_[..., rows, :]
        centre[part], limit[part], noisy[part] = _centre(stack, curve)
    held = held if len(held) == len(files) else []
    pixels, clipped = _mean(files, held, normalise, centre, limit, blank)
    flagged = noisy if noisy.ndim == 2 else noisy.any(axis=0)
    y, x = np.nonzero(flagged)
    return Combined(pixels, np.column_stack((x, y)).astype(np.intp), len(chosen), clipped)


def noise_curve(rows_of: Callable[[int, slice], Float32], frames: int, facts: Facts) -> NoiseCurve:
    """Noise against level from the differences of successive frames, 4-sigma-clipped level by level."""
    height, width = facts.size
    apart = max(1, height * width // _NOISE_SAMPLES)
    rows = slice(0, height, apart)
    sample = np.array([rows_of(k, rows).ravel() for k in range(min(frames, RING))])
    level = np.median(sample, axis=0)
    difference = np.diff(sample, axis=0) / np.sqrt(2.0)
    edges = np.unique(np.nanquantile(level, _QUANTILES))
    levels, sigmas = [], []
    for low, high in pairwise(edges):
        inside = (level >= low) & (level <= high)
        if np.count_nonzero(inside) * len(difference) >= 100:
            levels.append(float(np.mean(level[inside])))
            sigmas.append(clipped_rms(difference[:, inside]))
    if not levels:  # a handful of pixels, or all of one level
        levels, sigmas = [float(np.nanmedian(level))], [clipped_rms(difference)]
    return NoiseCurve(np.array(levels), np.maximum(np.array(sigmas), 1e-3))


class _Normaliser:
    """Turns rows of a raw frame into float32 above the pedestal, on the series' mean level."""

    def __init__(self, facts: Facts, scale: Float64, pedestal: Float32 | None) -> None:
        self._planes = Planes.of(facts)
        self.scale = scale
        self._pedestal = pedestal

    def rows(self, pixels: Pixels, frame: int, rows: slice) -> Float32:
        out = pixels[..., rows, :].astype(np.float32)
        if self._pedestal is not None:
            constant = self._pedestal.size == 1
            out -= self._pedestal if constant else self._pedestal[..., rows, :]
        scale = self.scale[frame]
        if np.all(scale == 1):
            return out
        if len(scale) == 1:
            out /= np.float32(scale[0])
        elif out.ndim == 3:
            out /= scale.astype(np.float32)[:, None, None]
        else:
            out /= self._mosaic(scale, rows, out.shape)
        return out

    def _mosaic(self, scale: Float64, rows: slice, shape: tuple[int, ...]) -> Float32:
        cell = np.empty((2, 2), np.float32)
        for plane in self._planes.planes:
            cell[plane.y0, plane.x0] = scale[plane.channel]
        parity = np.arange(rows.start, rows.start + (rows.step or 1) * shape[0], rows.step or 1) % 2
        mosaic: Float32 = cell[parity][:, np.arange(shape[1]) % 2]
        return mosaic


def _ring_of(frames: int, facts: Facts) -> list[int]:
    """Which frames make the ring: an odd number of them where there are more, evenly over the series."""
    bytes_each = 2 * int(np.prod(facts.shape))
    most = max(5, min(RING, RING_BYTES // max(bytes_each, 1)))
    if frames <= most:
        return list(range(frames))
    most -= 1 - most % 2
    return sorted({round(float(i)) for i in np.linspace(0, frames - 1, most)})


def _centre(stack: Float32, curve: NoiseCurve) -> tuple[Float32, Float32, Mask]:
    """Median, clipping limit and noisy pixels of a band; stack: (frames, rows, W) or (frames, 3, rows, W)."""
    count = len(stack)
    stack.sort(axis=0)  # NaN goes last
    centre: Float32 = (stack[(count - 1) // 2] + stack[count // 2]) / np.float32(2)
    if np.isnan(stack[-1]).any():
        lost = np.isnan(stack).all(axis=0)
        centre = np.nanmedian(np.where(lost, 0, stack), axis=0)
        centre[lost] = np.nan
    variance = curve.variance(np.nan_to_num(centre))
    if count == 2:
        # two samples that disagree: light adds, so the lower one is the sensor's
        apart = stack[1] - stack[0] > CLIP * np.sqrt(2 * variance)
        centre = np.where(apart, stack[0], centre)
    noisy = np.zeros(centre.shape, np.bool_)
    if count >= _LEAST_FOR_SPREAD:
        # half of what the middle 68 % span, blind to the outermost samples on either side
        low, high = int(0.16 * count), count - 1 - int(0.16 * count)
        own = np.square((stack[high] - stack[low]) / np.float32(_span(count, low, high)))
        noisy = own > NOISY**2 * variance
        variance = np.maximum(variance, np.nan_to_num(own))
    limit = CLIP * np.sqrt(variance * np.float32(1 + np.pi / 2 / count))
    return centre, limit, noisy


def _span(count: int, low: int, high: int) -> float:
    """Expected distance in sigmas between two order statistics of a Gaussian sample (Blom)."""
    rank = (np.array([low, high]) + 1 - 0.375) / (count + 0.25)
    below, above = (NormalDist().inv_cdf(share) for share in rank)
    return above - below


def _mean(
    files: Sequence[Path],
    held: list[Pixels],
    normalise: _Normaliser,
    centre: Float32,
    limit: Float32,
    blank: float,
) -> tuple[Float32, dict[Path, float]]:
    """The weighted mean of what lies within the limit: a flat weighs by its light, everything else alike."""
    total = np.zeros_like(centre)
    weight = np.zeros_like(centre)
    clipped: dict[Path, float] = {}
    for frame, path in enumerate(files):
        pixels = held[frame] if held else open_frame(path).pixels
        light = float(normalise.scale[frame].mean())
        lost = 0
        for rows in _bands(centre.shape[-2]):
            part = np.s_[..., rows, :]
            delta = normalise.rows(pixels, frame, rows) - centre[part]
            good = np.abs(delta) <= limit[part] / np.float32(np.sqrt(light))
            lost += good.size - int(np.count_nonzero(good))
            np.copyto(delta, 0, where=~good)
            total[part] += np.float32(light) * delta
            weight[part] += np.float32(light) * good
        clipped[path] = lost / centre.size
    np.divide(total, weight, out=total, where=weight > 0)
    total += centre
    total[~np.isfinite(total)] = blank
    return total, clipped


def _bands(height: int) -> Iterator[slice]:
    return (slice(y, min(y + _BAND_ROWS, height)) for y in range(0, height, _BAND_ROWS))
