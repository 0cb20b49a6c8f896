"""What the events have told so far: the only memory of the screen, made of nothing but events."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from starwell.kinds import Kind
from starwell.remote.live import Connected
from starwell.remote.messages import Status
from starwell.session import events as ev

TRUTH = "truth"
"""The subject of advice that compares the stack with a simulated sky."""
FOCUS_KEPT = 400
"""Measurements of the focus loop that are remembered."""


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
    """Everything the panes show, made of what is told.

    status: as of the last time the engine was asked. gone: why there is no engine, empty while there is one.
    noise: by stack, then by subs. planned: how many subs are to come, where no status says so. calibration:
    frames for masters that were taken. focus: the loop's measurements. end: of the last series.
    """

    planned: int | None = None
    status: Status | None = None
    gone: str = ""
    state: ev.State = ev.State.IDLE
    calibrating: ev.ExposureStarted | ev.FrameTaken | None = None
    subs: dict[int, Sub] = field(default_factory=dict)
    reference: int | None = None
    livetime_s: float | None = None
    exposed_for_s: float | None = None
    stack: str = ""
    noises: dict[str, dict[int, ev.StackMeasured]] = field(default_factory=dict)
    pictures: dict[str, ev.PreviewReady] = field(default_factory=dict)
    histograms: dict[str, ev.HistogramReady] = field(default_factory=dict)
    controls: dict[str, ev.ControlChanged] = field(default_factory=dict)
    calibration: list[ev.FrameTaken] = field(default_factory=list)
    focus: list[ev.FocusMeasured] = field(default_factory=list)
    end: ev.SeriesFinished | None = None
    truth: tuple[str, ...] = ()
    alert: str = ""
    serious: bool = False
    finished: bool = False
    seen_alert: str = ""

    def begin(self, connected: Connected) -> None:
        """An engine answers: what was known is forgotten for what it remembers."""
        fresh = Night(planned=self.planned, seen_alert=self.seen_alert)
        for known in fields(self):
            setattr(self, known.name, getattr(fresh, known.name))
        for event in connected.recent:
            self.see(event)
        self.status = connected.status
        self.state = connected.status.state
        if self.alert == self.seen_alert:
            self.acknowledge()

    def see(self, event: ev.Event) -> None:
        """Take one event in; those that concern nothing shown here pass."""
        match event:
            case ev.ExposureStarted() | ev.FrameTaken():
                self._frame(event)
            case ev.SubMeasured():
                self._put(event.number, Standing.MEASURING, measured=event)
            case ev.SubStacked():
                self._put(event.number, Standing.STACKED, stacked=event)
                self.stack, self.livetime_s = event.stack, event.livetime_s
            case ev.SubRejected():
                self._put(event.number, Standing.REJECTED, rejected=event)
                if event.alarm:
                    more = f", {event.detail}" if event.detail else ""
                    self._alert(f"sub {event.number}: {event.reason}{more}", serious=True)
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
                self.finished, self.livetime_s, self.end = True, event.livetime_s, event
            case ev.FocusMeasured():
                self.focus = [*self.focus[1 - FOCUS_KEPT :], event]
            case ev.PreviewReady():
                self.pictures[event.of] = event
            case ev.HistogramReady():
                self.histograms[event.of] = event
            case ev.ControlChanged():
                self.controls[event.name] = event

    def acknowledge(self) -> None:
        """The user has read the alert."""
        self.seen_alert, self.alert, self.serious = self.alert or self.seen_alert, "", False

    @property
    def noise(self) -> dict[int, ev.StackMeasured]:
        """What was measured on the present stack, by its subs."""
        return self.noises.get(self.stack, {})

    @property
    def seconds(self) -> float | None:
        """How long subs are exposed, as far as that was told."""
        return self.status.seconds if self.status else self.exposed_for_s

    @property
    def planned_frames(self) -> int | None:
        """How many subs there will be, where that is known."""
        return self.status.frames if self.status else self.planned

    def count(self, standing: Standing) -> int:
        """How many subs stand there; the engine knows of more than it tells a screen that comes late."""
        told = {Standing.STACKED: "stacked", Standing.REJECTED: "rejected"}
        if self.status and standing in told:
            return int(getattr(self.status, told[standing]))
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
        self.finished, self.end = False, None
        light = event.kind is Kind.LIGHT
        self.exposed_for_s = event.seconds or self.exposed_for_s
        self.calibrating = None if light else event
        if not light and isinstance(event, ev.FrameTaken):
            self.calibration.append(event)
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
        self.stack = event.stack
        kept = {subs: seen for subs, seen in self.noise.items() if subs < event.stacked}
        self.noises[event.stack] = kept | {event.stacked: event}
        self.livetime_s = event.livetime_s
        self.truth = ()

    def _alert(self, text: str, *, serious: bool) -> None:
        if serious or not self.serious:
            self.alert, self.serious = text, serious
