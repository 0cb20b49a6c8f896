"""Cooling: there, not there, and never in the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from starwell.camera.cooler import Climate
from starwell.camera.folder import FolderCamera
from starwell.camera.plan import SkyPlan
from starwell.camera.protocol import Control, Telemetry
from starwell.camera.simulated import SimulatedCamera
from starwell.errors import ControlRefused
from starwell.session.cooling import Patience, cool
from starwell.session.events import ControlChanged, QualityAdvice, State, StateChanged

QUICK = Patience(poll_s=0.002, stall_s=0.03, timeout_s=2.0)


@contextmanager
def camera(speed: float = 3000.0, climate: Climate | None = None) -> Iterator[SimulatedCamera]:
    made = SimulatedCamera(SkyPlan(size=(32, 32)), speed=speed, climate=climate)
    made.open()
    yield made
    made.close()


def test_the_sensor_gets_cold_and_says_so_on_the_way() -> None:
    with camera() as made:
        events = list(cool(made, -10, threading.Event(), QUICK))
        assert abs((made.telemetry().sensor_celsius or 99) + 10) <= 0.5
    assert events[0] == StateChanged(state=State.COOLING, why="to -10 °C")
    steps = [event.value for event in events if isinstance(event, ControlChanged)]
    assert steps == sorted(steps, reverse=True)
    assert not [event for event in events if isinstance(event, QualityAdvice)]


def test_a_cooler_that_cannot_says_what_it_can_and_lets_the_night_go_on() -> None:
    with camera(climate=Climate(ambient_celsius=25.0, reach_k=30.0)) as made:
        *_, last = cool(made, -20, threading.Event(), QUICK)
    assert isinstance(last, QualityAdvice)
    assert last.serious
    assert "choose 0 °C or warmer" in last.advice


def test_nobody_waits_for_ever() -> None:
    with camera(speed=0.001) as made:
        patience = Patience(poll_s=0.002, stall_s=9.0, timeout_s=0.03)
        *_, last = cool(made, -10, threading.Event(), patience)
    assert isinstance(last, QualityAdvice)


def test_a_camera_that_does_not_tell_its_temperature_is_not_waited_for() -> None:
    class Silent(SimulatedCamera):
        def telemetry(self) -> Telemetry:
            return Telemetry()

    made = Silent(SkyPlan(size=(32, 32)))
    made.open()
    *_, last = cool(made, -10, threading.Event(), QUICK)
    assert isinstance(last, QualityAdvice)
    assert made.get(Control.COOLER) == 1
    made.close()


def test_cancel_ends_the_wait() -> None:
    cancel = threading.Event()
    cancel.set()
    with camera(speed=0.001) as made:
        assert len(list(cool(made, -10, cancel, QUICK))) == 1


def test_files_and_impossible_temperatures_are_refused(tmp_path: object) -> None:
    with camera() as made, pytest.raises(ControlRefused):
        list(cool(made, -90, threading.Event(), QUICK))
    with pytest.raises(ControlRefused):
        list(cool(FolderCamera(tmp_path), -10, threading.Event(), QUICK))  # type: ignore[arg-type]
