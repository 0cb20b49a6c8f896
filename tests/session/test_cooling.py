"""Cooling: there, not there, back again, and never in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from starwell.camera.cooler import Climate
from starwell.camera.plan import SkyPlan
from starwell.camera.protocol import Control, Telemetry
from starwell.camera.simulated import SimulatedCamera
from starwell.errors import CameraGone, ControlRefused
from starwell.session.cooling import Cooler
from starwell.session.events import ControlChanged, Event, QualityAdvice
from starwell.session.plan import Cooling

TO_MINUS_10 = Cooling(celsius=-10, ramp_c_per_min=6)


@dataclass
class Told:
    """What a cooler tells, to be waited for."""

    events: list[Event] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def hear(self, event: Event) -> None:
        with self.changed:
            self.events.append(event)
            self.changed.notify_all()

    def see(self, now: Telemetry) -> None:
        with self.changed:
            self.changed.notify_all()

    def until(self, holds: Callable[[], bool]) -> bool:
        with self.changed:
            return self.changed.wait_for(holds, 10.0)


@contextmanager
def cooled(made: SimulatedCamera, pace: float = 3000.0) -> Iterator[tuple[Cooler, Told]]:
    made.open()
    told = Told()
    cooler = Cooler(made, told.hear, pace=pace, seen=told.see)
    yield cooler, told
    cooler.close()
    made.close()


def camera(climate: Climate | None = None) -> SimulatedCamera:
    return SimulatedCamera(SkyPlan(size=(32, 32)), speed=3000.0, climate=climate)


def test_the_sensor_gets_cold_and_warm_again_and_says_so_on_the_way() -> None:
    made = camera()
    with cooled(made) as (cooler, told):
        cooler.cool(TO_MINUS_10)
        assert cooler.on_its_way
        assert told.until(lambda: not cooler.on_its_way)
        assert made.telemetry().sensor_celsius == pytest.approx(-10, abs=0.6)
        steps = [e.value for e in told.events if isinstance(e, ControlChanged) and e.name == "sensor_celsius"]
        assert len(steps) > 5
        assert steps[0] > 10
        assert not [event for event in told.events if isinstance(event, QualityAdvice)]
        cooler.warm_up(6)
        assert cooler.warming
        assert told.until(lambda: not cooler.warming)
        assert not cooler.left_cold
        assert made.get(Control.COOLER) == 0
        assert not cooler.on_its_way


def test_a_cooler_that_cannot_says_what_it_can_and_lets_the_night_go_on() -> None:
    with cooled(camera(Climate(ambient_celsius=25.0, reach_k=30.0))) as (cooler, told):
        cooler.cool(Cooling(celsius=-20, ramp_c_per_min=20))
        assert told.until(lambda: any(isinstance(event, QualityAdvice) for event in told.events))
        assert not cooler.on_its_way
        (advice,) = (event for event in told.events if isinstance(event, QualityAdvice))
    assert advice.serious
    assert "choose 0 °C or warmer" in advice.advice


def test_nobody_waits_for_ever() -> None:
    class Stuck(SimulatedCamera):
        def telemetry(self) -> Telemetry:
            return Telemetry(20.0, 50.0, -10.0, True)

    with cooled(Stuck(SkyPlan(size=(32, 32))), pace=1e6) as (cooler, told):
        cooler.cool(TO_MINUS_10)
        assert told.until(lambda: not cooler.on_its_way)
        assert "stays at 20.0 °C" in cooler.complaint()


def test_a_camera_that_does_not_tell_its_temperature_is_not_waited_for() -> None:
    class Silent(SimulatedCamera):
        def telemetry(self) -> Telemetry:
            return Telemetry()

    with cooled(Silent(SkyPlan(size=(32, 32)))) as (cooler, _):
        cooler.cool(TO_MINUS_10)
        assert not cooler.on_its_way
        assert "does not tell" in cooler.complaint()


def test_a_camera_that_is_away_for_a_while_is_cooled_again() -> None:
    class Leaving(SimulatedCamera):
        away = False

        def telemetry(self) -> Telemetry:
            if self.away:
                raise CameraGone("It was unplugged.")
            return super().telemetry()

    made = Leaving(SkyPlan(size=(32, 32)), speed=3000.0)
    with cooled(made) as (cooler, told):
        cooler.cool(TO_MINUS_10)
        made.away = True
        time.sleep(0.02)
        made.away = False
        cooler.cool_again()
        assert told.until(lambda: not cooler.on_its_way)
        assert made.get(Control.TARGET_CELSIUS) == -10


def test_impossible_temperatures_are_refused_at_once() -> None:
    with cooled(camera()) as (cooler, _), pytest.raises(ControlRefused, match="-40 to 30"):
        cooler.cool(Cooling(celsius=-90))
