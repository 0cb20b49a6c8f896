"""The cooler of a camera, led and watched by a thread of its own, in no exposure's way."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from starwell.camera.cooler_ramp import CoolerRamp
from starwell.camera.cooler_ramp import Cooling as Stage
from starwell.camera.protocol import Camera, Control, Telemetry
from starwell.errors import CameraError, ControlRefused
from starwell.session.engine_settings import told as told_of
from starwell.session.events import ControlChanged, Event, QualityAdvice
from starwell.session.plan import Cooling

_TICK_S = 1.0
_FASTEST_TICK_S = 0.005
_TOLD_C = 0.5
_TOLD_PERCENT = 5.0
_PATIENCE_S = 900.0
"""A cooler may take so much longer than its ramp before the lights begin without it."""


class Cooler:
    """Leads the sensor to where it is wanted and back, and tells its temperature as it changes.

    pace: seconds of the camera to one of ours, more than 1 for a simulated one that hurries. seen: is given
    every telemetry.
    """

    def __init__(
        self,
        camera: Camera,
        publish: Callable[[Event], None],
        *,
        pace: float = 1.0,
        seen: Callable[[Telemetry], None] | None = None,
    ) -> None:
        self.now = Telemetry()
        self._camera = camera
        self._publish = publish
        self._pace = pace
        self._seen = seen
        self._ramp = CoolerRamp(camera)
        self._wanted: Cooling | None = None
        self._stage = Stage.OFF
        self._until_s = math.inf
        self._told = Telemetry()
        self._settings: dict[Control, float] = {}
        self._unreachable_told = False
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cooler", daemon=True)
        self._thread.start()

    def cool(self, wanted: Cooling) -> None:
        """Lead the sensor there from now on; ControlRefused for a camera that cannot be cooled to it."""
        limits = self._camera.controls().get(Control.TARGET_CELSIUS)
        if limits is None:
            raise ControlRefused(f"{self._camera.facts.name} has no cooler: leave the temperature out.")
        if not limits.low <= wanted.celsius <= limits.high:
            raise ControlRefused(
                f"{wanted.celsius:g} °C is out of range: {self._camera.facts.name} takes "
                f"{limits.low:g} to {limits.high:g} °C."
            )
        self.now = self._camera.telemetry()
        with self._lock:
            self._ramp = CoolerRamp(self._camera, wanted.ramp_c_per_min)
            self._ramp.cool(float(round(wanted.celsius)))
            self._wanted, self._stage, self._unreachable_told = wanted, Stage.RAMPING, False
            degrees = abs(wanted.celsius - (self.now.sensor_celsius or 20.0))
            self._until_s = self._at_s() + 60 * degrees / wanted.ramp_c_per_min + _PATIENCE_S

    def cool_again(self) -> None:
        """After the camera was away."""
        if self._wanted is not None:
            self.cool(self._wanted)

    def warm_up(self, rate: float) -> None:
        """Lead the sensor back to the warmth around it."""
        with self._lock:
            self._ramp = CoolerRamp(self._camera, rate)
            self._ramp.warm_up()
            self._wanted, self._stage = None, Stage.WARMING

    @property
    def goal_celsius(self) -> float | None:
        """Where the sensor is led or held; None while it warms up, or the cooler is off."""
        if self._wanted is not None:
            return self._wanted.celsius
        return self.now.target_celsius if self.now.cooler_on and not self.warming else None

    @property
    def on_its_way(self) -> bool:
        """Whether it is worth waiting for: not there yet, and likely to get there."""
        wanted, celsius = self._wanted, self.now.sensor_celsius
        if wanted is None or celsius is None or self._stage is Stage.CANNOT_REACH:
            return False
        if self._at_s() > self._until_s:
            return False
        near = abs(celsius - wanted.celsius) <= wanted.tolerance_c
        return not (near and self._stage is not Stage.RAMPING)

    @property
    def warming(self) -> bool:
        """Whether it is being warmed up still."""
        return self._stage is Stage.WARMING

    @property
    def left_cold(self) -> bool:
        """Whether it cools and nobody leads it."""
        return bool(self.now.cooler_on)

    def close(self) -> None:
        """End the thread; the cooler itself stays as it is."""
        self._closing.set()
        self._thread.join()

    def _at_s(self) -> float:
        return time.monotonic() * self._pace

    def _watch(self) -> None:
        tick_s = max(_TICK_S / self._pace, _FASTEST_TICK_S)
        while not self._closing.is_set():
            # A camera that is away is the capture's to look for; it is cooled again when it is back.
            with contextlib.suppress(CameraError):
                self._tick()
            self._closing.wait(tick_s)

    def _tick(self) -> None:
        now = self._camera.telemetry()
        with self._lock:
            stage = self._ramp.tick(now, self._at_s())
            if self.warming and stage is Stage.OFF:
                now = replace(now, cooler_on=False)  # this very tick has switched it off
            self.now, self._stage = now, stage
        self._tell(now)
        if self._seen is not None and now.sensor_celsius is not None:
            self._seen(now)

    def _tell(self, now: Telemetry) -> None:
        before = self._told
        changed = (
            ("sensor_celsius", now.sensor_celsius, before.sensor_celsius, _TOLD_C, "°C"),
            ("cooler_percent", now.cooler_percent, before.cooler_percent, _TOLD_PERCENT, "%"),
        )
        for name, value, told, step, unit in changed:
            if value is not None and (told is None or abs(value - told) >= step):
                self._told = now
                self._publish(ControlChanged(name=name, value=value, unit=unit))
        read = {Control.TARGET_CELSIUS: self.goal_celsius, Control.COOLER: now.cooler_on}
        for control, setting in read.items():
            if setting is not None and setting != self._settings.get(control):
                self._settings[control] = float(setting)
                self._publish(told_of(self._camera, control.value, float(setting)))
        if self._stage is Stage.CANNOT_REACH and not self._unreachable_told:
            self._unreachable_told = True
            self._publish(QualityAdvice(subject="cooling", advice=self.complaint(), serious=True))

    def complaint(self) -> str:
        """Why the sensor is not where it should be, and what to do."""
        wanted, celsius = self._wanted, self.now.sensor_celsius
        if wanted is None or celsius is None:
            return "The camera does not tell its temperature; exposing as it is."
        return (
            f"The cooler stays at {celsius:.1f} °C and does not reach {wanted.celsius:g} °C: choose "
            f"{_reachable(celsius):g} °C or warmer, and look at its 12 V supply. Exposing as it is; masters "
            "must match the real temperature."
        )


def _reachable(celsius: float) -> float:
    """A setpoint with some power to spare, in steps of 5."""
    return 5 * math.ceil((celsius + 3) / 5)
