"""One master: its pixels, what is known and was learnt of it, and the masters a light is calibrated with."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from starwell.errors import MasterError
from starwell.frame import Exposure, Facts, Float32, Kind, Pixels, Planes

if TYPE_CHECKING:
    from starwell.calibration.defects import Defects
    from starwell.calibration.low_light import LowLight

NAMES: Mapping[Kind, str] = MappingProxyType(
    {kind: "dark flat" if kind is Kind.DARK_FLAT else kind.value.lower() for kind in Kind}
)
"""What people call the kinds."""
_BAND_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Master:
    """One master frame.

    pixels: float32, H×W or 3×H×W, in file ADU; a flat has mean 1 in each colour. A constant bias holds
    one pixel, a master that gave its pixels away (Masters.without_pixels) none. level_adu: the median of
    the frames (of a flat: above its bias), what the flat is written at. learnt: figures by name, see
    calibration.learnt. sha256: of the pixels as they stand in the file. combined: how many frames, 0 where
    that is not known. label: what to call it where it has no file.
    """

    kind: Kind
    pixels: Float32
    facts: Facts
    level_adu: float
    combined: int = 0
    keywords: Mapping[str, Any] = field(default_factory=dict)
    learnt: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    file: Path | None = None
    sha256: str = ""
    noisy_xy: NDArray[np.intp] | None = None
    label: str = ""

    @property
    def constant_adu(self) -> float | None:
        """The level of a constant bias; None for a master with pixels."""
        return float(self.pixels.flat[0]) if self.pixels.size == 1 else None

    @property
    def name(self) -> str:
        """What to call it in a message."""
        if self.file is not None:
            return self.file.name
        if self.constant_adu is not None:
            return f"the constant bias of {self.constant_adu:g} ADU"
        return self.label or f"the {NAMES[self.kind]} master"

    @property
    def adu_pixels(self) -> Float32:
        """The pixels as they are written: a flat at its level in ADU, everything else as it is."""
        if self.kind is Kind.FLAT:
            return (self.pixels * np.float32(self.level_adu)).astype(np.float32, copy=False)
        return self.pixels


@dataclass(frozen=True, slots=True, eq=False)
class Masters:
    """What lights are calibrated with; replaced whole, never edited."""

    bias: Master | None = None
    dark: Master | None = None
    flat: Master | None = None
    dark_flat: Master | None = None
    defects: Defects | None = None
    warnings: tuple[str, ...] = ()
    low_light: LowLight | None = None

    def all(self) -> tuple[Master, ...]:
        """The masters there are."""
        return tuple(m for m in (self.bias, self.dark, self.flat, self.dark_flat) if m is not None)

    def without_pixels(self) -> Masters:
        """Names, hashes and figures alone: a Calibrator holds what lights need of the pixels."""
        nothing = np.empty((0, 0), np.float32)

        def emptied(master: Master | None) -> Master | None:
            return master and (master if master.constant_adu is not None else replace(master, pixels=nothing))

        return replace(
            self,
            bias=emptied(self.bias),
            dark=emptied(self.dark),
            flat=emptied(self.flat),
            dark_flat=emptied(self.dark_flat),
            low_light=self.low_light and replace(self.low_light, deficit_e=nothing, threshold_e=None),
        )

    @property
    def hashes(self) -> dict[str, tuple[str, str]]:
        """File name and sha256 of the pixels, by kind: what a stack's header says of its masters."""
        named = {NAMES[m.kind]: (m.name, m.sha256) for m in self.all()}
        if self.low_light is not None:
            named["low light"] = (self.low_light.name, self.low_light.sha256)
        return named

    def learnt(self, figure: str) -> float | None:
        """A figure that one of the masters knows, the flat asked first: it knows the gain."""
        for master in (self.flat, self.bias, self.dark, self.dark_flat):
            if master is not None and figure in master.learnt:
                return master.learnt[figure]
        return None


def constant_bias(level_adu: float) -> Master:
    """A bias that is one number; MasterError when it is not a level a camera can have."""
    if not np.isfinite(level_adu) or level_adu < 0:
        raise MasterError(f"{level_adu:g} ADU is no level for a bias: it lies below zero.")
    pixels = np.full((1, 1), level_adu, np.float32)
    facts = Facts(shape=(1, 1), exposure=Exposure(kind=Kind.BIAS, seconds=0.0))
    return Master(Kind.BIAS, pixels, facts, float(level_adu), sha256=pixels_sha256(pixels))


def pixels_sha256(pixels: Float32) -> str:
    """The sha256 of float32 pixels, row by row, big-endian as FITS stores them."""
    digest = hashlib.sha256()
    rows = pixels.reshape(-1, pixels.shape[-1])
    for start in range(0, len(rows), _BAND_ROWS):
        digest.update(np.ascontiguousarray(rows[start : start + _BAND_ROWS], dtype=">f4").data)
    return digest.hexdigest()


def colour_views(pixels: Pixels, facts: Facts) -> list[list[Pixels]]:
    """Views of the pixels, channel by channel: one for mono, the two greens of a Bayer frame together."""
    planes = Planes.of(facts)
    return [
        [planes.view(pixels, plane) for plane in planes.planes if plane.channel == channel]
        for channel in range(planes.channels)
    ]


def unit_mean(pixels: Float32, facts: Facts, out: Float32 | None = None) -> Float32:
    """A flat scaled so that the mean of each colour is 1; pixels that are not finite stay. out may be pixels.

    MasterError when a colour has no light at all.
    """
    scaled = np.empty(pixels.shape, np.float32) if out is None else out
    for views, targets in zip(colour_views(pixels, facts), colour_views(scaled, facts), strict=True):
        sums = [_finite_sum(view) for view in views]
        total, count = (sum(parts) for parts in zip(*sums, strict=True))
        if count == 0 or total <= 0:
            raise MasterError("The flat holds no light above its bias: it cannot be divided by.")
        for view, target in zip(views, targets, strict=True):
            np.multiply(view, np.float32(count / total), out=target)
    return scaled


def _finite_sum(view: Float32) -> tuple[float, int]:
    """The sum of a view's finite pixels, and how many there are."""
    total, count = 0.0, 0
    for start in range(0, len(view), _BAND_ROWS):
        rows = view[start : start + _BAND_ROWS]
        part, finite = float(rows.sum(dtype=np.float64)), rows.size
        if not np.isfinite(part):
            good = rows[np.isfinite(rows)]
            part, finite = float(good.sum(dtype=np.float64)), good.size
        total, count = total + part, count + finite
    return total, count
