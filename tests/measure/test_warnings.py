import numpy as np
import pytest

from starwell.frame import Bayer, Facts, Frame
from starwell.measure.warnings import sub_warnings


def frame(pixels, bayer=None, saturation=65535.0):
    return Frame(Facts(pixels.shape, bayer=bayer, saturation_adu=saturation), pixels)


def sky(level, sigma, shape=(400, 400), seed=1, shift=0):
    codes = np.random.default_rng(seed).normal(level, sigma, shape)
    return (np.clip(np.rint(codes), 0, 4095).astype(np.uint16)) << shift


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0, 20.0])
@pytest.mark.parametrize("shift", [0, 4])
def test_a_good_frame_brings_no_warning(sigma, shift):
    assert sub_warnings(frame(sky(300.3, sigma, shift=shift))) == ()


@pytest.mark.parametrize(("level", "sigma", "share"), [(2.0, 2.0, 22.7), (20.0, 8.0, 0.74), (0.0, 1.0, 69.1)])
def test_a_clipped_floor_is_named_with_its_share_and_level(level, sigma, share):
    (warning,) = sub_warnings(frame(sky(level, sigma)))
    assert float(warning.split()[3]) == pytest.approx(share, rel=0.1)
    assert "clipped at 0 ADU; raise the offset" in warning


def test_a_vignetted_field_with_stars_is_not_taken_for_clipped(draw):
    field = draw(60, 3.0, sky=0, sigma=0).pixels
    y, x = np.mgrid[0:512, 0:512]
    light = (field + 400) * (1 - 0.4 * ((x - 256) ** 2 + (y - 256) ** 2) / 256**2 / 2)
    pixels = np.clip(np.random.default_rng(2).poisson(light), 0, 65535).astype(np.uint16)
    assert sub_warnings(frame(pixels)) == ()


def test_clipping_is_told_per_colour():
    pixels = sky(200, 10, shift=4)
    pixels[1::2, 1::2] = sky(5, 10, (200, 200), shift=4)
    (warning,) = sub_warnings(frame(pixels, Bayer.RGGB))
    assert "of the blue pixels are clipped at 0 ADU" in warning
    assert "red" not in warning


@pytest.mark.parametrize("factor", [1.04, 1.1, 1.25, 0.93, 1.9])
def test_a_white_balance_of_the_software_is_found_by_its_comb(factor):
    pixels = sky(600, 25)
    red = pixels[0::2, 0::2]
    pixels[0::2, 0::2] = np.floor(red * factor)
    (warning,) = sub_warnings(frame(pixels, Bayer.RGGB))
    assert f"multiplied the red pixels by about {factor:.2f}" in warning


def test_the_comb_is_found_in_left_justified_codes():
    pixels = sky(120, 10, shift=4)
    pixels[1::2, 1::2] = np.floor(pixels[1::2, 1::2] * 1.04)
    (warning,) = sub_warnings(frame(pixels, Bayer.RGGB))
    assert "multiplied the blue pixels by about 1.04" in warning


def test_a_mono_frame_with_a_comb_is_told_without_a_colour():
    (warning,) = sub_warnings(frame(np.floor(sky(600, 25) * 1.04).astype(np.uint16)))
    assert "multiplied the pixels by about 1.04" in warning


def test_many_saturated_pixels_are_told():
    pixels = sky(300, 5)
    pixels[:40] = 4095
    (warning,) = sub_warnings(frame(pixels, saturation=4095.0))
    assert warning == "10.0 % of the pixels are saturated: expose shorter, or lower the gain."


@pytest.mark.parametrize("dtype", [np.uint16, np.int16, np.float32])
def test_a_constant_frame_is_told(dtype):
    assert sub_warnings(frame(np.full((64, 64), 7, dtype))) == (
        "every pixel is 7 ADU: the camera delivered no picture.",
    )


def test_pixels_that_are_not_numbers_are_told():
    pixels = np.random.default_rng(1).normal(100, 5, (100, 100)).astype(np.float32)
    pixels[:5] = np.nan
    assert sub_warnings(frame(pixels)) == ("5.0 % of the pixels are not numbers; they are left out.",)
    assert "not one pixel is a number" in sub_warnings(frame(np.full((8, 8), np.nan)))[0]


def test_a_few_pixels_or_wide_integers_tell_nothing_and_do_no_harm():
    assert sub_warnings(frame(np.arange(16, dtype=np.uint16).reshape(4, 4))) == ()
    wide = np.random.default_rng(1).integers(0, 2**31, (200, 200)).astype(np.uint32)
    assert sub_warnings(frame(wide, saturation=2.0**32)) == ()


def test_the_pixels_are_left_as_they_were():
    pixels = sky(2, 2)
    before = pixels.copy()
    sub_warnings(frame(pixels))
    assert np.array_equal(pixels, before)
