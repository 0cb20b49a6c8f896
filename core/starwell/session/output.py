"""The stack on disk: one FITS image for every program, maps beside it, and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from starwell import __version__
from starwell.calibration.master import Masters
from starwell.files import fits, pictures
from starwell.files.keywords import keywords_of
from starwell.frame import FULL_SCALE_ADU, Facts, Float32, Pixels
from starwell.sensor.model import SensorModel
from starwell.session.intake import Intake
from starwell.session.members import Members
from starwell.stack.contribution import WEIGHT_ONE
from starwell.stack.running import RunningStack


class Unit(StrEnum):
    """What a pixel value of the written stack means."""

    FULL_SCALE = "full-scale"
    ELECTRON = "electron"


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """A finished stack: maps of H×W, or channels×H×W, in the reference's geometry, and how it was made.

    mean in ADU of the subs; weight relative to the reference; count of subs; masked samples; variance of the
    weighted mean in ADU², by the noise model, without the kernel's factor. also: masters of further nights.
    """

    mean: Float32
    weight: Float32
    count: Pixels
    masked: Pixels
    variance: Float32
    facts: Facts
    model: SensorModel
    masters: Masters
    stacked: int
    livetime_s: float | None
    output_step: int = 1
    sigma_adu: float = 0.0
    also: tuple[Masters, ...] = ()


def finished(stack: RunningStack, intake: Intake, members: Members, facts: Facts) -> Stacked:
    """The stack as it stands; facts are its reference's."""
    sums = stack.sums
    mean = stack.mean()
    variance = np.empty_like(mean)
    for channel in stack.channels:
        sums.variance(channel, variance[channel])
    weight = np.multiply(sums.weight, np.float32(1 / WEIGHT_ONE), dtype=np.float32)
    count, masked = sums.count, sums.masked
    if len(stack.channels) == 1:
        mean, variance, weight, count, masked = (a[0] for a in (mean, variance, weight, count, masked))
    return Stacked(
        mean=mean,
        weight=weight,
        count=count,
        masked=masked,
        variance=variance,
        facts=facts,
        model=intake.model,
        masters=intake.masters,
        also=intake.also,
        stacked=members.count(),
        livetime_s=members.livetime_s(),
        output_step=intake.planes.output_step,
    )


def maps_path(path: Path) -> Path:
    """Where the maps of a stack go: OUT.maps.fits beside OUT.fits."""
    return path.with_name(f"{path.stem}.maps.fits")


def save(path: Path, stack: Stacked, *, unit: Unit = Unit.FULL_SCALE, overwrite: bool = False) -> None:
    """Write the stack, and its maps beside it where path is a FITS file.

    .tif/.tiff hold 32-bit float 0..1. Raises StorageError where a file is in the way, DiskFull where there
    is no room.
    """
    values, keywords = _values(stack, unit)
    if path.suffix.lower() in {".tif", ".tiff"}:
        pictures.write_tiff32(path, values, overwrite=overwrite)
        return
    keywords = {**keywords_of(_output_facts(stack)), **keywords, **_history(stack)}
    fits.write(path, values, keywords, overwrite=overwrite)
    scale = stack.model.egain if unit is Unit.ELECTRON else 1.0
    maps = {
        "WEIGHT": stack.weight,
        "COUNT": stack.count,
        "MASKED": stack.masked,
        "VARIANCE": stack.variance if scale == 1 else stack.variance * np.float32(scale**2),
    }
    square = "electron2" if unit is Unit.ELECTRON else "adu2"
    fits.write_maps(maps_path(path), maps, {**_history(stack), "VARUNIT": square}, overwrite=overwrite)


def pedestal_adu(stack: Stacked) -> float:
    """Whole ADU to add so that the sky, eight sigma down, is still above zero."""
    low = float("inf")
    planes = stack.mean.reshape(-1, *stack.mean.shape[-2:])
    counts = np.broadcast_to(stack.count, stack.mean.shape).reshape(planes.shape)
    for plane, count in zip(planes, counts, strict=True):
        seen = plane[::4, ::4][count[::4, ::4] > 0]
        if seen.size:
            middle, below = np.quantile(seen, (0.5, 0.16))
            low = min(low, float(middle - 8.0 * (middle - below)))
    return float(np.ceil(max(0.0, -low))) if np.isfinite(low) else 0.0


def _values(stack: Stacked, unit: Unit) -> tuple[Float32, dict[str, Any]]:
    """The pixels as they are written, and the keywords that take them back to electrons."""
    egain = stack.model.egain
    if unit is Unit.ELECTRON:
        return stack.mean * np.float32(egain), {"BUNIT": "electron", "EGAIN": 1.0}
    pedestal = pedestal_adu(stack)
    values = stack.mean + np.float32(pedestal)
    values *= np.float32(1.0 / FULL_SCALE_ADU)
    # Uncovered pixels stay exactly zero: other programs take that for "nothing here".
    values[np.broadcast_to(stack.weight, values.shape) == 0] = 0.0
    return values, {
        "PEDESTAL": pedestal,
        "FULLSCAL": FULL_SCALE_ADU,
        "EGAIN": egain,
        "TOELECTR": "(value*FULLSCAL - PEDESTAL)*EGAIN",
    }


def _output_facts(stack: Stacked) -> Facts:
    """The reference's facts, as they hold for the stack: no Bayer pattern, larger pixels for super-pixels."""
    pixel = stack.facts.pixel_um
    return replace(
        stack.facts,
        shape=stack.mean.shape,
        bayer=None,
        adu_shift=0,
        pixel_um=pixel * stack.output_step if pixel else None,
        source=None,
    )


def _history(stack: Stacked) -> Mapping[str, Any]:
    """Where the stack comes from."""
    lines: dict[str, Any] = {
        "STACKCNT": stack.stacked,
        "LIVETIME": stack.livetime_s,
        "REFERENC": stack.facts.source.name if stack.facts.source else None,
        "RDNOISE": stack.model.read_noise_e,
        "GAINFROM": stack.model.origin.value,
        "PROGRAM": f"starwell {__version__}",
    }
    used = [told for masters in (stack.masters, *stack.also) for told in masters.hashes.items()]
    for number, (kind, (name, digest)) in enumerate(dict.fromkeys(used), start=1):
        lines[f"MASTER{number}"] = f"{kind}: {name}"
        lines[f"MSHA{number}"] = digest
    return lines
