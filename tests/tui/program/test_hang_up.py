"""A terminal that is closed, whatever is on it: the engine hears nothing of it, and takes the next subs."""

from __future__ import annotations

import itertools
import time

import pytest

from starwell.camera.plan import Scene, SkyPlan
from starwell.camera.simulated import SimulatedCamera
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.engine import Engine
from starwell.session.events import State
from starwell.session.face import Focus, Start, Stop
from starwell.session.setup import Setup

SKY = SkyPlan(size=(96, 128), seconds=20.0, scene=Scene(stars=40, faintest_e=3000.0, brightest_e=80_000.0))
SPEED = 50.0
PATIENCE_S = 60.0
FIELDS = itertools.count(1)
PLAN = """
camera = "simulated"
[[target]]
name = "{target}"
[[target.series]]
exposure = 20.0
count = 10000
"""
COOLED = f"{PLAN}[cooling]\ncelsius = 8\nramp_c_per_min = 2\nwarm_up = false\n"


class Heard(Engine):
    """An engine that notes what it is asked."""

    def __init__(self, setup):
        super().__init__(setup)
        self.asked = []

    def command(self, command):
        self.asked.append(command)
        return super().command(command)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def serving(home):
    """One engine for all of them: the simulated camera, fifty times as fast as time."""
    setup = Setup(
        connect=lambda named, folder: SimulatedCamera(SKY, speed=SPEED),
        state=home / "state",
        data=home / "nights",
    )
    with Place(home / "state").claim("") as claim:
        engine = Heard(setup)
        server = serve_in_thread(engine, claim)
        engine.start()
        yield engine
        engine.quit()
        assert engine.join(PATIENCE_S)
        server.close()


@pytest.fixture
def engine(serving):
    """It, at rest before and after."""
    yield serving
    serving.command(Focus(False))
    serving.command(Stop())
    until(lambda: serving.status().state is State.IDLE, "an engine at rest")


def until(holds, why):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"never: {why}"
        time.sleep(0.02)


def begin(engine, state, plan=PLAN, **more):
    target = f"field {next(FIELDS)}"  # a folder and a stack of its own each time
    assert engine.command(Start(text=plan.format(target=target), **more)).ok
    until(lambda: engine.status().state is state, state)


def idle(engine, screen):
    screen.until("n sets up a sequence")
    return State.IDLE


def cooling(engine, screen):
    begin(engine, State.COOLING, COOLED)
    screen.until("COOLING")
    return State.COOLING


def exposing(engine, screen):
    begin(engine, State.EXPOSING)
    screen.until("stacked 1")
    return State.EXPOSING


def paused(engine, screen):
    begin(engine, State.PAUSED, paused=True)
    screen.until("PAUSED")
    return State.PAUSED


def focusing(engine, screen):
    begin(engine, State.PAUSED, paused=True)
    screen.until("PAUSED")
    screen.press("F")
    screen.until("best ")
    return


def wizard(engine, screen):
    begin(engine, State.EXPOSING)
    screen.until("stacked 1")
    screen.press("D")
    screen.until("Dithers")
    return State.EXPOSING


def asking(engine, screen):
    begin(engine, State.EXPOSING)
    screen.until("stacked 1")
    screen.press("S")
    screen.until("y: yes")
    return State.EXPOSING


@pytest.mark.parametrize("moment", [idle, cooling, exposing, paused, focusing, wizard, asking])
def test_a_terminal_that_is_closed_at_any_moment_stops_nothing(moment, engine, home, opened):
    screen = opened("--no-engine", home=home)
    state = moment(engine, screen)
    engine.asked.clear()
    screen.hang_up()
    now = engine.status()
    if state is State.COOLING:
        assert now.state in (State.COOLING, State.EXPOSING)
    elif state is None:
        assert now.mode == "focus"
        assert engine.command(Focus(False)).ok
        until(lambda: engine.status().state is State.PAUSED, "the pause again")
    else:
        assert now.state is state
    if state is State.IDLE:
        begin(engine, State.EXPOSING)
    elif state in (State.PAUSED, None):
        assert engine.command(Start()).ok
    taken = engine.status().frame
    until(lambda: engine.status().frame >= taken + 2, "two further subs")
    assert not [asked for asked in engine.asked if not isinstance(asked, Start | Focus)]
