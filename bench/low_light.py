"""Low-light maps and the noise pane against simulated truths: the tables, in full size.

    python bench/low_light.py                     all of it, 1 Mpx tables and 4 MP stacks
    python bench/low_light.py night --picture P.png
    python bench/low_light.py table transfer noise

Means of frames are drawn at once where that is the same law: N Poisson charges add up to a Poisson charge, N
normal read noises to a normal one. Where values are clipped it is not, and there every frame is drawn.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.low_light import LowSet, estimate
from starwell.calibration.master import Masters, constant_bias
from starwell.camera.chip import Chip, Response
from starwell.camera.plan import Mount, Scene, SkyPlan, Weather
from starwell.camera.sky import Sky
from starwell.files.pictures import write_png
from starwell.frame import Frame
from starwell.session.build import Method
from starwell.session.intake import Intake
from starwell.session.low_light_night import LowLightNight, night_lines, night_picture
from starwell.session.pipeline import Pipeline
from starwell.stack.kernels import Kernel

RN, DARKS, LOWS, HELD = 1.3, 200, 150, 60
LEVELS = (4.0, 8.0, 12.0)
TILE = 50


@dataclass
class Truth:
    """A sensor: what of the light L each pixel turns into charge, and where its converter ends."""

    name: str
    cold: float = 0.0
    weak: float = 0.0
    response: Response = Response.EXPONENTIAL
    floor: tuple[float, float] | None = None

    def drawn(self, side: int, seed: int) -> Sensor:
        """One sensor of this kind."""
        return Sensor(self, side, np.random.default_rng(seed))


TRUTHS = (
    Truth("H0 linear"),
    Truth("low QE, linear", weak=0.003),
    Truth("H1 exponential", cold=0.003),
    Truth("H1 tanh", cold=0.003, response=Response.TANH),
    Truth("H1 hard threshold", cold=0.003, response=Response.THRESHOLD),
    Truth("H4 clipped at zero", floor=(0.8, 0.5)),
)


class Sensor:
    """Means of frames of one sensor; the same dark is taken off all of them."""

    def __init__(self, truth: Truth, side: int, rng: np.random.Generator) -> None:
        self.truth, self.rng, self.shape = truth, rng, (side, side)
        self.a = rng.normal(1, 0.006, self.shape)
        self.a[rng.random(self.shape) < truth.weak] *= 0.6
        self.cold = rng.random(self.shape) < truth.cold
        self.q = rng.choice(np.array([0.8, 1.3, 2.0, 3.0, 5.0]), self.shape)
        self.offset = None if truth.floor is None else rng.normal(*truth.floor, self.shape)
        self.dark = self._mean(0.0, DARKS)
        self.bright = (rng.poisson(25 * 16_000 * self.a) / (25 * 16_000)).astype(np.float32)
        self.bright /= self.bright.mean()

    def lost(self, level: float) -> np.ndarray:
        """What pixels keep back of a light of this level, e-."""
        lost = np.zeros(self.shape)
        for q in np.unique(self.q):
            there = self.cold & (self.q == q)
            lost[there] = self.truth.response.lost_e(np.float32([level]), float(q))[0]
        return lost

    def mean(self, level: float, frames: int) -> np.ndarray:
        """The mean of so many frames less the dark, e-."""
        return (self._mean(level, frames) - self.dark).astype(np.float32)

    def _mean(self, level: float, frames: int) -> np.ndarray:
        charge = self.a * (level - self.lost(level))
        if self.offset is None:
            shot = self.rng.poisson(charge * frames) / frames
            return shot + self.rng.normal(0, RN / np.sqrt(frames), self.shape)
        total = np.zeros(self.shape)
        for _ in range(frames):
            noise = RN * self.rng.standard_normal(self.shape, dtype=np.float32)
            total += np.maximum(self.offset + self.rng.poisson(charge) + noise, 0)
        return total / frames


def fixed_pattern(one: np.ndarray, two: np.ndarray, level: float) -> float:
    """Rms that two independent means share beyond 50 px, % of the sky: no noise model."""
    parts = []
    for of in (one, two):
        side = of.shape[0] // TILE * TILE
        tiles = of[:side, :side].reshape(side // TILE, TILE, -1, TILE)
        parts.append(tiles - np.median(tiles, axis=(1, 3), keepdims=True))
    return 100 * float(np.sqrt(max(np.mean(parts[0] * parts[1]), 0.0))) / level


def table(side: int) -> Iterator[str]:
    """Fixed pattern left by each correction, % of the sky."""
    yield f"{'truth':20s} {'sky':>4s} {'none':>6s} {'bright':>7s} {'dim':>6s} {'map':>6s} {'map/bright':>11s}"
    for truth in TRUTHS:
        for level in LEVELS:
            sensor = truth.drawn(side, 10)
            low = LowSet(level, sensor.mean(level, LOWS), LOWS)
            found = estimate(sensor.bright, [low], DARKS, RN)
            held = [sensor.mean(level, HELD) for _ in range(2)]
            dim = np.maximum(low.mean_e / low.mean_e.mean(), 0.05)
            ways = [
                fixed_pattern(*(way(sub) for sub in held), level)
                for way in (
                    lambda sub: sub,
                    lambda sub, a=sensor.bright: sub / a,
                    lambda sub, a=dim: sub / a,
                    lambda sub, a=sensor.bright, b=found.deficit_e: sub / a + b,
                )
            ]
            row = " ".join(f"{way:6.2f}" for way in ways)
            yield f"{truth.name:20s} {level:4g} {row} {ways[3] / ways[1]:11.3f}"


def transfer(side: int) -> Iterator[str]:
    """Rms error of cold pixels, % of the sky, of maps of one and of two levels."""
    yield f"{'truth':20s} {'map of':>10s} " + " ".join(
        f"{f'at {level:g} e-':>9s}" for level in (4, 8, 16, 32)
    )
    for truth in TRUTHS[2:5]:
        sensor = truth.drawn(side, 11)
        sets = [LowSet(level, sensor.mean(level, 300), 300) for level in (8.0, 16.0)]
        for lows in (sets[:1], sets):
            found = estimate(sensor.bright, lows, DARKS, RN)
            errors = [
                100
                / level
                * float(np.sqrt(np.mean((found.at(level) - sensor.lost(level))[sensor.cold] ** 2)))
                for level in (4.0, 8.0, 16.0, 32.0)
            ]
            name = "8 e-" if len(lows) == 1 else "8, 16 e-"
            yield f"{truth.name:20s} {name:>10s} " + " ".join(f"{error:7.1f} %" for error in errors)


def noise(side: int) -> Iterator[str]:
    """The noise pane against a known floor, and two kernels against each other."""
    heads = f"{'1 px':>6s} {'8 px':>6s} {'floor/true':>10s} {'N*':>6s} {'gain':>6s}"
    yield f"{'night':34s} {'N':>4s} {'efficient':>11s} {heads}"
    still, wander = Mount(), Mount(wander_px=0.3)
    yield from stacked("no fixed pattern", side, 256, 0.0, still, Kernel.CUBIC)
    yield from stacked("0.1 sigma, undithered", side, 256, 0.1, still, Kernel.CUBIC)
    yield from stacked(
        "0.1 sigma, 4 positions", side, 64, 0.1, Mount(dither_px=10, dither_every=16), Kernel.CUBIC
    )
    for kernel in (Kernel.LINEAR, Kernel.LANCZOS):
        yield from stacked(f"{kernel.value}, subs 0.3 px apart", side, 32, 0.0, wander, kernel)


def stacked(name: str, side: int, subs: int, floor: float, mount: Mount, kernel: Kernel) -> Iterator[str]:
    """Stack so many subs live; a line at 4, 16, 64, 256 of them. floor in sigma of one sub."""
    sigma_e = (30.0 + 1.5**2) ** 0.5
    chip = Chip(egain=0.25, read_noise_e=1.5, dark_e_s=0, prnu=0, dsnu_e=floor * sigma_e)
    stars = round(150 * side * side / 1e6)
    plan = SkyPlan(
        size=(side, side),
        subs=subs,
        chip=chip,
        mount=mount,
        scene=Scene(stars=stars),
        weather=Weather(sky_e_s=3.0),
    )
    sky = Sky(plan)
    facts = sky.light(0).facts
    masters = Masters(bias=constant_bias(500))

    def sub(number: int) -> Frame:
        frame = sky.light(number - 1)
        return Frame(replace(frame.facts, number=number), frame.pixels)

    intake = Intake(Calibrator(masters, facts), masters, sensor=chip.model)
    pipeline = Pipeline(intake, sub, Method(kernel))
    for number in range(1, subs + 1):
        for _ in pipeline.feed(sub(number)):
            pass
        if number in (4, 16, 64, 256) or number == subs:
            seen = pipeline.noise()
            assert seen is not None
            fixed = "-" if seen.fixed_e is None or not floor else f"{seen.fixed_e / (floor * sigma_e):.3f}"
            star = "-" if seen.n_star is None else f"{seen.n_star:.0f}"
            gain = "-" if seen.gain_percent is None else f"{seen.gain_percent:.1f} %"
            error = seen.efficiency_error_percent
            yield (
                f"{name:34s} {number:4d} {seen.efficiency_percent:5.1f} ±{error:.1f} % "
                f"{seen.reached_e[0]:6.3f} "
                f"{seen.reached_e[3]:6.3f} {fixed:>10s} {star:>6s} {gain:>6s}"
            )
    pipeline.close()


def night(side: int, picture: Path | None) -> Iterator[str]:
    """The undithered night of the cold pixels."""
    shot = LowLightNight((side * 2 // 3, side))
    ways = list(shot.ways())
    yield from night_lines(shot, ways)
    if picture is not None:
        write_png(picture, night_picture(shot, ways), overwrite=True)
        yield f"Wrote {picture}"


def main() -> None:
    """Print the parts asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", help="table, transfer, noise, night; all by default")
    parser.add_argument("--side", type=int, default=1000, help="px of a table's sensor (1000)")
    parser.add_argument("--stack-side", type=int, default=2048, help="px of a stacked sensor (2048)")
    parser.add_argument("--picture", type=Path, help="where the night's picture goes")
    given = parser.parse_args()
    parts = {
        "table": lambda: table(given.side),
        "transfer": lambda: transfer(given.side),
        "night": lambda: night(768, given.picture),
        "noise": lambda: noise(given.stack_side),
    }
    for name in given.parts or parts:
        print(f"\n{name}")
        for line in parts[name]():
            print(line, flush=True)


if __name__ == "__main__":
    main()
