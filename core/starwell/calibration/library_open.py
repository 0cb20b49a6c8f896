"""From a master at hand to its pixels: read, built from its frames, or interpolated between two darks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from starwell.calibration.library_find import Found, find
from starwell.calibration.library_kept import Kept
from starwell.calibration.master import Master, pixels_sha256
from starwell.calibration.masters import build
from starwell.calibration.stored import read
from starwell.errors import MasterMismatch, MasterMissing
from starwell.frame import Facts, Float32, Kind, Mask

DOUBLING_K = 6.0
"""Dark current doubles every so many kelvin, where two darks and a bias do not tell it better."""
_STEEPEST_K, _FLATTEST_K = 3.0, 15.0
_SURE = 10.0
"""Charge in units of the masters' noise above which a pixel's own law is told by its two darks."""


def open_kept(kept: Kept, among: Sequence[Kept] = ()) -> Master:
    """The master with its pixels; among: where raw flats find their dark flats or bias.

    Raises MasterMissing for flats without either, MasterMismatch or StorageError as the frames have it.
    """
    if kept.finished:
        return read(Path(kept.files[0]), kept.kind)
    return replace(_built(kept, [Path(file) for file in kept.files], among), label=kept.name)


def _built(kept: Kept, files: Sequence[Path], among: Sequence[Kept]) -> Master:
    if kept.kind is not Kind.FLAT:
        return build(kept.kind, files, any_type=True)
    bias, dark_flat = (_pedestal(kept, kind, among) for kind in (Kind.BIAS, Kind.DARK_FLAT))
    dark = _pedestal(kept, Kind.DARK, among) if dark_flat is None else None
    try:
        return build(Kind.FLAT, files, bias=bias, dark=dark, dark_flat=dark_flat, any_type=True)
    except MasterMismatch:
        if bias is None:
            raise
        # twilight flats of many exposures: one dark flat does not serve them, a bias does
        return build(Kind.FLAT, files, bias=bias, any_type=True)


def _pedestal(flats: Kept, kind: Kind, among: Sequence[Kept]) -> Master | None:
    """The dark flat, dark or bias that belongs to these flats; None where there is none."""
    try:
        return open_kept(find(kind, flats.facts, among).kept)
    except MasterMissing:
        return None


def open_found(found: Found, among: Sequence[Kept], lights: Facts, bias: Master | None = None) -> Master:
    """What `find` returned, with its pixels; bias makes the law between two darks the pixels' own."""
    master = open_kept(found.kept, among)
    if found.other is None:
        return master
    return between(master, open_kept(found.other, among), found.share, lights, bias)


def between(
    colder: Master, warmer: Master, share: float, lights: Facts, bias: Master | None = None
) -> Master:
    """The dark at the lights' temperature, `share` of the way from colder to warmer.

    Dark current grows exponentially, c(T) = c·2^(T/k), so D = D1 + w·(D2 - D1) with
    w = (2^(share·ΔT/k) - 1)/(2^(ΔT/k) - 1): the bias drops out and noise is averaged, not amplified.
    k is DOUBLING_K; with a bias it is the two darks' own, and pixels whose charge stands well above the noise
    follow their own law, c1^(1-share)·c2^share.
    """
    if colder.pixels.shape != warmer.pixels.shape:
        raise MasterMismatch(f"{colder.name} and {warmer.name} differ in size: nothing lies between them.")
    apart = (warmer.facts.sensor_celsius or 0.0) - (colder.facts.sensor_celsius or 0.0)
    charges = None if bias is None else _charges(colder, warmer, bias)
    doubling = DOUBLING_K if charges is None else _doubling(*charges, apart)
    weight = (2 ** (share * apart / doubling) - 1) / (2 ** (apart / doubling) - 1)
    pixels = colder.pixels + np.float32(weight) * (warmer.pixels - colder.pixels)
    if charges is not None and bias is not None:
        c1, c2 = charges
        sure = _own_law(colder, warmer, c1, c2)
        own = np.exp((1 - share) * np.log(c1[sure]) + share * np.log(c2[sure]))
        level = bias.pixels if bias.pixels.size > 1 else np.broadcast_to(bias.pixels, pixels.shape)
        pixels[sure] = level[sure] + own
    frames = _effective(colder.combined, warmer.combined, weight)
    celsius = lights.sensor_celsius
    learnt = {name: v for name, v in colder.learnt.items() if name in ("noise_adu", "read_noise_adu")}
    return Master(
        Kind.DARK,
        pixels.astype(np.float32, copy=False),
        replace(colder.facts, sensor_celsius=celsius),
        float(np.median(pixels[..., ::7, ::7])),
        frames,
        colder.keywords,
        MappingProxyType(learnt),
        tuple(dict.fromkeys((*colder.warnings, *warmer.warnings))),
        sha256=pixels_sha256(pixels),
        label=f"between {colder.name} and {warmer.name} at {celsius:.1f} °C",
    )


def _charges(colder: Master, warmer: Master, bias: Master) -> tuple[Float32, Float32] | None:
    if bias.constant_adu is None and bias.pixels.shape != colder.pixels.shape:
        return None
    return colder.pixels - bias.pixels, warmer.pixels - bias.pixels


def _noise(master: Master) -> float:
    return master.learnt.get("noise_adu", 10.0) / math.sqrt(max(master.combined, 1))


def _own_law(colder: Master, warmer: Master, c1: Float32, c2: Float32) -> Mask:
    sure: Mask = (c1 > _SURE * _noise(colder)) & (c2 > _SURE * _noise(warmer)) & (c2 > c1) & np.isfinite(c2)
    return sure


def _doubling(c1: Float32, c2: Float32, apart: float) -> float:
    """The kelvin in which the charge of the warmest thousandth of the pixels doubles."""
    flat = c2.ravel()
    threshold = np.partition(flat, -max(flat.size // 1000, 1))[-max(flat.size // 1000, 1)]
    warm = c2 >= threshold
    cold, hot = float(np.nanmean(c1[warm])), float(np.nanmean(c2[warm]))
    if cold <= 0 or hot <= cold or apart <= 0:
        return DOUBLING_K
    told = apart / math.log2(hot / cold)
    return min(max(told, _STEEPEST_K), _FLATTEST_K)


def _effective(first: int, second: int, weight: float) -> int:
    """How many frames the weighted mean of two masters is worth."""
    if not first or not second:
        return 0
    return round(1 / ((1 - weight) ** 2 / first + weight**2 / second))
