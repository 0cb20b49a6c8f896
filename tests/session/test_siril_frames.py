"""A colour sub that starwell saves shows its colours, the right way up, in Siril and to astropy."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits as astropy_fits

from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Bayer, Exposure, Facts, Plane, Planes

SIRIL = shutil.which("siril-cli")
SIZE = (120, 160)
LEVELS = (6000, 12000, 24000)
MARK = (20, 30)  # row and column of a bright square's first pixel

pytestmark = pytest.mark.skipif(SIRIL is None, reason="siril-cli is not installed")


def sub(folder: Path, bayer: Bayer, *, top_down: bool) -> Path:
    """A sub of flat colours with one bright square."""
    facts = Facts(shape=SIZE, bayer=bayer, top_down=top_down, exposure=Exposure(seconds=60.0, gain=120.0))
    pixels = np.zeros(SIZE, np.uint16)
    for plane in Planes.of(facts).planes:
        view = Planes.of(facts).view(pixels, Plane(*plane))
        view[...] = LEVELS[plane.channel]
    row, column = MARK
    pixels[row : row + 8, column : column + 8] = 60000
    path = folder / "light_00001.fits"
    fits.write(path, pixels, keywords_of(facts))
    return path


@pytest.mark.parametrize("bayer", list(Bayer))
@pytest.mark.parametrize("top_down", [True, False], ids=["top-down", "bottom-up"])
def test_siril_sees_the_colours_and_the_square_where_they_are(
    tmp_path: Path, bayer: Bayer, top_down: bool
) -> None:
    path = sub(tmp_path, bayer, top_down=top_down)
    with astropy_fits.open(path) as opened:
        header = opened[0].header
        assert header["EXPTIME"] == 60.0
        assert header["ROWORDER"] == ("TOP-DOWN" if top_down else "BOTTOM-UP")
    script = tmp_path / "colour.ssf"
    script.write_text(f"requires 1.0.0\ncd {tmp_path}\nconvert light -debayer -out=./rgb\nclose\n")
    assert SIRIL is not None
    subprocess.run(
        [SIRIL, "-s", str(script)],
        env={**os.environ, "HOME": str(tmp_path), "LC_ALL": "C"},
        capture_output=True,
        timeout=60,
        check=True,
    )
    (found,) = sorted((tmp_path / "rgb").glob("light*.fit*"))
    planes = astropy_fits.getdata(found).astype(float)
    if planes.max() > 2:
        planes /= 65535.0
    medians = [float(np.median(plane)) * 65535.0 for plane in planes]
    assert medians == pytest.approx(LEVELS, rel=0.02)
    row, column = MARK
    y, x = np.nonzero(planes.min(axis=0) > 0.8)
    # Siril keeps the order of the rows and turns only what it shows.
    assert (x.mean(), y.mean()) == pytest.approx((column + 3.5, row + 3.5), abs=0.1)
