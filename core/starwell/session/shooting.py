"""The capture thread's walk through a plan: what may be exposed now, and what is done when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import numpy as np

from starwell.errors import (
    Aborted,
    CameraError,
    CameraGone,
    ControlRefused,
    NoMoreFrames,
    StorageError,
    Transient,
)
from starwell.frame import Exposure, Frame, Kind, sampled
from starwell.session.capture import Capture, Shot
from starwell.session.dark_guard import DarkGuard, LightGetsIn
from starwell.session.events import CameraFault, ControlChanged, Event, ExposureStarted, QualityAdvice, State
from starwell.session.flat_exposure import FlatExposures, NoFlats
from starwell.session.journal import SettingChanged
from starwell.session.plan import Target
from starwell.session.plan_ends import Conditions, Ended, Hold, Scope
from starwell.session.plan_walk import Step, steps
from starwell.session.shooting_room import SETTINGS, Room, Seen, SeriesOver
from starwell.session.wishes import Ending

_PATIENCE = 5
"""After so many failed exposures in a row, the driver's own retries not counted, the camera is reopened."""

_ROUNDS = 2
"""And so often, before it is given up."""

_LOOK_S = 0.5
_SHORTEST_LOOK_S = 0.005


class Shooting:
    """One walk; `walk` is called by the one capture thread."""

    def __init__(self, room: Room) -> None:
        assert room.kept.camera is not None
        self.seen = Seen()
        self.refused: CameraError | None = None
        self._room = room
        self._publish: Callable[[Event], None] = room.telling.publish
        self._capture = Capture(
            room.kept.camera,
            room.night.night,
            room.wishes.cancel,
            self._hear,
            keywords=room.keywords,
            progress=self._progress,
            stacks=room.night.stacks if room.plan.stack.live else 0,
        )
        self._darks = DarkGuard(room.night.night, room.night.keep)
        self._flats = FlatExposures(room.plan.flats, self._capture.trial)
        self._set: dict[str, float] = {}
        self._read_back: dict[str, float] = {}
        self._began: dict[str, datetime] = {}
        self._over: set[str] = set()
        self._lit: list[Target | None] = []
        self._night_over = False
        self._failures = 0
        self._taken = 0

    @property
    def taken(self) -> int:
        """Frames so far."""
        return self._taken

    def walk(self) -> str:
        """Take all frames of the plan that are left; why it ended.

        Raises SeriesOver when it is told to end, CameraError when the camera is given up, StorageError when
        nothing more can be saved; all frames written by then are whole and in the journal.
        """
        try:
            self._cool_down()
            while (end := self._round()) is None:
                continue
        finally:
            self._darks.flush()
        return end

    def _round(self) -> str | None:
        """Walk until something is over; None to walk on without it, or why all is."""
        room = self._room
        for step in steps(room.plan, dict(room.night.done), over=self._over, night_over=self._night_over):
            ended = self._when_it_may(step)
            if ended is not None:
                self._end(ended, step)
                return None
            try:
                if not self._take(step):
                    return None
            except NoMoreFrames as end:
                return str(end)
            except (NoFlats, LightGetsIn) as error:
                self._leave_out(step, error)
                return None
        return "all frames taken"

    def _end(self, ended: Ended, step: Step) -> None:
        if ended.scope is Scope.NIGHT:
            self._night_over = True
        elif step.target is not None:
            self._over.add(step.target.name)
        what = "The lights end" if ended.scope is Scope.NIGHT else f"{_name(step)} ends"
        self._publish(QualityAdvice(subject="plan", advice=f"{what}: {ended.why}."))

    def _leave_out(self, step: Step, error: CameraError) -> None:
        """A series that cannot be taken; the others can."""
        self.refused = self.refused or error
        assert step.count is not None
        self._room.night.done[step.series] = step.count
        self._publish(QualityAdvice(subject=step.exposure.kind.value, advice=str(error), serious=True))

    def _when_it_may(self, step: Step) -> Ended | None:
        """Wait until the step may be begun; or what is over instead. SeriesOver when told to end."""
        room = self._room
        while True:
            self._obey()
            room.night.watch_clock()
            said = room.endings.ended(step, room.now(), self._conditions(step))
            if isinstance(said, Ended):
                return said
            hold = said.why if isinstance(said, Hold) else room.guide.hold(step.exposure.kind)
            if hold is None:
                break
            room.enter(State.PAUSED, hold)
            room.wishes.wait(max(_LOOK_S / room.kept.pace, _SHORTEST_LOOK_S))
        self._obey_filter(step)
        room.guide.dither(step, room.kept.camera)
        self._obey()
        return None

    def _obey(self) -> None:
        """Do what was asked for since the last frame; returns when it may go on."""
        room = self._room
        room.wishes.at_boundary()
        for name, value in room.wishes.settings():
            self._change(name, value)
        if room.wishes.ending is not Ending.NONE:
            finished = room.wishes.ending is Ending.STOP
            raise SeriesOver("stopped" if finished else "interrupted", finished=finished)
        if room.wishes.paused:
            room.enter(State.PAUSED, "until `starwell start`")
            if room.night.stacking is not None:
                room.night.stacking.checkpoint()
            room.wishes.wait_while_paused()
            self._obey()

    def _change(self, name: str, value: float) -> None:
        if name in SETTINGS:
            self._set[SETTINGS[name]] = value
            self._room.night.append(SettingChanged(name=name, value=value))
            return
        try:
            taken = self._room.kept.set(name, value)
        except CameraError as error:
            self._publish(QualityAdvice(subject="command", advice=str(error)))
            return
        self._room.night.append(SettingChanged(name=name, value=taken))
        self._publish(ControlChanged(name=name, value=taken))

    def _cool_down(self) -> None:
        """Wait for the cooler as long as it makes sense; nothing the user wants has to wait for it."""
        room, cooler = self._room, self._room.kept.cooler
        if room.plan.cooling is not None:
            room.kept.cool(room.plan.cooling)
        while True:
            self._obey()
            cooling = room.kept.cooling
            if cooler is None or cooling is None:
                return
            room.enter(State.COOLING, f"to {cooling.celsius:g} °C")
            if not cooler.on_its_way:
                break
            room.wishes.wait(min(_LOOK_S, 10.0 / room.kept.pace))
        celsius = cooler.now.sensor_celsius
        if celsius is None or abs(celsius - cooling.celsius) > cooling.tolerance_c:
            self._publish(QualityAdvice(subject="cooling", advice=cooler.complaint(), serious=True))

    def _obey_filter(self, step: Step) -> None:
        if step.exposure.kind in (Kind.LIGHT, Kind.FLAT):
            self._room.wheel.turn(step.exposure.filter)

    def _conditions(self, step: Step) -> Conditions:
        room = self._room
        room.telling.point_at(step.target if not step.after else None)
        skies_adu, skies_e_s = room.telling.skies
        return Conditions(self._began.get(_name(step)), skies_adu, skies_e_s, room.telling.flipped)

    def _exposure(self, step: Step) -> Exposure:
        """The step's exposure with what was set by hand, and a flat's with its estimate."""
        shot = self._room.last_time.fill(step.exposure, _name(step))
        if not step.after and self._set:
            shot = replace(shot, **self._set)  # type: ignore[arg-type]  # the names are an Exposure's
        if shot.seconds is None and shot.kind is Kind.FLAT:
            return self._flats.of_flat(shot)
        if shot.seconds is None and shot.kind is Kind.DARK_FLAT:
            return self._flats.of_dark_flat(shot)
        return shot

    def _take(self, step: Step) -> bool:
        """One frame of the step, kept; False where it was not taken and is to be tried again."""
        room = self._room
        room.enter(State.EXPOSING, step.exposure.kind.value)
        self.seen.step = step
        self._began.setdefault(_name(step), room.now())
        try:
            shot = self._exposure(step)
            target = step.target.name if step.target is not None and step.target.name else None
            room.guide.exposing(step)
            frame = self._capture.take(Shot(shot, target), room.night.next_number, room.guide.keywords)
        except (Transient, Aborted, CameraGone, ControlRefused) as error:
            return self._survive(error)
        finally:
            room.guide.exposed(step)
            self.seen.exposed_s = None
        try:
            if self._capture.from_files and frame.facts.source and room.night.knows(frame.facts.source):
                return False
        except StorageError as error:
            return self._survive(Transient(str(error)))
        self._failures = 0
        self._keep(frame, shot, step)
        return True

    def _keep(self, frame: Frame, shot: Exposure, step: Step) -> None:
        facts, room = frame.facts, self._room
        room.night.count(facts, step.series)
        self._taken += 1
        self.seen.number = facts.number
        self._tell_controls(facts.exposure)
        if facts.exposure.kind is Kind.LIGHT:
            room.telling.expose(facts.exposure.seconds, float(np.median(sampled(frame.pixels))))
        if self._capture.from_files:
            room.night.keep(frame, step.series)
            return
        self._darks.take(frame, step.series)
        if shot.kind is Kind.FLAT:
            self._flats.took(shot, frame)
        if shot.kind is Kind.LIGHT and step.target not in self._lit:
            self._lit.append(step.target)
            room.first_light(frame, shot)

    def _survive(self, error: CameraError) -> bool:
        """Whatever went wrong with one exposure; raises it when the camera has to be given up."""
        if isinstance(error, ControlRefused):
            raise error
        if isinstance(error, Aborted) and self._room.wishes.cancel.is_set():
            return False
        if self._capture.from_files:
            self._room.night.lost += 1
            self._publish(CameraFault(message=str(error), recovered=True))
            return False
        if isinstance(error, CameraGone):
            self._room.kept.open_again(error)
            return False
        self._room.night.lost += 1
        self._failures += 1
        if self._failures % _PATIENCE:
            self._publish(CameraFault(message=str(error), recovered=True))
            return False
        failed = CameraError(f"{self._failures} exposures in a row failed. The last time: {error}")
        if self._failures >= _ROUNDS * _PATIENCE:
            self._publish(CameraFault(message=str(failed), recovered=False))
            raise failed
        self._room.kept.open_again(failed)
        return False

    def _tell_controls(self, shot: Exposure) -> None:
        for name, value in (("gain", shot.gain), ("offset", shot.offset)):
            if value is not None and self._read_back.get(name) != value:
                self._read_back[name] = value
                self._publish(ControlChanged(name=name, value=value))

    def _hear(self, event: Event) -> None:
        if isinstance(event, ExposureStarted):
            self.seen.number, self.seen.seconds = event.number, event.seconds
        self._publish(event)

    def _progress(self, seconds: float) -> None:
        self.seen.exposed_s = seconds


def _name(step: Step) -> str:
    return step.target.name if step.target is not None else ""
