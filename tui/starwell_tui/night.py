"""What the events have told so far: the only memory of the screen, made of nothing but events."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from starwell.kinds import Kind
from starwell.remote.live import Connected
from starwell.remote.messages import Status
from starwell.session import events as ev
from starwell_tui.takings import Takings
from starwell_tui.words import words_of

TRUTH, EXPECTED = "truth", ("outlook", "memory")
"""The subject of advice that compares the stack with a simulated sky."""
KEPT_LINES, KEPT_TEMPERATURES, KEPT_SUBS, KEPT_NOISES = 2000, 60, 1000, 400


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
    taken: ev.FrameTaken | None = None
    measured: ev.SubMeasured | None = None
    stacked: ev.SubStacked | None = None
    rejected: ev.SubRejected | None = None


class Line(NamedTuple):
    """A line of the log; `at` is when it was heard, None where that was before the screen came."""

    at: datetime | None
    words: str


class Alert(NamedTuple):
    """Something that stays on the screen until it is read."""

    text: str
    serious: bool


@dataclass(slots=True)
class Night:
    """Everything the panes show, made of what is told.

    status: as of the last time the engine was asked. gone: why there is no engine, empty while there is one.
    heard: whether anything was told yet.
    noise: by stack, then by subs. planned: how many subs are to come, where no status says so. pictures: the
    whole of each, crops: parts at one pixel to a pixel. temperatures: of the sensor, of the last minutes.
    """

    planned: int | None = None
    status: Status | None = None
    gone: str = ""
    heard: bool = False
    state: ev.State = ev.State.IDLE
    calibrating: ev.ExposureStarted | ev.FrameTaken | None = None
    subs: dict[int, Sub] = field(default_factory=dict)
    reference: int | None = None
    livetime_s: float | None = None
    exposed_for_s: float | None = None
    stack: str = ""
    noises: dict[str, dict[int, ev.StackMeasured]] = field(default_factory=dict)
    pictures: dict[str, ev.PreviewReady] = field(default_factory=dict)
    crops: dict[str, ev.PreviewReady] = field(default_factory=dict)
    histograms: dict[str, ev.HistogramReady] = field(default_factory=dict)
    controls: dict[str, ev.ControlChanged] = field(default_factory=dict)
    focus: ev.FocusMeasured | None = None
    box: ev.BoxMeasured | None = None
    truth: tuple[str, ...] = ()
    alerts: list[Alert] = field(default_factory=list)
    read: set[str] = field(default_factory=set)
    finished: bool = False
    takings: Takings = field(default_factory=Takings)
    log: deque[Line] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    temperatures: deque[tuple[datetime, float]] = field(
        default_factory=lambda: deque(maxlen=KEPT_TEMPERATURES)
    )

    def begin(self, connected: Connected, hours: Mapping[int, datetime] | None = None) -> None:
        """An engine answers: what was known is forgotten for what it remembers, but not when it was heard.

        hours: when the lights were taken; what followed one of them was told at about the same time.
        """
        fresh = Night(planned=self.planned, read=self.read, temperatures=self.temperatures)
        heard = {line.words: line.at for line in self.log}
        for known in fields(self):
            setattr(self, known.name, getattr(fresh, known.name))
        hour = None
        for event in connected.recent:
            if isinstance(event, ev.FrameTaken) and event.kind is Kind.LIGHT:
                hour = (hours or {}).get(event.number)
            self.see(event, heard.get(words_of(event)) or hour)
        self.status = connected.status
        self.state = connected.status.state
        self.alerts = [alert for alert in self.alerts if alert.text not in self.read]

    def see(self, event: ev.Event, at: datetime | None = None) -> None:
        """Take one event in; those that concern nothing shown here pass."""
        self.heard = True
        news = not isinstance(event, ev.ControlChanged) or self._moved(event)
        self.takings.see(event)
        match event:
            case ev.ExposureStarted() | ev.FrameTaken():
                self._frame(event)
            case ev.SubMeasured() | ev.SubStacked() | ev.SubRejected():
                self._sub(event)
            case ev.StackStarted():
                self.reference = event.reference
            case ev.StackMeasured():
                self._noise(event)
            case ev.StateChanged():
                self.state = event.state
            case ev.SeriesFinished():
                self.finished, self.livetime_s = True, event.livetime_s
            case ev.PreviewReady():
                (self.crops if event.crop else self.pictures)[event.of] = event
            case ev.HistogramReady():
                self.histograms[event.of] = event
            case ev.ControlChanged():
                self.controls[event.name] = event
            case ev.FocusMeasured():
                self.focus = event
            case ev.BoxMeasured():
                self.box = event if event.width else None
            case _:
                self._trouble(event)
        if news:
            self._enter(event, at)

    def stands(self, status: Status, at: datetime) -> None:
        """The engine was asked at this time."""
        self.status = status
        if status.sensor_celsius is not None:
            self.temperatures.append((at, status.sensor_celsius))

    def acknowledge(self) -> None:
        """The user has read the alert that is shown."""
        if alert := self.alert:
            self.alerts.remove(alert)
            self.read.add(alert.text)

    @property
    def alert(self) -> Alert | None:
        """The newest serious one, else the newest."""
        newest = self.alerts[-1] if self.alerts else None
        return next((alert for alert in reversed(self.alerts) if alert.serious), newest)

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

    @property
    def target(self) -> str:
        """What is being stacked; empty where nobody said."""
        return (self.status.target if self.status else None) or ""

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
        self.finished = False
        light = event.kind is Kind.LIGHT
        self.exposed_for_s = event.seconds or self.exposed_for_s
        self.calibrating = None if light else event
        if light and isinstance(event, ev.FrameTaken):
            self._put(event.number, Standing.MEASURING, taken=event)
        elif light:
            self._put(event.number, Standing.EXPOSING)

    def _sub(self, event: ev.SubMeasured | ev.SubStacked | ev.SubRejected) -> None:
        match event:
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

    def _put(self, number: int, standing: Standing, **told: Any) -> None:
        told = {"rejected": None} | told
        self.subs[number] = replace(self.subs.get(number, Sub(number)), standing=standing, **told)
        if len(self.subs) > KEPT_SUBS:
            del self.subs[next(iter(self.subs))]

    def _noise(self, event: ev.StackMeasured) -> None:
        # The curve ends at the present stack: with a sub taken out it is shorter.
        self.stack = event.stack
        kept = {subs: seen for subs, seen in self.noise.items() if subs < event.stacked}
        self.noises[event.stack] = _thinned(kept | {event.stacked: event})
        self.livetime_s = event.livetime_s
        self.truth = ()

    def _trouble(self, event: ev.Event) -> None:
        match event:
            case ev.QualityAdvice(subject=subject) if subject == TRUTH:
                self.truth += tuple(event.advice.splitlines())
            case ev.QualityAdvice(subject=subject, serious=False) if subject in EXPECTED:
                return  # worth a line of the log, but nobody's consent
            case ev.QualityAdvice():
                self._alert(words_of(event), serious=event.serious)
            case ev.CameraFault():
                self._alert(words_of(event), serious=not event.recovered)

    def _alert(self, text: str, *, serious: bool) -> None:
        # The same advice again, with other figures or of another sub, takes the place of what it said before.
        self.alerts = [known for known in self.alerts if _about(known.text) != _about(text)]
        self.alerts.append(Alert(text, serious))

    def _moved(self, event: ev.ControlChanged) -> bool:
        """Whether it is another value; the first one of each is what the camera was found with."""
        known = self.controls.get(event.name)
        return known is not None and known.value != event.value

    def _enter(self, event: ev.Event, at: datetime | None) -> None:
        """Into the log, with the hour that the event itself tells, else when it was heard."""
        if words := words_of(event):
            if isinstance(event, ev.Noted):
                at = datetime.fromisoformat(event.at).astimezone() if event.at else at
            self.log.append(Line(at, words))


def _thinned(curve: dict[int, ev.StackMeasured]) -> dict[int, ev.StackMeasured]:
    """A curve of so many points at most: every other one of its older half is left out."""
    if len(curve) <= KEPT_NOISES:
        return curve
    subs = sorted(curve)
    left_out = set(subs[1 : len(subs) // 2 : 2])
    return {number: seen for number, seen in curve.items() if number not in left_out}


def _about(text: str) -> str:
    return text.partition(":")[0].rstrip(" 0123456789")
