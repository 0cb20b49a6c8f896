"""The low-light map of large sensors, band by band: an estimate holds a dozen maps of what it works on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from starwell.calibration.low_light import LowLight, LowSet, estimate
from starwell.calibration.low_light_levels import MESH_PX, Ratios
from starwell.calibration.low_light_mixture import Mixture
from starwell.frame import Facts, Float32

BAND_PX = 4_000_000
"""Pixels of a band, about: enough to know what noise and lamp are."""


def estimate_by_bands(
    bright: Float32, lows: Sequence[LowSet], dark_frames: int, read_noise_e: float, *, facts: Facts
) -> LowLight:
    """As `estimate`, in memory that does not grow with the sensor."""
    height, width = bright.shape
    count = max(1, round(height * width / BAND_PX))
    step = ceil(height / count / MESH_PX) * MESH_PX
    parts = []
    for y in range(0, height, step):
        rows = slice(y, y + step)
        sets = [LowSet(low.level_e, low.mean_e[rows], low.frames) for low in lows]
        of_band = replace(facts, shape=bright[rows].shape)
        parts.append(estimate(bright[rows], sets, dark_frames, read_noise_e, facts=of_band))
    found = parts[0] if len(parts) == 1 else _joined(parts)
    return replace(found, facts=facts)


def _joined(parts: Sequence[LowLight]) -> LowLight:
    """Bands as one map; figures are the bands' means, ratios their worst."""
    thresholds = [part.threshold_e for part in parts if part.threshold_e is not None]
    mixtures = zip(*(part.found for part in parts), strict=True)
    return replace(
        parts[0],
        deficit_e=np.concatenate([part.deficit_e for part in parts]),
        threshold_e=np.concatenate(thresholds) if thresholds else None,
        level_e=tuple(float(np.mean(levels)) for levels in zip(*(p.level_e for p in parts), strict=True)),
        noise_e=float(np.mean([part.noise_e for part in parts])),
        found=tuple(_mean(of_channel) for of_channel in mixtures),
        ratios=tuple(Ratios.worst(of) for of in zip(*(part.ratios for part in parts), strict=True)),
    )


def _mean(of: Sequence[Mixture]) -> Mixture:
    figures = np.mean([(one.share, one.width, one.top_e) for one in of], axis=0)
    return Mixture(*(float(figure) for figure in figures))
