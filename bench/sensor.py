"""Sensor analysis at full size against sensors of known figures; every bar, the figure reached, and whether.

    python bench/sensor.py                  512² px, 20 light levels from 3 to 97 %, 16 biases
    python bench/sensor.py --size 256       sooner, and too small for PRNU and DSNU to be sure of their bars

Three sensors, two whose offset is too low (their figures would be wrong, so none may be told), dark current
told twice over, and the exposure a simulated sub of a known sky asks for, read from its file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from starwell.camera.chip import Chip, Silicon
from starwell.camera.plan import Scene, SkyPlan, Weather
from starwell.camera.sky import Sky
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Frame, Pixels, Plane, Planes
from starwell.sensor.photon_transfer import Analysis, Sets, analyse
from starwell.sensor.photon_transfer_levels import dark_level, light_level
from starwell.sensor.sub_exposure import least_seconds
from starwell.session.sub_advice import advise

MONO = Planes((Plane(0, 1, 0, 0),), 1)
PRNU, DSNU_E, DARK_E_S = 0.006, 1.0, 0.05
DARKS_S = (30.0, 60.0, 120.0, 240.0, 480.0)
SENSORS = ((1.0, 1.7), (4.9, 3.5), (0.157, 1.25))
TRAPS = ((20.0, 0.028), (5.0, 0.33))
SKY_E_S, READ_NOISE_E, EGAIN = 0.8, 1.5, 0.5


@dataclass(frozen=True)
class Bar:
    """One figure, what it has to be, and by how much it may miss that, as a part of it.

    true: NaN for what is not to be told; 0 for an error that may be as large as within.
    """

    case: str
    name: str
    found: float | None
    true: float
    within: float

    @property
    def met(self) -> bool:
        """Whether the figure lies within its bar."""
        if np.isnan(self.true):
            return self.found is None
        if not self.true:
            return self.found is not None and self.found <= self.within
        return self.found is not None and abs(self.found - self.true) <= self.within * self.true

    def row(self) -> str:
        """As a row of the table."""
        told = "not told" if self.found is None else f"{self.found:.5g}"
        bar = "not told" if np.isnan(self.true) else f"at most {self.within:g}"
        if self.true > 0:
            bar = f"{self.true:g} ±{100 * self.within:g} %" if self.within else f"{self.true:g}"
            told += "" if self.found is None else f" ({100 * (self.found / self.true - 1):+.2f} %)"
        return f"| {self.case} | {self.name} | {bar} | {told} | {'yes' if self.met else '**NO**'} |"


@dataclass(frozen=True)
class Shots:
    """How much is shot: px a side, light levels, biases, frames of each level."""

    size: int
    levels: int
    biases: int
    frames: int

    def analysed(self, chip: Chip, dark_s: Sequence[float] = ()) -> Analysis:
        """What these sets tell of a 12-bit sensor; the lamp drifts by half a percent between two frames."""
        silicon, rng = Silicon(chip, (self.size, self.size), 5), np.random.default_rng(5)
        rail = float(chip.rail_adu)

        def native(count: int, light_e: float = 0.0, seconds: float = 0.0) -> Iterator[Pixels]:
            for i in range(count):
                yield silicon.expose(light_e * (1 + 0.005 * (i % 2)), seconds, rng) >> chip.shift

        bias = dark_level(native(self.biases), MONO, seconds=0.0, rail_adu=rail)
        flats = [
            light_level(
                native(self.frames, part * chip.usable_e),
                MONO,
                seconds=10 * part,
                rail_adu=rail,
                pedestal_adu=bias.mean_adu,
            )
            for part in np.linspace(0.03, 0.97, self.levels)
        ]
        darks = [dark_level(native(4, 0.0, s), MONO, seconds=s, rail_adu=rail) for s in dark_s]
        return analyse(Sets(bias, flats, darks, rail, chip.shift))


def sensors(shots: Shots) -> Iterator[Bar]:
    """e-/ADU, read noise, PRNU, DSNU, full well, linearity and shift of sensors that clip nothing."""
    base = Chip(offset_adu=60, bits=12, shift=4, prnu=PRNU, dsnu_e=DSNU_E, full_well_e=20_000.0)
    for egain, read_noise in SENSORS:
        chip = replace(base, egain=egain, read_noise_e=read_noise)
        found = shots.analysed(chip)
        case = f"K {egain:g}, RN {read_noise:g}"
        yield Bar(case, "e-/ADU", found.egain, egain, 0.005)
        yield Bar(case, "read noise, e-", found.read_noise_e, read_noise, 0.02)
        yield Bar(case, "PRNU, %", found.prnu_percent, 100 * PRNU, 0.05)
        yield Bar(case, "DSNU, e-", found.dsnu_e, DSNU_E, 0.05)
        yield Bar(case, "full well, e-", found.full_well_e, chip.usable_e, 0.02)
        yield Bar(case, "linearity error, %", found.linearity_percent, 0.0, 0.05)
        yield Bar(case, "shift, bits", found.adu_shift, 4, 0)
    dark = shots.analysed(replace(base, egain=1.0, read_noise_e=1.7, dark_e_s=DARK_E_S), DARKS_S).dark
    yield Bar("5 dark exposures", "dark current by noise, e-/s", dark.by_variance, DARK_E_S, 0.05)
    yield Bar("5 dark exposures", "dark current by level, e-/s", dark.by_mean, DARK_E_S, 0.05)


def traps(shots: Shots) -> Iterator[Bar]:
    """Sensors whose converter cuts off the noise: the share of zeros, and nothing that they spoil."""
    for offset, zeros in TRAPS:
        chip = Chip(
            offset_adu=offset,
            bits=12,
            shift=4,
            prnu=PRNU,
            dsnu_e=DSNU_E,
            full_well_e=20_000.0,
            egain=0.157,
            read_noise_e=1.25,
        )
        found = shots.analysed(chip)
        case = f"offset {offset:g} ADU"
        warned = any("Zero clipping" in warning for warning in found.warnings)
        yield Bar(case, "samples at zero", found.zero_fraction, zeros, 0.1)
        yield Bar(case, "warned of it", float(warned), 1.0, 0)
        for name in ("read_noise_e", "dsnu_e", "prnu_percent", "linearity_percent"):
            yield Bar(case, name, getattr(found, name), np.nan, 0)
        yield Bar(case, "e-/ADU of the flats alone", found.egain, 0.157, 0.01)


def exposure(shots: Shots) -> Iterator[Bar]:
    """The sky's rate of a sub with stars in it, less a real dark, and the sub that costs 5 % more noise."""
    chip = Chip(egain=EGAIN, read_noise_e=READ_NOISE_E, dark_e_s=0.0)
    plan = SkyPlan(
        (shots.size, shots.size),
        1,
        20.0,
        3,
        scene=Scene(stars=150),
        weather=Weather(sky_e_s=SKY_E_S),
        chip=chip,
    )
    sky = Sky(plan)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        sub = _written(folder / "light", [sky.light(0)])
        _written(folder / "dark", [sky.dark(i) for i in range(16)])
        found = advise(
            sub, dark=str(folder / "dark"), bias=None, egain=EGAIN, read_noise_e=READ_NOISE_E, dark_e_s=0.0
        ).sub
    yield Bar("a sub of 20 s", "sky, e-/s", found.sky_e_s, SKY_E_S, 0.01)
    yield Bar(
        "a sub of 20 s", "sub for 5 %, s", least_seconds(found.rate_e_s, found.read_noise_e), 27.4, 0.02
    )


def _written(folder: Path, frames: Sequence[Frame]) -> Path:
    folder.mkdir()
    for i, frame in enumerate(frames):
        fits.write(folder / f"{i}.fits", frame.pixels, keywords_of(frame.facts))
    return folder / "0.fits"


def main() -> int:
    """Print the table; 1 where a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=512, help="px a side")
    parser.add_argument("--levels", type=int, default=20)
    parser.add_argument("--biases", type=int, default=16)
    parser.add_argument("--frames", type=int, default=2, help="of each light level")
    args = parser.parse_args()
    shots = Shots(args.size, args.levels, args.biases, args.frames)
    print("| sensor | figure | bar | found | met |\n|---|---|---|---|---|", flush=True)
    missed = 0
    for part in (sensors, traps, exposure):
        for bar in part(shots):
            print(bar.row(), flush=True)
            missed += not bar.met
    print(f"\n{missed} bars missed")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
