"""A wizard, a real engine behind its socket, and the simulated camera: darks, their master, its use."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

import pytest

from starwell import config
from starwell.camera.plan import Scene, SkyPlan
from starwell.camera.simulated import SimulatedCamera
from starwell.kinds import Kind
from starwell.remote.live import LiveClient
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.engine import Engine
from starwell.session.events import State
from starwell.session.setup import Setup
from starwell_tui import remembered
from starwell_tui.app import StarwellApp
from starwell_tui.keys import table

SKY = SkyPlan(size=(128, 160), seconds=20.0, scene=Scene(stars=40, faintest_e=3000.0, brightest_e=80_000.0))
PATIENCE_S = 60.0


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    env = os.environ | {"STARWELL_HOME": str(tmp_path)}
    monkeypatch.setattr(os, "environ", env)
    monkeypatch.setattr(config.home, "__defaults__", (env,))
    return config.home()


@pytest.fixture
def place(home):
    """A running engine: the simulated camera, five hundred times as fast as time."""
    setup = Setup(
        connect=lambda named, folder: SimulatedCamera(SKY, speed=500.0), state=home.state, data=home.data
    )
    with Place(home.state).claim("") as claim:
        engine = Engine(setup, opened=claim.note)
        server = serve_in_thread(engine, claim)
        engine.start()
        yield claim.place
        engine.quit()
        assert engine.join(PATIENCE_S)
        server.close()


async def until(holds: Callable[[], bool], why: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"never: {why}"
        await asyncio.sleep(0.05)


async def test_darks_become_a_master_in_the_library_and_the_next_sequence_is_stacked_with_it(
    place, home, lines
):
    app = StarwellApp(LiveClient(place), keys=table(engine=True))

    def shown(words: str) -> bool:
        return words in "\n".join(lines(app))

    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.night.status is not None, "an engine that answers")
        await pilot.press("D", "j", "2", "0", "enter", *["j"] * 4, "minus", "1", "0", "enter", "j", "6")
        await pilot.press("enter", "s", "y")
        await until(lambda: shown("Done."), "a master dark")
        assert shown("Master dark of 6 frames")
        await pilot.press("enter")
        await until(lambda: shown("Use the dark for the lights that follow?"), "the library")
        await pilot.press("y")
        await until(lambda: shown("The next sequence uses it"), "what becomes of it")
        (kept,) = (home.config / "library").glob("*.fits")
        assert len(app.night.takings.calibration) == 6
        assert remembered.typed("sequence")["dark"] == "auto"
        await pilot.press("escape")
        await pilot.pause()
        await pilot.press("n", "pagedown", *["k"] * 13)
        sheet = app.screen
        sheet.form.fill({"exposure": "20", "frames": "3", "target": "M 51", "celsius": "-10"})
        sheet._check()
        await until(lambda: sheet._checked and sheet._kept == {"dark"}, "the plan is checked")
        assert not sheet.form.mistaken
        await pilot.press("s", "y")
        await until(lambda: app.night.state is State.EXPOSING, "the first light")
        await until(
            lambda: app.night.takings.end is not None and app.night.takings.end.stacked == 3,
            "three stacked subs",
        )
    assert kept.name.startswith("Dark_")
    assert Kind.DARK in {frame.kind for frame in app.night.takings.calibration}


async def test_focus_runs_before_the_first_sub_and_leaves_no_file(place, home, lines):
    app = StarwellApp(LiveClient(place), keys=table(engine=True))
    async with app.run_test(size=(80, 24)) as pilot:
        await until(lambda: app.night.status is not None, "an engine that answers")
        await pilot.press("n")
        app.screen.form.fill({"exposure": "20", "frames": "3", "target": "M 51", "warm_up": "off"})
        await pilot.press("p", "y")
        await until(lambda: app.night.state is State.PAUSED, "a camera that is ready")
        await pilot.press("F")
        await until(lambda: len(app.night.takings.focus) >= 3, "three measurements")
        await until(lambda: "corners  " in "\n".join(lines(app)), "figures on the screen")
        await pilot.press("F")
        await until(lambda: app.screen is app.panes and app.night.state is State.PAUSED, "the pause again")
    assert not list(home.data.rglob("*.fits"))


async def test_the_night_so_far_is_stacked_anew_with_the_darks_that_were_taken_after_it(place, home, lines):
    app = StarwellApp(LiveClient(place), keys=table(engine=True))

    def shown(words: str) -> bool:
        return words in "\n".join(lines(app))

    async with app.run_test(size=(120, 40)) as pilot:
        await until(lambda: app.night.status is not None, "an engine that answers")
        await pilot.press("n")
        app.screen.form.fill({"exposure": "20", "frames": "3", "target": "M 51", "warm_up": "off"})
        await pilot.press("s", "y")
        await until(lambda: app.night.takings.end is not None, "the end of the lights")
        assert app.night.takings.end.stacked == 3
        await until(
            lambda: app.night.status.state is State.IDLE and app.night.status.folder, "an engine at rest"
        )
        assert "dark" not in app.night.status.masters
        await pilot.press("D")
        app.screen.form.fill({"frames": "5"})
        await pilot.press("s", "y")
        await until(lambda: shown("Done."), "a master dark")
        await pilot.press("enter")
        await until(lambda: shown("Use the dark for the lights that follow?"), "the library")
        await pilot.press("y")
        await until(lambda: shown("And stack tonight's 3 lights anew"), "the lights that are there")
        await pilot.press("y")
        await until(lambda: len(app.screen.told_of) == 2, "an answer")
        assert app.screen.told_of[-1][1], app.screen.told_of
        await until(lambda: app.night.status.stacked == 3, "the three subs again")
        await until(lambda: "dark" in app.night.status.masters, "their dark")
