"""How long a plan takes, how much disk it needs, and what dawn will cut: the night walked in advance."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

from starwell.frame import Exposure, Kind
from starwell.session.plan import Plan
from starwell.session.plan_ends import Conditions, Ended, Endings, Hold, Scope
from starwell.session.plan_walk import Step, named_series, steps, warms_up

_FITS_BLOCK = 2880
_HEADER_BLOCKS = 2
_ESTIMATED_FLAT_S = 2.0
_DITHER_MOVES_S = 5.0
_LONGEST = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Span:
    """One series: frames it asks for (None: until an end), frames there is time for, and what cuts it."""

    series: str
    exposure: Exposure
    planned: int | None
    fits: int
    starts: datetime | None
    ends: datetime | None
    cut_by: str | None = None


@dataclass(frozen=True, slots=True)
class Outlook:
    """A night in advance.

    ends: None where only the sky's brightness ends it. lights_ended_by: None where they are all taken.
    """

    began: datetime
    lights_end: datetime | None
    ends: datetime | None
    spans: tuple[Span, ...]
    unknown_ends: tuple[str, ...] = ()
    lights_ended_by: str | None = None

    @property
    def cut(self) -> tuple[Span, ...]:
        """The series that there is not enough night for."""
        return tuple(span for span in self.spans if span.planned is not None and span.fits < span.planned)

    def disk_bytes(self, width: int, height: int, bytes_per_px: int = 2) -> int:
        """What the frames take as FITS files, for a sensor of this size at bin 1."""
        return sum(s.fits * frame_bytes(s.exposure, width, height, bytes_per_px) for s in self.spans)

    def sentences(self, zone: tzinfo | None = None) -> Iterator[str]:
        """When it ends and what will be missing, for people."""
        if self.lights_end is not None:
            lights = f"The lights end at {self.lights_end.astimezone(zone):%H:%M}"
            then = self.ends
            yield f"{lights}, everything at {then.astimezone(zone):%H:%M}." if then else f"{lights}."
        for span in self.cut:
            yield f"{span.cut_by} leaves {span.fits} of {span.planned} frames of {span.series}."
        for end in self.unknown_ends:
            yield f'The end "{end}" does not come: the site is not known, or the Sun does not rise.'


def frame_bytes(exposure: Exposure, width: int, height: int, bytes_per_px: int = 2) -> int:
    """The size of one frame's FITS file: pixels and header in blocks of 2880 bytes."""
    if exposure.roi is not None:
        width, height = exposure.roi.width, exposure.roi.height
    else:
        width, height = width // exposure.bin, height // exposure.bin
    blocks = -(-width * height * bytes_per_px // _FITS_BLOCK)
    return (blocks + _HEADER_BLOCKS) * _FITS_BLOCK


def outlook(
    plan: Plan,
    endings: Endings,
    *,
    done: Mapping[str, int] | None = None,
    overhead_s: float = 1.0,
    ambient_celsius: float = 20.0,
    now: datetime | None = None,
) -> Outlook:
    """Walk the night from its beginning, with clouds never coming and guiding always settling.

    overhead_s: reading out and saving a frame. ambient_celsius: where the sensor's ramps begin and end. now:
    walk what is left from this moment on, the sensor being cold.
    """
    begins = endings.began + _ramp(plan, ambient_celsius) if now is None else now
    walk = _Walk(plan, endings, dict(done or {}), overhead_s, begins)
    walk.go()
    return walk.outlook(_ramp(plan, ambient_celsius) if warms_up(plan) else timedelta(0))


class _Walk:
    def __init__(
        self, plan: Plan, endings: Endings, done: dict[str, int], overhead_s: float, begins: datetime
    ) -> None:
        self._plan, self._endings, self._overhead_s = plan, endings, overhead_s
        self._before, self._done = dict(done), Counter(done)
        self._now = begins
        self._lights_end: datetime | None = None
        self._over: dict[str, str] = {}
        self._night_over: str | None = None
        self._open = False
        self._spans: dict[str, tuple[datetime, datetime]] = {}
        self._begun: dict[str, datetime] = {}
        self._undithered = 0

    def go(self) -> None:
        """Walk until no step is left: each end starts the walk anew without what is over."""
        while True:
            over = self._night_over is not None
            left = steps(self._plan, dict(self._done), over=self._over, night_over=over)
            if not any(self._ended(step) for step in left):
                return

    def outlook(self, warm_up: timedelta) -> Outlook:
        spans = []
        for name, series, target in named_series(self._plan):
            starts, ends = self._spans.get(name, (None, None))
            fits = self._done[name] - self._before.get(name, 0)
            planned = None if series.count is None else max(series.count - self._before.get(name, 0), 0)
            cut_by = (self._over.get(target.name) or self._night_over) if target is not None else None
            missing = planned is not None and fits < planned
            spans.append(
                Span(name, series.exposure, planned, fits, starts, ends, cut_by if missing else None)
            )
        ends_at = None if self._open else self._now + warm_up
        lights_end = None if self._open else self._lights_end
        last = self._plan.targets[-1].name if self._plan.targets else ""
        by = self._night_over or self._over.get(last)
        return Outlook(self._endings.began, lights_end, ends_at, tuple(spans), self._endings.unknown, by)

    def _ended(self, step: Step) -> bool:
        """Take the step, unless something is over with it."""
        name = step.target.name if step.target is not None else ""
        decision = self._decide(step, name)
        while isinstance(decision, Hold):
            self._now = decision.until
            decision = self._decide(step, name)
        if decision is None:
            self._take(step, name)
            return False
        if decision.scope is Scope.NIGHT:
            self._night_over = decision.why
        else:
            self._over[name] = decision.why
        return True

    def _decide(self, step: Step, name: str) -> Ended | Hold | None:
        if not step.after and self._now - self._endings.began > _LONGEST:
            self._open = True
            return Ended(Scope.NIGHT, "a day")
        return self._endings.ended(step, self._now, Conditions(target_began=self._begun.get(name)))

    def _take(self, step: Step, name: str) -> None:
        light = step.exposure.kind is Kind.LIGHT
        dither = self._plan.dither
        if light and dither is not None and self._undithered >= dither.every:
            self._now += timedelta(seconds=dither.settle.seconds + _DITHER_MOVES_S)
            self._undithered = 0
        self._undithered += light
        if step.target is not None:
            self._begun.setdefault(name, self._now)
        seconds = _ESTIMATED_FLAT_S if step.exposure.seconds is None else step.exposure.seconds
        starts = self._now
        self._now += timedelta(seconds=seconds + self._overhead_s)
        self._spans[step.series] = (self._spans.get(step.series, (starts,))[0], self._now)
        self._done[step.series] += 1
        if not step.after:
            self._lights_end = self._now


def _ramp(plan: Plan, ambient_celsius: float) -> timedelta:
    if plan.cooling is None:
        return timedelta(0)
    degrees = max(ambient_celsius - plan.cooling.celsius, 0.0)
    return timedelta(minutes=degrees / plan.cooling.ramp_c_per_min)
