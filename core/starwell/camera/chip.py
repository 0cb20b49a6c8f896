"""A sensor: its flaws pixel by pixel, and the way from light to file ADU; e- until the converter."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from starwell.errors import PlanError
from starwell.frame import Float32
from starwell.sensor.model import Origin, SensorModel

WARM_SPREAD = 1.0
"""Natural-log rms of the warm pixels' dark current."""

EXACT_BELOW_E = 16.0
"""Charges are drawn from the Poisson law itself below this mean, from its Cornish-Fisher expansion above."""


class Response(StrEnum):
    """How a pixel with a charge threshold q loses charge as the light L rises; all end at q."""

    EXPONENTIAL = "exponential"
    TANH = "tanh"
    THRESHOLD = "threshold"

    def lost_e(self, light_e: Float32, q: float) -> Float32:
        """q(1 - exp(-L/q)), q·tanh(L/q), or all of the light up to q; e-."""
        part = light_e / np.float32(q)
        match self:
            case Response.EXPONENTIAL:
                lost: Float32 = -np.expm1(-part)
            case Response.TANH:
                lost = np.tanh(part)
            case Response.THRESHOLD:
                lost = np.minimum(part, 1)
        lost *= np.float32(q)
        return lost


@dataclass(frozen=True, slots=True)
class Flaw:
    """So many pixels with a flaw of this level; the unit depends on the flaw."""

    count: int
    level: float


@dataclass(frozen=True, slots=True)
class Chip:
    """A sensor at one gain.

    egain: e- per native ADU. offset_adu, bits: of the converter, native ADU. shift: how many bits the
    camera moves its values up in the file. read_noise_spread: natural-log rms over the pixels.
    prnu: relative rms. dsnu_e, column_e: fixed patterns, e- rms. row_e: a new one every frame, e- rms.
    Flaws: hot, e-/s; warm, e-/s, the median of a log-normal population; cold, charge threshold q in e-,
    S = a(L - lost(L)), lost as response has it; weak, relative sensitivity; leaky, e-/s that drain away
    where there is light; sunk, native ADU the converter reads too low where there is light; rtn, a jump in
    e- seen in every other frame on average. gain, offset_setting, celsius: as the camera reports them.
    """

    name: str = "Simulated ASI2600"
    egain: float = 0.25
    read_noise_e: float = 1.5
    offset_adu: float = 500.0
    bits: int = 16
    shift: int = 0
    full_well_e: float = 50_000.0
    prnu: float = 0.006
    dsnu_e: float = 0.3
    column_e: float = 0.0
    row_e: float = 0.0
    read_noise_spread: float = 0.0
    dark_e_s: float = 0.002
    hot: tuple[Flaw, ...] = ()
    warm: tuple[Flaw, ...] = ()
    cold: tuple[Flaw, ...] = ()
    weak: tuple[Flaw, ...] = ()
    leaky: tuple[Flaw, ...] = ()
    sunk: tuple[Flaw, ...] = ()
    response: Response = Response.EXPONENTIAL
    rtn: tuple[Flaw, ...] = ()
    cosmic_rays_s: float = 0.0
    gain: float = 100.0
    offset_setting: float = 50.0
    celsius: float = -10.0
    pixel_um: float = 3.76

    @property
    def rail_adu(self) -> int:
        """The converter's highest native value."""
        return (1 << self.bits) - 1

    @property
    def usable_e(self) -> float:
        """Charge at which the full well or the converter ends."""
        return min(self.full_well_e, (self.rail_adu - self.offset_adu) * self.egain)

    @property
    def saturation_adu(self) -> float:
        """File value that only saturated pixels reach; 4 read noises below a full well that ends first."""
        well_adu = self.offset_adu + (self.full_well_e - 4 * self.read_noise_e) / self.egain
        return float(int(min(self.rail_adu, well_adu)) << self.shift)

    @property
    def file_egain(self) -> float:
        """e- per ADU of the file."""
        return self.egain / (1 << self.shift)

    @property
    def model(self) -> SensorModel:
        """The noise model a perfect sensor analysis would find."""
        step = float(1 << self.shift)
        return SensorModel(self.file_egain, self.read_noise_e, step, self.saturation_adu, Origin.MEASURED)

    def check(self) -> None:
        """Raise PlanError for a converter that cannot exist."""
        if self.egain <= 0 or self.read_noise_e < 0:
            raise PlanError(
                f"{self.name}: egain must be above 0 and read noise not negative; correct the chip."
            )
        if not 1 <= self.bits <= 16 - self.shift:
            raise PlanError(
                f"{self.name}: {self.bits} bits moved up by {self.shift} do not fit 16; correct the chip."
            )


ASI1600 = Chip(
    name="Simulated ASI1600MM", egain=1.0, read_noise_e=1.7, offset_adu=50.0, bits=12, shift=4,
    full_well_e=20_000.0, gain=139.0, offset_setting=21.0, pixel_um=3.8,
)  # fmt: skip
"""A 12-bit sensor at unity gain whose values come left-justified in 16 bits."""


class Silicon:
    """One sensor of this kind: its maps, drawn once from the seed.

    response: a(x), relative. dark_e_s, fixed_e: H×W. hot_xy, cold_xy, …: (n, 2) sensor px, flaw by flaw in
    the order of the plan. No pixel has two flaws.
    """

    def __init__(self, chip: Chip, size: tuple[int, int], seed: int) -> None:
        chip.check()
        self.chip, self.size = chip, size
        rng = np.random.default_rng([seed, 100])
        self.response = 1 + np.float32(chip.prnu) * rng.standard_normal(size, dtype=np.float32)
        self.fixed_e = np.float32(chip.dsnu_e) * rng.standard_normal(size, dtype=np.float32)
        self.fixed_e += np.float32(chip.column_e) * rng.standard_normal(size[1], dtype=np.float32)
        self.dark_e_s = np.full(size, chip.dark_e_s, np.float32)
        self.read_noise_e: Float32 | float = chip.read_noise_e
        if chip.read_noise_spread:
            self.read_noise_e = rng.lognormal(np.log(chip.read_noise_e), chip.read_noise_spread, size).astype(
                "f4"
            )
        self._place(rng)

    def _place(self, rng: np.random.Generator) -> None:
        chip = self.chip
        flaws = [*chip.hot, *chip.warm, *chip.cold, *chip.weak, *chip.rtn, *chip.leaky, *chip.sunk]
        total = sum(f.count for f in flaws)
        if total > self.response.size // 2:
            raise PlanError(f"{total} flawed pixels are more than half of this sensor; ask for fewer.")
        chosen = rng.choice(self.response.size, total, replace=False)
        taken = 0

        def take(flaw: Flaw) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
            nonlocal taken
            taken += flaw.count
            y, x = np.unravel_index(chosen[taken - flaw.count : taken], self.size)
            return y, x

        hot, warm = [take(f) for f in chip.hot], [take(f) for f in chip.warm]
        self._cold, weak = [take(f) for f in chip.cold], [take(f) for f in chip.weak]
        self._rtn, self._leaky = [take(f) for f in chip.rtn], [take(f) for f in chip.leaky]
        self._sunk = [take(f) for f in chip.sunk]
        for flaw, at in zip(chip.hot, hot, strict=True):
            self.dark_e_s[at] += flaw.level
        for flaw, at in zip(chip.warm, warm, strict=True):
            self.dark_e_s[at] += flaw.level * rng.lognormal(0.0, WARM_SPREAD, flaw.count)
        for flaw, at in zip(chip.weak, weak, strict=True):
            self.response[at] *= flaw.level
        self.hot_xy, self.warm_xy = [_xy(at) for at in hot], [_xy(at) for at in warm]
        self.cold_xy, self.weak_xy = [_xy(at) for at in self._cold], [_xy(at) for at in weak]
        self.rtn_xy, self.leaky_xy = [_xy(at) for at in self._rtn], [_xy(at) for at in self._leaky]
        self.sunk_xy = [_xy(at) for at in self._sunk]

    def charge_e(self, light_e: Float32 | float, seconds: float) -> Float32:
        """Mean charge of an exposure to this light (e- that fall on the pixel), dark charge included."""
        light = np.broadcast_to(np.asarray(light_e, np.float32), self.size)
        charge: Float32 = light * self.response
        for flaw, at in zip(self.chip.cold, self._cold, strict=True):
            charge[at] = self.response[at] * (light[at] - self.chip.response.lost_e(light[at], flaw.level))
        for flaw, at in zip(self.chip.leaky, self._leaky, strict=True):
            charge[at] = np.maximum(charge[at] - np.float32(flaw.level * seconds), 0)
        charge += self.dark_e_s * np.float32(seconds)
        return charge

    def expose(
        self,
        light_e: Float32 | float,
        seconds: float,
        rng: np.random.Generator,
        strikes_e: Float32 | None = None,
    ) -> NDArray[np.uint16]:
        """One readout in file ADU; strikes_e is charge that comes as it is (cosmic rays)."""
        charge = drawn(self.charge_e(light_e, seconds), rng)
        lit = np.broadcast_to(np.asarray(light_e, np.float32), self.size) > 0
        if strikes_e is not None:
            charge += strikes_e
        np.minimum(charge, np.float32(self.chip.full_well_e), out=charge)
        charge += np.float32(1) * self.read_noise_e * rng.standard_normal(self.size, dtype=np.float32)
        charge += self.fixed_e
        if self.chip.row_e:
            charge += np.float32(self.chip.row_e) * rng.standard_normal((self.size[0], 1), dtype=np.float32)
        for flaw, at in zip(self.chip.rtn, self._rtn, strict=True):
            charge[at] += flaw.level * rng.integers(0, 2, flaw.count)
        for flaw, at in zip(self.chip.sunk, self._sunk, strict=True):
            charge[at] -= np.float32(flaw.level * self.chip.egain) * lit[at]
        return self._convert(charge)

    def _convert(self, charge_e: Float32) -> NDArray[np.uint16]:
        charge_e *= np.float32(1 / self.chip.egain)
        charge_e += np.float32(self.chip.offset_adu)
        np.rint(charge_e, out=charge_e)
        np.clip(charge_e, 0, self.chip.rail_adu, out=charge_e)
        return charge_e.astype(np.uint16) << np.uint16(self.chip.shift)


def drawn(mean_e: Float32, rng: np.random.Generator) -> Float32:
    """Poisson charges with these means, in place.

    Above EXACT_BELOW_E the Cornish-Fisher expansion m + z√m + (z² - 1)/6 + (z - z³)/(72√m) stands for the
    law: mean and variance exact to 1e-4, skewness kept, whole electrons not (read noise hides them).
    """
    low = mean_e < EXACT_BELOW_E
    exact = rng.poisson(mean_e[low])
    z = rng.standard_normal(mean_e.shape, dtype=np.float32)
    root = np.sqrt(np.maximum(mean_e, 1))
    square = z * z
    mean_e += z * (root + (1 - square) / (72 * root))
    mean_e += (square - 1) / 6
    mean_e[low] = exact
    return mean_e


def _xy(at: tuple[NDArray[Any], NDArray[Any]]) -> NDArray[np.intp]:
    return np.stack([at[1], at[0]], axis=1)
