"""The frames everything is measured on: simulated once, kept in a work folder, the same for every program.

python bench/frames.py mono osc small strip [--folder F]
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from starwell.camera.chip import Chip, Flaw
from starwell.camera.plan import Dust, Mount, Nebula, Optics, Scene, SkyPlan, Trail, Weather
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer, Float32

if TYPE_CHECKING:
    from starwell.camera.sky import Sky

WORK = Path(__file__).parent / "work"
CALIBRATION_FRAMES = 16


@dataclass(frozen=True)
class Night:
    """One set of frames: so many subs of one plan, with a master dark and a master flat."""

    plan: SkyPlan
    subs: int


def _plan(size: tuple[int, int], *, subs: int, seed: int, bayer: Bayer | None = None) -> SkyPlan:
    """A dithered, slowly turning field with the flaws every sensor has, and nothing that a gate rejects."""
    height, width = size
    area = height * width / 1e6
    return SkyPlan(
        size=size,
        subs=subs,
        seconds=20.0,
        seed=seed,
        bayer=bayer,
        scene=Scene(stars=round(100 * area), faintest_e=400.0, brightest_e=1e6, nebula=Nebula()),
        weather=Weather(
            fwhm_px=3.0,
            seeing_scatter=0.04,
            transparency_scatter=0.01,
            sky_scatter=0.02,
            sky_e_s=4.0,
            gradient=(0.1, -0.05),
        ),
        mount=Mount((0.06, -0.03), dither_px=10.0, rotation_deg=0.002),
        optics=Optics(vignette=0.25, dust=(Dust(0.3 * width, 0.7 * height, 18.0),)),
        chip=Chip(
            dark_e_s=0.01,
            hot=(Flaw(round(60 * area), 5.0), Flaw(round(30 * area), 50.0)),
            warm=(Flaw(round(500 * area), 0.3),),
        ),
        trails=tuple(
            Trail(sub, peak_sigma=peak, angle_deg=angle, through=through)
            for sub, peak, angle, through in (
                (2, 12.0, 24.0, (0.5, 0.35)),
                (9, 5.0, -38.0, (0.4, 0.6)),
                (17, 8.0, 71.0, (0.6, 0.5)),
            )
        ),
    )


_STILL = replace(_plan((3520, 4656), subs=20, seed=4), mount=Mount(), weather=Weather(sky_e_s=4.0))
NIGHTS: dict[str, Night] = {
    "mono": Night(_plan((3520, 4656), subs=20, seed=1), 20),
    "osc": Night(_plan((3520, 4656), subs=10, seed=2, bayer=Bayer.RGGB), 10),
    "small": Night(_plan((1040, 1392), subs=50, seed=3), 50),
    # already aligned, under one sky: what only combines needs no more
    "still": Night(_STILL, 20),
    # a sixteenth of such a frame, for what holds all subs in memory
    "strip": Night(replace(_STILL, size=(220, 4656), subs=100), 100),
}


def sub_path(folder: Path, night: str, number: int) -> Path:
    """Where sub `number`, counted from 0, is kept."""
    return folder / night / "lights" / f"light_{number + 1:05d}.fits"


def lights(folder: Path, night: str) -> list[Path]:
    """The subs of a night, in order."""
    return [sub_path(folder, night, number) for number in range(NIGHTS[night].subs)]


def dark(folder: Path, night: str) -> Path:
    """The master dark of a night: float32, the offset still in it."""
    return folder / night / "dark.fits"


def flat(folder: Path, night: str) -> Path:
    """The master flat of a night: float32, the offset taken off."""
    return folder / night / "flat.fits"


def make(folder: Path, nights: list[str]) -> None:
    """Simulate what is not there yet."""
    tasks = [
        (folder, night, number)
        for night in nights
        for number in [-2, -1, *range(NIGHTS[night].subs)]
        if not _path(folder, night, number).exists()
    ]
    if not tasks:
        return
    print(f"simulating {len(tasks)} frames in {folder}", file=sys.stderr)
    for night in nights:
        (folder / night / "lights").mkdir(parents=True, exist_ok=True)
    from concurrent.futures import ProcessPoolExecutor  # what is measured has all there is already

    with ProcessPoolExecutor(min(os.cpu_count() or 1, 4)) as workers:
        for _ in workers.map(_simulate, *zip(*tasks, strict=True)):
            pass


def _path(folder: Path, night: str, number: int) -> Path:
    return {-2: dark, -1: flat}[number](folder, night) if number < 0 else sub_path(folder, night, number)


@cache
def _sky(night: str) -> Sky:
    from starwell.camera.sky import Sky  # what only reads the frames is measured without it

    return Sky(NIGHTS[night].plan)


def _simulate(folder: Path, night: str, number: int) -> None:
    sky, path = _sky(night), _path(folder, night, number)
    if number >= 0:
        frame = sky.light(number)
        fits.write(path, frame.pixels, keywords_of(frame.facts))
        return
    kind, shoot = ("Dark", sky.dark) if number == -2 else ("Flat", sky.flat)
    keywords = keywords_of(shoot(0).facts) | {"IMAGETYP": f"Master {kind}", "NCOMBINE": CALIBRATION_FRAMES}
    total: Float32 = np.zeros(sky.plan.size, np.float32)
    for i in range(CALIBRATION_FRAMES):
        total += shoot(i).pixels
    total /= CALIBRATION_FRAMES
    if number == -1:
        total -= sky.plan.chip.offset_adu
    fits.write(path, total, keywords)


if __name__ == "__main__":
    AS_WRITTEN = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=AS_WRITTEN)
    parser.add_argument("nights", nargs="+", choices=NIGHTS)
    parser.add_argument("--folder", type=Path, default=WORK)
    asked = parser.parse_args()
    make(asked.folder, asked.nights)
