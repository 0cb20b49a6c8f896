"""A camera in a child process of its own: an SDK that hangs or crashes costs one exposure, not the night.

ZWO's library is known to block for minutes (indigo #325), to lock up (indi-allsky #2697), to crash
(indi-3rdparty #622) and to mix up two cameras in one process (indi-3rdparty #437). No thread can be killed; a
process can. Any camera that can be made by name works here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from threading import Event
from types import MappingProxyType
from typing import Any

from starwell.camera.isolated_process import Call, CameraProcess, ChildLost
from starwell.camera.protocol import CameraFacts, Control, ControlRange, Progress, Telemetry
from starwell.errors import Aborted, CameraBusy, CameraError, CameraGone, CameraNotFound, Transient
from starwell.frame import Exposure, Frame

_TURN_S = 0.02
_LOOK_S = 0.5


@dataclass(frozen=True, slots=True)
class Deadlines:
    """How long the child may take: for telemetry and controls, to open, to abort, to come back after a fault;
    an exposure may take factor times what is left of it and grace_s, a little more than the camera's watch.
    """

    quick_s: float = 10.0
    open_s: float = 30.0
    abort_s: float = 1.0
    back_s: float = 60.0
    factor: float = 2.0
    grace_s: float = 20.0

    def limit_s(self, left_s: float) -> float:
        """How long a camera with this much left to expose may be silent."""
        return self.factor * left_s + self.grace_s


def run_apart(target: str, *arguments: Any, within_s: float = 20.0) -> Any:
    """What "module:function" answers, called in a process of its own; Transient when it crashes or hangs."""
    process = CameraProcess()
    try:
        return process.ask("run", target, arguments, within_s=within_s)
    except ChildLost as lost:
        raise Transient(str(lost)) from lost
    finally:
        process.end()


class IsolatedCamera:
    """The camera that "module:factory" makes of these arguments, in a child process.

    After a crash it is made anew, with the uid it has by then if it takes one, opened when next asked for
    anything, and its controls are set as they were.
    """

    def __init__(
        self, factory: str, arguments: Mapping[str, Any] | None = None, deadlines: Deadlines | None = None
    ) -> None:
        self._factory = factory
        self._arguments = dict(arguments or {})
        self._deadlines = deadlines or Deadlines()
        self._starting = threading.Lock()
        self._wanted = False
        self._kept: dict[Control, float] = {}
        self._process: CameraProcess | None = None
        self._facts = self._make(self._arguments.get("uid"))

    @property
    def facts(self) -> CameraFacts:
        """What it is."""
        return self._facts

    def open(self) -> None:
        """Take the camera; CameraNotFound, CameraBusy, CameraGone."""
        with self._starting:
            self._wanted = True
            try:
                self._open_now()
            except CameraError:
                self._wanted = False
                self._end(within_s=0.0)
                raise

    def close(self) -> None:
        """Let it go and end the process; never raises."""
        with self._starting:
            self._wanted = False
            self._kept.clear()
            self._end(self._deadlines.abort_s)

    def controls(self) -> Mapping[Control, ControlRange]:
        """What can be set, and how far."""
        return self._quick("controls")  # type: ignore[no-any-return]

    def get(self, control: Control) -> float:
        """Read a control back."""
        return float(self._quick("get", control))

    def set(self, control: Control, value: float) -> float:
        """Set a control; set again after a crash."""
        taken = float(self._quick("set", control, value))
        self._kept[control] = value
        return taken

    def telemetry(self) -> Telemetry:
        """What it says of itself; nothing while it is away or being started again."""
        if not self._starting.acquire(blocking=False):
            return Telemetry()
        self._starting.release()
        try:
            return self._quick("telemetry")  # type: ignore[no-any-return]
        except (CameraGone, Transient):
            return Telemetry()

    def expose(self, exposure: Exposure, cancel: Event, progress: Progress | None = None) -> Frame:
        """One frame; Transient when the process crashed or hung, Aborted within abort_s of cancel."""
        process = self._live(cancel)
        call = process.post("expose", exposure)
        try:
            return self._frame(process, self._wait(process, call, exposure.seconds or 0.0, cancel, progress))
        except ChildLost as lost:
            raise self._lose(process, lost, cancel) from lost
        finally:
            self._finish(process, call)

    def stream(self, exposure: Exposure, cancel: Event) -> Iterator[Frame]:
        """Frames until cancelled."""
        process = self._live(cancel)
        call = process.post("stream", exposure)
        try:
            while not cancel.is_set():
                landed = self._wait(process, call, exposure.seconds or 0.0, cancel, None)
                if landed is None:
                    return
                yield self._frame(process, landed)
        except Aborted:
            return
        except ChildLost as lost:
            fault = self._lose(process, lost, cancel)
            if not isinstance(fault, Aborted):
                raise fault from lost
        finally:
            self._finish(process, call)

    def _wait(
        self, process: CameraProcess, call: Call, seconds: float, cancel: Event, progress: Progress | None
    ) -> Any:
        """The next frame, or the end of them; progress on the way moves the deadline."""
        until = time.monotonic() + self._deadlines.limit_s(seconds)
        told = False
        while True:
            answer = call.next(_TURN_S)
            process.give_back()
            if answer is not None and answer[0] != "progress":
                return answer[1]
            if answer is not None and not told:
                until = time.monotonic() + self._deadlines.limit_s(max(0.0, seconds - answer[1]))
                if progress:
                    progress(answer[1])
            if cancel.is_set() and not told:
                told = True
                process.cancel(call)
                until = time.monotonic() + self._deadlines.abort_s
            if time.monotonic() > until:
                raise ChildLost("ZWO's library hangs: its process was ended and is started again")

    def _finish(self, process: CameraProcess, call: Call) -> None:
        """End a call whose answers nobody waits for any more, throwing away frames on their way."""
        if call.ended:
            return
        process.cancel(call)
        until = time.monotonic() + self._deadlines.abort_s
        try:
            while not call.ended and time.monotonic() < until:
                answer = call.next(_TURN_S)
                if answer is not None and isinstance(answer[1], tuple):
                    self._frame(process, answer[1])
                process.give_back()
        except CameraError:
            return  # it ended, if not well
        if not call.ended:
            self._forget(process)

    def _frame(self, process: CameraProcess, landed: Any) -> Frame:
        piece, shape, dtype, facts, self._facts = landed
        header = MappingProxyType(facts.header)
        return Frame(replace(facts, header=header), process.lender.pixels(piece, shape, dtype))

    def _quick(self, verb: str, *arguments: Any) -> Any:
        process = self._live(None)
        try:
            return process.ask(verb, *arguments, within_s=self._deadlines.quick_s)
        except ChildLost as lost:
            raise self._lose(process, lost, None) from lost

    def _lose(self, process: CameraProcess, lost: ChildLost, cancel: Event | None) -> CameraError:
        self._forget(process)
        if not self._wanted:
            return CameraGone(f"{self._facts.name} was closed")
        if cancel is not None and cancel.is_set():
            return Aborted("the exposure was ended on request, and the camera's process with it")
        return Transient(str(lost))

    def _forget(self, process: CameraProcess) -> None:
        with self._starting:
            if self._process is process:
                self._end(within_s=0.0)

    def _live(self, cancel: Event | None) -> CameraProcess:
        """The process with the camera open; started again if it was lost, for as long as back_s when there
        is an exposure to cancel, else once. CameraGone when that fails.
        """
        with self._starting:
            if self._process is not None and self._process.is_alive():
                return self._process
            if not self._wanted:
                raise CameraGone(f"{self._facts.name} is not open")
            until = time.monotonic() + (self._deadlines.back_s if cancel else 0.0)
            while True:
                try:
                    return self._restart(cancel)
                except Aborted:
                    self._end(within_s=0.0)
                    raise
                except (CameraNotFound, CameraBusy, CameraGone, Transient) as fault:
                    self._end(within_s=0.0)
                    if time.monotonic() > until:
                        raise CameraGone(f"{self._facts.name} did not come back: {fault}") from fault
                if cancel is not None and cancel.wait(_LOOK_S):
                    raise Aborted("the exposure was ended on request while the camera was away")

    def _restart(self, cancel: Event | None) -> CameraProcess:
        self._end(within_s=0.0)
        self._open_now(cancel)
        assert self._process is not None
        for control, value in self._kept.items():
            self._process.ask("set", control, value, within_s=self._deadlines.quick_s)
        return self._process

    def _open_now(self, cancel: Event | None = None) -> None:
        if self._process is None or not self._process.is_alive():
            self._facts = self._make(self._facts.uid, cancel)
        assert self._process is not None
        try:
            self._facts = self._process.ask("open", within_s=self._deadlines.open_s, cancel=cancel)
        except ChildLost as lost:
            raise Transient(str(lost)) from lost

    def _make(self, uid: str | None, cancel: Event | None = None) -> CameraFacts:
        self._end(within_s=0.0)
        arguments = self._arguments | ({"uid": uid} if "uid" in self._arguments else {})
        self._process = CameraProcess()
        try:
            facts: CameraFacts = self._process.ask(
                "make", self._factory, arguments, within_s=self._deadlines.open_s, cancel=cancel
            )
        except ChildLost as lost:
            self._end(within_s=0.0)
            raise Transient(str(lost)) from lost
        except CameraError:
            self._end(within_s=0.0)
            raise
        return facts

    def _end(self, within_s: float) -> None:
        if self._process is not None:
            self._process.end(within_s)
            self._process = None
