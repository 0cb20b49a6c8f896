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


def flat_relative_variance(flat: Master, read_noise_e: float) -> float | None:
    """(F + RN²)/F²/N_F of one pixel of a master flat; None where frames or e-/ADU are not known."""
    level_e = _level_e(flat)
    if flat.combined < 1 or level_e <= 0:
        return None
    return (level_e + flat.learnt.get("read_noise_e", read_noise_e) ** 2) / level_e**2 / flat.combined


def dim_flat_warning(
    flat: Master | None, subs: int | None, *, sky_e: float | None = None, read_noise_e: float = 0.0
) -> str | None:
    """What dividing by a flat as dim as the lights costs, and what it would take; None for a bright one.

    Undithered: noise² = 1 + (N_L/N_F)·[(F + RN²)/F²]/[(S + RN²)/S²]; 5 % takes N_F = 9.8·N_L where F = S,
    which is what is assumed where the sky is not known. subs None: as many as flats.
    """
    share = None if flat is None else flat_relative_variance(flat, read_noise_e)
    if flat is None or share is None or share < 1 / DIM_E:
        return None
    sky = sky_e or _level_e(flat)
    count = subs or flat.combined
    extra = count * share * sky**2 / (sky + flat.learnt.get("read_noise_e", read_noise_e) ** 2)
    allowed = (1 + LITTLE) ** 2 - 1
    if extra <= allowed:
        return None
    return (
        f"{flat.name} is dim: a pixel of it is uncertain by {100 * math.sqrt(share):.1f} %. Undithered, "
        f"dividing by it makes the noise of {count:,} subs {math.sqrt(1 + extra):.2f}× what it could be; 5 % "
        f"extra takes {math.ceil(flat.combined * extra / allowed):,} flats, over the number of dither "
        "positions. A low-light map of the same flats costs next to nothing (starwell master low-light)."
    )


def _level_e(flat: Master) -> float:
    return flat.level_adu * (flat.learnt.get("egain") or flat.facts.egain or 0.0)


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
    share = flat_relative_variance(flat, model.read_noise_e)
    return None if share is None else share * sky_e**2
