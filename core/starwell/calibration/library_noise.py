"""How much noise masters add to the stack that is planned (methods.md, §2.4).

The stack of N subs has (S + D + RN²)/N per pixel; a master dark adds its own variance, a master flat
S²·(F + RN²)/(F²·N_F), both over the number of dither positions, for a master's noise stays on its pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from starwell.calibration.library_kept import Kept
from starwell.frame import Kind
from starwell.sensor.sub_exposure import Exposed, MastersNeeded, masters_needed


@dataclass(frozen=True, slots=True)
class Planned:
    """The stack that is planned: one sub, how many of them, over how many dither positions."""

    sub: Exposed
    subs: int
    positions: int = 1

    @property
    def noise_e(self) -> float:
        """Noise of the stack by perfect masters, e- per pixel and sub."""
        return sqrt(sum(self.sub.variances_e2.values()) / self.subs)

    def needed(self) -> MastersNeeded:
        """The fewest darks and flats that together add no more than 5 %; flats at half of full scale."""
        return masters_needed(
            self.sub,
            self.subs,
            seconds=self.sub.seconds,
            flat_e=0.5 * self.sub.full_e,
            positions=self.positions,
        )


@dataclass(frozen=True, slots=True)
class Share:
    """What one master adds: its own noise in the stack, e- per pixel, and what that makes of the stack's."""

    adds_e: float
    adds_percent: float


def share_of(kept: Kept, planned: Planned) -> Share | None:
    """What this master adds to the stack planned; None where its noise or its number of frames is unknown."""
    if not kept.frames:
        return None
    own = _flat_e(kept, planned) if kept.kind is Kind.FLAT else _dark_e(kept, planned)
    left = own / sqrt(planned.positions)
    return Share(left, 100 * (sqrt(1 + (left / planned.noise_e) ** 2) - 1))


def _dark_e(kept: Kept, planned: Planned) -> float:
    """Noise of a dark or bias: as its pairs tell, else as the sensor's."""
    if kept.noise_e is not None:
        return kept.noise_e
    sub = planned.sub
    dark = max(sub.dark_e_s, 0.0) * sub.seconds if kept.kind is Kind.DARK else 0.0
    return sqrt((dark + sub.read_noise_e**2) / kept.frames)


def _flat_e(kept: Kept, planned: Planned) -> float:
    """Noise of a flat on the sky's level: as its pairs tell, else shot noise at half of full scale."""
    sky_e = max(planned.sub.sky_e_s, 0.0) * planned.sub.seconds
    if kept.noise_percent is not None:
        return sky_e * kept.noise_percent / 100
    flat_e = 0.5 * planned.sub.full_e
    return sky_e * sqrt((flat_e + planned.sub.read_noise_e**2) / kept.frames) / flat_e
