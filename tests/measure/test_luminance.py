import numpy as np
import pytest

from starwell.frame import Bayer, Facts, Planes
from starwell.measure.background import Background
from starwell.measure.luminance import Luminance

RADIUS = 3
X, Y = np.array([0.2, 30.0, 39.4, 12.6, 2.0]), np.array([15.0, 20.4, 28.0, 0.0, 3.4])


def luminance(pixels, planes):
    channels = planes.channels
    sky = Background(np.arange(1.0, channels + 1)[:, None, None], np.zeros(1), np.zeros(1), np.ones(channels))
    return Luminance(pixels, planes, sky)


def around(plane, x, y):
    padded = np.pad(plane, RADIUS, mode="edge")
    left, top = round(x), round(y)
    return padded[top : top + 2 * RADIUS + 1, left : left + 2 * RADIUS + 1]


def pixels(*shape):
    return np.random.default_rng(1).uniform(50, 60, shape).astype(np.float32)


def test_cut_outs_are_the_pixels_about_a_star_and_repeat_the_edge():
    plane = pixels(30, 40)
    cut = luminance(plane, Planes.of(Facts(plane.shape))).raw_patches(X, Y, RADIUS)
    for star, x, y in zip(cut, X, Y, strict=True):
        np.testing.assert_allclose(star, around(plane, x, y) - 1, atol=1e-5)


def test_cut_outs_of_three_planes_are_their_mean():
    planes = pixels(3, 30, 40)
    cut = luminance(planes, Planes.of(Facts(planes.shape))).raw_patches(X, Y, RADIUS)
    for star, x, y in zip(cut, X, Y, strict=True):
        np.testing.assert_allclose(star, around(planes.mean(axis=0), x, y) - 2, atol=1e-5)


@pytest.mark.parametrize("bayer", list(Bayer))
def test_every_pixel_of_a_mosaic_is_seen_above_the_sky_of_its_colour(bayer):
    mosaic = pixels(30, 40)
    planes = Planes.of(Facts(mosaic.shape, bayer=bayer))
    above = mosaic.copy()
    for plane in planes.planes:
        planes.view(above, plane)[...] -= plane.channel + 1
    cut = luminance(mosaic, planes).raw_patches(X, Y, RADIUS)
    for star, x, y in zip(cut, X, Y, strict=True):
        np.testing.assert_allclose(star, around(above, x, y), atol=1e-5)


def test_what_is_no_number_counts_as_sky_inside_and_at_the_edge():
    plane = pixels(30, 40)
    plane[20, 30] = plane[0, 12] = np.nan
    cut = luminance(plane, Planes.of(Facts(plane.shape))).raw_patches(X, Y, RADIUS)
    assert np.isfinite(cut).all()
    assert cut[1, RADIUS, RADIUS] == 0
    assert (cut[3, : RADIUS + 1, RADIUS - 1] == 0).all()
