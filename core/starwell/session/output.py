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

_SINGLE = np.dtype(np.float32)


class Unit(StrEnum):
    """What a pixel value of the written stack means."""

    FULL_SCALE = "full-scale"
    ELECTRON = "electron"


@dataclass(frozen=True, slots=True, eq=False)
class Stacked:
    """A finished stack: maps of H×W, or channels×H×W, in the reference's geometry, and how it was made.

    means in ADU of the subs; weights relative to the reference; count of subs; masked samples; variances of
    the weighted mean in ADU², by the noise model, without the kernel's factor. They are made of the running
    stack's sums where they are asked for. also: masters of further nights.
    """

    means: fits.Banded
    weights: fits.Banded
    count: Pixels
    masked: Pixels
    variances: fits.Banded
    facts: Facts
    model: SensorModel
    masters: Masters
    stacked: int
    livetime_s: float | None
    output_step: int = 1
    sigma_adu: float = 0.0
    also: tuple[Masters, ...] = ()

    @property
    def mean(self) -> Float32:
        """All means."""
        return self.means.whole()

    @property
    def weight(self) -> Float32:
        """All weights."""
        return self.weights.whole()


def finished(stack: RunningStack, intake: Intake, members: Members, facts: Facts) -> Stacked:
    """The stack as it stands; facts are its reference's."""
    sums = stack.sums
    count, masked = sums.count, sums.masked
    if len(stack.channels) == 1:
        count, masked = count[0], masked[0]

    def weights(channel: int, y0: int, y1: int) -> Float32:
        rows: Float32 = np.multiply(sums.weight[channel, y0:y1], np.float32(1 / WEIGHT_ONE), dtype=np.float32)
        return rows

    def means(channel: int, y0: int, y1: int) -> Float32:
        return sums.mean_rows(channel, 1, y0, y1, stack.scratch)

    return Stacked(
        means=fits.Banded(count.shape, _SINGLE, means),
        weights=fits.Banded(count.shape, _SINGLE, weights),
        count=count,
        masked=masked,
        variances=fits.Banded(count.shape, _SINGLE, _Variances(stack).rows),
        facts=facts,
        model=intake.model,
        masters=intake.masters,
        also=intake.also,
        stacked=members.count(),
        livetime_s=members.livetime_s(),
        output_step=intake.planes.output_step,
    )


class _Variances:
    """The variances of a stack, a channel at a time."""

    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack
        self._channel = -1
        self._made: Float32 | None = None

    def rows(self, channel: int, y0: int, y1: int) -> Float32:
        """Rows of a channel."""
        if self._made is None or self._channel != channel:
            self._made = self._stack.sums.variance(channel, self._made)
            self._channel = channel
        return self._made[y0:y1]


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
        pictures.write_tiff32(path, values.whole(), overwrite=overwrite)
        return
    keywords = {**keywords_of(_output_facts(stack)), **keywords, **_history(stack)}
    fits.write(path, values, keywords, overwrite=overwrite)
    scale = np.float32(stack.model.egain**2 if unit is Unit.ELECTRON else 1)
    variances = stack.variances
    maps: dict[str, Pixels | fits.Banded] = {
        "WEIGHT": stack.weights,
        "COUNT": stack.count,
        "MASKED": stack.masked,
        "VARIANCE": replace(variances, rows=lambda *band: variances.rows(*band) * scale),
    }
    square = "electron2" if unit is Unit.ELECTRON else "adu2"
    fits.write_maps(maps_path(path), maps, {**_history(stack), "VARUNIT": square}, overwrite=overwrite)


def pedestal_adu(stack: Stacked) -> float:
    """Whole ADU to add so that the sky, eight sigma down, is still above zero."""
    low = float("inf")
    counts = stack.count.reshape(-1, *stack.count.shape[-2:])
    for channel, count in enumerate(counts):
        seen = np.concatenate(
            [
                stack.means.rows(channel, y, y + 1)[0, ::4][row[::4] > 0]
                for y, row in zip(range(0, len(count), 4), count[::4], strict=True)
            ]
        )
        if seen.size:
            middle, below = np.quantile(seen, (0.5, 0.16))
            low = min(low, float(middle - 8.0 * (middle - below)))
    return float(np.ceil(max(0.0, -low))) if np.isfinite(low) else 0.0


def _values(stack: Stacked, unit: Unit) -> tuple[fits.Banded, dict[str, Any]]:
    """The pixels as they are written, and the keywords that take them back to electrons."""
    egain, means, weights = stack.model.egain, stack.means, stack.weights
    if unit is Unit.ELECTRON:
        electrons = replace(means, rows=lambda *band: means.rows(*band) * np.float32(egain))
        return electrons, {"BUNIT": "electron", "EGAIN": 1.0}
    pedestal = pedestal_adu(stack)

    def rows(channel: int, y0: int, y1: int) -> Float32:
        values: Float32 = means.rows(channel, y0, y1) + np.float32(pedestal)
        values *= np.float32(1.0 / FULL_SCALE_ADU)
        # Uncovered pixels stay exactly zero: other programs take that for "nothing here".
        values[weights.rows(channel, y0, y1) == 0] = 0.0
        return values

    return replace(means, rows=rows), {
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
        shape=stack.means.shape,
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
