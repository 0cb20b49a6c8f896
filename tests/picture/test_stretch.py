from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.frame import Float32
from starwell.picture.stretch import (
    Sky,
    Stretch,
    StretchLock,
    asinh,
    curve_for,
    linked,
    lupton,
    mtf,
    sky_of,
    softening_for,
    stf,
)

ONE_TO_ONE = np.linspace(0, 1, 257, dtype=np.float32)


def f32(*values: float) -> Float32:
    return np.array(values, np.float32)


def test_the_midtones_function_has_its_published_value():
    assert mtf(0.25, f32(0.5))[0] == pytest.approx(0.75, abs=1e-4)


def test_the_screen_transfer_function_puts_a_known_sky_at_a_quarter():
    c0, midtones = stf(0.02, 0.002)
    assert c0 == pytest.approx(0.011697, abs=1e-4 * 0.02)
    assert midtones == pytest.approx(0.024786, abs=1e-5)
    assert mtf(midtones, f32((0.02 - c0) / (1 - c0)))[0] == pytest.approx(0.25, abs=1e-5)


def test_asinh_has_its_golden_values():
    np.testing.assert_allclose(asinh(f32(0.01, 0.1, 0.5), 100), [0.1663, 0.5659, 0.8692], atol=1e-4)


def test_lupton_has_values_worked_by_hand():
    # I = .2, Q·alpha·I = 8·.5·.2 = .8, f = asinh(.8)/8 = .0915835, f/I = .457917
    shown = lupton(f32(0.3, 0.2, 0.1).reshape(3, 1, 1), q=8, alpha=0.5)
    np.testing.assert_allclose(shown.ravel(), [0.137375, 0.091583, 0.045792], atol=1e-5)


def test_lupton_keeps_the_ratios_of_a_colour_that_would_burn_out():
    shown = lupton(f32(40, 20, 10).reshape(3, 1, 1), q=1, alpha=5).ravel()
    assert shown[0] == pytest.approx(1)
    np.testing.assert_allclose(shown / shown[0], [1, 0.5, 0.25], rtol=1e-5)


@given(st.floats(1e-6, 0.999))
def test_the_midtones_function_rises_from_0_to_1_and_halves_at_the_midtones(midtones: float):
    shades = mtf(midtones, ONE_TO_ONE)
    assert shades[0] == 0
    assert shades[-1] == pytest.approx(1, abs=1e-5)
    assert (np.diff(shades) >= -1e-6).all()
    assert mtf(midtones, f32(midtones))[0] == pytest.approx(0.5, abs=1e-4)


@given(st.floats(1e-3, 1e7))
def test_asinh_rises_from_0_to_1(softening: float):
    shades = asinh(ONE_TO_ONE, softening)
    assert shades[0] == 0
    assert shades[-1] == pytest.approx(1, abs=1e-5)
    assert (np.diff(shades) >= -1e-6).all()


@given(st.floats(1e-6, 0.12))
def test_the_softening_takes_the_level_to_the_shade_asked_for(level: float):
    assert asinh(f32(level), softening_for(level))[0] == pytest.approx(0.15, abs=1e-3)


@given(
    kind=st.sampled_from(Stretch),
    median=st.floats(-5000, 60000),
    sigma=st.floats(0, 5000),
    above=st.floats(0, 65535),
)
def test_every_curve_rises_within_0_to_1_and_is_finite(
    kind: Stretch, median: float, sigma: float, above: float
):
    curve = curve_for(kind, Sky(median, sigma / 1.4826, median + above), white_adu=65535)
    shades = curve(np.linspace(-70000, 140000, 999, dtype=np.float32))
    assert np.isfinite(shades).all()
    assert shades[0] == 0
    assert shades[-1] == pytest.approx(1, abs=1e-4)
    assert (np.diff(shades) >= -1e-5).all()


@pytest.mark.parametrize("median", [-300.0, 0.0, 12.0, 1310.7, 40000.0])
def test_the_automatic_curve_puts_any_sky_at_a_quarter(median: float):
    curve = curve_for(Stretch.AUTO, Sky(median, 20, median + 900), white_adu=65535)
    assert curve(f32(median))[0] == pytest.approx(0.25, abs=2e-3)


def test_a_window_sets_the_black_and_the_white_point():
    curve = curve_for(Stretch.LINEAR, Sky(500, 10, 900), white_adu=65535, window=(400, 800))
    np.testing.assert_allclose(curve(f32(300, 400, 600, 800, 900)), [0, 0, 0.5, 1, 1], atol=1e-6)


def test_linked_channels_share_the_mean_of_their_points():
    curves = [curve_for(Stretch.AUTO, Sky(m, 10, m + 900), white_adu=65535) for m in (400, 500, 600)]
    one = linked(curves)
    assert one.black_adu == pytest.approx(np.mean([c.black_adu for c in curves]))
    assert one.knee == pytest.approx(np.mean([c.knee for c in curves]))


def test_the_sky_of_gaussian_noise_is_its_median_and_sigma():
    sky = sky_of(np.random.default_rng(1).normal(700, 12, 100_000).astype(np.float32))
    assert sky.median == pytest.approx(700, abs=0.2)
    assert sky.sigma == pytest.approx(12, rel=0.02)
    assert sky.top == pytest.approx(700 + 3.09 * 12, abs=1)


def locked(lock: StretchLock, median: float, mad: float, asked: object = "auto") -> float:
    sky = Sky(median, mad, median + 100)
    return lock.hold([curve_for(Stretch.AUTO, sky, white_adu=65535)], [sky], asked)[0].black_adu


def test_a_locked_stretch_holds_still_until_the_median_moves_by_a_fifth_of_a_sigma():
    lock = StretchLock()
    first = locked(lock, 500, 10)
    assert locked(lock, 500 + 0.19 * 14.826, 10) == first
    assert locked(lock, 500 + 0.21 * 14.826, 10) != first


def test_a_lock_measures_from_where_it_locked_so_a_slow_drift_moves_it_in_the_end():
    lock = StretchLock()
    seen = {locked(lock, 500 + 0.1 * step, 10) for step in range(100)}
    assert 2 <= len(seen) <= 5


def test_a_lock_gives_way_to_a_deeper_stack_and_to_another_wish():
    lock = StretchLock()
    first = locked(lock, 500, 10)
    assert locked(lock, 500, 7) == first
    deeper = locked(lock, 500, 5)
    assert deeper > first
    assert locked(lock, 500.1, 5, "other") != deeper
