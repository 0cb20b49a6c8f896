from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.calibration.defects import MOST, Defects, blind_pixels, hot_pixels
from starwell.frame import Bayer, Facts

SHAPE = (80, 100)


def charge(seed=1):
    x = np.arange(SHAPE[1])
    return (np.random.default_rng(seed).normal(10, 1, SHAPE) + 0.3 * x).astype(np.float32)


def test_pixels_noisier_than_twice_the_read_noise_are_hot_on_a_gradient():
    dark = charge()
    dark[20, 30] += 200  # K = 2: 400 e- of dark, 20 e- of noise against RN = 8 e-
    dark[40, 50] += 60  # 11 e- of noise: subtracting is enough
    hot = hot_pixels(dark, Facts(SHAPE), egain=2.0, read_noise_adu=4.0)
    assert hot.xy.tolist() == [[30, 20]]


def test_without_a_known_gain_only_what_stands_far_out_is_hot():
    dark = charge()
    dark[20, 30] += 50
    dark[70, 90] = np.nan
    dark[10, 10] -= 60
    assert hot_pixels(dark, Facts(SHAPE)).xy.tolist() == [[10, 10], [30, 20], [90, 70]]


def test_bayer_phases_are_judged_apart():
    dark = charge()
    dark[::2, ::2] += 300  # one colour's level differs: not 2000 hot pixels
    dark[21, 31] += 80
    assert hot_pixels(dark, Facts(SHAPE, bayer=Bayer.RGGB)).xy.tolist() == [[31, 21]]


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
def test_a_tall_sensor_is_searched_in_bands_that_leave_no_seam(bayer):
    rng = np.random.default_rng(3)
    bias = rng.uniform(400, 600, (700, 60)).astype(np.float32)
    dark = bias + rng.normal(10, 1, bias.shape).astype(np.float32)
    spots = [[29, row] for row in (0, 1, 62, 63, 64, 65, 126, 127, 128, 130, 698, 699)]
    for x, y in spots:
        dark[y, x] += 60
    found = hot_pixels(dark, Facts(bias.shape, bayer=bayer), bias_adu=bias)
    assert found.xy.tolist() == spots
    assert found.counts == {"hot": len(spots)}


def test_pixels_without_a_number_are_listed_before_the_hottest():
    dark = charge()
    dark.ravel()[::20] += 5000
    dark[40, 33], dark[41, 77] = np.nan, np.inf
    listed = hot_pixels(dark, Facts(SHAPE)).xy.tolist()
    assert len(listed) == int(MOST * dark.size)
    assert [33, 40] in listed
    assert [77, 41] in listed


def test_no_more_than_a_fiftieth_of_a_sensor_is_listed_the_hottest_first():
    dark = charge()
    rng = np.random.default_rng(2)
    hot = rng.choice(dark.size, dark.size // 20, replace=False)
    dark.ravel()[hot] += np.linspace(500, 5000, hot.size).astype(np.float32)
    mask = hot_pixels(dark, Facts(SHAPE)).mask()
    assert mask.sum() == int(MOST * dark.size)
    assert mask.ravel()[hot[-100:]].all()


def test_cold_and_blind_pixels_of_a_flat_are_told_apart_from_dust():
    flat = np.random.default_rng(1).normal(1, 0.01, SHAPE).astype(np.float32)
    flat[20:34, 20:34] *= 0.85
    flat[50, 50], flat[60, 60], flat[5, 5] = 0.3, 0.02, np.nan
    found = blind_pixels(flat, Facts(SHAPE))
    assert found.xy.tolist() == [[5, 5], [50, 50], [60, 60]]
    assert found.counts == {"cold": 1, "dead": 2}


@given(
    st.sets(st.tuples(st.integers(0, 39), st.integers(0, 29)), min_size=1, max_size=60),
    st.sampled_from([1, 2]),
    st.floats(-3, 3),
    st.floats(-3, 3),
)
def test_repaired_pixels_lie_between_good_neighbours_of_their_own_colour(points, step, slope_x, slope_y):
    y, x = np.mgrid[:30, :40]
    phase = 1000.0 * ((y % 2) * 2 + x % 2) if step == 2 else 0.0
    truth = (slope_x * x + slope_y * y + phase).astype(np.float32)
    pixels = truth.copy()
    xy = np.array(sorted(points))
    pixels[xy[:, 1], xy[:, 0]] = np.nan
    Defects(xy, (30, 40)).repair(pixels, step)
    reach = 3 * step * (abs(slope_x) + abs(slope_y)) + 1e-2
    assert np.abs(pixels - truth).max() <= reach
    untouched = np.ones((30, 40), bool)
    untouched[xy[:, 1], xy[:, 0]] = False
    np.testing.assert_array_equal(pixels[untouched], truth[untouched])


def test_a_lone_pixel_on_a_slope_is_repaired_exactly():
    y, x = np.mgrid[:30, :40]
    truth = (3.0 * x - 2.0 * y).astype(np.float32)
    pixels = truth.copy()
    pixels[12, 17] = 60000
    Defects(np.array([[17, 12]]), (30, 40)).repair(pixels, 2)
    np.testing.assert_allclose(pixels, truth, atol=1e-4)


def test_a_dead_corner_wider_than_the_search_takes_the_sky():
    pixels = np.full((60, 60), 50, np.float32)
    mask = np.zeros((60, 60), bool)
    mask[:12, :12] = True
    pixels[mask] = 9000
    Defects.of(mask).repair(pixels, 1)
    np.testing.assert_allclose(pixels, 50, rtol=1e-6)


def test_three_planes_are_repaired_each():
    pixels = np.stack([np.full((10, 10), level, np.float32) for level in (1, 2, 3)])
    pixels[:, 5, 5] = 999
    Defects(np.array([[5, 5]]), (10, 10)).repair(pixels, 1)
    assert pixels[:, 5, 5].tolist() == [1, 2, 3]


def test_defects_are_joined_and_cut():
    one, other = Defects(np.array([[1, 2]]), SHAPE, {"hot": 1}), Defects(np.array([[1, 2], [9, 8]]), SHAPE)
    both = one.joined(other)
    assert both.xy.tolist() == [[1, 2], [9, 8]]
    assert both.window(5, 5, 20, 20).xy.tolist() == [[4, 3]]
    with pytest.raises(ValueError, match="cannot be joined"):
        one.joined(Defects(np.zeros((0, 2), int), (3, 3)))
