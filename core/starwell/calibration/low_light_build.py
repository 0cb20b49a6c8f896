"""A low-light map from files: dim flats of one or more levels, the bright flat, the dark of the lights."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from starwell.calibration.combine import combine
from starwell.calibration.learnt import photon_transfer
from starwell.calibration.low_light import LowLight, LowSet
from starwell.calibration.low_light_bands import estimate_by_bands
from starwell.calibration.low_light_matching import check_together
from starwell.calibration.master import Master, pixels_sha256
from starwell.calibration.matching import window
from starwell.calibration.screening import screen
from starwell.calibration.survey import survey
from starwell.errors import MasterError, MasterMissing
from starwell.files.frames import levels_of_set
from starwell.files.levels import with_levels
from starwell.frame import Facts, Float32, Kind, sampled


@dataclass(frozen=True, slots=True, eq=False)
class _Dim:
    """The combined dim flats of one level, ADU above the dark, and what they told."""

    facts: Facts
    pixels_adu: Float32
    level_adu: float
    frames: int
    egain: float | None
    files: tuple[Path, ...]
    sources: str
    warnings: tuple[str, ...]


def build(
    levels: Sequence[Iterable[Path | str]], *, flat: Master, dark: Master, any_type: bool = False
) -> LowLight:
    """The map of dim flats (each item one level, their dark still in them), a bright flat and their dark.

    The dim flats need the lights' exposure, gain, offset and temperature, and so does the dark. e-/ADU comes
    from pairs of the dim flats, else from their header. Raises MasterMissing, MasterMismatch or MasterError.
    """
    if dark.combined < 1 or "noise_adu" not in dark.learnt:
        raise MasterMissing(
            f"{dark.name} does not say how many frames it is of, or how noisy one was: give the folder of "
            "darks, or a master that starwell made."
        )
    dims = [_combined(paths, dark, any_type=any_type) for paths in levels]
    facts = dims[0].facts
    for dim in dims:
        check_together(facts, dim.facts, dark)
    egain, measured = _egain(dims)
    bright = _cut(flat, facts)
    lows = [_in_e(dim, egain, bright) for dim in dims]
    read_noise_e = dark.learnt["noise_adu"] * egain
    found = estimate_by_bands(bright, lows, dark.combined, read_noise_e, facts=facts)
    warnings = tuple(dict.fromkeys(warning for dim in dims for warning in dim.warnings))
    provenance = _provenance(dims, flat, dark)
    provenance |= {"EGAINSRC": "measured" if measured else "header", "RDNOISE": read_noise_e}
    return replace(
        found,
        egain=egain,
        keywords=MappingProxyType(provenance),
        warnings=warnings,
        sha256=pixels_sha256(found.deficit_e),
    )


def _combined(paths: Iterable[Path | str], dark: Master, *, any_type: bool) -> _Dim:
    found = survey(Kind.FLAT, paths, any_type=any_type)
    facts = with_levels(found.facts, levels_of_set(found.files))
    base = _cut(dark, facts)
    screened = screen(Kind.FLAT, found.files, facts, base)
    combined = combine(screened, facts, base, 0.0)
    noise = dark.learnt["noise_adu"]
    transfer = photon_transfer(screened.files, facts, base, noise, noise)
    sources = hashlib.sha256()
    for path, checksum in zip(screened.files, screened.checksums, strict=True):
        sources.update(f"{path.name} {checksum:08x}\n".encode())
    left_out = {**found.unreadable, **screened.left_out}
    return _Dim(
        facts,
        combined.pixels,
        screened.level_adu,
        len(screened.files),
        None if transfer is None else transfer.egain,
        screened.files,
        sources.hexdigest(),
        (*found.warnings, *(f"Left out: {reason}" for reason in left_out.values())),
    )


def _egain(dims: Sequence[_Dim]) -> tuple[float, bool]:
    """e-/ADU of the dim flats, and whether it was measured; the brightest level tells it best."""
    told = [dim for dim in dims if dim.egain is not None]
    if told:
        best = max(told, key=lambda dim: dim.level_adu)
        assert best.egain is not None
        return best.egain, True
    header = dims[0].facts.egain
    if header is None:
        raise MasterMissing(
            "The dim flats do not tell e-/ADU, and neither does their header: give at least 4 frames a level."
        )
    return header, False


def _in_e(dim: _Dim, egain: float, bright: Float32) -> LowSet:
    """The level in e-, in the memory of its ADU; called by what a sample of its pixels is."""
    dim.pixels_adu[...] *= np.float32(egain)
    low, flat = sampled(dim.pixels_adu), sampled(bright)
    lit = flat > 0.05
    level = float(np.median(low[lit] / flat[lit])) if lit.any() else 0.0
    if level <= 0:
        raise MasterError("The dim flats are no brighter than their dark: check the panel and the dark.")
    return LowSet(level, dim.pixels_adu, dim.frames)


def _cut(master: Master, facts: Facts) -> Float32:
    x, y = window(master, facts)
    return master.pixels[..., y : y + facts.size[0], x : x + facts.size[1]]


def _provenance(dims: Sequence[_Dim], flat: Master, dark: Master) -> dict[str, Any]:
    every = hashlib.sha256("".join(dim.sources for dim in dims).encode()).hexdigest()
    history = [f"  {path.name}" for dim in dims for path in dim.files]
    return {
        "SRCSHA": every,
        "NDARK": dark.combined,
        "DARKNAME": dark.name,
        "DARKSHA": dark.sha256,
        "FLATNAME": flat.name,
        "FLATSHA": flat.sha256,
        "HISTORY": [f"estimated from {len(history)} dim flats:", *history],
    }
