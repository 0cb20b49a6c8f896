"""Quality that explains itself: events in, advice with the next best step out; each cause is told once.

Pure: no clock, no thread, no files. The same events give the same advice.
"""

from __future__ import annotations

from dataclasses import dataclass

from starwell.session.advice_audit import Audit, judge
from starwell.session.advice_causes import (
    Cause,
    Finding,
    cloud,
    dew,
    elongation,
    focus,
    temperature,
    walking_noise,
)
from starwell.session.advice_history import History, Sample
from starwell.session.events import Event, QualityAdvice, StackStarted, SubMeasured, SubRejected, SubStacked

_CALM = 8
"""After so many subs without a sign of it a cause is over."""
_AGAIN = 25
"""What is over is not told again within so many subs ..."""
_AGAIN_ACKNOWLEDGED = 100
"""... nor within so many when the user knows of it."""

_IN_TURN = (cloud, elongation, dew, focus)
"""Who finds something first explains it: clouds and a shaken mount widen stars as well."""


@dataclass(slots=True)
class _Told:
    """What the user knows of one cause: told and seen last at these counts of subs."""

    seen: int
    serious: bool
    acknowledged: bool = False
    over: bool = False


class Advisor:
    """Advice of one night. Subs are compared with those of their own stack: filters differ in everything."""

    def __init__(self) -> None:
        self._history = History()
        self._measured: SubMeasured | None = None
        self._told: dict[Cause, _Told] = {}
        self._subs = 0
        self._focused_celsius: float | None = None

    @property
    def active(self) -> tuple[Cause, ...]:
        """What is going on and the user has not acknowledged."""
        return tuple(c for c, told in self._told.items() if not told.over and not told.acknowledged)

    def acknowledge(self, cause: Cause) -> None:
        """The user knows; it is not told again for long."""
        if cause in self._told:
            self._told[cause].acknowledged = True

    def refocused(self) -> None:
        """The focus is as good as it gets; widths and temperature are counted from now."""
        self._history.refocused()
        self._focused_celsius = None
        self._told.pop(Cause.FOCUS, None)

    def take(self, event: Event, airmass: float | None = None) -> list[QualityAdvice]:
        """One event of the pipeline; advice comes with the verdict on a sub. airmass: the target's."""
        match event:
            case StackStarted(reference=reference):
                self._history.refer_to(event.stack, reference)
            case SubMeasured():
                self._measured = event
            case SubStacked(number=number) | SubRejected(number=number):
                measured, self._measured = self._measured, None
                # Subs restored or rejected by hand come without being measured again.
                if measured is not None and measured.number == number:
                    self._history.add(event.stack, measured, event, airmass)
                    return self._after_sub(event)
        return []

    def telemetry(
        self,
        *,
        ambient_celsius: float | None = None,
        sensor_celsius: float | None = None,
        cooled: bool = False,
    ) -> list[QualityAdvice]:
        """The temperature that the telescope feels: of the air, or of a sensor that is not cooled."""
        celsius = ambient_celsius if ambient_celsius is not None or cooled else sensor_celsius
        if celsius is None:
            return []
        if self._focused_celsius is None:
            self._focused_celsius = celsius
        found = temperature(celsius, self._focused_celsius)
        return self._news(found, None) if found is not None else []

    def audited(self, audit: Audit, number: int | None = None) -> list[QualityAdvice]:
        """What the first sub says of the masters."""
        return [advice for found in judge(audit) for advice in self._news(found, number)]

    def _after_sub(self, event: SubStacked | SubRejected) -> list[QualityAdvice]:
        self._subs += 1
        samples = tuple(self._history.samples)
        found = [f for f in (self._first(samples), self._walk(event)) if f is not None]
        advice = [told for one in found for told in self._news(one, event.number, event.stack)]
        self._forget()
        return advice

    def _first(self, samples: tuple[Sample, ...]) -> Finding | None:
        return next((found for find in _IN_TURN if (found := find(samples)) is not None), None)

    def _walk(self, event: SubStacked | SubRejected) -> Finding | None:
        return walking_noise(self._history.drift(event.stack)) if isinstance(event, SubStacked) else None

    def _news(self, found: Finding, number: int | None, stack: str = "") -> list[QualityAdvice]:
        """Advice where this is new, or got serious."""
        told = self._told.get(found.cause)
        worse = told is not None and found.serious and not told.serious
        if told is not None and not worse:
            pause = _AGAIN_ACKNOWLEDGED if told.acknowledged else _AGAIN
            again = told.over and self._subs - told.seen > pause
            if not again:
                if not told.over:
                    told.seen = self._subs
                return []
        self._told[found.cause] = _Told(self._subs, found.serious)
        said = QualityAdvice(
            stack=stack, subject=found.cause, advice=found.advice, number=number, serious=found.serious
        )
        return [said]

    def _forget(self) -> None:
        for cause, told in self._told.items():
            # What the masters do stays true until there are others.
            if cause not in (Cause.MASTERS, Cause.STRAY_LIGHT) and self._subs - told.seen >= _CALM:
                told.over = True
