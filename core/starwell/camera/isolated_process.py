"""The parent's end of a camera's child process: start it, ask it, and know when it is lost."""

from __future__ import annotations

import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from multiprocessing.connection import Connection, Pipe
from threading import Event
from typing import Any

from starwell import errors
from starwell.camera.shared_pixels import Lender
from starwell.errors import Aborted, CameraError, StarwellError

_BOOT = (
    "import json, sys; path, channel, pieces, parent = json.loads(sys.argv[1]); sys.path[:] = path;"
    " from starwell.camera.isolated_child import main; main(channel, pieces, parent)"
)
_END_S = 3.0
_TURN_S = 0.05
_LOST: tuple[str, Any] = ("lost", None)
_LAST = ("value", "error", "lost")


class ChildLost(CameraError):
    """The child process crashed, or does not answer in time."""


class Call:
    """A question on its way; its answers come one by one."""

    def __init__(self, process: CameraProcess, serial: int, verb: str) -> None:
        self.serial = serial
        self.verb = verb
        self.answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self.ended = False
        self._process = process

    def next(self, wait_s: float) -> tuple[str, Any] | None:
        """The next answer, None when there is none yet; errors are raised, ChildLost after a crash."""
        try:
            kind, content = self.answers.get(timeout=wait_s)
        except queue.Empty:
            return None
        self.ended = kind in _LAST
        if kind == "lost":
            raise ChildLost(self._process.epitaph)
        if kind == "error":
            name, message = content
            kind_of_error = getattr(errors, name, CameraError)
            raise kind_of_error(message) if issubclass(kind_of_error, StarwellError) else CameraError(message)
        return kind, content


class CameraProcess:
    """A fresh interpreter that runs isolated_child.main; its prints go nowhere, so the screen stays whole."""

    def __init__(self) -> None:
        self.lender = Lender()
        self._serials = itertools.count(1)
        self._calls: dict[int, Call] = {}
        self._guard = threading.Lock()
        self._dead = False
        self.epitaph = "the camera's process was ended"
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        self._connection, theirs = Pipe()
        self._child = self._start(theirs)
        theirs.close()
        self._reader = threading.Thread(target=self._read, name="camera answers", daemon=True)
        self._reader.start()

    def ask(self, verb: str, *arguments: Any, within_s: float, cancel: Event | None = None) -> Any:
        """Ask and wait for the answer; ChildLost when it does not come in time, Aborted when cancelled."""
        call = self.post(verb, *arguments)
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            if answer := call.next(min(_TURN_S, within_s)):
                return answer[1]
            if cancel is not None and cancel.is_set():
                raise Aborted("the exposure was ended on request while the camera was being opened")
        raise ChildLost(f"ZWO's library or the camera did not answer {verb} within {within_s:g} s")

    def post(self, verb: str, *arguments: Any) -> Call:
        """Ask; the answers are taken from the call."""
        call = Call(self, next(self._serials), verb)
        with self._guard:
            if self._dead:
                call.answers.put(_LOST)
                return call
            self._calls[call.serial] = call
        self._send((call.serial, verb, arguments))
        return call

    def cancel(self, call: Call) -> None:
        """Tell the camera that this is not wanted any more."""
        self._send((call.serial, "cancel", ()))

    def give_back(self) -> None:
        """Tell the camera which pieces of memory are free again."""
        if pieces := self.lender.returned():
            self._send((0, "free", tuple(pieces)))

    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return not self._dead and self._child.poll() is None

    def end(self, within_s: float = 0.0) -> None:
        """End it: by itself when there is time for that, by force after it."""
        if within_s > 0 and self.is_alive():
            try:
                self.ask("close", within_s=within_s)
            except CameraError:
                within_s = 0.0  # what does not close is killed
        self._child.kill()
        self._child.wait(_END_S)
        self._reader.join(_END_S)
        self._connection.close()
        self._words.close()
        self.lender.close()

    def _start(self, theirs: Connection) -> subprocess.Popen[bytes]:
        pieces = self.lender.descriptors
        start = json.dumps([sys.path, theirs.fileno(), pieces, os.getpid()])
        return subprocess.Popen(  # noqa: S603 - this interpreter, our own code
            [sys.executable, "-c", _BOOT, start],
            pass_fds=(theirs.fileno(), *pieces),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._words,
            start_new_session=True,  # Ctrl-C in the terminal is for the parent alone
        )

    def _read(self) -> None:
        while True:
            try:
                serial, kind, content = self._connection.recv()
            except (EOFError, OSError):
                break
            call = self._calls.get(serial)
            if kind in ("value", "error"):
                with self._guard:
                    self._calls.pop(serial, None)
            if call is not None:
                call.answers.put((kind, content))
        self.epitaph = self._cause()
        with self._guard:
            self._dead = True
            calls, self._calls = self._calls, {}
        for call in calls.values():
            call.answers.put(_LOST)

    def _cause(self) -> str:
        """What it died of, once its end of the channel is closed."""
        try:
            status = self._child.wait(_END_S)
        except subprocess.TimeoutExpired:
            return "the camera's process does not answer any more"
        if status < 0:
            return f"the camera's process crashed ({signal.Signals(-status).name})"
        self._words.seek(0)
        words = self._words.read().decode(errors="replace").strip().splitlines()
        return f"the camera's process ended: {words[-1] if words else f'status {status}'}"

    def _send(self, message: tuple[Any, ...]) -> None:
        with self._guard:
            try:
                self._connection.send(message)
            except OSError:
                return  # it is dead: the reader tells everybody who waits
