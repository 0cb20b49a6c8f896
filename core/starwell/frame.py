"""What the sensor gave, and how; and which planes of it a stack is made of.

Coordinates everywhere: x right, y down, pixel centres at integers, arrays indexed [y, x].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from math import isqrt
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.kinds import Kind as Kind

Pixels = NDArray[Any]
"""H×W, or 3×H×W where the file holds three colour planes; any real dtype."""

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

FULL_SCALE_ADU = 65535.0
"""Full scale of the ADU used throughout: float files of 0..1 are read as 0..65535 ADU."""

SAMPLED_PX = 250_000
"""Levels and noise of a frame are taken from about so many pixels: good to 0.4 % of sigma."""


def sampled(pixels: Pixels) -> Pixels:
    """Every n-th pixel of every n-th row, about SAMPLED_PX of each plane; n is odd, to meet all colours."""
    apart = isqrt(pixels.shape[-2] * pixels.shape[-1] // SAMPLED_PX) | 1
    return pixels[..., ::apart, ::apart]


class Bayer(StrEnum):
    """The colour of the pixels at array positions [0,0] [0,1] [1,0] [1,1]."""

    RGGB = "RGGB"
    BGGR = "BGGR"
    GRBG = "GRBG"
    GBRG = "GBRG"

    def shifted(self, dx: int, dy: int) -> Bayer:
        """The pattern seen when the array starts dx columns and dy rows further on."""
        cell = self.value
        return Bayer("".join(cell[2 * ((y + dy) % 2) + (x + dx) % 2] for y in (0, 1) for x in (0, 1)))


class Roi(NamedTuple):
    """A window of the sensor, in binned pixels."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Exposure:
    """How a frame was exposed: with camera and temperature, what masters are matched on.

    gain is the camera's setting in 0.1 dB, never e-/ADU; None where it is not known.
    """

    kind: Kind = Kind.LIGHT
    seconds: float | None = None
    gain: float | None = None
    offset: float | None = None
    bin: int = 1
    roi: Roi | None = None
    filter: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything known about a frame but its pixels; what is not known is None, never invented.

    saturation_adu: the file value at and above which a pixel is saturated.
    adu_shift: how many low bits of the file's values carry nothing (left-justified 12/14-bit data).
    egain: e- per ADU of the file at hand, as the header says it.
    bayer: the pattern at array position [0,0], after ROWORDER and X/YBAYROFF were taken into account.
    top_down: whether row 0 is the top of the picture (display only; arrays are never flipped).
    header: the file's own keywords, for the record.
    """

    shape: tuple[int, ...]
    exposure: Exposure = field(default_factory=Exposure)
    number: int = 0
    target: str | None = None
    camera: str | None = None
    started: datetime | None = None
    sensor_celsius: float | None = None
    setpoint_celsius: float | None = None
    bayer: Bayer | None = None
    top_down: bool = False
    adu_shift: int = 0
    saturation_adu: float = FULL_SCALE_ADU
    egain: float | None = None
    pixel_um: float | None = None
    focal_mm: float | None = None
    dropped_before: int = 0
    attempts: int = 1
    flags: tuple[str, ...] = ()
    source: Path | None = None
    header: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[-2], self.shape[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One readout: read-only pixels in file ADU and native dtype, and the facts read back with them."""

    facts: Facts
    pixels: Pixels

    def __post_init__(self) -> None:
        if self.pixels.flags.writeable:
            self.pixels.flags.writeable = False


class Plane(NamedTuple):
    """One regular grid of the sensor: plane pixel (i, j) sits at sensor x = x0 + step·j, y = y0 + step·i."""

    channel: int
    step: int
    x0: int
    y0: int


class Colour(StrEnum):
    """How a stack treats colour: MONO one plane, SUPER half-size colour from 2×2 cells, FULL full-size."""

    MONO = "mono"
    SUPER = "super-pixel"
    FULL = "full"


_RGB = {"R": 0, "G": 1, "B": 2}


@dataclass(frozen=True, slots=True)
class Planes:
    """Which planes of a sensor frame feed which channel of the stack, and the grid the stack lives on.

    output_step is 1, or 2 for super-pixels: output pixel o sits at sensor coordinate
    output_step·o + (output_step - 1)/2.
    """

    planes: tuple[Plane, ...]
    channels: int
    output_step: int = 1

    @staticmethod
    def of(facts: Facts, colour: Colour = Colour.FULL) -> Planes:
        """The planes of a frame with these facts; mono and 3-plane files ignore colour."""
        if len(facts.shape) == 3:
            return Planes(tuple(Plane(c, 1, 0, 0) for c in range(facts.shape[0])), facts.shape[0])
        if facts.bayer is None or colour is Colour.MONO:
            return Planes((Plane(0, 1, 0, 0),), 1)
        cells = [(facts.bayer.value[2 * y + x], x, y) for y in (0, 1) for x in (0, 1)]
        planes = tuple(Plane(_RGB[letter], 2, x, y) for letter, x, y in cells)
        return Planes(planes, 3, 2 if colour is Colour.SUPER else 1)

    def view(self, pixels: Pixels, plane: Plane) -> Pixels:
        """This plane of the frame, without a copy."""
        if pixels.ndim == 3:
            return pixels[plane.channel]  # type: ignore[no-any-return]
        return pixels[plane.y0 :: plane.step, plane.x0 :: plane.step]

    def density(self, channel: int) -> float:
        """Samples of this channel in a sub per output pixel: 1 in mono, 1/2 or 2 for the green of a Bayer."""
        return sum((self.output_step / p.step) ** 2 for p in self.planes if p.channel == channel)

    def output_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the stack for sensor frames of this height and width."""
        return size[0] // self.output_step, size[1] // self.output_step


def flat_true(mask: Mask) -> NDArray[np.int64]:
    """np.flatnonzero for masks that are nearly empty: whole words of 8 pixels are skipped."""
    flat = mask.ravel()
    words = flat.size // 8
    hits = np.flatnonzero(flat[: 8 * words].view(np.uint64) != 0)
    places = (8 * hits[:, None] + np.arange(8)).ravel()
    places = places[flat.take(places)]
    if flat.size % 8:
        places = np.concatenate([places, 8 * words + np.flatnonzero(flat[8 * words :])])
    return places
