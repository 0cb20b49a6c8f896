"""Electrons from the frames themselves: e-/ADU and level of each lit set, by photon transfer on its pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from starwell.errors import MasterMismatch
from starwell.flatlab.deficits import Bench
from starwell.flatlab.experiment import Sets
from starwell.flatlab.frames import FrameSet
from starwell.flatlab.sums import Sums
from starwell.frame import sampled

FOREIGN = 0.15
"""A header's e-/ADU further off than this from what the frames say earns a warning."""


NEAR = 1.2
"""Dim flats further off the held-out frames' level than this factor are of another level."""

_MOST_SATURATED = 0.01


@dataclass(frozen=True, slots=True)
class Measured:
    """A lit set: e-/ADU of its files, and its level above the dark, e-."""

    egain: float
    level_e: float


def measure(lit: Sums, dark: Sums, warnings: list[str], header_egain: float | None) -> Measured:
    """e-/ADU = (mean - dark)/(variance - dark's variance); the header's where the frames cannot tell.

    MasterMismatch where the set holds no light.
    """
    light = float(np.mean(sampled(lit.mean()).astype(np.float64) - sampled(dark.mean())))
    shot = lit.noise_adu2 - dark.noise_adu2
    if light <= 0:
        raise MasterMismatch(
            f"--{lit.name} is no brighter than --{dark.name}: there is no light in it. Check the panel, and "
            "that the darks are of the same gain, offset and exposure."
        )
    # half a percent of the dark's noise is no shot noise
    if shot <= 0.005 * dark.noise_adu2:
        if not header_egain:
            raise MasterMismatch(
                f"--{lit.name} is brighter than --{dark.name} but no noisier, and its headers do not tell "
                "e-/ADU (EGAIN): are these raw frames?"
            )
        return Measured(header_egain, light * header_egain)
    egain = light / shot
    if header_egain and abs(egain / header_egain - 1) > FOREIGN:
        warnings.append(
            f"The headers of --{lit.name} say {header_egain:.4g} e-/ADU, its noise {egain:.4g}: the noise is "
            "believed."
        )
    return Measured(egain, light * egain)


def level_of(bench: Bench, lit: Sums) -> Measured:
    """The level of dim flats at the lights' settings: the median of their flat-divided light."""
    light = float(np.median((lit.mean() - bench.dark.mean()) / bench.bright))
    if light <= 0:
        raise MasterMismatch(f"--{lit.name} is no brighter than --dark: there is no light in it.")
    return Measured(bench.egain, light * bench.egain)


def check_unsaturated(bright: Sums) -> None:
    """MasterMismatch for bright flats that are too bright: they call weak pixels as good as the others."""
    part = float(bright.saturated.mean()) / bright.count
    if part > _MOST_SATURATED:
        raise MasterMismatch(
            f"{100 * part:.0f} % of the samples of --bright are saturated: what it says of each pixel's "
            "sensitivity is wrong. Shoot it half as bright."
        )


def by_light(sets: Sets, warnings: list[str]) -> tuple[FrameSet, list[FrameSet]]:
    """The dim flats of the held-out frames' level, and the others; MasterMismatch without light."""
    lows = sets.lows
    base = rough_level_adu(sets.dark)
    light = rough_level_adu(sets.held_out[0]) - base
    if light <= 0:
        raise MasterMismatch(
            "--held-out is no brighter than --dark: there is no light in it. Check the panel."
        )
    off = [abs(np.log(max(rough_level_adu(low) - base, 1e-6 * light) / light)) for low in lows]
    first = int(np.argmin(off))
    if off[first] > np.log(NEAR):
        warnings.append(
            f"The nearest --low is {np.exp(off[first]):.2g}× off the level of --held-out: the same-condition "
            "flat is judged at a light it was not made for."
        )
    return lows[first], [low for i, low in enumerate(lows) if i != first]


def rough_level_adu(one: FrameSet) -> float:
    """The median of a set's first frame."""
    return float(np.median(sampled(next(iter(one.frames())))))
