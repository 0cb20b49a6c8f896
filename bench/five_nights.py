"""Five nights in one call against five by hand: do `--dark auto --flat auto` choose as a careful person does?

Five simulated nights of one target, each with dust, rotation and flats of its own, are stacked by
`starwell stack NIGHT1 … NIGHT5 --dark auto --flat auto` and, as a reference, with a calibrator put together
by hand for each night. Printed: the difference of the two stacks and of their noise, in units of the noise.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from astropy.io import fits as astropy_fits

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.calibrators import Calibrators
from starwell.calibration.library import load_masters
from starwell.calibration.master import Masters
from starwell.camera.sky import Chip, Dust, Flaw, Mount, Optics, Scene, Sky, SkyPlan, Star, Turn, Weather
from starwell.cli.main import main as starwell
from starwell.files import fits
from starwell.files.frames import open_frame
from starwell.files.keywords import keywords_of
from starwell.session.build import Method
from starwell.session.events import StackMeasured
from starwell.session.exact import ExactRun
from starwell.session.intake import Intake
from starwell.session.sets import light_sets
from starwell.stack.kernels import Kernel

FOLDERS = {"dark": "darks", "flat": "flats/L", "dark_flat": "darkflats"}
ANGLES = (0.0, 37.0, 90.0, 141.0, 263.0)


def plans(size: tuple[int, int], subs: int) -> list[SkyPlan]:
    """One plan per night: the same field and sensor, other dust, rotation, drift and date."""
    height, width = size
    rng = np.random.default_rng(5)
    around = max(size)
    stars = [
        Star(width / 2 + x, height / 2 + y, 2000.0 * rng.pareto(0.8) + 3000.0)
        for x, y in rng.uniform(-around, around, (around * around // 250, 2))
    ]
    base = SkyPlan(
        size=size,
        subs=subs,
        seconds=60.0,
        filter="L",
        scene=Scene(stars=0, given=tuple(stars)),
        weather=Weather(sky_e_s=4.0),
        chip=Chip(prnu=0.01, dsnu_e=3.0, dark_e_s=0.05, warm=(Flaw(height * width // 400, 2.0),)),
    )
    made = []
    for night, angle in enumerate(ANGLES):
        rng = np.random.default_rng([7, night])
        dust = tuple(
            Dust(rng.uniform(0, width), rng.uniform(0, height), rng.uniform(10, 24), rng.uniform(0.04, 0.12))
            for _ in range(max(4, height * width // 20_000))
        )
        turns = (Turn(0, angle),) if angle else ()
        mount = Mount(drift_px=(0.2, 0.1), dither_px=6.0, turns=turns)
        start = base.start + timedelta(days=9 * night)
        made.append(replace(base, optics=Optics(vignette=0.3, dust=dust), mount=mount, start=start))
    return made


def shoot(folder: Path, plan: SkyPlan, night: int, subs: int, frames: int, *, angle: float | None) -> None:
    """Write a night's folder; angle: what its headers say of the rotator."""
    sky = Sky(plan)
    turned = {} if angle is None else {"ROTATANG": angle}
    # every frame has noise of its own
    first = 1000 * night
    kinds = {
        "lights/L": [sky.light(i) for i in range(subs)],
        "darks": [sky.dark(first + i) for i in range(frames)],
        "flats/L": [sky.flat(first + i) for i in range(frames)],
        "darkflats": [sky.dark_flat(first + i) for i in range(frames)],
    }
    for name, shot in kinds.items():
        (folder / name).mkdir(parents=True)
        for i, frame in enumerate(shot):
            at = plan.start + timedelta(seconds=70 * i)
            facts = replace(frame.facts, started=at)
            path = folder / name / f"{name[:4].strip('/')}_{night}_{i:03d}.fits"
            fits.write(path, frame.pixels, {**keywords_of(facts), **turned})


def main() -> int:
    """Shoot, stack twice, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, nargs=2, default=(800, 1000), metavar=("H", "W"))
    parser.add_argument("--subs", type=int, default=6, help="per night")
    parser.add_argument("--frames", type=int, default=12, help="per master")
    parser.add_argument("--no-angle", action="store_true", help="headers keep the rotation to themselves")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        for night, plan in enumerate(plans(tuple(given.size), given.subs)):
            angle = None if given.no_angle else ANGLES[night]
            shoot(root / f"night{night + 1}", plan, night, given.subs, given.frames, angle=angle)
        nights = [str(root / f"night{n + 1}") for n in range(len(ANGLES))]
        began = time.perf_counter()
        out, report = root / "OUT.fits", root / "r.json"
        calls = ["stack", *nights, "--dark", "auto", "--flat", "auto", "-o", str(out)]
        code = starwell([*calls, "--unit", "electron", "--report", str(report)])
        print(f"one call: {time.perf_counter() - began:.1f} s, exit code {code}")
        frames = json.loads(report.read_text())["frames"]
        wrong = [
            f["file"] for f in frames if f"night{int(f['file'].split('_')[1]) + 1}" not in str(f["masters"])
        ]
        stacked = sum(f["status"] == "stacked" for f in frames)
        print(f"stacked {stacked} of {len(frames)}; wrong masters: {wrong}")
        compare(root, nights, out, json.loads(report.read_text())["reference"])
    return code


def compare(root: Path, nights: list[str], out: Path, reference: str) -> None:
    """Hold the stack of one call against the same subs calibrated by hand, and against a run per night."""
    sets, _ = light_sets(nights)
    lights = sets[0]
    made: dict[int, tuple[Masters, Calibrator]] = {}
    for night in nights:
        mine = [n for n in lights.numbers if lights.file(n).is_relative_to(night)]
        dark, flat, dark_flat = (f"{night}/{folder}" for folder in FOLDERS.values())
        facts = replace(lights.facts, number=mine[0])
        made |= dict.fromkeys(
            mine,
            (
                masters := load_masters(dark=dark, flat=flat, dark_flat=dark_flat, lights=facts),
                Calibrator(masters, facts),
            ),
        )
    intake = Intake(Calibrators({n: c for n, (_, c) in made.items()}), made[1][0])
    home = next(n for n in lights.numbers if lights.file(n).name == reference)
    run = ExactRun(intake, lights.frame, lights.numbers, Method(Kernel.LANCZOS), reference=home)
    told = [event for event in run.run() if isinstance(event, StackMeasured)][-1]
    assert run.stack is not None
    by_hand = run.stack.mean(0) * intake.model.egain
    apart = open_frame(out).pixels - by_hand
    seen = np.isfinite(apart) & (np.abs(by_hand) > 0)
    noise = told.reached_e[0]
    rms, mean, most = (f(apart[seen]) / noise for f in (np.std, np.mean, lambda v: np.abs(v).max()))
    print(f"by hand: noise {noise:.4f} e-; one call differs by {100 * rms:.3f} % of it rms,")
    print(f"  {100 * mean:.4f} % in the mean, {most:.3f} sigma at most")
    inverse = 0.0
    for n, night in enumerate(nights):
        words = [w for kind, f in FOLDERS.items() for w in (f"--{kind.replace('_', '-')}", f"{night}/{f}")]
        alone = root / f"alone{n}.fits"
        starwell(["stack", night, *words, "-o", str(alone), "--unit", "electron"])
        with astropy_fits.open(alone.with_suffix(".maps.fits")) as hdus:
            variance = hdus["VARIANCE"].data
        inverse += 1 / float(np.median(variance[variance > 0]))
    with astropy_fits.open(out.with_suffix(".maps.fits")) as hdus:
        together = float(np.median(hdus["VARIANCE"].data[seen]))
    print(f"variance: five runs combined {1 / inverse:.4f} e-², one call {together:.4f} e-²")


if __name__ == "__main__":
    sys.exit(main())
