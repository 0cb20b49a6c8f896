"""Cooling down and warming up by so many degrees a minute, at telemetry's pace, in no exposure's way.

Sensors and windows take harm from a cooler that jumps: ice in the silicone oil, dew, cracked glue.
"""

from __future__ import annotations

from collections import deque
from enum import StrEnum

from starwell.camera.protocol import Camera, Control, Telemetry

_LONGEST_TICK_S = 20.0  # after a gap in the telemetry the setpoint does not jump to where it might be
_SETTLED_C = 0.5
_SETTLED_S = 60.0
_FULL_PERCENT = 99.0
_FULL_S = 120.0
_WARM_C = 20.0
_IDLE_PERCENT = 3.0


class Cooling(StrEnum):
    """Where a cooler is on its way."""

    OFF = "off"
    RAMPING = "ramping"
    SETTLING = "settling"
    SETTLED = "settled"
    WARMING = "warming up"
    CANNOT_REACH = "cannot reach"


class CoolerRamp:
    """Leads one camera's setpoint; tick it with every telemetry and the time in seconds.

    It begins with what the cooler really does: one that another program left cooling goes on from the
    temperature it has. rate: degrees a minute.
    """

    def __init__(self, camera: Camera, rate: float = 3.0) -> None:
        self.state = Cooling.OFF
        self._camera = camera
        self._rate = rate
        self._aim: float | None = None
        self._warming = False
        self._setpoint: float | None = None
        self._last: float | None = None
        self._seen: deque[tuple[float, float]] = deque()
        self._full_since: float | None = None

    def cool(self, celsius: float) -> None:
        """Lead the sensor to this temperature, up or down. ControlRefused comes with the ticks."""
        self._begin(celsius, warming=False)

    def warm_up(self) -> None:
        """Lead the sensor back to the warmth around it, then switch the cooler off."""
        self._begin(None, warming=True)

    def tick(self, now: Telemetry, at_s: float) -> Cooling:
        """Move the setpoint by what the time passed allows, and say how things stand."""
        passed_s = 0.0 if self._last is None else min(max(0.0, at_s - self._last), _LONGEST_TICK_S)
        self._last = at_s
        if now.sensor_celsius is None:
            return self.state
        if self._aim is None and not self._warming:
            self.state = Cooling.SETTLING if now.cooler_on else Cooling.OFF
            return self.state
        self._watch(now, now.sensor_celsius, at_s)
        if self._warming:
            self._warm(now, now.sensor_celsius, passed_s)
        else:
            self._lead(now, now.sensor_celsius, passed_s, at_s)
        return self.state

    def _begin(self, aim: float | None, *, warming: bool) -> None:
        self._aim, self._warming, self._setpoint = aim, warming, None
        self._full_since = None
        self._seen.clear()
        self.state = Cooling.WARMING if warming else Cooling.RAMPING

    def _lead(self, now: Telemetry, celsius: float, passed_s: float, at_s: float) -> None:
        assert self._aim is not None
        self._step_to(self._aim, celsius, passed_s)
        if not now.cooler_on:
            self._camera.set(Control.COOLER, 1)
        if self._setpoint != self._aim:
            self.state = Cooling.RAMPING
        elif self._full_since is not None and at_s - self._full_since >= _FULL_S:
            self.state = Cooling.CANNOT_REACH
        else:
            self.state = Cooling.SETTLED if self._is_settled(at_s) else Cooling.SETTLING

    def _warm(self, now: Telemetry, celsius: float, passed_s: float) -> None:
        if not now.cooler_on:
            self._warming, self.state = False, Cooling.OFF
            return
        warmest = self._camera.controls()[Control.TARGET_CELSIUS].high
        goal = min(_WARM_C, warmest)
        self._step_to(goal, celsius, passed_s)
        idle = now.cooler_percent is not None and now.cooler_percent <= _IDLE_PERCENT
        if self._setpoint == goal or (idle and (self._setpoint or 0.0) > celsius + 1.0):
            self._camera.set(Control.COOLER, 0)
            self._warming, self.state = False, Cooling.OFF

    def _step_to(self, goal: float, celsius: float, passed_s: float) -> None:
        """Move the setpoint towards the goal; the camera hears of it in whole degrees, as it wants them."""
        before = self._setpoint
        start = celsius if before is None else before
        most = self._rate * passed_s / 60.0
        self._setpoint = goal if abs(goal - start) <= most else start + (most if goal > start else -most)
        if before is None or round(before) != round(self._setpoint):
            self._camera.set(Control.TARGET_CELSIUS, float(round(self._setpoint)))

    def _watch(self, now: Telemetry, celsius: float, at_s: float) -> None:
        self._seen.append((at_s, celsius))
        while self._seen[0][0] < at_s - _SETTLED_S:
            self._seen.popleft()
        short = self._aim is not None and celsius > self._aim + _SETTLED_C
        full = now.cooler_percent is not None and now.cooler_percent >= _FULL_PERCENT
        if not (short and full):
            self._full_since = None
        elif self._full_since is None:
            self._full_since = at_s

    def _is_settled(self, at_s: float) -> bool:
        assert self._aim is not None
        whole = self._seen[0][0] <= at_s - 0.9 * _SETTLED_S
        return whole and all(abs(celsius - self._aim) < _SETTLED_C for _, celsius in self._seen)
