"""An engine in this process: its lock and socket, its signals, and what is told of it."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from types import FrameType

from starwell import config
from starwell.camera.drivers import connect
from starwell.camera.protocol import Camera
from starwell.cli.machine import clock_is_synchronised
from starwell.cli.progress import Narrator
from starwell.errors import StarwellError
from starwell.heap import keep_heap_small
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.engine import Engine
from starwell.session.setup import Setup
from starwell.session.subscription import Subscription
from starwell.session.wishes import Task

_REFRESH_S = 0.25


def setup(*, seed: int = 1) -> Setup:
    """What this computer's engine works with. seed: of the simulated sky."""
    home = config.home()
    settings = config.load(home.config)
    data = Path(settings.data).expanduser() if settings.data else home.data

    def camera(named: str, folder: Path | None) -> Camera:
        return connect(named, seed=seed, passed_by=[folder or data], zwo_library=settings.zwo_library)

    keywords: dict[str, object] = {"CLOCKSYN": False} if clock_is_synchronised() is False else {}
    return Setup(connect=camera, state=home.state, data=data, config=settings, keywords=keywords)


def engine_here(
    made: Setup, task: Task | None, *, stay: bool = False, json: bool = False, quiet: bool = False
) -> int:
    """Be the engine until its task is done, or with stay until it is told to quit; an exit code.

    Raises EngineRunning that names the engine that runs already, and the StarwellError that ended the task.
    """
    keep_heap_small()  # before the threads begin, each of which would keep a heap of its own
    with Place().claim(task.folder if task is not None and task.folder else "") as claim:
        engine = Engine(made, stay=stay, opened=claim.note)
        narrator = Narrator(json=json, quiet=quiet, rings=engine.rings)
        signals = _Signals(engine, narrator)
        subscription = engine.subscribe()
        server = serve_in_thread(engine, claim)
        try:
            engine.start(task)
            _narrate(engine, subscription, narrator, signals)
        finally:
            engine.quit()
            engine.join()
            narrator.close()
            server.close()
            signals.restore()
    narrator.end(engine.taken, engine.folder, interrupted=bool(signals.code))
    if signals.code or stay:
        return signals.code
    if engine.failure is not None:
        raise engine.failure
    if not engine.taken and not engine.stopped:
        raise StarwellError(f"Not one frame was taken: {engine.why}")
    return 0


def _narrate(engine: Engine, subscription: Subscription, narrator: Narrator, signals: _Signals) -> None:
    """Tell everything until the engine has ended."""
    warned = False
    while not subscription.closed:
        for event in subscription.take(_REFRESH_S):
            narrator.tell(event)
        now = engine.status()
        narrator.show(now)
        if signals.code and not warned:
            warned = True
            if now.setpoint_celsius is not None:
                narrator.say("The sensor warms up first; a second Ctrl-C ends at once.")
    for event in subscription.take():
        narrator.tell(event)


class _Signals:
    """Ctrl-C and SIGTERM end the engine in order; a second one ends it at once.

    A terminal that goes away (SIGHUP) ends nothing.
    """

    def __init__(self, engine: Engine, narrator: Narrator) -> None:
        self.code = 0
        self._engine = engine
        self._narrator = narrator
        self._before = {
            number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)
        }
        self._before[signal.SIGHUP] = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def restore(self) -> None:
        """Put the handlers back that were there before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _stop(self, number: int, _frame: FrameType | None) -> None:
        if self.code:
            self._narrator.close()
            os._exit(128 + number)
        self.code = 128 + number
        # Not asked here: the main thread may hold the very lock where the signal struck it.
        threading.Thread(target=self._engine.quit).start()
