"""Simple frames of any size, quickly: noise, stars and a drift, with a master dark and a master flat.

python bench/memory_frames.py FOLDER MEGAPIXELS COLOUR(0|1) SUBS
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from memory import SENSORS
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer, Exposure, Facts, Float32, Kind

OFFSET, SKY, SIGMA = 500.0, 800.0, 25.0
STARS, STAMP = 900, 9
FRAMES = 20
DRIFT = (3.3, -2.1)


def main(folder: Path, megapixels: int, colour: bool, subs: int) -> None:
    """Write lights/, dark.fits and flat.fits."""
    size = SENSORS[megapixels]
    rng = np.random.default_rng(megapixels)
    facts = Facts(size, Exposure(seconds=20.0, gain=100.0), camera="Bench", egain=0.8)
    if colour:
        facts = replace(facts, bayer=Bayer.RGGB)
    (folder / "lights").mkdir(parents=True, exist_ok=True)
    noise = rng.standard_normal(size, np.float32)
    noise *= SIGMA
    noise += OFFSET + SKY
    y, x = (rng.uniform(40, n - 40, STARS) for n in size)
    peak = 20_000 * rng.pareto(1.2, STARS).clip(0.05, 1.5)
    for sub in range(subs):
        pixels = np.roll(noise, 37 * sub + 11, axis=0)
        put_stars(pixels, y + DRIFT[1] * sub, x + DRIFT[0] * sub, peak)
        path = folder / "lights" / f"light_{sub + 1:04d}.fits"
        fits.write(path, np.rint(pixels).astype(np.uint16), keywords_of(facts))
    master(folder / "dark.fits", Kind.DARK, np.full(size, OFFSET, np.float32), facts, rng)
    master(folder / "flat.fits", Kind.FLAT, np.full(size, 30_000, np.float32), facts, rng)


def put_stars(pixels: Float32, y: np.ndarray, x: np.ndarray, peak: np.ndarray) -> None:
    """Gaussian stars of 3 px FWHM."""
    offsets = np.arange(-STAMP, STAMP + 1)
    for y0, x0, bright in zip(y, x, peak, strict=True):
        row, column = round(y0), round(x0)
        rows = np.exp(-(((row + offsets - y0) / 1.27) ** 2) / 2)
        columns = np.exp(-(((column + offsets - x0) / 1.27) ** 2) / 2)
        here = pixels[row - STAMP : row + STAMP + 1, column - STAMP : column + STAMP + 1]
        here += (bright * rows[:, None] * columns).astype(np.float32)


def master(path: Path, kind: Kind, pixels: Float32, facts: Facts, rng: np.random.Generator) -> None:
    """A master with a little noise and a few hot pixels."""
    pixels += rng.standard_normal(pixels.shape, np.float32)
    exposure = replace(facts.exposure, kind=kind)
    keywords = keywords_of(replace(facts, exposure=exposure)) | {
        "IMAGETYP": f"Master {kind.value}",
        "NCOMBINE": FRAMES,
    }
    fits.write(path, pixels, keywords)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "1", int(sys.argv[4]))
