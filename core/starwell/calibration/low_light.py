"""What single pixels lose at low light, in electrons: estimated from dim flats, given back to each sub.

A bright flat a(x) tells a pixel's sensitivity; a pixel with a charge threshold, or one whose noise was cut
off at zero, loses a constant charge on top, which no bright flat and no dark can see. Dim flats do: the
deficit is d = L - F/a, measured with an error in electrons that does not grow with the light, so it is added,
not divided by, and shrunk towards nothing where it is no more than noise (methods, section 2.5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from starwell.calibration.defects import DEAD_FLAT
from starwell.calibration.low_light_levels import Ratios
from starwell.calibration.low_light_mixture import Mixture
from starwell.calibration.low_light_plane import DimPlane, LowSet, Solved
from starwell.errors import MasterError
from starwell.frame import Facts, Float32, Mask, Planes

__all__ = ["LowLight", "LowSet", "estimate"]


@dataclass(frozen=True, slots=True, eq=False)
class LowLight:
    """What each pixel loses at low light.

    deficit_e: H×W, e- lost at the lowest of the levels. threshold_e: H×W, the charge q a pixel keeps back, 0
    where it keeps none; None when there was one level only. level_e: that lowest level by channel. levels_e,
    frames: of the sets, rising. found: the mixture by channel. ratios: what was divided out of each set
    before its pixels were judged. noise_e: of a pixel's deficit before it was shrunk. sha256: of the
    deficits as they stand in the file.
    """

    deficit_e: Float32
    threshold_e: Float32 | None
    level_e: tuple[float, ...]
    levels_e: tuple[float, ...]
    frames: tuple[int, ...]
    noise_e: float
    found: tuple[Mixture, ...] = ()
    ratios: tuple[Ratios, ...] = ()
    facts: Facts = field(default_factory=lambda: Facts((1, 1)))
    egain: float | None = None
    keywords: MappingProxyType[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[str, ...] = ()
    file: Path | None = None
    sha256: str = ""

    @property
    def name(self) -> str:
        """What to call it in a message."""
        return "the low-light map" if self.file is None else self.file.name

    @property
    def cold(self) -> Mask:
        """H×W: where pixels lose charge, beyond doubt or nearly so."""
        if self.threshold_e is not None:
            return self.threshold_e > 0
        return self.deficit_e > max(3 * self.noise_e, 0.0)

    def at(self, sky_e: Float32 | float) -> Float32:
        """The deficit in e- where the local sky gives this many, one figure or H×W.

        d(L) = d(L0)·(1 - e^(-L/q))/(1 - e^(-L0/q)) with two levels; as it is with one.
        """
        if self.threshold_e is None:
            return self.deficit_e
        q = self.threshold_e
        sky = np.broadcast_to(np.maximum(np.asarray(sky_e, np.float32), 0), q.shape)
        there = q > 0
        lost = self.deficit_e.copy()
        level = self.level_map(self.facts)[there]
        lost[there] *= np.expm1(-sky[there] / q[there]) / np.expm1(-level / q[there])
        return lost

    def apply(self, calibrated_e: Float32, sky_e: Float32 | float) -> Float32:
        """A sub (dark subtracted, divided by the bright flat, e-) with what its pixels lost."""
        return calibrated_e + self.at(sky_e)

    def unusable(self, sky_e: Float32 | float) -> Mask:
        """H×W: pixels that keep back more than twice what this sky gives; they are to be filled."""
        q = self.deficit_e if self.threshold_e is None else self.threshold_e
        return self.cold & (np.asarray(sky_e, np.float32) < q / 2)

    @property
    def added_variance_e2(self) -> float:
        """What the map's noise puts into a sub's pixel, e-²: of what most pixels get back, 1 - s²/(s² + tau²)
        of their deficit's error, and all of it in cold ones.
        """
        if not self.found:
            return 0.0
        each = [mix.share + (1 - mix.share) * (1 - 1 / mix.width**2) ** 2 for mix in self.found]
        return self.noise_e**2 * sum(each) / len(each)

    def level_map(self, facts: Facts) -> Float32:
        """The lowest level at every pixel of frames of these facts, e-: one figure for each colour."""
        levels = np.empty(facts.size, np.float32)
        planes = Planes.of(facts)
        for plane in planes.planes:
            planes.view(levels, plane)[...] = self.level_e[min(plane.channel, len(self.level_e) - 1)]
        return levels


def estimate(
    bright: Float32,
    lows: Sequence[LowSet],
    dark_frames: int,
    read_noise_e: float,
    *,
    facts: Facts | None = None,
) -> LowLight:
    """The low-light map from a bright flat of mean 1 (by colour) and dim flats at one or more levels.

    dark_frames: how many made the dark that was taken off; read_noise_e: of one frame, e-. facts: of the
    frames, where colour matters. Error of a deficit: s² = ((a·L + RN²)/N + RN²/N_dark)/a². The large scale of
    the light, rows and columns are divided out first; with several levels each pixel that seems to lose
    charge gets a threshold q from all of them. MasterError for sets that do not fit each other.
    """
    lows = sorted(lows, key=lambda low: low.level_e)
    _check(bright, lows, dark_frames)
    facts = facts or Facts(bright.shape)
    planes = Planes.of(facts)
    deficit = np.zeros(bright.shape, np.float32)
    threshold = np.zeros(bright.shape, np.float32) if len(lows) > 1 else None
    solved: list[Solved] = []
    for plane in planes.planes:
        sets = [LowSet(low.level_e, planes.view(low.mean_e, plane), low.frames) for low in lows]
        lit = DimPlane(planes.view(bright, plane), sets, plane.step, read_noise_e**2, dark_frames)
        solved.append(lit.solve())
        planes.view(deficit, plane)[...] = solved[-1].deficit_e
        if threshold is not None:
            planes.view(threshold, plane)[...] = solved[-1].threshold_e
    by_channel = [
        [part for part, plane in zip(solved, planes.planes, strict=True) if plane.channel == channel]
        for channel in range(planes.channels)
    ]
    return _joined(deficit, threshold, lows, by_channel, facts)


def _joined(
    deficit: Float32,
    threshold: Float32 | None,
    lows: Sequence[LowSet],
    by_channel: Sequence[Sequence[Solved]],
    facts: Facts,
) -> LowLight:
    every = [part for parts in by_channel for part in parts]
    return LowLight(
        deficit,
        threshold,
        tuple(float(np.mean([part.level_e for part in parts])) for parts in by_channel),
        tuple(low.level_e for low in lows),
        tuple(low.frames for low in lows),
        float(np.mean([part.noise_e for part in every])),
        tuple(parts[0].mixture for parts in by_channel),
        tuple(Ratios.worst(of) for of in zip(*(part.ratios for part in every), strict=True)),
        facts,
    )


def _check(bright: Float32, lows: Sequence[LowSet], dark_frames: int) -> None:
    if not lows:
        raise MasterError("A low-light map needs dim flats: give at least one set of them.")
    if dark_frames < 1:
        raise MasterError("A low-light map needs the dark of its dim flats, and how many frames made it.")
    for low in lows:
        if low.mean_e.shape != bright.shape:
            raise MasterError(
                f"The dim flats are {low.mean_e.shape[1]}×{low.mean_e.shape[0]} pixels, the bright flat "
                f"{bright.shape[1]}×{bright.shape[0]}: they do not belong together."
            )
        if low.level_e <= 0 or low.frames < 1 or _median(low.mean_e, bright) <= 0:
            raise MasterError(
                "A set of dim flats holds no light above its dark: check the panel, and that the dark is "
                "theirs."
            )


def _median(mean_e: Float32, bright: Float32) -> float:
    """The level of dim flats, divided by the bright one."""
    lit = bright[::3, ::3] > DEAD_FLAT
    return float(np.median(mean_e[::3, ::3][lit] / bright[::3, ::3][lit])) if lit.any() else 0.0
