"""What the last subs looked like against the night's own best: plain numbers, comparable across filters."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np

from starwell.frame import Float64
from starwell.measure.quality import Reason
from starwell.session.events import SubMeasured, SubRejected, SubStacked

_KEPT = 40
_SERIES_KEPT = 400
_CLEAR = 10
_CLEAR_KNOWN = 5
_FAST_DROP = 0.8
_SKY_CHANGED = 0.06
_DEEP_DROP = 0.6
_EXTINCTION_MAG = 0.2
_SEEING_POWER = 0.6
_DIMMED = (Reason.CLOUDS, Reason.TOO_FEW_STARS, Reason.SKY_TOO_BRIGHT)
_FLIP_DEG = 90.0


@dataclass(frozen=True, slots=True)
class Sample:
    """One sub against the best of its series; nan where not known.

    flux: of its stars, 1 at the night's best. sky: 1 at the sky's usual level. hfr: 1 at the best focus
    since the last focusing. axes: long over short axis of the stars, 1 at the roundest; angle_deg of the long
    axis. cloudy: dimmed within a few subs, while the sky changed.
    """

    number: int
    flux: float
    sky: float
    hfr: float
    axes: float
    angle_deg: float
    cloudy: bool


@dataclass(slots=True)
class _Series:
    """What is the best and the usual of one series so far."""

    flux: deque[float] = field(default_factory=lambda: deque(maxlen=_SERIES_KEPT))
    sky: deque[float] = field(default_factory=lambda: deque(maxlen=_SERIES_KEPT))
    hfr: deque[float] = field(default_factory=lambda: deque(maxlen=_SERIES_KEPT))
    axes: deque[float] = field(default_factory=lambda: deque(maxlen=_SERIES_KEPT))
    stars: deque[float] = field(default_factory=lambda: deque(maxlen=_SERIES_KEPT))
    places: deque[tuple[float, float, float]] = field(default_factory=lambda: deque(maxlen=_KEPT))
    angle_deg: float | None = None
    reference: int | None = None

    def place(self, stacked: SubStacked) -> None:
        """Where a sub lay; a flip of the mount begins anew."""
        if self.angle_deg is not None:
            turned = abs((stacked.angle_deg - self.angle_deg + 180) % 360 - 180)
            if turned > _FLIP_DEG:
                self.places.clear()
        self.angle_deg = stacked.angle_deg
        self.places.append((float(stacked.number), stacked.dx_px, stacked.dy_px))

    def refer_to(self, reference: int) -> None:
        """Another reference: fluxes and places are counted from it."""
        if self.reference != reference:
            self.flux.clear()
            self.places.clear()
        self.reference = reference


class History:
    """The last subs, oldest first, and the best of every series."""

    def __init__(self) -> None:
        self.samples: deque[Sample] = deque(maxlen=_KEPT)
        self._series: dict[str, _Series] = {}
        self._clear: deque[tuple[float, float]] = deque(maxlen=_CLEAR)

    def refer_to(self, series: str, reference: int) -> None:
        """The stack of this series has this reference now."""
        self._of(series).refer_to(reference)

    def refocused(self) -> None:
        """HFR is compared with what comes now."""
        for series in self._series.values():
            series.hfr.clear()
        self.samples = deque((replace(s, hfr=math.nan) for s in self.samples), maxlen=_KEPT)

    def add(
        self, series: str, measured: SubMeasured, judged: SubStacked | SubRejected, airmass: float | None
    ) -> None:
        """One sub; airmass takes out what a target's altitude does to flux and seeing."""
        of = self._of(series)
        loss_mag = _EXTINCTION_MAG * (airmass - 1) if airmass is not None else 0.0
        flux = self._flux(of, measured, judged)
        flux = _ratio(of.flux, flux * 10 ** (0.4 * loss_mag), 0.9) if isinstance(judged, SubStacked) else flux
        blur = (airmass or 1.0) ** _SEEING_POWER
        sky = _ratio(of.sky, measured.sky_e if measured.sky_e is not None else measured.sky_adu, 0.5)
        hfr = _ratio(of.hfr, (measured.hfr_px or math.nan) / blur, 0.2)
        axes = _ratio(of.axes, _axes(measured.eccentricity), 0.2)
        angle = math.nan if measured.angle_deg is None else measured.angle_deg
        cloudy = self._cloudy(flux, sky)
        if isinstance(judged, SubStacked):
            of.place(judged)
        self.samples.append(Sample(measured.number, flux, sky, hfr, axes, angle, cloudy))

    def drift(self, series: str) -> Float64:
        """Number, x and y, in px of the reference, of the last placed subs of a series: (n, 3)."""
        return np.array(self._of(series).places, dtype=np.float64).reshape(-1, 3)

    def _of(self, series: str) -> _Series:
        return self._series.setdefault(series, _Series())

    def _flux(self, of: _Series, measured: SubMeasured, judged: SubStacked | SubRejected) -> float:
        """Transparency where the sub was matched; the loss of stars where clouds kept it from it."""
        if isinstance(judged, SubStacked):
            of.stars.append(measured.stars)
            return judged.transparency
        if judged.reason in _DIMMED and of.stars:
            return min(1.0, measured.stars / max(float(np.median(of.stars)), 1.0))
        return math.nan

    def _cloudy(self, flux: float, sky: float) -> bool:
        if math.isnan(flux):
            return False
        if len(self._clear) >= _CLEAR_KNOWN:
            usual_flux, usual_sky = np.median(np.array(self._clear), axis=0)
            drop, change = flux / usual_flux, abs(sky / usual_sky - 1)
            if drop < _DEEP_DROP or (drop < _FAST_DROP and change > _SKY_CHANGED):
                return True
        self._clear.append((flux, sky))
        return False


def column(samples: Iterable[Sample], name: str) -> Float64:
    """One figure of these samples."""
    return np.array([getattr(sample, name) for sample in samples], dtype=np.float64)


def _ratio(known: deque[float], value: float, quantile: float) -> float:
    """The value against a quantile of all of its series so far, itself included."""
    if not math.isfinite(value) or value <= 0:
        return math.nan
    known.append(value)
    return value / float(np.quantile(known, quantile))


def _axes(eccentricity: float | None) -> float:
    """Long over short axis."""
    if eccentricity is None:
        return math.nan
    return 1 / math.sqrt(max(1 - min(eccentricity, 0.99) ** 2, 1e-6))
