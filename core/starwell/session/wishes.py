"""What the user wants of the capture thread, which looks at it between two frames."""

from __future__ import annotations

import threading
from collections import deque
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import msgspec

from starwell.session.face import Stretch
from starwell.session.plan import Plan


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """One plan to be carried out. folder: of its night, where it is settled already.

    resume: go on where the night's journal leaves the plan. paused: but only when told to. ready: with the
    camera open and cooled meanwhile. text: the plan as it was written, to be kept with its night.
    """

    plan: Plan
    folder: Path | None = None
    resume: bool = False
    paused: bool = False
    ready: bool = False
    text: str = ""


class Setting(NamedTuple):
    """A value asked for; series: the one that was at hand, by its name in the journal."""

    name: str
    value: float | str
    series: str = ""


class Ending(IntEnum):
    """How the series at hand is to end. STOP: with this frame; QUIT: at once, and the engine with it."""

    NONE = 0
    STOP = 1
    QUIT = 2


class Wishes:
    """Asked for by any thread, waited for by the capture thread.

    cancel: set while the exposure at hand is to end at once. stretch: of pictures, this night and the next.
    """

    def __init__(self) -> None:
        self.cancel = threading.Event()
        self._changed = threading.Condition()
        self._ending = Ending.NONE
        self._paused = False
        self._task: Task | None = None
        self._settings: deque[Setting] = deque()
        self._focus_s: float | None = None
        self._focusing = False
        self.stretch: Stretch | None = None

    @property
    def ending(self) -> Ending:
        """Whether and how the series is to end."""
        return self._ending

    @property
    def quitting(self) -> bool:
        """Whether the engine is to end."""
        return self._ending is Ending.QUIT

    @property
    def paused(self) -> bool:
        """Whether nothing more is to be exposed for now."""
        return self._paused

    @property
    def task_waits(self) -> bool:
        """Whether there is something else to do."""
        return self._task is not None

    def pause(self, *, at_once: bool = False) -> None:
        """Expose nothing after this frame; at_once: and end this one without its frame."""
        with self._changed:
            self._paused = True
            if at_once:
                self.cancel.set()
            self._changed.notify_all()

    def go_on(self) -> None:
        """End a pause."""
        with self._changed:
            self._paused = False
            self._changed.notify_all()

    def at_boundary(self) -> None:
        """No exposure is at hand any more that an abort could be meant for."""
        with self._changed:
            if self._ending is not Ending.QUIT:
                self.cancel.clear()

    def end(self, ending: Ending) -> None:
        """End the series."""
        with self._changed:
            self._ending = max(self._ending, ending)
            if ending is Ending.QUIT:
                self.cancel.set()
            self._changed.notify_all()

    @property
    def focus_s(self) -> float | None:
        """How long the frames of the focus loop are exposed; None: there is to be none."""
        return self._focus_s

    def focus(self, seconds: float | None) -> None:
        """Begin a focus loop with the next frame, or expose its frames this long; None: end it at once."""
        with self._changed:
            self._focus_s = seconds
            if seconds is None and self._focusing:
                self.cancel.set()
            self._changed.notify_all()

    def focusing(self, now: bool) -> None:
        """Whether the exposures at hand are the focus loop's."""
        with self._changed:
            self._focusing = now

    def set(self, setting: Setting) -> None:
        """Give a setting a value before the next frame."""
        with self._changed:
            self._settings.append(setting)
            self._changed.notify_all()

    def give(self, task: Task) -> None:
        """Have a task done next."""
        with self._changed:
            self._task = task
            self._changed.notify_all()

    def settings(self) -> list[Setting]:
        """The settings asked for since the last call."""
        with self._changed:
            asked = list(self._settings)
            self._settings.clear()
            return asked

    def next_task(self) -> Task | None:
        """Wait for something to do; None when the engine is to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._task is not None or self._ending is Ending.QUIT)
            if self._ending is Ending.QUIT:
                return None
            task, self._task = self._task, None
            assert task is not None
            self._ending, self._paused = Ending.NONE, task.paused
            self.cancel.clear()
            self._settings.clear()
            self._focus_s = None
            return task

    def wait(self, timeout_s: float | None = None) -> None:
        """Return at the next wish, or after so long."""
        with self._changed:
            self._changed.wait(timeout_s)

    def wait_while_paused(self, *, asleep: bool = False) -> None:
        """Return when the pause is over, the series is to end, or unless asleep something else is asked."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    not self._paused
                    or self._ending is not Ending.NONE
                    or (not asleep and (self._settings or self._focus_s is not None))
                )
            )

    def wait_unless_ending(self, timeout_s: float) -> bool:
        """Wait so long; whether the series is still wanted."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._ending is not Ending.NONE, timeout_s)
