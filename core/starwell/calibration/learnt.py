"""What pairs of frames tell: noise, e-/ADU and read noise by photon transfer, dark charge, hot pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from starwell.files.frames import open_frame
from starwell.frame import Facts, Float32, Float64, Pixels, Planes, sampled
from starwell.sensor.photon_transfer_blocks import clipped_rms

MOST_PAIRS = 10
HOT_ADU = 200.0
"""A pixel this far above the bias after HOT_SECONDS is counted as hot."""
HOT_SECONDS = 60.0

_MOST_PIXELS = 2048
_BLOCK = 32


def pair_noise(paths: Sequence[Path], facts: Facts) -> float:
    """Noise of one frame in ADU: the 4-sigma-clipped rms of the differences of pairs, over the root of 2.

    What both frames share, fixed pattern and hot pixels, cancels. Their levels are brought together first.
    """
    variances = []
    for one, other in _pairs(paths):
        difference = _centre(one) - _centre(other)
        views = _views(difference, facts)
        variances.append(np.mean([clipped_rms(view - np.median(sampled(view))) ** 2 / 2 for view in views]))
    return float(np.sqrt(np.mean(variances))) if variances else 0.0


@dataclass(frozen=True, slots=True)
class Transfer:
    """Photon transfer at one level: e-/ADU of the file with its standard error over the pairs, read noise."""

    egain: float
    error: float
    read_noise_e: float


def photon_transfer(
    flats: Sequence[Path], facts: Facts, pedestal: Float32, dark_noise_adu: float, read_noise_adu: float
) -> Transfer | None:
    """e-/ADU from pairs of flats and the noise of frames without light; None where there is no shot noise.

    1/K = E[d²/(2·μ)] - σ_dark²·E[1/μ] with d the difference of two flats and μ their mean above the
    pedestal, both block by block of the same colour, the flats first brought to one level there
    (EMVA 1288; methods.md, §1.2). RN = K·sqrt(σ_read² - step²/12), the step being the converter's.
    """
    base = pedestal if pedestal.size == 1 else _centre(pedestal)
    inverse = []
    for one, other in _pairs(flats):
        first, second = _centre(one) - base, _centre(other) - base
        views = zip(_views(first, facts), _views(second, facts), strict=True)
        inverse += [[_inverse_gain(a, b, dark_noise_adu) for a, b in views]]
    if not inverse:
        return None
    per_pair = np.mean(np.array(inverse), axis=1)
    if not np.all(np.isfinite(per_pair)) or per_pair.mean() <= 0:
        return None
    egain = float(1 / per_pair.mean())
    error = float(per_pair.std(ddof=1) / np.sqrt(len(per_pair)) * egain**2) if len(per_pair) > 1 else 0.0
    step = 2.0**facts.adu_shift
    read_noise_e = egain * float(np.sqrt(max(read_noise_adu**2 - step**2 / 12, 0.0)))
    return Transfer(egain, error, read_noise_e)


def _inverse_gain(first: Float32, second: Float32, dark_noise_adu: float) -> float:
    """1/K in ADU/e- of one colour of one pair."""
    a, b = _blocked(first), _blocked(second)
    level_a, level_b = (np.median(blocks, axis=1, keepdims=True) for blocks in (a, b))
    mean = (level_a + level_b) / 2
    lit = (mean > 4 * dark_noise_adu).ravel() & (level_a > 0).ravel() & (level_b > 0).ravel()
    if not lit.any():
        return float("nan")
    a, b, mean = a[lit], b[lit], mean[lit]
    ratio = np.sqrt(level_a[lit] / level_b[lit])
    difference = (a / ratio - b * ratio) / np.sqrt(2 * mean)
    return clipped_rms(difference) ** 2 - dark_noise_adu**2 * float(np.mean(1 / mean))


def _blocked(view: Float32) -> Float64:
    """The pixels of a view by blocks of 32×32, (blocks, pixels)."""
    side = max(1, min(_BLOCK, *view.shape))
    rows, columns = view.shape[0] // side, view.shape[1] // side
    part = view[: rows * side, : columns * side].reshape(rows, side, columns, side)
    return part.transpose(0, 2, 1, 3).reshape(rows * columns, side * side).astype(np.float64)


def dark_charge(dark: Float32, bias: Float32 | None, facts: Facts, hot_adu: float) -> dict[str, float]:
    """Median dark charge, and how many pixels exceed hot_adu per minute of exposure, over the bias.

    Without a bias the dark's own median stands for it, and the charge is not told.
    """
    charge = dark - (bias if bias is not None else np.median(dark))
    seconds = facts.exposure.seconds
    threshold = hot_adu * seconds / HOT_SECONDS if seconds else hot_adu
    learnt = {"hot_pixels": float(np.count_nonzero(charge > threshold)), "hot_adu": threshold}
    if bias is not None:
        learnt["dark_adu"] = float(np.median(charge))
    return learnt


def _pairs(paths: Sequence[Path]) -> Iterator[tuple[Pixels, Pixels]]:
    for i in range(0, min(len(paths) - 1, 2 * MOST_PAIRS), 2):
        yield open_frame(paths[i]).pixels, open_frame(paths[i + 1]).pixels


def _centre(pixels: Pixels) -> Float32:
    """The middle of a frame as float32, at most 2048 pixels a side, cut at even pixels for the colours."""
    height, width = pixels.shape[-2:]
    y, x = (max(0, n - _MOST_PIXELS) // 4 * 2 for n in (height, width))
    part = pixels[..., y : y + min(height, _MOST_PIXELS), x : x + min(width, _MOST_PIXELS)]
    return part.astype(np.float32)


def _views(pixels: Float32, facts: Facts) -> list[Float32]:
    planes = Planes.of(facts)
    return [planes.view(pixels, plane) for plane in planes.planes]
