"""Which subs may be stacked: gates that know the night, and a reason for each sub kept out."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from starwell.align.match import Alignment
from starwell.measure.sub import Measured


class Reason(StrEnum):
    """Why a sub is not in the stack, as people read it."""

    TOO_FEW_STARS = "too few stars"
    NO_MATCH = "no match"
    OUT_OF_FOCUS = "out of focus"
    TRAILED = "trailed"
    CLOUDS = "clouds"
    SKY_TOO_BRIGHT = "sky too bright"
    SATURATED = "saturated"
    BLACK = "black"
    NOT_A_NUMBER = "not a number"
    REGISTRATION_TOO_COARSE = "registration too coarse"
    DIFFERENT_SIZE = "different size"
    MASTERS_DO_NOT_FIT = "masters do not fit"
    REJECTED_BY_HAND = "rejected by hand"


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sub is stacked, its weight per channel (zeros if not), and why not, in words and numbers."""

    accepted: bool
    weight: tuple[float, ...]
    reason: Reason | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """Where the gates stand; each was chosen so that correlated seeing loses under 1 % of good subs.

    A sub is out of focus when its FWHM is past both the last accepted ones by `spread` robust sigmas and
    `fwhm` times the night's median, or past `slide` times the night's best quartile, so that no slow change
    carries the gates along; trailed likewise in the ratio of the axes, if its stars are drawn out by more
    than `smear_px`: less costs fewer details than its light is worth. Thin clouds are down-weighted by
    t²/σ²; below `transparency` a sub would weigh under 4 % and bring more gradient than light. The same
    4 % stands behind `sigma`.
    """

    fwhm: float = 1.5
    axes: float = 1.25
    smear_px: float = 3.0
    spread: float = 3.5
    slide: float = 2.0
    transparency: float = 0.2
    sigma: float = 5.0
    rms_px: float = 0.5
    rms_per_fwhm: float = 0.25
    saturated: float = 0.25
    nan: float = 0.05
    stars: int = 3


@dataclass(frozen=True, slots=True)
class Sample:
    """What the gates remember of a sub: sigma per unit exposure^½, axes = major over minor."""

    fwhm_px: float
    axes: float
    sigma_adu: float

    @property
    def smear_px(self) -> float:
        """How far the stars are drawn out: sqrt(major² - minor²), with FWHM² = major·minor."""
        return self.fwhm_px * math.sqrt(max(self.axes - 1 / self.axes, 0.0))

    @staticmethod
    def of(measured: Measured, exposure_ratio: float = 1.0) -> Sample:
        """From a measured sub whose exposure is this many times the reference's."""
        stars = measured.stars
        axes = 1 / math.sqrt(max(1 - min(stars.eccentricity, 0.999) ** 2, 1e-6))
        sigma = float(np.mean(measured.sigma_adu)) / math.sqrt(exposure_ratio)
        return Sample(stars.fwhm_px, axes, sigma)


_RECENT = 30
_BEFORE_JUDGING = 3
_STEADY = 10
_STEADY_SCATTER = 0.15
_STEADY_AXES = 1.3
_ALARM_AFTER = 3
_SPREAD_FLOOR = 0.03


@dataclass(slots=True)
class Gates:
    """Judges the subs of one stack through one night.

    Baselines never follow the weather: they start anew only on a known cause (`rebaseline`), or when 10 subs
    in a row that FWHM or trailing kept out are steady, with an FWHM under 1.5 times the night's best quartile
    and axes near the night's own. `alarm` is a sentence while 3 or more in a row were kept out.
    """

    limits: Limits = field(default_factory=Limits)
    alarm: str | None = None
    rebaselined: str | None = None
    _night: list[Sample] = field(default_factory=list)
    _recent: deque[Sample] = field(default_factory=lambda: deque(maxlen=_RECENT))
    _outside: list[Sample] = field(default_factory=list)
    _refused: list[Reason] = field(default_factory=list)
    _known: bool = False

    @staticmethod
    def of_night(samples: Iterable[Sample], limits: Limits | None = None) -> Gates:
        """Gates for subs that are all measured already: the baseline is the night's better part.

        The better part is within the FWHM and axes limits of the night's best quartile, so that even three
        trailed subs in four don't make trailing the custom.
        """
        known = [s for s in samples if math.isfinite(s.fwhm_px)]
        gates = Gates(limits or Limits(), _known=True)
        if known:
            fwhm = float(np.quantile([s.fwhm_px for s in known], 0.25)) * gates.limits.fwhm
            axes = float(np.quantile([s.axes for s in known], 0.25)) * gates.limits.axes
            better = [s for s in known if s.fwhm_px <= fwhm and s.axes <= axes] or known
            gates._night = better
            gates._recent = deque(better, maxlen=len(better))
        return gates

    def judge(
        self,
        measured: Measured,
        alignment: Alignment | None,
        transparency: float,
        *,
        weight: tuple[float, ...] = (1.0,),
        exposure_ratio: float = 1.0,
    ) -> Verdict:
        """Accept or keep out one sub, and learn from it.

        alignment: None for the reference itself. transparency: per unit of exposure. exposure_ratio: the
        sub's exposure over the reference's. weight is handed on with an accepted sub.
        """
        sample = Sample.of(measured, exposure_ratio)
        fault = (
            self._broken(measured)
            or self._coarse(measured, alignment)
            or self._veiled(transparency, sample)
            or self._blurred(sample)
        )
        if fault is None:
            self._learn(sample)
            return Verdict(True, weight)
        reason, detail = fault
        if reason in (Reason.OUT_OF_FOCUS, Reason.TRAILED) and self._settled(sample):
            return Verdict(True, weight)
        return self.keep_out(reason, detail, channels=len(weight))

    def fault(self, measured: Measured) -> tuple[Reason, str] | None:
        """What is plainly wrong with a sub whatever it matches, and in numbers; nothing is learnt from it."""
        return self._broken(measured) or self._blurred(Sample.of(measured))

    def keep_out(self, reason: Reason, detail: str = "", *, channels: int = 1) -> Verdict:
        """Record a sub that was kept out elsewhere (no match, too few stars), so that the alarm counts it."""
        self._refused.append(reason)
        if reason not in (Reason.OUT_OF_FOCUS, Reason.TRAILED):
            self._outside.clear()
        if len(self._refused) >= _ALARM_AFTER:
            reasons = ", ".join(dict.fromkeys(self._refused[-_ALARM_AFTER:]))
            self.alarm = f"{len(self._refused)} subs in a row were kept out: {reasons}"
        return Verdict(False, (0.0,) * channels, reason, detail)

    def rebaseline(self, cause: str) -> None:
        """Start the baselines anew: a flip, another filter, a refocus, or the user says so."""
        self._night.clear()
        self._recent.clear()
        self._outside.clear()
        self.rebaselined = cause

    def _broken(self, measured: Measured) -> tuple[Reason, str] | None:
        limits, stars = self.limits, measured.stars
        if measured.nan_fraction > limits.nan or not np.isfinite(measured.sigma_adu).all():
            return Reason.NOT_A_NUMBER, f"{measured.nan_fraction:.0%} of the pixels"
        if measured.saturated_fraction > limits.saturated:
            return Reason.SATURATED, f"{measured.saturated_fraction:.0%} of the pixels"
        if stars.count == 0 and not measured.sigma_adu.any():
            return Reason.BLACK, "every pixel has the same value"
        if stars.count < limits.stars:
            return Reason.TOO_FEW_STARS, f"{stars.count} found"
        return None

    def _coarse(self, measured: Measured, alignment: Alignment | None) -> tuple[Reason, str] | None:
        if alignment is None:
            return None
        limit = max(self.limits.rms_px, self.limits.rms_per_fwhm * measured.stars.fwhm_px)
        if alignment.rms_px <= limit:
            return None
        return Reason.REGISTRATION_TOO_COARSE, f"{alignment.rms_px:.2f} px, limit {limit:.2f}"

    def _veiled(self, transparency: float, sample: Sample) -> tuple[Reason, str] | None:
        if not transparency >= self.limits.transparency:
            return Reason.CLOUDS, f"{transparency:.0%} of the light, limit {self.limits.transparency:.0%}"
        if self._judging:
            usual = float(np.median([s.sigma_adu for s in self._night]))
            if sample.sigma_adu > self.limits.sigma * usual > 0:
                return Reason.SKY_TOO_BRIGHT, f"{sample.sigma_adu / usual:.1f} times the night's noise"
        return None

    def _blurred(self, sample: Sample) -> tuple[Reason, str] | None:
        if not self._judging:
            return None
        limit = self._limit("fwhm_px", self.limits.fwhm)
        if sample.fwhm_px > limit:
            return Reason.OUT_OF_FOCUS, f"FWHM {sample.fwhm_px:.2f} px, limit {limit:.2f}"
        limit = self._limit("axes", self.limits.axes)
        if sample.axes > limit and sample.smear_px > self.limits.smear_px:
            return Reason.TRAILED, f"axes 1:{sample.axes:.2f}, limit 1:{limit:.2f}"
        return None

    @property
    def _judging(self) -> bool:
        return len(self._night) >= (1 if self._known else _BEFORE_JUDGING)

    def _limit(self, figure: str, factor: float) -> float:
        recent, night = (
            np.array([getattr(s, figure) for s in known]) for known in (self._recent, self._night)
        )
        middle = float(np.median(recent))
        sigma = max(1.4826 * float(np.median(np.abs(recent - middle))), _SPREAD_FLOOR * middle)
        usual = max(middle + self.limits.spread * sigma, factor * float(np.median(night)))
        return min(usual, self.limits.slide * float(np.quantile(night, 0.25)))

    def _learn(self, sample: Sample) -> None:
        self._refused.clear()
        self._outside.clear()
        self.alarm = None
        if not self._known:
            self._night.append(sample)
            self._recent.append(sample)

    def _settled(self, sample: Sample) -> bool:
        """Whether the night found a new, acceptable steady state with this sub: then it is the baseline."""
        self._outside.append(sample)
        last = self._outside[-_STEADY:]
        if self._known or len(last) < _STEADY:
            return False
        fwhm, axes = np.array([(s.fwhm_px, s.axes) for s in last]).T
        steady = np.ptp(fwhm) < 2 * _STEADY_SCATTER * np.median(fwhm)
        best = float(np.quantile([s.fwhm_px for s in self._night], 0.25))
        own = float(np.median([s.axes for s in self._night]))
        if not steady or np.median(fwhm) >= self.limits.fwhm * best or np.median(axes) > _STEADY_AXES * own:
            return False
        self.rebaseline(f"{_STEADY} steady subs")
        self._night.extend(last)
        self._recent.extend(last)
        self._refused.clear()
        self.alarm = None
        return True
