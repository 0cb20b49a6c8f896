"""The capture thread's walk through a plan: what may be exposed now, and what is done when it goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

import numpy as np

from starwell.camera.protocol import Control
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
from starwell.session.boundary import Boundary
from starwell.session.capture import Capture, Shot
from starwell.session.dark_guard import DarkGuard, LightGetsIn
from starwell.session.engine_settings import read_back, told
from starwell.session.events import Event, ExposureStarted, QualityAdvice, State
from starwell.session.flat_exposure import FlatExposures, NoFlats
from starwell.session.focus import FocusLoop
from starwell.session.patience import Patience
from starwell.session.plan import Plan, Target
from starwell.session.plan_ends import Conditions, Ended, Hold, Scope
from starwell.session.plan_walk import Step, steps
from starwell.session.shooting_room import Room, Seen

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
        focus = FocusLoop(room, self._capture, self.seen)
        self._boundary = Boundary(room, focus, at_hand=self._at_hand, changed=self._show_next)
        self._darks = DarkGuard(room.night.night, room.night.keep)
        self._flats = FlatExposures(room.plan.flats, self._capture.trial)
        self._read_back = read_back(room.kept.camera)
        self._began: dict[str, datetime] = {}
        self._over: set[str] = set()
        self._lit: list[Target | None] = []
        self._night_over = False
        self._patience = Patience(room, from_files=self._capture.from_files)
        self._taken = 0

    @property
    def taken(self) -> int:
        """Frames so far."""
        return self._taken

    @property
    def plan(self) -> Plan:
        """The plan with the numbers of frames asked for since."""
        return self._boundary.adjusted.plan

    @property
    def next_step(self) -> Step | None:
        """The step at hand or to come; from any thread."""
        return self.seen.step or next(self._steps(), None)

    def walk(self) -> str:
        """Take all frames of the plan that are left; why it ended.

        Raises SeriesOver when it is told to end, CameraError when the camera is given up, StorageError when
        nothing more can be saved; all frames written by then are whole and in the journal.
        """
        self._show_next()
        try:
            self._cool_down()
            while (end := self._round()) is None:
                continue
        finally:
            self._darks.flush()
        return end

    def _round(self) -> str | None:
        """Walk until something is over; None to walk on without it, or why all is."""
        plan = self.plan
        for step in self._steps():
            ended = self._when_it_may(step)
            if ended is not None:
                self._end(ended, step)
                return None
            if self.plan is not plan:
                return None
            try:
                if not self._take(step):
                    return None
            except NoMoreFrames as end:
                return str(end)
            except (NoFlats, LightGetsIn) as error:
                self._leave_out(step, error)
                return None
        self._boundary.take_over()
        return "all frames taken" if self.plan is plan else None

    def _steps(self) -> Iterator[Step]:
        done = dict(self._room.night.done)
        return steps(self.plan, done, over=self._over, night_over=self._night_over)

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
            self._boundary.obey()
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
        self._boundary.obey()
        return None

    def _cool_down(self) -> None:
        """Wait for the cooler as long as it makes sense; nothing the user wants has to wait for it."""
        room, cooler = self._room, self._room.kept.cooler
        if room.plan.cooling is not None:
            room.kept.cool(room.plan.cooling)
        self._boundary.take_up()
        while True:
            self._boundary.obey()
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
            self._room.wheel.turn(self._boundary.adjusted.filter(step))

    def _at_hand(self) -> Exposure | None:
        """How the lights to come are shot, with their filter in place; None: nothing is to come."""
        step = next(self._steps(), None)
        if step is None:
            return None
        self._obey_filter(step)
        shot = self._room.last_time.fill(step.exposure, _name(step))
        return self._boundary.adjusted.exposure(step, shot)

    def _show_next(self) -> None:
        """What the status says of the next frame, once it is known."""
        step = self.next_step
        if step is not None:
            shot = self._room.last_time.fill(step.exposure, _name(step))
            self._show(self._boundary.adjusted.exposure(step, shot))
            self.seen.target = self._boundary.adjusted.target(step)

    def _conditions(self, step: Step) -> Conditions:
        room = self._room
        room.telling.point_at(step.target if not step.after else None)
        skies_adu, skies_e_s = room.telling.skies
        return Conditions(self._began.get(_name(step)), skies_adu, skies_e_s, room.telling.flipped)

    def _exposure(self, step: Step) -> Exposure:
        """The step's exposure with what was set by hand, and a flat's with its estimate."""
        shot = self._room.last_time.fill(step.exposure, _name(step))
        shot = self._boundary.adjusted.exposure(step, shot)
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
            target = self._boundary.adjusted.target(step)
            self.seen.target = target
            self._show(shot)
            room.guide.exposing(step)
            frame = self._capture.take(Shot(shot, target), room.night.next_number, room.guide.keywords)
        except (Transient, Aborted, CameraGone, ControlRefused) as error:
            self._patience.survive(error)
            return False
        finally:
            room.guide.exposed(step)
            self.seen.exposed_s = None
        try:
            if self._capture.from_files and frame.facts.source and room.night.knows(frame.facts.source):
                return False
        except StorageError as error:
            self._patience.survive(Transient(str(error)))
            return False
        self._patience.rest()
        self._keep(frame, shot, step)
        return True

    def _keep(self, frame: Frame, shot: Exposure, step: Step) -> None:
        facts, room = frame.facts, self._room
        room.night.count(facts, step.series)
        self._taken += 1
        self.seen.number, self.seen.shot = facts.number, facts.exposure
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

    def _show(self, shot: Exposure) -> None:
        """An exposure as the status has it; what it leaves to the camera as the camera has it."""
        gain, offset = (
            self._read_back.get(control) if value is None else value
            for control, value in ((Control.GAIN, shot.gain), (Control.OFFSET, shot.offset))
        )
        self.seen.shot = replace(shot, gain=gain, offset=offset)

    def _tell_controls(self, shot: Exposure) -> None:
        for name, value in (("gain", shot.gain), ("offset", shot.offset)):
            if value is not None and self._read_back.get(name) != value:
                self._read_back[name] = value
                self._publish(told(self._capture.camera, name, value))

    def _hear(self, event: Event) -> None:
        if isinstance(event, ExposureStarted):
            self.seen.number, self.seen.seconds = event.number, event.seconds
        self._publish(event)

    def _progress(self, seconds: float) -> None:
        self.seen.exposed_s = seconds


def _name(step: Step) -> str:
    return step.target.name if step.target is not None else ""
