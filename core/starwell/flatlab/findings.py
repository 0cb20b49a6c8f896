"""What an analysis found, as it is written to R.json and read back for reports."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from starwell.errors import FileDamaged, StorageError
from starwell.flatlab.hypotheses import Verdict


class GateFound(Struct, frozen=True, kw_only=True):
    """The gate: shares of samples at the rails, what clipping feigns and can be found at all, e-."""

    zero_fraction: float
    passed: bool
    saturated_fraction: float = 0.0
    bias_e: float = 0.0
    reasons: tuple[str, ...] = ()
    advice: str = ""


class ByMethod(Struct, frozen=True, kw_only=True):
    """One figure for each method; None where it cannot be told."""

    none: float | None = None
    bright: float | None = None
    same_condition: float | None = None
    hybrid: float | None = None
    additive: float | None = None

    def items(self) -> list[tuple[str, float | None]]:
        """Method and figure, in order."""
        return [(name, getattr(self, name)) for name in self.__struct_fields__]


def by_method(figures: Mapping[Any, float | None]) -> ByMethod:
    """Figures by the methods' names."""
    return ByMethod(**{str(name): figure for name, figure in figures.items()})


class Interval(Struct, frozen=True):
    """The ends of a 95 % interval, percent."""

    low: float
    high: float


class RatioFound(Struct, frozen=True, kw_only=True):
    """Deficit of the flagged pixels elsewhere over that at L0. compared: light, time or K there over here."""

    compared: float
    value: float
    error: float


class Ratios(Struct, frozen=True, kw_only=True):
    """How the deficit changes: the signature a verdict rests on."""

    by_level: tuple[RatioFound, ...] = ()
    by_time: RatioFound | None = None
    by_gain: RatioFound | None = None
    without_light: RatioFound | None = None


class SetFound(Struct, frozen=True, kw_only=True):
    """One set: frames, exposure, level above its dark in e-, e-/ADU, and its settings."""

    name: str
    frames: int
    seconds: float | None = None
    gain: float | None = None
    celsius: float | None = None
    level_e: float | None = None
    egain: float | None = None


class Shape(Struct, frozen=True, kw_only=True):
    """Dim over bright flats: largest over smallest of the 64 px mesh; rows and columns, rms."""

    large: float
    rows: float
    columns: float


class LeakCheck(Struct, frozen=True, kw_only=True):
    """Frames with the panel off and the film on, above the darks: the level, and its strongest 64 px cell."""

    difference_e: float
    strongest_e: float
    passed: bool


class ColdPixel(Struct, frozen=True, kw_only=True):
    """One of the worst pixels: deficits and errors at each level, e-, and its surroundings, light/L0."""

    x: int
    y: int
    z: float
    sensitivity: float
    levels_e: tuple[float, ...]
    deficits_e: tuple[float, ...]
    errors_e: tuple[float, ...]
    around: tuple[tuple[float, ...], ...]


class ByLevel(Struct, frozen=True, kw_only=True):
    """FPN on a light level the corrections were not made for, with what L0 alone taught."""

    level_e: float
    fpn_percent: ByMethod


class Depth(Struct, frozen=True, kw_only=True):
    """Noise of a mean of so many held-out frames, percent of the sky, flat-fielded with the bright flat."""

    frames: int
    percent: float


class Details(Struct, frozen=True, kw_only=True):
    """What the report shows beside the verdict."""

    camera: str = ""
    size: tuple[int, int] = (0, 0)
    sets: tuple[SetFound, ...] = ()
    level_e: float | None = None
    dark_noise_e: float | None = None
    least_deficit_e: float | None = None
    warm_pixels: int = 0
    weak_pixels: int = 0
    hot_share: float = 0.0
    chance: float = 0.0
    confirmed_sigmas: float = 0.0
    ratios: Ratios = Ratios()
    fpn_interval: dict[str, Interval] = {}
    flagged_percent: ByMethod = ByMethod()
    n_star_offsets: ByMethod | None = None
    improvement_percent: float | None = None
    improvement_interval: Interval | None = None
    by_level: tuple[ByLevel, ...] = ()
    shape: Shape | None = None
    leak: LeakCheck | None = None
    depth: tuple[Depth, ...] = ()
    sub_noise_percent: float | None = None
    z_edges: tuple[float, ...] = ()
    z_counts: tuple[int, ...] = ()
    worst: tuple[ColdPixel, ...] = ()


class Findings(Struct, frozen=True, kw_only=True):
    """R.json. why: what the verdict rests on, in sentences; frames_needed: dim flats of each level."""

    gate: GateFound
    verdict: Verdict
    confidence: float
    flagged_pixels: int
    fpn_percent: ByMethod
    n_star: ByMethod
    large_scale_ratio: float | None
    recommendation: str
    frames_needed: int | None
    missing: tuple[str, ...]
    why: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    details: Details = Details()


def read(path: Path) -> Findings:
    """R.json back; StorageError or FileDamaged."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Findings)
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror}.") from error
    except msgspec.DecodeError as error:
        raise FileDamaged(
            f"{path} is no analysis of the flat lab: {error}. Write one with `starwell flatlab analyse`."
        ) from error
