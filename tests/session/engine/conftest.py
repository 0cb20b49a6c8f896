"""Engines at work on a small simulated sky, heard event by event."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pytest

from starwell.camera.plan import Mount, Scene, SkyPlan
from starwell.camera.protocol import Camera
from starwell.camera.simulated import SimulatedCamera
from starwell.remote.client import ask
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.engine import Engine
from starwell.session.events import Event, FrameTaken, PreviewReady, SeriesFinished, State, StateChanged
from starwell.session.face import AnyCommand, Reply
from starwell.session.journal import AnyRecord, read
from starwell.session.plan import MasterPaths, Plan, Series, Target
from starwell.session.setup import Setup
from starwell.session.wishes import Task

E = TypeVar("E", bound=Event)

SKY = SkyPlan(
    size=(200, 256),
    subs=40,
    seconds=20.0,
    target="M51",
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
)
PATIENCE_S = 30.0


class Heard:
    """An engine, and everything it told so far."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.events: list[Event] = []
        self._subscription = engine.subscribe()
        self._mail: deque[Event] = deque()

    def until(self, holds: Callable[[Event], bool]) -> Event:
        """Listen until an event like this comes; fails when it does not."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            self._mail += self._subscription.take(0.0 if self._mail else 0.05)
            while self._mail:
                self.events.append(self._mail.popleft())
                if holds(self.events[-1]):
                    return self.events[-1]
            assert not self._subscription.closed, [e for e in self.events if not isinstance(e, PreviewReady)]
        raise AssertionError(f"It never came; the last events: {self.told()[-8:]}")

    def frame(self, number: int) -> Event:
        return self.until(lambda event: isinstance(event, FrameTaken) and event.number == number)

    def state(self, state: State) -> Event:
        return self.until(lambda event: isinstance(event, StateChanged) and event.state is state)

    def finished(self) -> SeriesFinished:
        event = self.until(lambda event: isinstance(event, SeriesFinished))
        assert isinstance(event, SeriesFinished)
        return event

    def end(self) -> list[Event]:
        """Everything until the engine has ended."""
        assert self.engine.join(PATIENCE_S)
        self.events += [*self._mail, *self._subscription.take()]
        self._mail.clear()
        return self.told()

    def quit(self) -> list[Event]:
        self.engine.quit()
        return self.end()

    def ask(self, command: AnyCommand) -> Reply:
        return self.engine.command(command)

    def told(self) -> list[Event]:
        return [event for event in self.events if not isinstance(event, PreviewReady)]

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]


class House:
    """Where engines are started; ends them with the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.night = folder / "night"
        self._ends = ExitStack()

    def start(
        self,
        plan: Plan | None,
        camera: Camera | None = None,
        *,
        stay: bool = False,
        resume: bool = False,
        paused: bool = False,
        folder: Path | None = None,
        **setup: Any,
    ) -> Heard:
        chosen = camera or simulated()
        made = Setup(
            connect=lambda named, passed_by: chosen,
            state=self.folder / "state",
            data=self.folder / "data",
            **setup,
        )
        engine = Engine(made, stay=stay)
        heard = Heard(engine)
        task = None
        if plan is not None:
            task = Task(plan=plan, folder=folder or self.night, resume=resume, paused=paused)
        engine.start(task)
        self._ends.callback(engine.join, PATIENCE_S)
        self._ends.callback(engine.quit)
        return heard

    def run(self, plan: Plan, camera: Camera | None = None, **options: Any) -> Heard:
        """A plan from its beginning to its end."""
        heard = self.start(plan, camera, **options)
        heard.end()
        return heard

    def wire(self, heard: Heard) -> Callable[[AnyCommand], Reply]:
        """Asks the engine through its socket, as another program does."""
        place = Place(self.folder / "socket")
        claim = self._ends.enter_context(place.claim(""))
        server = serve_in_thread(heard.engine, claim)
        self._ends.callback(server.close)
        return partial(ask, place=place)

    def close(self) -> None:
        self._ends.close()

    @property
    def records(self) -> list[AnyRecord]:
        return read(self.night / "journal.jsonl")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


def simulated(speed: float = 2000.0, *, kind: type[SimulatedCamera] = SimulatedCamera, **sky: Any) -> Any:
    faults, climate = sky.pop("faults", None), sky.pop("climate", None)
    epoch = datetime(2026, 11, 19, 22, tzinfo=UTC)
    return kind(replace(SKY, **sky), speed=speed, faults=faults, climate=climate, epoch=epoch)


def lights(count: int | None, *, seconds: float = 20.0, **plan: Any) -> Plan:
    """So many lights of M51, with a level as the bias."""
    series = plan.pop("series", None) or (Series(exposure_s=seconds, count=count),)
    target = Target(
        name="M51", series=series, pattern=plan.pop("pattern", ()), ends=plan.pop("target_ends", ())
    )
    plan.setdefault("masters", MasterPaths(bias="500"))
    return Plan(targets=(target,), camera="simulated", **plan)


@pytest.fixture
def camera_of() -> Callable[..., Any]:
    return simulated


@pytest.fixture
def plan_of_lights() -> Callable[..., Plan]:
    return lights
