"""Bringing the sensor to a temperature, without ever keeping anybody from exposing."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from starwell.camera.protocol import Camera, Control
from starwell.session.events import ControlChanged, Event, QualityAdvice, State, StateChanged

_FULL_POWER_PERCENT = 99.0
_PROGRESS_K = 0.3


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a cooler is waited for; seconds.

    tolerance_k: near enough. stall_s: at full power without getting colder. timeout_s: in any case.
    """

    tolerance_k: float = 0.5
    stall_s: float = 60.0
    timeout_s: float = 900.0
    poll_s: float = 0.2


def cool(
    camera: Camera,
    celsius: float,
    cancel: threading.Event,
    patience: Patience | None = None,
    now: Callable[[], float] = time.monotonic,
) -> Iterator[Event]:
    """Switch the cooler on and wait until it is there, cannot get there, or cancel; advice when it cannot.

    Raises ControlRefused for a camera without a cooler, or a temperature out of its range.
    """
    patience = patience or Patience()
    target = camera.set(Control.TARGET_CELSIUS, celsius)
    camera.set(Control.COOLER, 1)
    yield StateChanged(state=State.COOLING, why=f"to {target:g} °C")
    begun = progress_at = now()
    coldest = told = float("inf")
    while not cancel.is_set():
        seen = camera.telemetry()
        if seen.sensor_celsius is None:
            yield _advice("The camera does not tell its temperature; exposing as it is.")
            return
        if abs(seen.sensor_celsius - told) >= 1:
            told = seen.sensor_celsius
            yield ControlChanged(name="sensor_celsius", value=told, unit="°C")
        if abs(seen.sensor_celsius - target) <= patience.tolerance_k:
            return
        if seen.sensor_celsius < coldest - _PROGRESS_K:
            coldest, progress_at = seen.sensor_celsius, now()
        stalled = (seen.cooler_percent or 0) >= _FULL_POWER_PERCENT and now() - progress_at > patience.stall_s
        if stalled or now() - begun > patience.timeout_s:
            yield _advice(
                f"The cooler stays at {seen.sensor_celsius:.1f} °C and does not reach {target:g} °C: "
                f"choose {_reachable(seen.sensor_celsius):g} °C or warmer, and look at its 12 V supply. "
                "Exposing as it is; masters must match the real temperature."
            )
            return
        cancel.wait(patience.poll_s)


def _reachable(celsius: float) -> float:
    """A setpoint with some power to spare, in steps of 5."""
    return 5 * math.ceil((celsius + 3) / 5)


def _advice(text: str) -> QualityAdvice:
    return QualityAdvice(subject="cooling", advice=text, serious=True)
