"""Which of several flats lights were taken through, where no header tells: the one whose dust they show."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from starwell.calibration.calibrate import Calibrator, cut
from starwell.calibration.master import Master
from starwell.errors import StarwellError
from starwell.frame import Facts, Float32, Float64, Frame, Mask, Planes
from starwell.session.advice_audit import cells, fine, regression

_SURE = 3.5
_LEAST, _MOST = 0.4, 1.6
_FEWEST_CELLS = 6
_ASKED = 8
"""Subs that cannot tell alone are asked together, so many of them."""
_MARKED = 0.002
"""Relative difference of two flats' small structures from which a cell tells them apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What subs say for the first of two flats (positive) or for the second, and its standard error."""

    votes: float
    error: float

    @property
    def sure(self) -> bool:
        """Whether it is neither chance nor something else that looks alike, as a nebula's filaments may."""
        return abs(self.votes) > _SURE * self.error and _LEAST < abs(self.votes) < _MOST


class DustJudge:
    """Holds subs that lost their dark, but no flat, against the small structures of several flats.

    Structures larger than a few cells of 16 px are taken off both, so that vignetting, gradients and nebulae
    do not vote; stars hardly do, for cells are medians and slopes are found by least absolute deviations.
    """

    def __init__(self, flats: Sequence[Master], facts: Facts, calibrator: Calibrator) -> None:
        self._calibrator = calibrator
        planes = Planes.of(facts)
        self._planes, self._plane = planes, planes.planes[len(planes.planes) // 2]
        self._dust = [self._structure(cut(flat, facts)) for flat in flats]

    def seen(self, frame: Frame) -> Float64:
        """A sub's own small structures, against its sky."""
        return self._structure(self._calibrator.calibrate(frame).pixels)

    def told(self, seen: Float64, one: int, other: int) -> Told:
        """What these structures say for one flat against another: +1 all for it, -1 all for the other."""
        marked = self._marked(one, other)
        a, b = self._dust[one], self._dust[other]
        rest = 2 * seen - (a + b)
        found = regression(rest[marked], (a - b)[marked], _sigma(rest))
        return Told(found.left, found.error)

    @property
    def all_alike(self) -> bool:
        """Whether the flats show the same dust, so that any of them will do."""
        return not any(self._differ(0, other) for other in range(1, len(self._dust)))

    def best(self, seen: Float64) -> tuple[int, bool]:
        """The flat whose dust is seen best, and whether that is sure; the first where nothing tells."""
        best, sure = 0, True
        for other in range(1, len(self._dust)):
            if not self._differ(best, other):
                continue
            told = self.told(seen, best, other)
            sure = sure and told.sure
            if told.votes < 0 and told.sure:
                best = other
        return best, sure

    def split(
        self, numbers: Sequence[int], reread: Callable[[int], Frame]
    ) -> dict[int, tuple[int, ...]] | None:
        """The subs by the flat whose dust they show; None where neither one nor several together tell.

        A sub that cannot tell by itself goes with the nearest one that can.
        """
        votes: dict[int, int] = {}
        unsure: list[Float64] = []
        for number in numbers:
            try:
                seen = self.seen(reread(number))
            except StarwellError:
                continue  # whoever stacks it reports it
            best, sure = self.best(seen)
            if sure:
                votes[number] = best
            elif len(unsure) < _ASKED:
                unsure.append(seen)
        if unsure and len(votes) < len(numbers) / 2:
            best, sure = self.best(np.mean(unsure, axis=0))
            votes |= {number: best for number in numbers if sure and number not in votes}
        if not votes:
            return None
        parts: dict[int, list[int]] = {}
        for number in numbers:
            nearest = min((abs(known - number), known) for known in votes)[1]
            parts.setdefault(votes[nearest], []).append(number)
        return {index: tuple(members) for index, members in parts.items()}

    def _differ(self, one: int, other: int) -> bool:
        return int(np.count_nonzero(self._marked(one, other))) >= _FEWEST_CELLS

    def _marked(self, one: int, other: int) -> Mask:
        apart: Mask = np.abs(self._dust[one] - self._dust[other]) > _MARKED
        return apart

    def _structure(self, pixels: Float32) -> Float64:
        view = np.ascontiguousarray(self._planes.view(pixels, self._plane), dtype=np.float32)
        levels = cells(view).astype(np.float64)
        return fine(levels / max(float(np.median(levels)), 1e-6) - 1)


def _sigma(values: Float64) -> float:
    return max(1.4826 * float(np.median(np.abs(values - np.median(values)))), math.ulp(1.0))
