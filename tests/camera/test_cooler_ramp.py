"""Leading a cooler: no faster than asked, both ways, and honest about what it cannot reach."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from starwell.camera.cooler_ramp import CoolerRamp, Cooling
from starwell.camera.protocol import Camera, Control, ControlRange, Telemetry

TICK_S = 5.0


class Box:
    """A cooler that follows its setpoint by 0.5 K/s, at most 40 K below 20 °C."""

    def __init__(self, celsius: float = 20.0, target: float = 0.0, on: bool = False) -> None:
        self.celsius, self.target, self.on = celsius, target, on
        self.asked: list[tuple[Control, float]] = []

    def set(self, control: Control, value: float) -> float:
        self.asked.append((control, value))
        if control is Control.TARGET_CELSIUS:
            self.target = value
        else:
            self.on = bool(value)
        return value

    def controls(self) -> Mapping[Control, ControlRange]:
        return {Control.TARGET_CELSIUS: ControlRange(Control.TARGET_CELSIUS, -40, 30, 0)}

    def after(self, seconds: float) -> Telemetry:
        aim = max(self.target, -20.0) if self.on else 20.0
        step = 0.5 * seconds
        self.celsius += max(-step, min(step, min(aim, 20.0) - self.celsius))
        power = min(100.0, max(0.0, (20.0 - self.celsius) / 40.0 * 100.0)) if self.on else 0.0
        return Telemetry(
            self.celsius, 100.0 if self.on and self.target < -20 else power, self.target, self.on
        )


def lead(
    ramp: CoolerRamp, box: Box, minutes: float, start_s: float = 0.0
) -> list[tuple[float, Cooling, float]]:
    """Ticks for so long: time, state, sensor temperature."""
    log = []
    for tick in range(int(minutes * 60 / TICK_S)):
        at_s = start_s + tick * TICK_S
        log.append((at_s, ramp.tick(box.after(TICK_S), at_s), box.celsius))
    return log


def led(box: Box, **settings: Any) -> CoolerRamp:
    return CoolerRamp(cast(Camera, box), **settings)


@pytest.mark.parametrize("rate", [1.0, 3.0, 10.0])
def test_cooling_is_no_faster_than_asked(rate: float) -> None:
    box = Box()
    ramp = led(box, rate=rate)
    ramp.cool(-10)
    log = lead(ramp, box, 35 / rate + 3)
    for (t0, _, before), (t1, _, after) in zip(log, log[12:], strict=False):
        assert before - after <= rate * (t1 - t0) / 60 + 1.01
    assert log[-1][1] is Cooling.SETTLED
    assert box.celsius == pytest.approx(-10, abs=0.1)
    settled = next(t for t, state, _ in log if state is Cooling.SETTLED)
    assert settled >= 30 / rate * 60


def test_the_setpoint_is_led_in_whole_degrees() -> None:
    box = Box()
    ramp = led(box)
    ramp.cool(-10)
    lead(ramp, box, 15)
    targets = [value for control, value in box.asked if control is Control.TARGET_CELSIUS]
    assert targets == [float(value) for value in range(20, -11, -1)]
    assert [value for control, value in box.asked if control is Control.COOLER] == [1]


def test_warming_up_is_slow_too_and_ends_with_the_cooler_off() -> None:
    box = Box(celsius=-10, target=-10, on=True)
    ramp = led(box, rate=2.0)
    ramp.warm_up()
    log = lead(ramp, box, 20)
    for (t0, _, before), (t1, _, after) in zip(log, log[12:], strict=False):
        assert after - before <= 2.0 * (t1 - t0) / 60 + 1.01
    off = next(t for t, state, _ in log if state is Cooling.OFF)
    assert 13 * 60 <= off <= 16 * 60
    assert not box.on
    assert {state for t, state, _ in log if t < off} == {Cooling.WARMING}


def test_a_cooler_that_another_program_left_on_goes_on_from_where_it_is() -> None:
    box = Box(celsius=-5, target=-5, on=True)
    ramp = led(box)
    assert {state for _, state, _ in lead(ramp, box, 1)} == {Cooling.SETTLING}
    assert box.asked == []
    ramp.cool(-8)
    lead(ramp, box, 3, start_s=60)
    targets = [value for control, value in box.asked if control is Control.TARGET_CELSIUS]
    assert max(targets) == -5
    assert box.celsius == pytest.approx(-8, abs=0.1)


def test_what_full_power_cannot_hold_is_told_as_out_of_reach() -> None:
    box = Box()
    ramp = led(box, rate=10)
    ramp.cool(-25)
    log = lead(ramp, box, 10)
    assert log[-1][1] is Cooling.CANNOT_REACH
    ramp.cool(-15)
    assert lead(ramp, box, 4, start_s=600)[-1][1] is Cooling.SETTLED


def test_missing_telemetry_changes_nothing() -> None:
    box = Box()
    ramp = led(box)
    ramp.cool(-10)
    for tick in range(10):
        assert ramp.tick(Telemetry(), tick * TICK_S) is Cooling.RAMPING
    assert box.asked == []


def test_a_long_gap_is_no_reason_to_jump() -> None:
    box = Box()
    ramp = led(box, rate=3.0)
    ramp.cool(-20)
    lead(ramp, box, 1)
    ramp.tick(box.after(600), 660.0)
    assert box.target >= box.celsius - 3.5


def test_left_alone_it_does_nothing() -> None:
    box = Box()
    assert led(box).tick(box.after(1), 0.0) is Cooling.OFF
    assert box.asked == []
