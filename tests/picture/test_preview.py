from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from starwell.errors import PlanError
from starwell.frame import Float32
from starwell.picture.pool import pool
from starwell.picture.preview import developed, preview
from starwell.picture.stretch import Stretch, StretchLock

DTYPES = [np.uint8, np.uint16, np.int16, ">u2", ">i4", np.float32, np.float64]


def sky(seed: int = 0, size: tuple[int, int] = (120, 160), level: float = 1000, noise: float = 20) -> Float32:
    return np.random.default_rng(seed).normal(level, noise, size).astype(np.float32)


@given(
    channels=st.sampled_from([None, 1, 3]),
    dtype=st.sampled_from(DTYPES),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    room=st.none() | st.tuples(st.integers(1, 50), st.integers(1, 50)),
    stretch=st.sampled_from(Stretch),
    seed=st.integers(0, 99),
)
def test_any_pixels_become_a_picture_of_the_right_size(channels, dtype, size, room, stretch, seed):
    shape = size if channels is None else (channels, *size)
    linear = np.random.default_rng(seed).integers(0, 127, shape).astype(dtype)
    picture = preview(linear, max_px=room, stretch=stretch)
    assert picture.dtype == np.uint8
    assert picture.shape[2:] == ((3,) if channels == 3 else ())
    height, width = picture.shape[:2]
    assert 1 <= height <= size[0]
    assert 1 <= width <= size[1]
    if room is None:
        assert (height, width) == size
    else:
        assert height <= max(1, room[0])
        assert width <= max(1, room[1])


@given(hnp.arrays(np.float32, (9, 11), elements=st.floats(width=32)), st.sampled_from(Stretch))
def test_no_value_a_file_can_hold_breaks_the_picture(linear: Float32, stretch: Stretch):
    picture = preview(linear, stretch=stretch)
    assert (picture[~np.isfinite(linear)] == 0).all()


@pytest.mark.parametrize("stretch", list(Stretch))
def test_the_brightest_is_white_and_never_wraps_to_black(stretch: Stretch):
    linear = sky()
    linear[44:47, 44:47] = 65535
    linear[85, 85] = 1e30
    picture = preview(linear, stretch=stretch, background=False)
    assert picture[45, 45] >= 254
    assert picture[85, 85] == 255


def test_the_automatic_sky_is_a_quarter_grey_and_a_blank_frame_too():
    assert abs(int(np.median(preview(sky()))) - 64) <= 1
    assert (np.abs(preview(np.full((50, 60), 700, np.uint16)).astype(int) - 64) <= 1).all()


def test_a_nebula_of_two_sigma_is_clearly_brighter_than_the_sky():
    linear = sky()
    linear[50:70, 60:100] += 40
    picture = preview(linear).astype(float)
    assert picture[50:70, 60:100].mean() > picture[:30].mean() + 15


def test_holes_and_uncovered_pixels_are_black_and_pull_nothing():
    linear, coverage = sky(), np.ones((120, 160), np.uint16)
    coverage[:, :40] = 0
    linear[:, :40] = 60000
    linear[100:, :] = np.nan
    picture = preview(linear, coverage=coverage)
    assert (picture[:, :40] == 0).all()
    assert (picture[100:] == 0).all()
    assert abs(int(np.median(picture[:100, 40:])) - 64) <= 1
    assert (preview(np.full((8, 8), np.nan, np.float32)) == 0).all()


def test_what_is_shown_is_never_written_into_the_pixels():
    linear = sky()
    linear[3, 3] = np.nan
    before = linear.copy()
    linear.flags.writeable = False
    preview(linear)
    np.testing.assert_array_equal(linear, before)


def test_a_faint_star_survives_reduction_by_eight_and_its_neighbours_stay_dark():
    y, x = np.mgrid[0:400, 0:400]
    star = 600 * np.exp(-((x - 203.4) ** 2 + (y - 198.2) ** 2) / (2 * 1.3**2))
    linear = sky(2, (400, 400)) + star.astype(np.float32)
    picture = preview(linear, max_px=(50, 50)).astype(int)
    y0, x0 = np.unravel_index(picture.argmax(), picture.shape)
    assert (y0, x0) == (24, 25)
    assert picture.max() > 150
    picture[23:27, 24:27] = 0
    assert picture.max() < 120


def test_pooling_shows_peaks_only_where_stars_are():
    planes = sky(3, (200, 200))[None]
    np.testing.assert_allclose(pool(planes, (20, 20)).mean(), 1000, atol=1)
    assert pool(planes, (20, 20)).max() < 1015
    planes[0, 55, 77] = 5000
    assert pool(planes, (20, 20))[0, 5, 7] == 5000


def test_a_pooled_star_keeps_its_colour():
    rgb = np.stack([sky(4), sky(5), sky(6)])
    rgb[:, 60, 80] += np.array([4000, 2000, 1000], np.float32)
    np.testing.assert_array_equal(pool(rgb, (12, 16))[:, 6, 8], rgb[:, 60, 80])


def test_a_gradient_is_taken_away_when_asked():
    linear = sky() + np.linspace(0, 400, 160, dtype=np.float32)
    flat, as_is = preview(linear).astype(float), preview(linear, background=False).astype(float)
    assert abs(flat[:, :30].mean() - flat[:, -30:].mean()) < 3
    assert as_is[:, -30:].mean() > as_is[:, :30].mean() + 30


@pytest.mark.parametrize("stretch", [Stretch.AUTO, Stretch.ASINH])
def test_a_coloured_sky_becomes_grey_and_a_red_nebula_stays_red(stretch: Stretch):
    rgb = np.stack([sky(7, level=800), sky(8, level=1500), sky(9, level=1100)])
    rgb[0, 50:70, 60:100] += 150
    picture = preview(rgb, stretch=stretch)
    assert np.ptp(np.median(picture[:40], axis=(0, 1))) <= 2
    red, green, _ = picture[50:70, 60:100].reshape(-1, 3).mean(axis=0)
    assert red > green + 20


def test_narrowband_channels_are_stretched_each_on_its_own():
    rgb = np.stack([sky(7, level=800), sky(8, level=1500), sky(9, level=1100)])
    assert np.ptp(np.median(preview(rgb, neutral=False), axis=(0, 1))) <= 2
    rgb[0] = 800 + (rgb[0] - 800) * 5
    rgb[0, 50:70] += 200
    np.testing.assert_allclose(np.median(preview(rgb, neutral=False)[:40], axis=(0, 1)), 64, atol=6)


def test_a_lock_keeps_the_shades_of_a_growing_stack():
    lock = StretchLock()
    first = preview(sky(1), lock=lock, background=False)
    star = sky(1) + np.float32(1)
    again = preview(star, lock=lock, background=False)
    assert (again >= first).all()
    assert (again != first).any()


@pytest.mark.parametrize("shape", [(5,), (2, 8, 8), (4, 8, 8), (3, 3, 8, 8), (0, 5), ()])
def test_other_shapes_are_refused(shape: tuple[int, ...]):
    with pytest.raises(PlanError, match="choose one plane or three"):
        preview(np.zeros(shape, np.float32))


def test_an_unknown_stretch_and_a_foreign_coverage_are_refused():
    with pytest.raises(PlanError, match="auto, asinh, linear"):
        preview(sky(), stretch="logarithmic")
    with pytest.raises(PlanError, match="coverage"):
        preview(sky(), coverage=np.ones((3, 3)))


@pytest.mark.parametrize("stretch", ["auto", "asinh", "linear", "log"])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_part_is_drawn_as_it_looks_in_the_whole(stretch: str, channels: int) -> None:
    rng = np.random.default_rng(5)
    y, x = np.mgrid[:120, :160]
    sky = 800 + 2.0 * x + y + rng.normal(0, 12, (channels, 120, 160))
    for _ in range(30):
        cx, cy = rng.uniform(5, 155), rng.uniform(5, 115)
        sky += rng.uniform(500, 20_000) * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 5)
    linear = sky.astype(np.float32)
    whole, development = developed(linear, stretch=stretch, points=(0.5, 0.1))
    part = development.part(linear[:, 30:90, 50:140], (120, 160), (50, 30))
    assert np.abs(part.astype(int) - whole[30:90, 50:140].astype(int)).max() <= 1


def test_black_and_white_point_move_the_way_they_say() -> None:
    linear = np.random.default_rng(2).normal(1000, 20, (100, 100)).astype(np.float32)
    linear[40:50, 40:50] = 9000
    usual, darker, brighter = (
        developed(linear, stretch="asinh", points=points)[0].astype(int)
        for points in ((0.0, 0.0), (1.0, 0.0), (0.0, 0.5))
    )
    assert darker.mean() < usual.mean() < brighter.mean()
    assert darker[45, 45] > 0.7 * usual[45, 45]


def test_the_logarithm_shows_the_sky_as_dark_as_asinh_does() -> None:
    linear = np.random.default_rng(2).normal(1000, 20, (100, 100)).astype(np.float32)
    levels = [np.median(developed(linear, stretch=s, background=False)[0]) for s in ("asinh", "log")]
    assert levels[0] == pytest.approx(levels[1], abs=2)
