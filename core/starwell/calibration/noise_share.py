"""What the masters' own noise adds to every sub, and how many frames they take; e- per sensor pixel.

A master's noise stands still on the sensor: in the stack it does not average down with the subs, only with
the places they were dithered to.
"""

from __future__ import annotations

import math

from starwell.calibration.master import Master, Masters
from starwell.frame import Kind
from starwell.sensor.model import SensorModel

DIM_E = 40_000.0
"""A flat with less light than this in all its frames, e- per pixel, is uncertain by over half a percent."""
LITTLE = 0.05
"""Extra noise that is put up with."""


def masters_variance_e2(masters: Masters, model: SensorModel, sky_adu: float) -> float | None:
    """Variance that the masters' noise puts into a sub's pixel; None where no master tells.

    Dark or bias: its noise over its frames. Flat: S²·(F + RN²)/F²/N_F, S the sky. Low-light map: what its
    shrunken deficits scatter by.
    """
    parts = [
        variance
        for variance in (
            _pedestal(masters.dark or masters.bias, model),
            None if masters.flat is None else _flat(masters.flat, model, sky_adu * model.egain),
            None if masters.low_light is None else masters.low_light.added_variance_e2,
        )
        if variance is not None
    ]
    return sum(parts) if parts else None


def flat_relative_variance(flat: Master, model: SensorModel) -> float | None:
    """(F + RN²)/F²/N_F of one pixel of a master flat; None where frames or e-/ADU are not known."""
    egain = flat.learnt.get("egain") or flat.facts.egain
    if flat.combined < 1 or not egain or flat.level_adu <= 0:
        return None
    level_e = flat.level_adu * egain
    read_e = flat.learnt.get("read_noise_e", model.read_noise_e)
    return (level_e + read_e**2) / level_e**2 / flat.combined


def dim_flat_warning(masters: Masters, model: SensorModel, sky_adu: float, subs: int | None) -> str | None:
    """What dividing by a flat as dim as the lights costs, and what it would take; None for a bright one.

    Undithered: noise² = 1 + (N_L/N_F)·[(F + RN²)/F²]/[(S + RN²)/S²]; 5 % takes N_F = 9.8·N_L where F = S.
    """
    flat = masters.flat
    share = None if flat is None else flat_relative_variance(flat, model)
    if flat is None or share is None or share < 1 / DIM_E or sky_adu <= 0:
        return None
    sky_e = sky_adu * model.egain
    per_sub = share * sky_e**2 / (sky_e + model.read_noise_e**2)
    allowed = (1 + LITTLE) ** 2 - 1
    told = f"for {subs:,} subs" if subs else "for as many subs as flats"
    count = subs or flat.combined
    factor = math.sqrt(1 + count * per_sub)
    if factor - 1 < LITTLE:
        return None
    needed = math.ceil(flat.combined * count * per_sub / allowed)
    return (
        f"{flat.name} is dim: a pixel of it is uncertain by {100 * math.sqrt(share):.1f} %. Undithered, "
        f"dividing by it makes the noise {factor:.2f}× {told}; 5 % extra takes {needed:,} flats, or that "
        "many over the number of dither positions. A low-light map of the same flats costs next to nothing "
        "(starwell master low-light)."
    )


def _pedestal(master: Master | None, model: SensorModel) -> float | None:
    if master is None or master.constant_adu is not None or master.combined < 1:
        return None
    noise = master.learnt.get("noise_adu")
    if noise is None and master.kind is Kind.BIAS:
        noise = master.learnt.get("read_noise_adu")
    scale = model.step_adu / 2.0**master.facts.adu_shift
    noise_e = model.read_noise_e if noise is None else noise * scale * model.egain
    return noise_e**2 / master.combined


def _flat(flat: Master, model: SensorModel, sky_e: float) -> float | None:
    share = flat_relative_variance(flat, model)
    return None if share is None else share * sky_e**2
