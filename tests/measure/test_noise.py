import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.frame import Bayer, Facts, Planes
from starwell.measure.noise import haar_noise, plane_noise


@pytest.mark.parametrize("sigma", [0.4, 0.55, 0.7, 1.0, 1.5, 2.1, 3.0, 12.0])
def test_the_noise_of_integer_data_is_within_two_percent_of_its_rms(sigma):
    rng = np.random.default_rng(3)
    pixels = np.rint(rng.normal(500.3, sigma, (800, 800))).astype(np.uint16)
    assert haar_noise(pixels) == pytest.approx(pixels.std(), rel=0.01)


def test_stars_cost_less_than_two_percent(draw):
    field = draw(80, 3.0, size=(1000, 1000))
    assert 0.99 < haar_noise(field.pixels) / 10 < 1.02


def test_a_gradient_and_a_nebula_are_not_noise():
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:600, 0:600]
    light = 3.0 * x - 2.0 * y + 4000 * np.exp(-((x - 300) ** 2 + (y - 300) ** 2) / 2 / 60**2)
    assert haar_noise(rng.normal(light, 5.0)) == pytest.approx(5.0, rel=0.01)


def test_planes_of_a_mosaic_have_their_own_noise_whatever_their_levels():
    rng = np.random.default_rng(5)
    pixels = np.empty((600, 800))
    for (y, x), level, sigma in (((0, 0), 100, 4), ((0, 1), 900, 8), ((1, 0), 880, 8), ((1, 1), 300, 2)):
        pixels[y::2, x::2] = rng.normal(level, sigma, (300, 400))
    planes = Planes.of(Facts(pixels.shape, bayer=Bayer.RGGB))
    assert plane_noise(pixels, planes) == pytest.approx([4, 8, 2], rel=0.02)


def test_a_stride_of_two_sees_all_phases_of_a_mosaic_and_not_its_colours():
    rng = np.random.default_rng(6)
    pixels = rng.normal(0, 6, (500, 500))
    pixels[0::2, 0::2] += 3000
    assert haar_noise(pixels, step=2) == pytest.approx(6.0, rel=0.02)
    assert haar_noise(pixels) > 1000


def test_hot_pixels_and_nans_do_not_count():
    rng = np.random.default_rng(7)
    pixels = rng.normal(100, 5, (700, 700))
    spots = rng.integers(0, 700, (2, 900))
    pixels[spots[0], spots[1]] = 60000
    pixels[:, 40:60] = np.nan
    assert haar_noise(pixels) == pytest.approx(5.0, rel=0.02)


@pytest.mark.parametrize("sigma", [0.02, 0.3, 0.45, 7.0, 900.0])
def test_the_noise_is_the_rms_of_the_details_within_four_of_it(sigma):
    rng = np.random.default_rng(8)
    pixels = np.rint(rng.normal(500, sigma, (256, 256))) if sigma < 1 else rng.normal(500, sigma, (256, 256))
    pixels[rng.integers(0, 256, 700), rng.integers(0, 256, 700)] += 60 * sigma + 3
    pixels = pixels.astype(np.float32)
    noise = haar_noise(pixels)
    down = (pixels[::2] - pixels[1::2]).astype(np.float64)
    size = np.abs(down[:, ::2] - down[:, 1::2]) / 2
    if noise > 0:
        assert np.sqrt(np.square(size[size <= 4 * noise]).mean()) == pytest.approx(noise, rel=1e-5)
    else:
        assert np.count_nonzero(size) < 0.3 * size.size


def test_a_constant_frame_has_no_noise_and_one_without_numbers_none_that_is_known():
    assert haar_noise(np.full((100, 100), 7)) == 0
    assert np.isnan(haar_noise(np.full((100, 100), np.nan)))
    assert np.isnan(haar_noise(np.ones((1, 1))))


@given(st.integers(2, 70), st.integers(2, 70), st.sampled_from([1, 2]))
def test_any_frame_size_gives_a_number_or_nan(height, width, step):
    noise = haar_noise(np.random.default_rng(0).normal(0, 1, (height, width)), step)
    if min(height, width) >= 2 * step:
        assert noise >= 0
    else:
        assert np.isnan(noise)


@given(st.floats(0.1, 1000), st.floats(-1e4, 1e4))
def test_noise_scales_with_the_pixels_and_ignores_their_level(scale, level):
    pixels = np.random.default_rng(1).normal(0, 1, (64, 64))
    assert haar_noise(scale * pixels + level) == pytest.approx(scale * haar_noise(pixels), rel=2e-2)
