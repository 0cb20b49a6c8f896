"""How the deficit of the flagged pixels changes with light, time and gain: the signature of its cause.

Pixels are flagged in one half of the frames and measured in others, so that no noise is selected twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from starwell.flatlab.deficits import (
    Bench,
    Deficits,
    Index,
    Ratio,
    Selection,
    at_selected,
    deficits,
    ratio,
    select,
)
from starwell.flatlab.grounds import APART, Evidence
from starwell.flatlab.sums import Sums
from starwell.frame import Float32, Float64, Mask, Planes

_WARM_SIGMAS = 5.0
_NEIGHBOURS = 5


@dataclass(slots=True)
class Signature:
    """The flagged pixels, and what they do elsewhere.

    cold: flagged in either half and measured in the other; warm: those that are too bright. confirmed: sigmas
    of the cold ones' mean deficit where they were not selected.
    """

    level_e: float
    cold: tuple[Selection, Selection]
    warm: tuple[Selection, Selection]
    by_level: dict[float, Ratio] = field(default_factory=dict)
    by_time: tuple[float, Ratio] | None = None
    by_gain: tuple[float, Ratio] | None = None
    without_light: Ratio | None = None

    @staticmethod
    def of(bench: Bench, low: Sums) -> Signature:
        """Flag in each half of the dim flats (and of the darks), measure in the other."""
        halves = [
            deficits(bench, low.halves[h], low.counts[h], bench.dark.halves[h], bench.dark.counts[h])
            for h in (0, 1)
        ]
        cold, warm = select(halves), select(halves, sign=-1)
        level = (halves[0].level_e + halves[1].level_e) / 2
        return Signature(level, cold, warm)

    @property
    def confirmed(self) -> float:
        """Sigmas of the mean deficit in the frames that did not select it."""
        lost = sum(float(one.deficit_e.sum()) for one in self.cold)
        variance = sum(float(np.square(one.sigma_e).sum()) for one in self.cold)
        return lost / variance**0.5 if variance else 0.0

    def at_level(self, bench: Bench, low: Sums, brighter: float) -> Deficits | None:
        """Dim flats of another level, `brighter` times L0; their deficits, where pixels are flagged."""
        found = self._measured(bench, low)
        if found is None:
            return None
        there, here = found
        if not 1 / APART < brighter < APART:
            self.by_level[brighter] = here
        return there

    def at_time(self, there: Bench, sums: Sums, longer: float) -> None:
        """Dim flats of the same charge in `longer` times the time."""
        found = self._measured(there, sums)
        self.by_time = None if found is None else (longer, found[1])

    def at_gain(self, there: Bench, sums: Sums, coarser: float) -> None:
        """Dim flats of the same charge at `coarser` times the e-/ADU."""
        found = self._measured(there, sums)
        self.by_gain = None if found is None or 1 / APART < coarser < APART else (coarser, found[1])

    def at_zero(self, bench: Bench, unlit: Sums) -> None:
        """Frames with the panel off: what the darks have too much."""
        base = float(np.median(unlit.mean() - bench.dark.mean()))
        measured: list[tuple[Float64, Float64]] = []
        for one in self.cold:
            dark = bench.dark.halves[one.half].ravel()[one.at]
            lost = -(unlit.mean().ravel()[one.at] - dark - base) * bench.egain / bench.bright.ravel()[one.at]
            share = 1 / unlit.count + 1 / bench.dark.counts[one.half]
            sigma = np.sqrt(bench.dark_var_e2.ravel()[one.at] * share)
            measured.append((lost.astype(np.float64), sigma.astype(np.float64)))
        self.without_light = ratio(self.cold, measured)

    def told(self, seen: Evidence, bench: Bench) -> Evidence:
        """The evidence with this signature."""
        return replace(
            seen,
            by_level=self.by_level,
            by_time=self.by_time,
            by_gain=self.by_gain,
            without_light=self.without_light,
            hot_share=self.hot_share(bench),
            confirmed=self.confirmed,
        )

    def hot_share(self, bench: Bench) -> float:
        """Share of the flagged pixels that stand out in the half of the darks that did not flag them."""
        flagged = [one for one in (*self.cold, *self.warm) if one.at.size]
        total = sum(one.at.size for one in flagged)
        if not total:
            return 0.0
        hot = sum(int(np.count_nonzero(_stands_out(bench, one.half, one.at))) for one in flagged)
        return hot / total

    def _measured(self, bench: Bench, sums: Sums) -> tuple[Deficits, Ratio] | None:
        """Deficits in another set, and the flagged pixels' ratio; None where none is flagged."""
        if not any(one.at.size for one in self.cold):
            return None
        mean = sums.mean()
        found = deficits(bench, mean, sums.count, bench.dark.mean(), bench.dark.count, factor=True)
        here = ratio(self.cold, [at_selected(bench, one, mean, found) for one in self.cold])
        return None if here is None else (found, here)


def _stands_out(bench: Bench, half: int, at: Index) -> Mask:
    """Which of these pixels are warmer in a half of the darks than their surroundings, by 5 sigmas."""
    dark = bench.dark.halves[half]
    rest = without_surroundings(bench, dark)
    spread = 1.4826 * float(np.median(np.abs(rest[::3, ::3])))
    found: Mask = rest.ravel()[at] > _WARM_SIGMAS * max(spread, 1e-6)
    return found


def without_surroundings(bench: Bench, pixels: Float32) -> Float32:
    """Pixels less the median of the 5×5 about them, colour by colour."""
    rest = np.empty_like(pixels)
    planes = Planes.of(bench.facts)
    for plane in planes.planes:
        view = np.ascontiguousarray(planes.view(pixels, plane))
        planes.view(rest, plane)[...] = view - cv2.medianBlur(view, _NEIGHBOURS)
    return rest
