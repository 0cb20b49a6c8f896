"""The engine: a capture thread that carries out one plan after the other; others watch and command it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from starwell.errors import StarwellError
from starwell.session.engine_orders import Orders, Standing
from starwell.session.engine_status import status_of
from starwell.session.events import Event, State, StateChanged
from starwell.session.face import AnyCommand, Reply, Status
from starwell.session.journal import StateEntered
from starwell.session.night_run import NightRun
from starwell.session.setup import Setup
from starwell.session.subscription import Subscribers, Subscription
from starwell.session.telling import Telling
from starwell.session.wishes import Ending, Task, Wishes

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
        self._orders = Orders(setup, self._wishes, self._telling, self._stands, self.quit)
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
        return status_of(self._run, self._state, self._why, self._setup)

    def command(self, command: AnyCommand) -> Reply:
        """Accept a command, or say why not."""
        with self._lock:
            return self._orders.take(command)

    def _stands(self) -> Standing:
        return Standing(self._run, self._state, self._why)

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


def _nobody(_folder: Path) -> None:
    return
