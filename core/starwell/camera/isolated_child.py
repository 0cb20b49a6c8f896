"""The child process around one camera: two lanes of calls, and an end when the parent ends.

Exposures, opening and closing go through one lane; telemetry and controls through the other, so that they
are answered during an exposure. The main thread only listens: it is there to cancel, and to notice that
nobody listens any more, even while an SDK call hangs. PR_SET_PDEATHSIG would not do: it follows the thread
that started the child, not the process.
"""

from __future__ import annotations

import os
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from multiprocessing.connection import Connection
from threading import Event, Thread
from typing import Any

from starwell.camera.protocol import Camera
from starwell.camera.shared_pixels import Landing
from starwell.errors import CameraError, CameraGone, StarwellError
from starwell.frame import Exposure, Frame

QUICK = frozenset({"controls", "get", "set", "telemetry"})
_LISTEN_S = 0.5
_LAST_S = 2.0

Request = tuple[int, str, tuple[Any, ...]]


def main(channel: int, descriptors: Sequence[int], parent: int) -> None:
    """Serve until the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    child = _Child(Connection(channel), Landing(descriptors))
    try:
        child.listen(parent)
    finally:
        child.leave()


def resolve(target: str) -> Callable[..., Any]:
    """What "module:name" names."""
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


class _Child:
    def __init__(self, connection: Connection, landing: Landing) -> None:
        self._connection = connection
        self._landing = landing
        self._camera: Camera | None = None
        self._cancels: dict[int, Event] = {}
        self._sending = threading.Lock()
        self._slow: queue.SimpleQueue[Request] = queue.SimpleQueue()
        self._quick: queue.SimpleQueue[Request] = queue.SimpleQueue()
        for lane in (self._slow, self._quick):
            Thread(target=self._serve, args=(lane,), daemon=True).start()

    def listen(self, parent: int) -> None:
        while os.getppid() == parent:
            try:
                if not self._connection.poll(_LISTEN_S):
                    continue
                request: Request = self._connection.recv()
            except (EOFError, OSError):
                return
            serial, verb, arguments = request
            if verb == "free":
                self._landing.give_back(arguments)
            elif verb == "cancel":
                self._cancels.get(serial, Event()).set()
            else:
                self._cancels[serial] = Event()
                (self._quick if verb in QUICK else self._slow).put(request)

    def leave(self) -> None:
        """Let the camera go if it lets itself be let go, then end whatever else hangs."""
        for cancel in list(self._cancels.values()):
            cancel.set()
        if self._camera is not None:
            last = Thread(target=self._camera.close, daemon=True)
            last.start()
            last.join(_LAST_S)
        os._exit(0)

    def _serve(self, lane: queue.SimpleQueue[Request]) -> None:
        while True:
            serial, verb, arguments = lane.get()
            cancel = self._cancels[serial]
            try:
                self._send(serial, "value", self._answer(serial, verb, arguments, cancel))
            except StarwellError as fault:
                self._send(serial, "error", (type(fault).__name__, str(fault)))
            except Exception as fault:  # noqa: BLE001 - told to the parent, which raises it
                self._send(serial, "error", (CameraError.__name__, f"{type(fault).__name__}: {fault}"))
            finally:
                self._cancels.pop(serial, None)

    def _answer(self, serial: int, verb: str, arguments: tuple[Any, ...], cancel: Event) -> Any:
        if verb == "run":
            target, call = arguments
            return resolve(target)(*call)
        if verb == "make":
            return self._make(*arguments)
        if self._camera is None:
            raise CameraGone("no camera was made in this process")
        match verb:
            case "expose":
                self._landing.cancel = cancel
                return self._expose(serial, self._camera, arguments[0], cancel)
            case "stream":
                self._landing.cancel = cancel
                return self._stream(serial, self._camera, arguments[0], cancel)
            case "open":
                self._camera.open()
                return self._camera.facts
            case "controls":
                return dict(self._camera.controls())
            case _:
                return getattr(self._camera, verb)(*arguments)

    def _make(self, target: str, arguments: dict[str, Any]) -> Any:
        self._camera = resolve(target)(**arguments)
        if hasattr(self._camera, "new_pixels"):
            self._camera.new_pixels = self._landing
        return self._camera.facts

    def _expose(self, serial: int, camera: Camera, exposure: Exposure, cancel: Event) -> Any:
        frame = camera.expose(exposure, cancel, lambda seconds: self._send(serial, "progress", seconds))
        return self._landed(camera, frame)

    def _stream(self, serial: int, camera: Camera, exposure: Exposure, cancel: Event) -> None:
        for frame in camera.stream(exposure, cancel):
            self._send(serial, "frame", self._landed(camera, frame))
            if cancel.is_set():
                return

    def _landed(self, camera: Camera, frame: Frame) -> tuple[Any, ...]:
        piece = self._landing.hand_over(frame.pixels)
        facts = replace(frame.facts, header=dict(frame.facts.header))  # a mapping proxy cannot be pickled
        return piece, frame.pixels.shape, frame.pixels.dtype.str, facts, camera.facts

    def _send(self, serial: int, kind: str, content: Any) -> None:
        with self._sending:
            self._connection.send((serial, kind, content))
