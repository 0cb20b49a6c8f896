"""The sensor's noise model: one physics for simulator, rejection sigma and noise pane.

Var[e-] = S + D·t + RN² + K²/12 with S the light and D·t the dark charge in e-, RN the read noise in e-
and K e-/ADU; the last term is the rounding of the converter (EMVA 1288).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

from starwell.frame import FULL_SCALE_ADU, Float32, Float64

Real = TypeVar("Real", float, Float32, Float64)


class Origin(StrEnum):
    """Where e-/ADU and read noise were learnt, best first."""

    MEASURED = "sensor analysis"
    DATA = "the data"
    HEADER = "the header"
    CORRECTED = "the header, corrected by the data"
    ASSUMED = "an assumption"


@dataclass(frozen=True, slots=True)
class SensorModel:
    """What is known of a sensor at one gain.

    egain: e- per ADU of the file at hand (K). read_noise_e: e- rms. step_adu: the converter's step in
    file ADU (2**adu_shift). saturation_adu: the file value where pixels stop counting.
    """

    egain: float
    read_noise_e: float
    step_adu: float = 1.0
    saturation_adu: float = FULL_SCALE_ADU
    origin: Origin = Origin.ASSUMED

    @property
    def read_variance_adu(self) -> float:
        """Variance of a frame without light, in ADU²: read noise and rounding."""
        return (self.read_noise_e / self.egain) ** 2 + self.step_adu**2 / 12.0

    def variance_adu(self, light_adu: Real, flat: Real | float = 1.0, dark_adu: Real | float = 0.0) -> Real:
        """Variance in ADU² of a calibrated pixel: light_adu is above the dark and already divided by flat.

        Var = (a·S/K + D/K + RN²)/a², a the flat, S and D in ADU (methods.md, Decision 2). Negative light
        counts as none.
        """
        shot = np.maximum(light_adu, 0) * flat / self.egain
        return (shot + dark_adu / self.egain + self.read_variance_adu) / (flat * flat)  # type: ignore[no-any-return]
