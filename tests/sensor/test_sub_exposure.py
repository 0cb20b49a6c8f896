from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.sensor.sub_exposure import (
    Exposed,
    excess_noise,
    least_seconds,
    least_seconds_paid,
    masters_needed,
    recommended,
    swamp_constant,
)

RATES = st.floats(0.01, 100)
NOISES = st.floats(0.5, 15)


@pytest.mark.parametrize(("excess", "constant"), [(0.02, 24.75), (0.05, 9.756), (0.10, 4.762), (0.20, 2.273)])
def test_swamp_constants_are_the_textbooks(excess, constant):
    assert swamp_constant(excess) == pytest.approx(constant, rel=1e-3)


def test_the_least_exposure_of_a_known_sky():
    assert least_seconds(0.8, 1.5) == pytest.approx(27.44, rel=1e-3)


@given(RATES, NOISES, st.floats(0.01, 0.5))
def test_a_sub_of_the_least_exposure_has_just_that_excess_noise(rate, noise, excess):
    assert excess_noise(rate, noise, least_seconds(rate, noise, excess)) == pytest.approx(excess)


@given(RATES, NOISES, st.floats(0, 60), st.floats(0.01, 0.5))
def test_pauses_and_read_noise_together_cost_just_the_excess(rate, noise, pause, excess):
    t = least_seconds_paid(rate, noise, pause, excess)
    assert (1 + noise**2 / rate / t) * (1 + pause / t) == pytest.approx((1 + excess) ** 2)
    assert t >= least_seconds(rate, noise, excess) * (1 - 1e-9)


def test_bright_stars_cut_the_exposure_and_say_so():
    sub = Exposed(seconds=10, sky_e_s=0.1, dark_e_s=0, read_noise_e=3, full_e=20_000, star_e=9_999)
    advice = recommended(sub)
    assert advice.saturates
    assert advice.seconds == pytest.approx(20, rel=0.01)
    assert advice.least_s > 800


def test_a_dark_sky_says_what_dominates():
    sub = Exposed(seconds=10, sky_e_s=0.1, dark_e_s=0.05, read_noise_e=3, full_e=20_000)
    assert sub.dominant == "read noise"
    assert sub.verdict == "red"
    assert sub.swamp == pytest.approx(1.5 / 9)
    assert sub.headroom == pytest.approx(20_000)
    assert math.isinf(least_seconds(0, 3))


@given(st.integers(1, 3000), RATES, st.floats(0, 1), NOISES, st.integers(1, 30))
def test_as_many_masters_as_told_are_enough_and_barely(subs, sky, dark, noise, positions):
    sub = Exposed(seconds=30, sky_e_s=sky, dark_e_s=dark, read_noise_e=noise, full_e=40_000)
    need = masters_needed(sub, subs, seconds=30, flat_e=20_000, positions=positions)
    stack = (30 * (sky + dark) + noise**2) / subs

    def added(darks, flats):
        flat = (30 * sky) ** 2 * (20_000 + noise**2) / 20_000**2 / flats
        return math.sqrt(1 + ((30 * dark + noise**2) / darks + flat) / positions / stack) - 1

    assert added(need.darks, need.flats) <= 0.05 + 1e-9
    if need.darks > 1 and need.flats > 1:
        assert added(need.darks - 1, need.flats - 1) > 0.05


def test_masters_of_that_size_add_that_noise_to_a_simulated_stack():
    rng = np.random.default_rng(1)
    sub = Exposed(seconds=20, sky_e_s=0.8, dark_e_s=0.0, read_noise_e=2.0, full_e=20_000)
    need = masters_needed(sub, 50, seconds=20, flat_e=10_000)
    shape = 200_000
    ideal = rng.normal(16, math.sqrt((16 + 4) / 50), shape)
    dark = rng.normal(0, 2 / math.sqrt(need.darks), shape)
    flat = 1 + rng.normal(0, math.sqrt(10_004) / 10_000 / math.sqrt(need.flats), shape)
    assert ((ideal - dark) / flat).std() / ideal.std() - 1 == pytest.approx(0.05, abs=0.006)
