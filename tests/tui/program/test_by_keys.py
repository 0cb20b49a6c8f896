"""A night by keys alone, from the first run in an empty home to a stack that another program can open."""

from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import pytest

from starwell import config
from starwell.errors import EngineError, NoEngine
from starwell.files.frames import open_frame
from starwell.remote.client import ask, status
from starwell.remote.messages import Quit
from starwell.remote.place import Place

PATIENCE_S = 60.0
CAMERA = "simulated:speed=40,size=320x240"


@pytest.fixture
def place(tmp_path):
    """Where the screen's engine will be; it ends with the test."""
    place = Place(tmp_path / "state")
    yield place
    with suppress(EngineError):
        ask(Quit(), place)


def until(holds, why):
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"never: {why}"
        time.sleep(0.05)


def gone(place):
    try:
        status(place)
    except NoEngine:
        return True
    return False


def test_from_the_first_run_to_a_saved_stack(opened, place, tmp_path):
    screen = opened()
    screen.until("the first run")
    screen.press(f"\r\x15{CAMERA}\r")
    screen.press("jjj480\r")
    screen.until("480 mm")
    screen.press("s")
    screen.until("Prepare: cool, wait")
    rig = config.load(tmp_path).rig
    assert (rig.camera, rig.focal_mm) == (CAMERA, 480)

    screen.press("j\rM 51\r")
    screen.press("jjj30\r")
    screen.press("j100\r")
    screen.press("jjj18\r")
    screen.until("18 °C")
    screen.press("s")
    assert "Begin M 51 60×30 s at 18 °C?" in screen.until("y: yes")
    screen.press("y")
    screen.until("stacked 3")
    now = status(place)
    assert (now.gain, now.seconds, now.setpoint_celsius, now.cooler_on) == (100, 30, 18, True)

    screen.press("jjjjx")
    screen.until("is taken out of the stack")
    screen.press("u")
    screen.until("is put back into the stack")
    screen.press("3=")
    screen.until("1:1")
    screen.press("s")
    screen.until("asinh")
    screen.press("w")
    screen.until("The stack is being written")
    file = tmp_path / "nights"
    until(lambda: list(file.rglob("stacks/*.fits")), "a stack on disk")
    (stack,) = (path for path in file.rglob("stacks/*.fits") if ".maps" not in path.name)
    frame = open_frame(stack)
    assert frame.pixels.shape[-2:] == (240, 320)
    assert np.isfinite(frame.pixels).all()
    assert np.ptp(frame.pixels) > 0

    screen.press("q")
    screen.until("The engine goes on")
    assert screen.ended() == 0
    left = status(place).frame
    until(lambda: status(place).frame >= left + 2, "the next subs, without a screen")
    again = opened()
    again.until("M 51")
    again.until("asinh")
    again.press("Q")
    again.until("y: yes")
    again.press("y")
    again.until("The engine ends")
    assert again.ended() == 0
    until(lambda: gone(place), "the engine's end")
