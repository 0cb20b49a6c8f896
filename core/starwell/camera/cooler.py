"""A simulated cooler: sensor temperature and cooler power as time goes by, in °C, per cent and seconds."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Climate:
    """Where the sensor sits.

    ambient_celsius: of the air. reach_k: how far below it full power gets. lag_s: time constant of the cold
    finger. response: power, as a fraction, per K above the setpoint, beside what holding it takes.
    """

    ambient_celsius: float = 20.0
    reach_k: float = 40.0
    lag_s: float = 40.0
    response: float = 0.5


class Cooler:
    """A TEC and its controller: T tends to ambient - reach · power with the lag of the cold finger."""

    def __init__(self, climate: Climate) -> None:
        self.climate = climate
        self.celsius = climate.ambient_celsius
        self.target_celsius = 0.0
        self.on = False
        self.power = 0.0
        self._seconds = 0.0

    def advance(self, now_s: float) -> None:
        """Let time pass up to now_s, in steps short beside the lag."""
        left = now_s - self._seconds
        self._seconds = now_s
        if left > 20 * self.climate.lag_s:  # long settled by then
            left = 20 * self.climate.lag_s
        while left > 0:
            step = min(left, self.climate.lag_s / 40)
            self._step(step)
            left -= step

    def _step(self, seconds: float) -> None:
        climate = self.climate
        self.power = 0.0
        if self.on:
            holding = (climate.ambient_celsius - self.target_celsius) / climate.reach_k
            pull = climate.response * (self.celsius - self.target_celsius)
            self.power = min(max(holding + pull, 0.0), 1.0)
        aim = climate.ambient_celsius - climate.reach_k * self.power
        self.celsius += (aim - self.celsius) * -math.expm1(-seconds / climate.lag_s)
