"""Hot and cold pixels of subs that come without a dark: named from the subs alone, and filled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from starwell.calibration.calibrate import Calibrated
from starwell.calibration.defects import Defects
from starwell.calibration.isolated import IsolatedPixels
from starwell.session.intake import Intake
from starwell.session.members import Member


class Cleaner:
    """Fills the isolated pixels of placed subs; what it filled is remembered with each, for undo and redo.

    With a master dark there is nothing to do: that knows the sensor's pixels better than any one sub.
    """

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.detector: IsolatedPixels | None = None

    def forget(self) -> None:
        """What comes now is judged without the subs before."""
        self.detector = None

    def clean(self, member: Member, calibrated: Calibrated) -> Calibrated:
        """The sub with its isolated pixels filled, in place, and named among its defects."""
        if self._intake.masters.dark is not None or calibrated.pixels.ndim != 2:
            return calibrated
        if member.isolated is None:
            if member.candidate is None or member.placed is None:
                return calibrated
            member.isolated = self._find(member, calibrated)
        if not len(member.isolated):
            return calibrated
        xy = member.isolated.astype(np.intp)
        Defects(xy, calibrated.facts.size).repair(calibrated.pixels, self._step(calibrated))
        return replace(calibrated, defects_xy=np.concatenate([calibrated.defects_xy, xy]))

    def _find(self, member: Member, calibrated: Calibrated) -> NDArray[np.int32]:
        assert member.candidate is not None
        assert member.placed is not None
        if self.detector is None:
            self.detector = IsolatedPixels(self._intake.facts, egain=self._intake.model.egain)
        sigma = tuple(float(s) for s in member.candidate.measured.sigma_adu)
        back = member.placed.transform.inverse()
        return self.detector.find(calibrated.pixels, sigma, (back.tx, back.ty)).astype(np.int32)

    @staticmethod
    def _step(calibrated: Calibrated) -> int:
        return 2 if calibrated.facts.bayer is not None else 1
