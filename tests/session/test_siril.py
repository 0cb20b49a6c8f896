"""What `starwell stack` writes, Siril must open, measure and save without loss."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from starwell.camera.sky import Mount, Scene, Sky, SkyPlan
from starwell.cli.main import main
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer, Frame

SIRIL = shutil.which("siril-cli")
SUBS = 4
SCRIPT = "requires 1.0.0\ncd {folder}\nload out\nstat\nsave back\nclose\n"
MEDIAN = re.compile(r"layer: Mean: [\d.]+, Median: ([\d.]+),")

pytestmark = pytest.mark.skipif(SIRIL is None, reason="siril-cli is not installed")


@dataclass(frozen=True)
class Opened:
    """A stack, what Siril said of it, and what Siril saved of it."""

    ours: Frame
    said: str
    saved: Frame


@pytest.fixture(scope="module", params=[None, Bayer.RGGB], ids=["mono", "colour"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    folder = tmp_path_factory.mktemp("siril")
    lights = folder / "lights"
    lights.mkdir()
    scene = Scene(stars=60, faintest_e=2000.0)
    sky = Sky(SkyPlan(size=(200, 260), bayer=request.param, scene=scene, mount=Mount(dither_px=4.0)))
    for number in range(SUBS):
        frame = sky.light(number)
        fits.write(lights / f"light_{number}.fits", frame.pixels, keywords_of(frame.facts))
    assert main(["stack", str(lights), "-o", str(folder / "out.fits")]) == 0
    said = siril(folder)
    return Opened(fits.read(folder / "out.fits"), said, fits.read(folder / "back.fit"))


def siril(folder: Path) -> str:
    script = folder / "open.ssf"
    script.write_text(SCRIPT.format(folder=folder))
    assert SIRIL is not None
    ended = subprocess.run(
        [SIRIL, "-s", str(script)],
        env={**os.environ, "HOME": str(folder), "LC_ALL": "C"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def test_siril_opens_the_stack_as_one_picture_of_its_size(opened: Opened) -> None:
    layers = 3 if opened.ours.pixels.ndim == 3 else 1
    assert f"file out.fits, {layers} layer(s), 260x200 pixels" in opened.said
    assert "Script execution finished successfully" in opened.said


def test_siril_measures_the_levels_that_were_written_and_takes_zero_for_nothing(opened: Opened) -> None:
    planes = opened.ours.pixels.reshape(-1, 200, 260)
    medians = [float(np.median(plane[plane != 0])) for plane in planes]
    assert [float(told) for told in MEDIAN.findall(opened.said)] == pytest.approx(medians, abs=0.1)


def test_siril_saves_the_pixels_bit_for_bit(opened: Opened) -> None:
    np.testing.assert_array_equal(opened.saved.pixels, opened.ours.pixels)


def test_siril_keeps_what_the_header_says(opened: Opened) -> None:
    ours, saved = opened.ours.facts, opened.saved.facts
    assert saved.header["STACKCNT"] == SUBS
    assert saved.header["LIVETIME"] == pytest.approx(SUBS * 10.0)
    assert saved.exposure.seconds == ours.exposure.seconds == 10.0
    assert saved.exposure.gain == ours.exposure.gain == 100
    assert saved.egain == pytest.approx(0.25)
    assert (saved.target, saved.focal_mm, saved.pixel_um) == (ours.target, 500.0, 3.76)
    assert (saved.started, saved.sensor_celsius) == (ours.started, -10.0)
    assert saved.bayer is None
