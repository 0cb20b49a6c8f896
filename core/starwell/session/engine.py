"""The engine: a capture thread that carries out one plan after the other; others watch and command it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from starwell.errors import PlanError, StarwellError
from starwell.session.engine_settings import checked_setting
from starwell.session.engine_status import status_of
from starwell.session.events import Event, State, StateChanged
from starwell.session.face import (
    Abort,
    AnyCommand,
    Merge,
    Pause,
    Quit,
    Reject,
    Reply,
    Restore,
    Save,
    Set,
    Start,
    Status,
    Stop,
    Stretch,
)
from starwell.session.journal import StateEntered
from starwell.session.night_run import NightRun, Setup
from starwell.session.plan_file import read_plan
from starwell.session.stacking import Stacking
from starwell.session.subscription import Subscribers, Subscription
from starwell.session.tasks import Unfinished
from starwell.session.telling import Telling
from starwell.session.wishes import Ending, Task, Wishes

_AT_WORK = (State.EXPOSING, State.COOLING, State.PAUSED)
_ALERTS_S = 2.0


class Engine:
    """An EngineFace. stay: whether it waits for other plans after the first one.

    opened: called with the folder of each night, from the capture thread.
    """

    def __init__(
        self, setup: Setup, *, stay: bool = True, opened: Callable[[Path], None] | None = None
    ) -> None:
        self._setup = setup
        self._stay = stay
        self._opened = opened or _nobody
        self._listeners = Subscribers()
        self._telling = Telling(self._listeners)
        self._wishes = Wishes()
        self._state, self._why = State.IDLE, ""
        self._run: NightRun | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._work, name="capture", daemon=True)

    def start(self, task: Task | None = None) -> None:
        """Begin to work, with this task."""
        if task is not None:
            self._wishes.give(task)
        self._thread.start()

    def quit(self) -> None:
        """End the exposure at hand and the engine, in order; `join` waits for it."""
        self._wishes.end(Ending.QUIT)

    def join(self, timeout_s: float | None = None) -> bool:
        """Wait for the engine's end; whether it came in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    @property
    def failure(self) -> StarwellError | None:
        """What ended the last task, when that was not its own end."""
        return self._run.failure if self._run is not None else None

    @property
    def taken(self) -> int:
        """Frames of the last task."""
        return self._run.taken if self._run is not None else 0

    @property
    def why(self) -> str:
        """Why the last task ended."""
        return self._run.why if self._run is not None else ""

    @property
    def stopped(self) -> bool:
        """Whether somebody ended the last task."""
        return self._wishes.ending is not Ending.NONE

    @property
    def folder(self) -> Path | None:
        """Of the night at hand, or the last one."""
        night = self._run.night if self._run is not None else None
        return night.night.folder if night is not None else None

    def rings(self, event: Event) -> bool:
        """Whether the plan wants the terminal's bell for this event."""
        return self._telling.rings(event)

    def subscribe(self) -> Subscription:
        """What was told so far and, without a gap, all that is told from now on."""
        return self._listeners.subscribe()

    def status(self) -> Status:
        """How the night stands now."""
        return status_of(self._run, self._state, self._why)

    def command(self, command: AnyCommand) -> Reply:
        """Accept a command, or say why not."""
        with self._lock:
            match command:
                case Start(plan=plan):
                    return self._start(plan)
                case Pause():
                    return self._pause()
                case Stop():
                    return self._stop()
                case Abort():
                    return self._abort()
                case Set(name=name, value=value):
                    return self._set(name, value)
                case Quit():
                    self.quit()
                    return Reply(True, "The engine ends: files are finished, then the sensor warms up.")
                case _:
                    return self._of_stacks(command)

    def _start(self, file: str | None) -> Reply:
        if self._state is State.STOPPING and self._wishes.ending is Ending.QUIT:
            return Reply(False, "The engine is ending.")
        if file is not None:
            return self._start_plan(Path(file))
        if self._wishes.paused:
            self._wishes.go_on()
            return Reply(True, "Going on.")
        if self._state in _AT_WORK:
            return Reply(False, f"Nothing to start: {self._state}, {self._why}.")
        return self._try_again()

    def _try_again(self) -> Reply:
        """After a fault, or at last the night that was broken off before this engine was started."""
        run, left = self._run, None
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

    def _start_plan(self, file: Path) -> Reply:
        if self._state in _AT_WORK:
            return Reply(False, "A series is running: `starwell stop` ends it, then start the plan.")
        config = self._setup.config
        known = config.site.latitude is not None and config.site.longitude is not None
        plan = read_plan(file, site_known=known, filters=config.rig.filters)
        if plan.camera is None and config.rig.camera is None:
            raise PlanError(f"{file} names no camera, and neither does [rig] of the configuration.")
        self._wishes.give(Task(plan=plan))
        return Reply(True, f"{file.name} begins.")

    def _pause(self) -> Reply:
        if self._wishes.paused:
            return Reply(False, "It is paused already; `starwell start` goes on.")
        if self._state not in _AT_WORK:
            return Reply(False, f"Nothing to pause: {self._state}.")
        self._wishes.pause()
        return Reply(True, "Pausing after this frame; `starwell start` goes on.")

    def _stop(self) -> Reply:
        if self._state not in _AT_WORK:
            return Reply(False, f"Nothing to stop: {self._state}.")
        self._wishes.end(Ending.STOP)
        return Reply(True, "The series ends with this frame, and the stack is saved.")

    def _abort(self) -> Reply:
        if self._state not in _AT_WORK:
            return Reply(False, f"Nothing to abort: {self._state}.")
        self._wishes.pause(at_once=True)
        return Reply(True, "The exposure is ended without its frame; `starwell start` goes on.")

    def _set(self, name: str, value: float | str) -> Reply:
        run = self._run
        camera = run.kept.camera if run is not None and run.kept is not None else None
        if camera is None or self._state not in _AT_WORK:
            return Reply(False, "No series is running whose settings could be changed.")
        setting, number, unit = checked_setting(camera, name, value)
        self._wishes.set(setting, number)
        return Reply(True, f"{name} will be {number:g}{unit} from the next frame on.")

    def _of_stacks(self, command: AnyCommand) -> Reply:
        run = self._run
        night = run.night if run is not None else None
        stacking = night.stacking if night is not None else None
        if night is None or stacking is None:
            return Reply(False, "Nothing is being stacked.")
        if isinstance(command, Reject | Restore) and command.number not in night.journal.lights:
            last = max(night.journal.lights, default=0)
            return Reply(False, f"There is no sub {command.number}; the last one is {last}.")
        return _asked_of(stacking, command)

    def _work(self) -> None:
        """The capture thread."""
        try:
            while (task := self._wishes.next_task()) is not None:
                self._carry_out(task)
                if not self._stay:
                    break
        finally:
            if self._run is not None:
                self._run.close()
            self._telling.wait(_ALERTS_S)
            self._listeners.close()

    def _carry_out(self, task: Task) -> None:
        if self._run is not None:
            self._run.close()
        self._run = NightRun(task, self._setup, self._wishes, self._telling, self._enter, self._opened)
        self._run.carry_out(stay=self._stay)
        if self._stay and self._wishes.ending is not Ending.QUIT:
            failure = self._run.failure
            self._enter(State.FAULT if failure else State.IDLE, str(failure) if failure else self._run.why)

    def _enter(self, state: State, why: str) -> None:
        if (state, why) == (self._state, self._why):
            return
        self._state, self._why = state, why
        night = self._run.night if self._run is not None else None
        if night is not None:
            night.append(StateEntered(state=state.value, why=why))
        self._telling.publish(StateChanged(state=state, why=why))


def _asked_of(stacking: Stacking, command: AnyCommand) -> Reply:
    match command:
        case Reject(number=number):
            stacking.reject(number)
            return Reply(True, f"Sub {number} is taken out of the stack.")
        case Restore(number=number):
            stacking.restore(number)
            return Reply(True, f"Sub {number} is put back into the stack.")
        case Merge():
            stacking.merge()
            return Reply(True, "The newest split of a stack is undone.")
        case Stretch(name=name):
            stacking.set_stretch(name)
            return Reply(True, f"Pictures are stretched by {name} from now on.")
        case Save():
            stacking.save()
            return Reply(True, "The stack is being written.")
        case _:
            return Reply(False, f"This engine does not know {type(command).__name__}.")


def _nobody(_folder: Path) -> None:
    return
