"""The experiment's own low-light map, with where it comes from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType

from starwell.calibration.low_light import LowLight, LowSet
from starwell.calibration.low_light_bands import estimate_by_bands
from starwell.flatlab.deficits import Bench
from starwell.flatlab.gate import Lights


def mended(bench: Bench, lows: Sequence[LowSet], lights: Lights) -> LowLight:
    """The low-light map of these dim flats (less their dark, e-)."""
    frames, noise = bench.dark.count, lights.dark_noise_e
    found = estimate_by_bands(bench.bright, lows, frames, noise, facts=bench.facts)
    keywords = {"EGAINSRC": "measured", "RDNOISE": noise, "NDARK": frames}
    return replace(found, egain=bench.egain, keywords=MappingProxyType(keywords))
