"""The flat lab's decision table at full size: every truth, what the lab says of it, and what is true.

    python bench/flatlab.py                     1 Mpx, 150 dim flats, 200 darks, 2×60 held-out frames: hours
    python bench/flatlab.py --size 512 --truth leak adu_offset

Frame by frame through shot noise, read noise and converter. For each method: FPN in % of the sky as the lab
measures it, the simulation's own (the masters on noiseless frames), and N*.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from starwell.camera.chip import EXACT_BELOW_E, Chip, Response, Silicon
from starwell.camera.readout import chip_at
from starwell.camera.truths import WARMER_K, Truth, chip_of
from starwell.flatlab.analysis import Analysis
from starwell.flatlab.conclude import conclude
from starwell.flatlab.effect import Method
from starwell.flatlab.experiment import Sets
from starwell.flatlab.findings import Findings
from starwell.flatlab.frames import FrameSet
from starwell.flatlab.results import Results
from starwell.frame import Exposure, Facts, Float32, Kind, Pixels

FEW = 0.1
"""Charges per pixel below which they are laid out one by one."""
SEED, SKY_E, SECONDS, GAIN, OTHER_GAIN = 11, 8.0, 10.0, 300.0, 240.0
ROWS = [
    (Truth.LINEAR, Response.EXPONENTIAL),
    (Truth.CHARGE_THRESHOLD, Response.EXPONENTIAL),
    (Truth.CHARGE_THRESHOLD, Response.TANH),
    (Truth.CHARGE_THRESHOLD, Response.THRESHOLD),
    (Truth.LOW_QE, Response.EXPONENTIAL),
    (Truth.LEAK, Response.EXPONENTIAL),
    (Truth.ADU_OFFSET, Response.EXPONENTIAL),
    (Truth.CLIPPED, Response.EXPONENTIAL),
    (Truth.DARK_MISMATCH, Response.EXPONENTIAL),
]


class Exposed:
    """Frames of one exposure: `Silicon.expose` with all that is alike in them worked out once."""

    def __init__(self, silicon: Silicon, light_e: Float32 | float, seconds: float) -> None:
        self._silicon, self._light, self._seconds = silicon, light_e, seconds
        self._charge = silicon.charge_e(light_e, seconds)
        self._reach = np.cumsum(self._charge, dtype=np.float64)
        self._dim = float(self._charge.max()) < EXACT_BELOW_E
        chip = silicon.chip
        self._fixed_adu = silicon.fixed_e / np.float32(chip.egain) + np.float32(chip.offset_adu)
        if not np.isscalar(light_e):
            for flaw, xy in zip(chip.sunk, silicon.sunk_xy, strict=True):
                self._fixed_adu[xy[:, 1], xy[:, 0]] -= np.float32(flaw.level)

    def frame(self, rng: np.random.Generator) -> Pixels:
        """One readout: shot noise, full well, read noise, converter, frame by frame."""
        if not self._dim:
            return self._silicon.expose(self._light, self._seconds, rng)
        chip = self._silicon.chip
        pixels = rng.standard_normal(self._charge.shape, dtype=np.float32)
        pixels *= np.float32(chip.read_noise_e)
        pixels += self._drawn(rng)
        pixels *= np.float32(1 / chip.egain)
        pixels += self._fixed_adu
        np.rint(pixels, out=pixels)
        np.clip(pixels, 0, chip.rail_adu, out=pixels)
        return pixels.astype(np.uint16) << np.uint16(chip.shift)

    def _drawn(self, rng: np.random.Generator) -> NDArray[np.int64]:
        """Poisson charges; few in all are a Poisson number of them, each in a place by chance: one law."""
        total = float(self._reach[-1])
        if total > FEW * self._charge.size:
            return rng.poisson(self._charge)
        at = np.searchsorted(self._reach, total * rng.random(rng.poisson(total)), side="right")
        return np.bincount(at, minlength=self._charge.size).reshape(self._charge.shape)


@dataclass(frozen=True)
class Bench:
    """One sensor, and how many frames are shot of it."""

    truth: Truth
    response: Response
    size: tuple[int, int]
    low: int
    darks: int
    held: int

    def chip(self, gain: float, *, dark: bool = False) -> Chip:
        chip = chip_of(self.truth, self.size, self.response)
        warmer = WARMER_K if dark and self.truth is Truth.DARK_MISMATCH else 0.0
        return chip_at(chip, gain, None, chip.celsius + warmer)

    @cached_property
    def shade(self) -> Float32:
        y, x = (np.linspace(-1, 1, n, dtype=np.float32) for n in self.size)
        shade: Float32 = 1 - np.float32(0.1) * (x[None] ** 2 + y[:, None] ** 2)
        return shade

    def set(
        self, name: str, count: int, level_e: float, seconds: float = SECONDS, gain: float = GAIN
    ) -> FrameSet:
        silicon = Silicon(self.chip(gain, dark=not level_e), self.size, SEED)
        chip = self.chip(gain)
        stream = [SEED, *name.encode(), round(100 * level_e)]

        def frames() -> Iterator[Pixels]:
            exposed = Exposed(silicon, level_e * self.shade if level_e else 0.0, seconds)
            for i in range(count):
                yield exposed.frame(np.random.default_rng([*stream, i]))

        facts = Facts(
            self.size,
            Exposure(Kind.FLAT if level_e else Kind.DARK, seconds, gain, chip.offset_setting),
            camera=f"{chip.name}, {self.truth}, {self.response}",
            sensor_celsius=chip.celsius,
            adu_shift=chip.shift,
            saturation_adu=chip.saturation_adu,
            egain=chip.file_egain,
        )
        return FrameSet(name, facts, count, frames)

    def sets(self) -> Sets:
        short, bright = SECONDS / 5, 0.5 * self.chip(0.0).usable_e
        return Sets(
            self.set("dark", self.darks, 0.0),
            self.set("bright", 25, bright, gain=0.0),
            self.set("bright-dark", 25, 0.0, gain=0.0),
            tuple(self.set("low", self.low, part * SKY_E) for part in (1.0, 0.5, 1.5)),
            (self.set("held-out", 2 * self.held, SKY_E),),
            self.set("same-charge", self.low, SKY_E, short),
            self.set("same-charge-dark", self.darks, 0.0, short),
            self.set("other-gain", self.low, SKY_E, gain=OTHER_GAIN),
            self.set("other-gain-dark", self.darks, 0.0, gain=OTHER_GAIN),
        )

    def true_fpn(self, results: Results) -> dict[str, float]:
        """Percent: the masters the lab made, on frames without noise."""
        silicon = Silicon(self.chip(GAIN), self.size, SEED)
        chip, maps = silicon.chip, results.corrections
        clean = silicon.charge_e(SKY_E * self.shade, SECONDS) + silicon.fixed_e
        for flaw, xy in zip(chip.sunk, silicon.sunk_xy, strict=True):
            clean[xy[:, 1], xy[:, 0]] -= flaw.level * chip.egain
        light = clean + chip.offset_adu * chip.egain - results.bench.dark.mean() * chip.file_egain
        even = {method.value: maps.corrected(method, light, np.s_[:]) for method in Method}
        even[Method.NONE.value] = light / self.shade
        return {name: 100 * float(pixels.std() / pixels.mean()) for name, pixels in even.items()}


def row(bench: Bench) -> list[str]:
    begun = time.perf_counter()
    results = Analysis(bench.sets()).run()
    found = conclude(results)
    # what clips is not linear: its pattern is not that of noiseless frames
    true = {} if bench.truth is Truth.CLIPPED else bench.true_fpn(results)
    cells = []
    for (name, percent), (_, depth) in zip(found.fpn_percent.items(), found.n_star.items(), strict=True):
        known = f" ({true[name]:.2f})" if name in true else ""
        cells.append(f"{percent:.2f}{known} / {depth or float('inf'):.0f}")
    truth = f"{bench.truth} {bench.response if bench.truth is Truth.CHARGE_THRESHOLD else ''}".strip()
    lines = [f"| {truth} | {SKY_E:g} | {' | '.join(cells)} | {found.verdict} {found.confidence:.3f} |"]
    for one in found.details.by_level:
        there = [f"{value:.2f}" for _, value in one.fpn_percent.items()]
        lines.append(f"| {truth} | {one.level_e:.3g} | {' | '.join(there)} | |")
    took = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return [*lines, f"<!-- {_signature(found)}; {took:.0f} s, {peak:.2f} GB -->"]


def _signature(found: Findings) -> str:
    d = found.details
    ratios = [*d.ratios.by_level, d.ratios.by_time, d.ratios.by_gain]
    said = [f"{one.compared:.2g}: {one.value:.3f}±{one.error:.3f}" for one in ratios if one is not None]
    zero, gain = found.gate.zero_fraction, d.improvement_percent or 0.0
    return (
        f"{found.flagged_pixels} cold, {d.warm_pixels} warm, {d.weak_pixels} weak; zeros {zero:.2g}; "
        f"best rival -{gain:.1f} %; ratios {', '.join(said)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, help="px a side")
    parser.add_argument("--truth", nargs="+", type=Truth, default=list(Truth), choices=list(Truth))
    parser.add_argument("--low", type=int, default=150, help="dim flats of each level")
    parser.add_argument("--darks", type=int, default=200)
    parser.add_argument("--held-out", type=int, default=60, help="frames in each half")
    args = parser.parse_args()
    print("| truth | sky e- | none | bright | same-condition | hybrid | additive | verdict |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for truth, response in ROWS:
        if truth in args.truth:
            made = Bench(truth, response, (args.size, args.size), args.low, args.darks, args.held_out)
            print("\n".join(row(made)), flush=True)


if __name__ == "__main__":
    main()
