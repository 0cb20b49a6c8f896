"""Photon transfer: what pairs of flats, biases and darks tell of a sensor (EMVA 1288; methods.md, §1.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from starwell.frame import Float64
from starwell.sensor import photon_transfer_dark as dark_charge
from starwell.sensor import photon_transfer_fit as fit
from starwell.sensor import photon_transfer_prnu as photo_response
from starwell.sensor.photon_transfer_dark import DarkCharge
from starwell.sensor.photon_transfer_fit import Curve, Line
from starwell.sensor.photon_transfer_levels import Level

CLIPPED = 1e-3
"""Share of bias samples at the lower rail above which nothing that rests on them is told."""
SUSPECT = 1e-4

_ROUNDING_ADU2 = 1 / 12
_LEAST_VARIANCE_ADU2 = 0.24
_BEND = 0.02
_POOR_LINEARITY = 3.0
_FINEST_STEP = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Sets:
    """All sets of one camera at one gain, in native (un-shifted) ADU; rail_adu: where pixels saturate."""

    bias: Level | None
    flats: list[Level]
    darks: list[Level]
    rail_adu: float
    adu_shift: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Analysis:
    """What the sets tell; None for what they cannot. egain in e- per native ADU.

    full_well_e: where the sensor or its converter saturates; least_full_well_e: the brightest clean level.
    prnu_percent: within blocks of 32×32 px of one colour, their planes taken off, at prnu_level (light over
    saturation); uneven_percent: the same over the whole window, illumination included. bias_adu: level
    without light.
    """

    egain: float | None = None
    egain_error: float | None = None
    read_noise_e: float | None = None
    full_well_e: float | None = None
    least_full_well_e: float | None = None
    prnu_percent: float | None = None
    prnu_level: float | None = None
    uneven_percent: float | None = None
    dsnu_e: float | None = None
    linearity_percent: float | None = None
    bias_adu: float | None = None
    dark: DarkCharge = field(default_factory=DarkCharge)
    zero_fraction: float | None = None
    adu_shift: int = 0
    warnings: tuple[str, ...] = ()
    points: Curve | None = None
    line: Line | None = None

    @property
    def dynamic_range(self) -> float | None:
        """Full well over read noise."""
        if self.full_well_e is None or not self.read_noise_e:
            return None
        return self.full_well_e / self.read_noise_e


def analyse(sets: Sets) -> Analysis:
    """Everything at once, with warnings for whatever is missing, clipped or contradictory."""
    warnings: list[str] = []
    bias = sets.bias
    zero = None if bias is None else bias.floor_share
    trusted = bias is not None and bias.floor_share <= CLIPPED
    _tell_of_bias(bias, warnings)
    pedestal = bias.mean_adu if bias is not None else None
    full = None
    if sets.flats and pedestal is not None:
        full = fit.saturation(sets.flats, sets.rail_adu, pedestal)
    dark_variance = bias.variance_adu2 if bias is not None and trusted and bias.pairs else None
    points, line = _transfer(sets, dark_variance, full.light_adu if full else None, warnings)
    egain = 1 / line.slope if line is not None else None
    dark = dark_charge.measure(bias if trusted else None, sets.darks, egain)
    warnings += dark_charge.warnings(dark, sets.darks)
    read_noise, dsnu = _dark_noise(bias if trusted else None, egain, warnings)
    prnu = photo_response.measure(
        sets.flats, bias if trusted else None, full.light_adu if full else None, warnings
    )
    clean = points.light_adu[points.usable & points.above_pedestal] if points is not None else np.zeros(0)
    full_well = _full_well(full, egain, clean, warnings)
    linearity = _linearity(sets.flats, pedestal if trusted else None, full, warnings)
    return Analysis(
        egain,
        None if line is None or egain is None else line.error * egain**2,
        read_noise,
        full_well,
        None if egain is None or not clean.size else float(clean.max()) * egain,
        *prnu,
        dsnu,
        linearity,
        None if pedestal is None or not trusted else float(pedestal.mean()),
        dark,
        zero,
        sets.adu_shift,
        tuple(warnings),
        points,
        line,
    )


def _tell_of_bias(bias: Level | None, warnings: list[str]) -> None:
    if bias is None:
        warnings.append(
            "No bias: read noise, DSNU, PRNU, full well and linearity cannot be told, and e-/ADU takes at "
            "least two light levels."
        )
        return
    share = bias.floor_share
    if share > CLIPPED:
        warnings.append(
            f"Zero clipping: {100 * share:.2g} % of the bias samples lie at the converter's lower rail. Read "
            "noise, DSNU, PRNU and linearity would come out wrong and are not told; e-/ADU comes from the "
            "unclipped flats alone. Raise the offset and shoot everything anew."
        )
    elif share > SUSPECT:
        warnings.append(
            f"{100 * share:.2g} % of the bias samples lie at the converter's lower rail: read noise and DSNU "
            "may be a little low. Raise the offset."
        )
    if not bias.pairs:
        warnings.append("A single bias: read noise and DSNU take pairs. Shoot at least 2, better 16.")


def _transfer(
    sets: Sets, dark_variance: Float64 | None, saturation_adu: float | None, warnings: list[str]
) -> tuple[Curve | None, Line | None]:
    """The photon-transfer curve and its line; None where the flats give none."""
    paired = [level for level in sets.flats if level.pairs]
    warnings += [
        f"A light level of {level.mean_adu.mean():.0f} ADU has one frame, and no pair."
        for level in sets.flats
        if not level.pairs
    ]
    if not paired:
        warnings.append("No pair of flats: e-/ADU cannot be told, nor anything in electrons.")
        return None, None
    points = fit.curve(paired, dark_variance, saturation_adu)
    _tell_of_rails(paired, points, warnings)
    levels = len(np.unique(points.light_adu[points.used]))
    if levels < (1 if points.above_pedestal else 2):
        warnings.append(
            "No e-/ADU: it takes one unclipped light level with biases, or two without. Nothing is told in "
            "electrons."
        )
        return points, None
    line = fit.through_origin(points) if points.above_pedestal else fit.with_intercept(points)
    if line.slope <= 0 or line.error > 0.5 * line.slope:
        warnings.append("The flats' noise does not grow with their light: these are no raw flats.")
        return points, None
    bent = fit.bend(points, line)
    if bent is not None and abs(bent) > _BEND:
        warnings.append(
            f"The photon-transfer curve bends by {100 * bent:+.1f} % from its darker to its brighter half: "
            "e-/ADU holds to about as much."
        )
    return points, line


def _tell_of_rails(paired: list[Level], points: Curve, warnings: list[str]) -> None:
    bright = sum(level.rail_share > fit.MOST_AT_A_RAIL for level in paired)
    dark = sum(level.floor_share > fit.MOST_AT_A_RAIL for level in paired)
    planes = len(paired[0].mean_adu)
    past = len(paired) - bright - dark - int(points.usable.reshape(-1, planes).all(axis=1).sum())
    if bright or past > 0:
        count = bright + max(past, 0)
        warnings.append(f"Saturation: {count} of {len(paired)} light levels saturate and were left out.")
    if dark:
        warnings.append(
            f"Zero clipping: {dark} of {len(paired)} light levels reach the lower rail and were left out."
        )


def _dark_noise(
    bias: Level | None, egain: float | None, warnings: list[str]
) -> tuple[float | None, float | None]:
    """Read noise and DSNU in e-: RN = K·sqrt(σ² - 1/12), DSNU = K·s; None where bias or K is missing."""
    if bias is None or egain is None or not bias.pairs:
        return None, None
    variance, fixed = float(bias.variance_adu2.mean()), float(bias.fixed_adu2.mean())
    if variance < _LEAST_VARIANCE_ADU2:
        warnings.append(
            f"The read noise of {math.sqrt(variance):.2f} ADU drowns in the converter's steps and is not "
            "told: use a higher gain."
        )
        return None, None
    read_adu = math.sqrt(variance - _ROUNDING_ADU2)
    if read_adu < _FINEST_STEP:
        warnings.append(f"The read noise spans {read_adu:.2f} ADU only: steps will show in the stack.")
    return egain * read_adu, egain * math.sqrt(max(fixed, 0.0))


def _full_well(
    full: fit.Saturation | None, egain: float | None, clean: Float64, warnings: list[str]
) -> float | None:
    if full is None or egain is None:
        return None
    if full.reached:
        return full.light_adu * egain
    seen = f" (at least {clean.max() * egain:,.0f} e-)" if clean.size else ""
    warnings.append(f"No set comes near saturation: the full well cannot be told{seen}.")
    return None


def _linearity(
    flats: list[Level], pedestal: Float64 | None, full: fit.Saturation | None, warnings: list[str]
) -> float | None:
    if pedestal is None or full is None:
        return None
    found = fit.linearity_percent(flats, pedestal, full.light_adu)
    if found is None:
        warnings.append(
            "Linearity cannot be told: it takes three light levels of different exposures under one lamp."
        )
    elif found > _POOR_LINEARITY:
        warnings.append(
            f"Light and exposure disagree by {found:.1f} %: unless the lamp changed, the sensor is not "
            "linear."
        )
    return found
