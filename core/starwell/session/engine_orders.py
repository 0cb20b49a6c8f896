"""What is asked of an engine: whether it can be done now, and whose it is to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera
from starwell.errors import PlanError
from starwell.session.adjustments import OF_SERIES, OF_TARGET
from starwell.session.engine_settings import Settable
from starwell.session.events import State
from starwell.session.face import (
    Abort,
    AnyCommand,
    Focus,
    Note,
    Pause,
    Quit,
    Reply,
    Set,
    Start,
    Stop,
    Stretch,
)
from starwell.session.focus import FOCUS_S
from starwell.session.night_run import NightRun
from starwell.session.plan import Plan
from starwell.session.plan_file import plan_in, read_plan, text_of
from starwell.session.setup import Setup
from starwell.session.stack_orders import asked_of_stacks
from starwell.session.tasks import Unfinished
from starwell.session.telling import Telling
from starwell.session.wishes import Ending, Setting, Task, Wishes

_AT_WORK = (State.EXPOSING, State.COOLING, State.PAUSED)
_LONGEST_FOCUS_S = 60.0


class Standing(NamedTuple):
    """Where the engine stands: its task at hand or the last one, its state, and why."""

    run: NightRun | None
    state: State
    why: str


class Orders:
    """Answers commands, one at a time. stands: where the engine is; leave: ends it."""

    def __init__(
        self,
        setup: Setup,
        wishes: Wishes,
        telling: Telling,
        stands: Callable[[], Standing],
        leave: Callable[[], None],
    ) -> None:
        self._setup = setup
        self._wishes = wishes
        self._telling = telling
        self._stands = stands
        self._leave = leave
        self._focus_s = FOCUS_S

    def take(self, command: AnyCommand) -> Reply:
        """Accept a command, or say why not."""
        match command:
            case Start():
                return self._start(command)
            case Pause():
                return self._pause()
            case Stop():
                return self._stop()
            case Abort():
                return self._abort()
            case Set(name=name, value=value):
                return self._set(name, value)
            case Focus(on=on, seconds=seconds):
                return self._focus(seconds) if on else self._end_focus()
            case Note(text=text):
                return self._note(text)
            case Quit():
                self._leave()
                return Reply(True, "The engine ends: files are finished, then the sensor warms up.")
            case _:
                reply = asked_of_stacks(self._stands().run, command)
                if reply.ok and isinstance(command, Stretch):
                    self._wishes.stretch = command
                return reply

    def _start(self, start: Start) -> Reply:
        run, state, why = self._stands()
        if state is State.STOPPING and self._wishes.quitting:
            return Reply(False, "The engine is ending.")
        if start.plan is not None or start.text is not None:
            return self._begin(start, state)
        if self._wishes.paused:
            self._wishes.go_on()
            return Reply(True, "Going on.")
        if self._wishes.task_waits:
            return Reply(False, "The plan is about to begin.")
        if state in _AT_WORK:
            return Reply(False, f"Nothing to start: {state}, {why}.")
        return self._try_again(run)

    def _try_again(self, run: NightRun | None) -> Reply:
        """After a fault, or at last the night that was broken off before this engine was started."""
        left = None
        if run is None:
            left = Unfinished(self._setup.state).task()
        elif run.failure is not None and run.night is not None:
            left = Task(plan=run.plan, folder=run.night.night.folder, resume=True)
        elif run.failure is not None:
            left = run.task
        if left is None:
            return Reply(False, "Nothing was paused: name a plan, `starwell start PLAN.toml`.")
        self._wishes.give(msgspec.structs.replace(left, paused=False))
        return Reply(True, f"Going on with {left.folder or 'the plan'}.")

    def _begin(self, start: Start, state: State) -> Reply:
        """A plan from a file, or of a text."""
        if state in _AT_WORK:
            return Reply(False, "A series is running: `starwell stop` ends it, then start the plan.")
        plan, text, name = self._read(start)
        if plan.camera is None and self._setup.config.rig.camera is None:
            raise PlanError(f"{name} names no camera, and neither does [rig] of the configuration.")
        self._wishes.give(Task(plan=plan, paused=start.paused, ready=start.paused, text=text))
        if start.paused:
            return Reply(True, f"{name} is made ready: `starwell start`, on the screen space, begins it.")
        return Reply(True, f"{name} begins.")

    def _read(self, start: Start) -> tuple[Plan, str, str]:
        """The plan, as it was written, and what to call it; PlanError with all its mistakes."""
        config = self._setup.config
        known = config.site.latitude is not None and config.site.longitude is not None
        filters = config.rig.filters
        if start.text is not None:
            folder = self._setup.data
            plan = plan_in(start.text, "plan.toml", site_known=known, filters=filters, folder=folder)
            return plan, start.text, "The plan"
        file = Path(start.plan or "")
        return read_plan(file, site_known=known, filters=filters), text_of(file), file.name

    def _pause(self) -> Reply:
        if self._wishes.paused:
            return Reply(False, "It is paused already; `starwell start` goes on.")
        state = self._stands().state
        if state not in _AT_WORK:
            return Reply(False, f"Nothing to pause: {state}.")
        self._wishes.pause()
        return Reply(True, "Pausing after this frame; `starwell start` goes on.")

    def _stop(self) -> Reply:
        state = self._stands().state
        if state not in _AT_WORK:
            return Reply(False, f"Nothing to stop: {state}.")
        self._wishes.end(Ending.STOP)
        return Reply(True, "The series ends with this frame, and the stack is saved.")

    def _abort(self) -> Reply:
        state = self._stands().state
        if state not in _AT_WORK:
            return Reply(False, f"Nothing to abort: {state}.")
        self._wishes.focus(None)
        self._wishes.pause(at_once=True)
        return Reply(True, "The exposure is ended without its frame; `starwell start` goes on.")

    def _set(self, name: str, value: float | str) -> Reply:
        run, camera = self._working()
        if run is None or camera is None or run.shooting is None or run.night is None:
            return Reply(False, "No series is running whose settings could be changed.")
        step, done = run.shooting.next_step, run.night.done
        filters = run.plan.rig.filters or self._setup.config.rig.filters
        window = step is not None and step.exposure.roi is not None
        taken = done[step.series] if step is not None else 0
        setting, checked, unit = Settable(camera, filters, taken, window).checked(name, value)
        of_series = setting in (*OF_SERIES, *OF_TARGET)
        if of_series and (step is None or step.after):
            return Reply(False, f"The lights are over: there is no {setting} to be changed any more.")
        self._wishes.set(Setting(setting, checked, step.series if step is not None and of_series else ""))
        shown = checked if isinstance(checked, str) else f"{checked:g}{unit}"
        return Reply(True, f"{name} will be {shown} from the next frame on.")

    def _focus(self, seconds: float | None) -> Reply:
        _, camera = self._working()
        if camera is None:
            return Reply(
                False, "No camera is open: make a plan ready first, with `starwell start PLAN.toml --paused`."
            )
        if isinstance(camera, FileCamera):
            return Reply(False, "Frames from files are as sharp as they are: only a camera can be focused.")
        if seconds is not None and not 0 < seconds <= _LONGEST_FOCUS_S:
            raise PlanError(f"A focus frame of {seconds:g} s is out of range: up to {_LONGEST_FOCUS_S:g} s.")
        self._focus_s = seconds or self._focus_s
        self._wishes.focus(self._focus_s)
        return Reply(True, f"Focus frames of {self._focus_s:g} s from the next frame on; nothing is saved.")

    def _end_focus(self) -> Reply:
        if self._wishes.focus_s is None:
            return Reply(False, "There is no focus loop to end.")
        self._wishes.focus(None)
        return Reply(True, "The focus loop ends; the night goes on where it was.")

    def _working(self) -> tuple[NightRun | None, Camera | None]:
        """The task at hand and its open camera."""
        run, state, _ = self._stands()
        if run is None or run.kept is None or state not in _AT_WORK:
            return run, None
        return run, run.kept.camera

    def _note(self, text: str) -> Reply:
        run = self._stands().run
        if run is None or run.night is None:
            return Reply(False, "No night is open that the note could be entered in.")
        line = " ".join(text.split())
        if not line:
            return Reply(False, "The note is empty.")
        run.night.note(line)
        self._telling.note(line)
        return Reply(True, "Noted.")
