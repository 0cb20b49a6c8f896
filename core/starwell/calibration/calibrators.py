"""One calibrator for each group of subs that share their masters, under the face of a single one."""

from __future__ import annotations

from collections.abc import Mapping

from starwell.calibration.calibrate import Calibrated, Calibrator
from starwell.frame import Facts, Float32, Frame


class Calibrators:
    """Calibrates every sub with the masters of its own night, filter and rotation.

    of: the calibrator of each sub, by its number; made once and replaced whole. What each one knows of its
    flat and dark goes with every Calibrated, so the noise model follows. facts are the first one's.
    """

    def __init__(self, of: Mapping[int, Calibrator]) -> None:
        self._of = of
        self.all: tuple[Calibrator, ...] = tuple(dict.fromkeys(of.values()))
        self.facts: Facts = self.all[0].facts
        self.dark_adu = self.all[0].dark_adu
        warnings = [warning for calibrator in self.all for warning in calibrator.warnings]
        self.warnings: tuple[str, ...] = tuple(dict.fromkeys(warnings))

    def calibrate(self, frame: Frame, out: Float32 | None = None) -> Calibrated:
        """The sub, calibrated with its own masters; as Calibrator.calibrate."""
        return self._of[frame.facts.number].calibrate(frame, out=out)
