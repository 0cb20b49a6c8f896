from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import PlanError
from starwell.frame import Bayer, Float32
from starwell.picture.debayer import bilinear, super_pixel

CHANNEL = {"R": 0, "G": 1, "B": 2}


def mosaic_of(rgb: Float32, bayer: Bayer) -> Float32:
    mosaic = np.empty(rgb.shape[1:], np.float32)
    for i, letter in enumerate(bayer.value):
        y, x = divmod(i, 2)
        mosaic[y::2, x::2] = rgb[CHANNEL[letter], y::2, x::2]
    return mosaic


@given(st.sampled_from(Bayer), st.integers(2, 11), st.integers(2, 11))
def test_one_colour_everywhere_comes_back_up_to_the_edges(bayer: Bayer, height: int, width: int):
    rgb = np.broadcast_to(np.array([300, 200, 100], np.float32)[:, None, None], (3, height, width))
    np.testing.assert_allclose(bilinear(mosaic_of(rgb, bayer), bayer), rgb, rtol=1e-6)
    small = super_pixel(mosaic_of(rgb, bayer), bayer)
    assert small.shape == (3, height // 2, width // 2)
    np.testing.assert_allclose(small, rgb[:, : height // 2, : width // 2], rtol=1e-6)


@pytest.mark.parametrize("bayer", list(Bayer))
def test_a_ramp_is_interpolated_exactly_and_measured_pixels_keep_their_values(bayer: Bayer):
    y, x = np.mgrid[0:12, 0:14].astype(np.float32)
    rgb = np.stack([3 * x + y, 500 - x + 2 * y, 1000 + x - y])
    full = bilinear(mosaic_of(rgb, bayer), bayer)
    np.testing.assert_allclose(full[:, 1:-1, 1:-1], rgb[:, 1:-1, 1:-1], rtol=1e-5)
    np.testing.assert_allclose(mosaic_of(full, bayer), mosaic_of(rgb, bayer))


@pytest.mark.parametrize("bayer", list(Bayer))
def test_bilinear_agrees_with_opencv_inside(bayer: Bayer):
    code = {  # OpenCV names a pattern by its second row's second and third pixels
        Bayer.RGGB: cv2.COLOR_BayerBG2RGB,
        Bayer.BGGR: cv2.COLOR_BayerRG2RGB,
        Bayer.GRBG: cv2.COLOR_BayerGB2RGB,
        Bayer.GBRG: cv2.COLOR_BayerGR2RGB,
    }[bayer]
    mosaic = np.random.default_rng(5).integers(0, 65535, (20, 22), dtype=np.uint16)
    theirs = np.moveaxis(cv2.cvtColor(mosaic, code), -1, 0)
    assert np.abs(bilinear(mosaic, bayer) - theirs)[:, 2:-2, 2:-2].max() <= 1


def test_two_greens_of_a_cell_are_averaged_and_16_bits_do_not_overflow():
    cell = np.array([[65535, 65535], [65533, 7]], np.uint16)
    np.testing.assert_array_equal(super_pixel(cell, Bayer.RGGB).ravel(), [65535, 65534, 7])


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 8), (8,)])
def test_what_is_no_mosaic_is_refused(shape: tuple[int, ...]):
    with pytest.raises(PlanError, match="mosaic"):
        bilinear(np.zeros(shape), Bayer.RGGB)
    with pytest.raises(PlanError, match="mosaic"):
        super_pixel(np.zeros(shape), Bayer.RGGB)
