"""How long a sub should be: until the sky's noise swamps the read noise (methods.md, §1.3).

sigma² = T·P + (T/t)·RN² over the total time T of subs of t: noise in excess of the ideal by the part r takes
t = C·RN²/P with C = 1/((1 + r)² - 1); P is sky and dark current together, in e-/s.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

EXCESSES = (0.02, 0.05, 0.10, 0.20)
"""Excess noise the table is printed for."""
USUAL_EXCESS = 0.05
ENOUGH_STARS = 10
"""So many saturated stars are accepted."""

_RED, _AMBER = 0.5, 0.1


def swamp_constant(excess: float) -> float:
    """C: how many times RN² the sky must be for this excess noise; 9.76 for 5 %."""
    return 1 / ((1 + excess) ** 2 - 1)


def least_seconds(rate_e_s: float, read_noise_e: float, excess: float = USUAL_EXCESS) -> float:
    """Shortest sub with this excess noise; rate_e_s: sky and dark together. Infinite without any light."""
    return swamp_constant(excess) * read_noise_e**2 / rate_e_s if rate_e_s > 0 else math.inf


def least_seconds_paid(
    rate_e_s: float, read_noise_e: float, overhead_s: float, excess: float = USUAL_EXCESS
) -> float:
    """Shortest sub with which read noise and read-out pauses together cost no more than this excess.

    Over the same clock time: (1 + (RN²/P)/t)·(1 + o/t) = (1 + r)².
    """
    if rate_e_s <= 0:
        return math.inf
    a, allowed = read_noise_e**2 / rate_e_s, (1 + excess) ** 2 - 1
    total = a + overhead_s
    return (total + math.sqrt(total * total + 4 * a * overhead_s * allowed)) / (2 * allowed)


def excess_noise(rate_e_s: float, read_noise_e: float, seconds: float) -> float:
    """Noise above the ideal of subs this long, as a fraction."""
    charge = rate_e_s * seconds
    return math.sqrt(1 + read_noise_e**2 / charge) - 1 if charge > 0 else math.inf


@dataclass(frozen=True, slots=True)
class Exposed:
    """One sub: rates per px; full_e: charge at saturation above the dark; star_e: the 10th brightest star's
    peak above the sky; saturated_stars: how many have reached saturation; read noise at this gain.
    """

    seconds: float
    sky_e_s: float
    dark_e_s: float
    read_noise_e: float
    full_e: float
    star_e: float | None = None
    saturated_stars: int = 0

    @property
    def rate_e_s(self) -> float:
        """Sky and dark together."""
        return self.sky_e_s + self.dark_e_s

    @property
    def swamp(self) -> float:
        """Charge of sky and dark over the square of the read noise: 10 is a usual aim."""
        return self.rate_e_s * self.seconds / self.read_noise_e**2 if self.read_noise_e else math.inf

    @property
    def variances_e2(self) -> dict[str, float]:
        """Noise of one sub by cause, squared."""
        return {
            "sky": max(self.sky_e_s, 0.0) * self.seconds,
            "dark current": max(self.dark_e_s, 0.0) * self.seconds,
            "read noise": self.read_noise_e**2,
        }

    @property
    def dominant(self) -> str:
        """The largest cause of noise."""
        return max(self.variances_e2, key=lambda cause: self.variances_e2[cause])

    @property
    def verdict(self) -> str:
        """Read noise over all noise: `red` above 50 %, `amber` above 10 %, else `green` (SharpCap's bar)."""
        total = math.sqrt(sum(self.variances_e2.values()))
        part = self.read_noise_e / total if total else 1.0
        return "red" if part > _RED else "amber" if part > _AMBER else "green"

    @property
    def headroom(self) -> float:
        """Full well over the sky's charge in this sub."""
        return self.full_e / (self.sky_e_s * self.seconds) if self.sky_e_s > 0 else math.inf

    @property
    def most_seconds(self) -> float | None:
        """Longest sub in which at most ENOUGH_STARS stars saturate; None where no star tells."""
        if self.star_e is None:
            return None
        brightest = self.star_e + max(self.sky_e_s, 0.0) * self.seconds
        if brightest <= 0:
            return None
        longest = self.seconds * self.full_e / brightest
        return min(longest, self.seconds) if self.saturated_stars > ENOUGH_STARS else longest


@dataclass(frozen=True, slots=True)
class Recommended:
    """A sub's length in s and why; saturates: stars force it below what the noise asks for."""

    seconds: float
    least_s: float
    most_s: float | None
    saturates: bool


def recommended(sub: Exposed, *, overhead_s: float = 0.0, excess: float = USUAL_EXCESS) -> Recommended:
    """The shortest sub that costs at most this excess noise, cut where too many stars would saturate."""
    least = least_seconds_paid(sub.rate_e_s, sub.read_noise_e, overhead_s, excess)
    most = sub.most_seconds
    if most is not None and most < least:
        return Recommended(most, least, most, saturates=True)
    return Recommended(least, least, most, saturates=False)


def dynamic_range(full_e: float, read_noise_e: float, subs: int = 1) -> float:
    """Full well over noise floor of so many subs: sqrt(n)·FW/RN."""
    return math.sqrt(subs) * full_e / read_noise_e if read_noise_e else math.inf


@dataclass(frozen=True, slots=True)
class MastersNeeded:
    """How many frames masters take so that both together add no more than this to the stack's noise."""

    darks: int
    flats: int
    excess: float


def masters_needed(
    sub: Exposed,
    subs: int,
    *,
    seconds: float,
    flat_e: float,
    excess: float = USUAL_EXCESS,
    positions: int = 1,
) -> MastersNeeded:
    """The fewest darks and flats in all for so many subs of this length.

    flat_e: charge of one flat. positions: dither positions, over which a master's noise averages down. Per
    px: stack (S + D + RN²)/n; dark a/N_d with a = D + RN²; flat b/N_f with b = S²·(F + RN²)/F²; both over
    positions. a/N_d + b/N_f stays within what is allowed at least frames for N_d : N_f = √a : √b.
    """
    sky, dark, read = sub.sky_e_s * seconds, sub.dark_e_s * seconds, sub.read_noise_e**2
    allowed = ((1 + excess) ** 2 - 1) * (sky + dark + read) / subs * positions
    root_a, root_b = math.sqrt(dark + read), max(sky, 0.0) * math.sqrt(flat_e + read) / flat_e
    both = (root_a + root_b) / allowed
    return MastersNeeded(max(1, math.ceil(root_a * both)), max(1, math.ceil(root_b * both)), excess)
