"""Builds masters from frames: survey, screen, combine, and what the frames tell on the way."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from starwell.calibration.combine import CLIP, Combined, combine
from starwell.calibration.learnt import HOT_ADU, dark_charge, pair_noise, photon_transfer
from starwell.calibration.master import Master, Masters, constant_bias, pixels_sha256, unit_mean
from starwell.calibration.matching import same_exposure, window
from starwell.calibration.screening import Screened, screen
from starwell.calibration.stored import export16, read, write
from starwell.calibration.survey import Survey, survey
from starwell.calibration.typed import names
from starwell.errors import MasterMismatch, MasterMissing
from starwell.files.frames import levels_of_set
from starwell.files.levels import with_levels
from starwell.frame import Facts, Float32, Kind

__all__ = ["Master", "Masters", "build", "constant_bias", "export16", "read", "write"]

DIM_FLAT = 0.05
"""Flats below this part of full scale are dim: their noise goes into every light."""
MANY_CLIPPED = 0.01


def build(
    kind: Kind,
    paths: Iterable[Path | str],
    *,
    bias: Master | None = None,
    dark: Master | None = None,
    dark_flat: Master | None = None,
    uncalibrated: bool = False,
    any_type: bool = False,
    hot_adu: float = HOT_ADU,
) -> Master:
    """A master of these frames and folders.

    bias, dark, dark_flat: taken off flats (the dark flat, or a dark of their exposure, or the bias); the
    bias also tells a dark's charge. uncalibrated: combine flats as they are. any_type: believe kind, not
    IMAGETYP. hot_adu: a pixel counts as hot above this per minute. Raises MasterMismatch, MasterMissing,
    or the StorageError of a path that is not there.
    """
    found = survey(kind, paths, any_type=any_type)
    facts = with_levels(found.facts, levels_of_set(found.files))
    base = _pedestal(facts, bias, dark, dark_flat, uncalibrated=uncalibrated) if kind is Kind.FLAT else None
    pedestal = None if base is None else _cut(base, facts)
    screened = screen(kind, found.files, facts, pedestal)
    blank = 0.0 if kind is Kind.FLAT else facts.saturation_adu
    combined = combine(screened, facts, pedestal, blank)
    learnt = {"noise_adu": pair_noise(screened.files, facts)}
    if kind is Kind.BIAS:
        learnt["read_noise_adu"] = learnt["noise_adu"]
    elif kind is Kind.FLAT:
        learnt |= _transfer(screened, facts, base, bias)
        unit_mean(combined.pixels, facts, out=combined.pixels)
    else:
        fitting = _cut(bias, facts) if bias is not None else None
        learnt |= dark_charge(combined.pixels, fitting, facts, hot_adu)
    return _master(kind, found, facts, screened, combined, learnt, base)


def _master(
    kind: Kind,
    found: Survey,
    facts: Facts,
    screened: Screened,
    combined: Combined,
    learnt: dict[str, float],
    base: Master | None,
) -> Master:
    left_out = {**found.unreadable, **screened.left_out}
    warnings = [*found.warnings, *(f"Left out: {reason}" for reason in left_out.values())]
    odd = [path for path, share in combined.clipped.items() if share > MANY_CLIPPED]
    if odd:
        warnings.append(f"More than 1 % of the pixels clipped in {names(odd)}: look at them.")
    if kind is Kind.FLAT:
        warnings += _flat_warnings(facts, screened, base)
    master = Master(
        kind,
        combined.pixels,
        facts,
        screened.level_adu,
        len(screened.files),
        MappingProxyType(_provenance(kind, screened, combined, base)),
        MappingProxyType(learnt),
        tuple(warnings),
        noisy_xy=combined.noisy_xy,
    )
    return replace(master, sha256=pixels_sha256(master.adu_pixels))


def _pedestal(
    flats: Facts, bias: Master | None, dark: Master | None, dark_flat: Master | None, *, uncalibrated: bool
) -> Master | None:
    """What is taken off the flats: dark flat, dark of their exposure, or bias; MasterMissing without any."""
    base = dark_flat or dark or bias
    if base is None:
        if uncalibrated:
            return None
        raise MasterMissing(
            "A flat has to lose its bias before it is divided by, or it corrects too little: give "
            "--dark-flat or --bias (a number will do, --bias 500), or say --uncalibrated."
        )
    if base is bias:
        return base
    mine, theirs = base.facts.exposure.seconds, flats.exposure.seconds
    if mine is not None and theirs is not None and not same_exposure(mine, theirs):
        raise MasterMismatch(
            f"{base.name} was exposed {mine:g} s, the flats {theirs:g} s: dark flats need the "
            "flats' exposure. Shoot them anew, or give --bias instead."
        )
    return base


def _cut(master: Master, facts: Facts) -> Float32:
    """A master's pixels for frames of these facts; MasterMismatch when size or setting differ."""
    if master.constant_adu is not None:
        return master.pixels
    for word in ("gain", "offset"):
        mine, theirs = getattr(master.facts.exposure, word), getattr(facts.exposure, word)
        if mine is not None and theirs is not None and mine != theirs:
            raise MasterMismatch(
                f"{master.name} was taken at {word} {mine:g}, the frames at {word} {theirs:g}."
            )
    x, y = window(master, facts)
    return master.pixels[..., y : y + facts.size[0], x : x + facts.size[1]]


def _transfer(screened: Screened, facts: Facts, base: Master | None, bias: Master | None) -> dict[str, float]:
    """Gain and read noise, where the flats come with frames without light; dark flats lend their noise."""
    if base is None or "noise_adu" not in base.learnt:
        return {}
    dark_noise = base.learnt["noise_adu"]
    read_noise = (bias or base).learnt.get("read_noise_adu", dark_noise)
    found = photon_transfer(screened.files, facts, _cut(base, facts), dark_noise, read_noise)
    if found is None:
        return {}
    return {
        "egain": found.egain,
        "egain_error": found.error,
        "read_noise_adu": read_noise,
        "read_noise_e": found.read_noise_e,
    }


def _flat_warnings(facts: Facts, screened: Screened, base: Master | None) -> Sequence[str]:
    warnings = []
    part = screened.level_adu / facts.saturation_adu
    if part < DIM_FLAT:
        warnings.append(
            f"The flats are dim ({screened.level_adu:.0f} ADU, {100 * part:.0f} % of full scale): expose "
            "longer, up to a half, or their noise goes into every light."
        )
    if base is None:
        warnings.append("The flats are uncalibrated: their offset weakens the correction.")
    drift = screened.scale.max() / screened.scale.min()
    if drift > 2:
        warnings.append(f"The brightest flat is {drift:.1f}× the dimmest: each is scaled to the others.")
    return warnings


def _provenance(kind: Kind, screened: Screened, combined: Combined, base: Master | None) -> dict[str, Any]:
    sources = hashlib.sha256()
    for path, checksum in zip(screened.files, screened.checksums, strict=True):
        sources.update(f"{path.name} {checksum:08x}\n".encode())
    listed = [path.name for path in screened.files]
    calibrated = {} if kind is not Kind.FLAT else {"CALFRAME": "NONE" if base is None else base.name}
    return {
        **calibrated,
        "CLIPSIG": CLIP,
        "CLIPREF": combined.ring,
        "CLIPFRAC": float(np.mean(list(combined.clipped.values()))),
        "SRCSHA": sources.hexdigest(),
        "HISTORY": [f"combined from {len(listed)} frames:", *(f"  {name}" for name in listed)],
    }
