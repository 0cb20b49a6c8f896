from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtr

from starwell.calibration.isolated import IsolatedPixels, isolated_pixels
from starwell.frame import Bayer, Facts

SIGMA = 12.0


def field(stars, shape, fwhm, colour=(1.0, 1.0, 1.0), bayer=None, seed=0, offset=(0.0, 0.0)):
    """A noisy sky with Gaussian stars integrated over pixels; stars: (n, 3) of x, y and height."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, SIGMA, shape)
    s = fwhm / 2.3548
    channel = np.zeros(shape, int)
    if bayer is not None:
        for i, letter in enumerate(bayer.value):
            channel[i // 2 :: 2, i % 2 :: 2] = "RGB".index(letter)
    gain = np.asarray(colour)[channel]
    for x, y, peak in stars:
        x, y = x + offset[0], y + offset[1]
        x0, y0 = round(x), round(y)
        r = 7
        if not (r <= x0 < shape[1] - r and r <= y0 < shape[0] - r):
            continue
        edges = np.arange(-r, r + 2) - 0.5
        across, down = (np.diff(ndtr((edges + whole - centre) / s)) for whole, centre in ((x0, x), (y0, y)))
        patch = peak * 2 * np.pi * s * s * np.outer(down, across)
        part = np.s_[y0 - r : y0 + r + 1, x0 - r : x0 + r + 1]
        pixels[part] += patch * gain[part]
    return pixels.astype(np.float32)


def stars_of(n, shape, seed):
    rng = np.random.default_rng(seed)
    return np.column_stack(
        (rng.uniform(8, shape[1] - 8, n), rng.uniform(8, shape[0] - 8, n), 10 ** rng.uniform(2, 4.6, n))
    )


def peaks_of(stars, offset=(0.0, 0.0)):
    return {(round(x + offset[0]), round(y + offset[1])) for x, y, _ in stars}


def lattice(shape, n, seed):
    """n sensor pixels no nearer to each other than 8 px."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[6 : shape[0] - 6 : 9, 6 : shape[1] - 6 : 9]
    pick = rng.choice(xs.size, n, replace=False)
    return xs.ravel()[pick], ys.ravel()[pick]


def test_hot_pixels_of_100_to_10000_adu_are_found_and_nothing_else():
    shape = (1000, 1000)
    x, y = lattice(shape, 4000, 1)
    pixels = field([], shape, 2, seed=2)
    pixels[y, x] += 10 ** np.random.default_rng(3).uniform(2, 4, 4000)
    found = isolated_pixels(pixels, SIGMA)
    assert found[y, x].mean() >= 0.98  # 100 ADU are 8 sigma here
    bright = pixels[y, x] > 130
    assert found[y, x][bright].mean() >= 0.995
    assert found.sum() == found[y, x].sum()


def test_a_pure_sky_has_no_isolated_pixels():
    assert isolated_pixels(field([], (1000, 2000), 2, seed=5), SIGMA).sum() == 0


@pytest.mark.parametrize("fwhm", [1.3, 1.6, 2.0, 3.0])
def test_no_star_peak_is_taken_for_a_hot_pixel(fwhm):
    shape = (700, 700)
    stars = stars_of(1500, shape, 7)
    assert isolated_pixels(field(stars, shape, fwhm, seed=8), SIGMA, egain=1.0).sum() == 0


def test_a_cold_pixel_on_the_sky_is_found():
    pixels = field([], (100, 100), 2) + np.float32(300)
    pixels[50, 60] = 20
    assert np.argwhere(isolated_pixels(pixels, SIGMA)).tolist() == [[50, 60]]


COLOURS = {"white": (1.0, 1.0, 1.0), "red": (1.0, 0.4, 0.1), "H-alpha": (1.0, 0.0, 0.0)}


@pytest.mark.parametrize("colour", COLOURS)
@pytest.mark.parametrize("fwhm", [1.5, 2.0, 3.0])
def test_on_a_colour_sensor_no_star_peak_is_altered(fwhm, colour):
    shape = (360, 360)
    facts = Facts(shape, bayer=Bayer.RGGB)
    stars = stars_of(400, shape, 11)
    isolated = IsolatedPixels(facts)
    rng = np.random.default_rng(13)
    for sub in range(10):
        offset = tuple(rng.uniform(-12, 12, 2))
        pixels = field(stars, shape, fwhm, COLOURS[colour], Bayer.RGGB, 20 + sub, offset)
        found = {tuple(p) for p in isolated.find(pixels, (SIGMA,) * 3, offset).tolist()}
        assert not found & peaks_of(stars, offset)
        assert len(found) == 0


def test_on_a_colour_sensor_hot_pixels_are_found_once_three_moved_subs_agree():
    shape = (300, 300)
    isolated = IsolatedPixels(Facts(shape, bayer=Bayer.GRBG))
    x, y = lattice(shape, 200, 3)
    stars = stars_of(60, shape, 4)
    shares = []
    for sub in range(5):
        offset = (3.0 * sub, -2.0 * sub)
        pixels = field(stars, shape, 2.0, (1, 1, 1), Bayer.GRBG, 40 + sub, offset)
        pixels[y, x] += 2000
        found = isolated.find(pixels, (SIGMA,) * 3, offset)
        mask = np.zeros(shape, bool)
        mask[found[:, 1], found[:, 0]] = True
        shares.append(mask[y, x].mean())
        assert mask.sum() == mask[y, x].sum()
    assert shares[:2] == [0, 0]
    assert min(shares[2:]) > 0.85  # the rest lies beside stars


def test_on_a_colour_sensor_that_did_not_move_nothing_is_altered():
    shape = (200, 200)
    isolated = IsolatedPixels(Facts(shape, bayer=Bayer.RGGB))
    stars = stars_of(80, shape, 5)
    for sub in range(6):
        pixels = field(stars, shape, 1.5, COLOURS["H-alpha"], Bayer.RGGB, 60 + sub, (0.3 * sub, 0.0))
        assert len(isolated.find(pixels, (SIGMA,) * 3, (0.3 * sub, 0.0))) == 0


def test_the_steps_of_an_8_bit_frame_do_not_stand_out():
    pixels = np.random.default_rng(1).normal(20.3, 0.35, (300, 300)).round().astype(np.float32)
    assert len(IsolatedPixels(Facts(pixels.shape)).find(pixels, (0.13,))) == 0


def test_three_planes_of_colour_speak_for_themselves():
    shape = (3, 80, 90)
    pixels = np.random.default_rng(1).normal(0, SIGMA, shape).astype(np.float32)
    pixels[1, 20, 30] = 900
    assert IsolatedPixels(Facts(shape)).find(pixels, (SIGMA,) * 3).tolist() == [[30, 20]]
