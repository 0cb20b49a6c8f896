"""The stack on disk: values, units, keywords, maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from starwell.calibration.master import Masters, constant_bias
from starwell.errors import DiskFull, StorageError
from starwell.files import atomic
from starwell.files.fits import Banded
from starwell.frame import Bayer, Exposure, Facts
from starwell.sensor.model import Origin, SensorModel
from starwell.session.output import Stacked, Unit, maps_path, pedestal_adu, save


def stacked(mean: Any, count: Any = None, **how: Any) -> Stacked:
    mean = np.asarray(mean, np.float32)
    count = np.full(mean.shape, 5, np.uint16) if count is None else np.asarray(count)
    facts = Facts(mean.shape, Exposure(seconds=30.0, gain=100.0, filter="L"), bayer=Bayer.RGGB, pixel_um=3.8)
    known: dict[str, Any] = {
        "weights": Banded.of(count.astype(np.float32)),
        "count": count,
        "masked": np.zeros(mean.shape, np.uint8),
        "variances": Banded.of(np.full(mean.shape, 4.0, np.float32)),
        "facts": facts,
        "model": SensorModel(0.5, 1.5, origin=Origin.MEASURED),
        "masters": Masters(bias=constant_bias(500)),
        "stacked": 5,
        "livetime_s": 150.0,
    }
    return Stacked(means=Banded.of(mean), **{**known, **how})


means = arrays.arrays(
    np.float32,
    arrays.array_shapes(min_dims=2, max_dims=2, min_side=8, max_side=24),
    elements=st.floats(-5000, 60000, width=32),
)


@given(mean=means)
def test_full_scale_goes_back_to_electrons_by_its_own_keywords(mean: Any, tmp_path_factory: Any) -> None:
    path = tmp_path_factory.mktemp("out") / "s.fits"
    stack = stacked(mean)
    save(path, stack)
    with astropy_fits.open(path) as hdus:
        header, values = hdus[0].header, hdus[0].data
    assert header["TOELECTR"] == "(value*FULLSCAL - PEDESTAL)*EGAIN"
    back = (values * header["FULLSCAL"] - header["PEDESTAL"]) * header["EGAIN"]
    np.testing.assert_allclose(back, mean * 0.5, atol=0.01)


@given(st.floats(-2000, 2000), st.floats(1, 50), st.integers(0, 99))
def test_the_pedestal_keeps_the_sky_positive(level: float, sigma: float, seed: int) -> None:
    sky = np.random.default_rng(seed).normal(level, sigma, (64, 64)).astype(np.float32)
    stack = stacked(sky)
    pedestal = pedestal_adu(stack)
    assert pedestal == int(pedestal) >= 0
    assert (sky + pedestal).min() > 0
    if level > 15 * sigma:
        assert pedestal == 0


def test_pixels_no_sub_reached_are_zero_and_do_not_ask_for_a_pedestal(tmp_path: Path) -> None:
    mean, count = np.full((32, 32), 900.0), np.full((32, 32), 3, np.uint16)
    mean[:, :8], count[:, :8] = 0, 0
    stack = stacked(mean, count)
    assert pedestal_adu(stack) == 0
    save(tmp_path / "s.fits", stack)
    values = astropy_fits.getdata(tmp_path / "s.fits")
    assert (values[:, :8] == 0).all()
    assert (values[:, 8:] > 0).all()


def test_a_repaired_pixel_that_no_sub_saw_better_keeps_its_value(tmp_path: Path) -> None:
    weight, count = np.full((32, 32), 3.0, np.float32), np.full((32, 32), 3, np.uint16)
    weight[4, 7], count[4, 7] = 0.003, 0
    save(tmp_path / "s.fits", stacked(np.full((32, 32), 900.0), count, weights=Banded.of(weight)))
    assert np.ptp(astropy_fits.getdata(tmp_path / "s.fits")) == 0


def test_a_stack_is_one_image_and_says_where_it_comes_from(tmp_path: Path) -> None:
    facts = Facts((24, 32), Exposure(seconds=30.0, filter="L"), source=Path("/nights/sub_7.fits"))
    save(tmp_path / "s.fits", stacked(np.full((24, 32), 100.0), facts=facts))
    with astropy_fits.open(tmp_path / "s.fits") as hdus:
        assert len(hdus) == 1
        header = hdus[0].header
        assert hdus[0].data.dtype.kind == "f"
    assert (header["STACKCNT"], header["LIVETIME"], header["EXPTIME"]) == (5, 150.0, 30.0)
    assert header["REFERENC"] == "sub_7.fits"
    assert header["GAINFROM"] == "sensor analysis"
    assert header["MASTER1"] == "bias: the constant bias of 500 ADU"
    assert len(header["MSHA1"]) == 64
    assert header["PROGRAM"].startswith("starwell ")
    assert "BAYERPAT" not in header


def test_electrons_are_electrons_in_stack_and_maps(tmp_path: Path) -> None:
    save(tmp_path / "s.fits", stacked(np.full((24, 32), 100.0)), unit=Unit.ELECTRON)
    with astropy_fits.open(tmp_path / "s.fits") as hdus:
        assert hdus[0].header["BUNIT"] == "electron"
        assert hdus[0].header["EGAIN"] == 1.0
        assert "PEDESTAL" not in hdus[0].header
        np.testing.assert_allclose(hdus[0].data, 50.0)
    with astropy_fits.open(maps_path(tmp_path / "s.fits")) as hdus:
        np.testing.assert_allclose(hdus["VARIANCE"].data, 1.0)
        assert hdus[0].header["VARUNIT"] == "electron2"


def test_super_pixels_are_noted_as_larger_pixels(tmp_path: Path) -> None:
    save(tmp_path / "s.fits", stacked(np.full((3, 12, 16), 100.0), output_step=2))
    header = astropy_fits.getheader(tmp_path / "s.fits")
    assert (header["NAXIS3"], header["XPIXSZ"]) == (3, 7.6)


def test_nothing_is_replaced_and_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "s.fits"
    save(path, stacked(np.full((24, 32), 100.0)))
    before = path.read_bytes()
    with pytest.raises(StorageError, match="exists already"):
        save(path, stacked(np.full((24, 32), 200.0)))

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(DiskFull, match="no room left to write"):
        save(path, stacked(np.full((24, 32), 200.0)), overwrite=True)
    assert path.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.fits", "s.maps.fits"]


def test_a_picture_made_in_bands_is_the_picture() -> None:
    pixels = np.arange(3 * 600 * 4, dtype=np.float32).reshape(3, 600, 4)
    room = np.empty((600, 4), np.float32)

    def rows(plane: int, y0: int, y1: int) -> Any:
        band = room[: y1 - y0]  # the next band overwrites it
        band[...] = pixels[plane, y0:y1]
        return band

    np.testing.assert_array_equal(Banded(pixels.shape, pixels.dtype, rows).whole(), pixels)
