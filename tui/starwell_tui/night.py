"""What the events have told so far: the only memory of the screen, made of nothing but events."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum

from starwell.frame import Kind
from starwell.session import events as ev

TRUTH = "truth"
"""The subject of advice that compares the stack with a simulated sky."""


class Standing(StrEnum):
    """Where a sub is on its way."""

    EXPOSING = "exposing"
    MEASURING = "measuring"
    STACKED = "stacked"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Sub:
    """One sub as far as it is known."""

    number: int
    standing: Standing = Standing.EXPOSING
    measured: ev.SubMeasured | None = None
    stacked: ev.SubStacked | None = None
    rejected: ev.SubRejected | None = None


@dataclass(slots=True)
class Night:
    """Everything the panes show; `see` is its only way to change."""

    planned: int | None = None
    state: ev.State = ev.State.IDLE
    calibrating: ev.ExposureStarted | ev.FrameTaken | None = None
    subs: dict[int, Sub] = field(default_factory=dict)
    reference: int | None = None
    livetime_s: float | None = None
    noise: dict[int, ev.StackMeasured] = field(default_factory=dict)
    truth: tuple[str, ...] = ()
    alert: str = ""
    serious: bool = False
    finished: bool = False

    def see(self, event: ev.Event) -> None:
        """Take one event in; those that concern nothing shown here pass."""
        match event:
            case ev.ExposureStarted() | ev.FrameTaken():
                self._frame(event)
            case ev.SubMeasured():
                self._put(event.number, Standing.MEASURING, measured=event)
            case ev.SubStacked():
                self._put(event.number, Standing.STACKED, stacked=event)
                self.livetime_s = event.livetime_s
            case ev.SubRejected():
                self._put(event.number, Standing.REJECTED, rejected=event)
                if event.alarm:
                    self._alert(f"sub {event.number}: {event.detail or event.reason}", serious=True)
            case ev.StackStarted():
                self.reference = event.reference
            case ev.StackMeasured():
                self._noise(event)
            case ev.StateChanged():
                self.state = event.state
            case ev.QualityAdvice(subject=subject) if subject == TRUTH:
                self.truth += tuple(event.advice.splitlines())
            case ev.QualityAdvice():
                self._alert(f"{event.subject}: {event.advice}", serious=event.serious)
            case ev.CameraFault():
                self._alert(f"camera: {event.message}", serious=not event.recovered)
            case ev.SeriesFinished():
                self.finished, self.livetime_s = True, event.livetime_s

    def acknowledge(self) -> None:
        """The user has read the alert."""
        self.alert, self.serious = "", False

    def count(self, standing: Standing) -> int:
        """How many subs stand there."""
        return sum(sub.standing is standing for sub in self.subs.values())

    @property
    def latest_noise(self) -> ev.StackMeasured | None:
        """What was measured on the stack last."""
        return self.noise[max(self.noise)] if self.noise else None

    @property
    def latest_measured(self) -> ev.SubMeasured | None:
        """What was measured on a sub last."""
        return next((sub.measured for sub in reversed(self.subs.values()) if sub.measured), None)

    @property
    def rejected_in_a_row(self) -> int:
        """How many of the newest decided subs were rejected, one after the other, not by hand."""
        streak = 0
        for sub in reversed(self.subs.values()):
            if sub.standing is Standing.STACKED or (sub.rejected and sub.rejected.by_hand):
                break
            streak += sub.standing is Standing.REJECTED
        return streak

    def _frame(self, event: ev.ExposureStarted | ev.FrameTaken) -> None:
        light = event.kind is Kind.LIGHT
        self.calibrating = None if light else event
        if light:
            taken = isinstance(event, ev.FrameTaken)
            self._put(event.number, Standing.MEASURING if taken else Standing.EXPOSING)

    def _put(
        self,
        number: int,
        standing: Standing,
        *,
        measured: ev.SubMeasured | None = None,
        stacked: ev.SubStacked | None = None,
        rejected: ev.SubRejected | None = None,
    ) -> None:
        sub = self.subs.get(number, Sub(number))
        self.subs[number] = replace(
            sub,
            standing=standing,
            measured=measured or sub.measured,
            stacked=stacked or sub.stacked,
            rejected=rejected if standing is Standing.REJECTED else None,
        )

    def _noise(self, event: ev.StackMeasured) -> None:
        # The curve ends at the present stack: with a sub taken out it is shorter.
        self.noise = {n: seen for n, seen in self.noise.items() if n < event.stacked} | {event.stacked: event}
        self.livetime_s = event.livetime_s
        self.truth = ()

    def _alert(self, text: str, *, serious: bool) -> None:
        if serious or not self.serious:
            self.alert, self.serious = text, serious
