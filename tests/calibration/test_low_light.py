from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.calibration.low_light import LowSet, estimate
from starwell.calibration.low_light_mixture import mixture
from starwell.calibration.low_light_threshold import deficit_of, thresholds
from starwell.camera.chip import Response
from starwell.errors import MasterError
from starwell.frame import Bayer, Facts

RN = 1.3
SIDE = 400
DARKS = 200
COLD_SHARE = 0.004


class Sensor:
    """A sensor's true response to light, and means of its frames drawn from their exact law (no clipping)."""

    def __init__(self, *, response=Response.EXPONENTIAL, cold=COLD_SHARE, weak=0.0, seed=1):
        self.rng = rng = np.random.default_rng(seed)
        shape = (SIDE, SIDE)
        self.response = response
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
        self.a = (1 - 0.4 * (x * x + y * y)) * rng.normal(1, 0.006, shape)
        self.a[rng.random(shape) < weak] *= 0.6
        self.a /= self.a.mean()
        self.q = np.zeros(shape)
        self.cold = rng.random(shape) < cold
        self.q[self.cold] = rng.lognormal(np.log(2.0), 0.5, self.cold.sum())
        self.dark_error = rng.normal(0, RN / np.sqrt(DARKS), shape)
        self.bright = self._mean(16_000.0, 25).astype(np.float32)
        self.bright /= self.bright.mean()

    def light(self, level):
        lost = np.zeros_like(self.q)
        for q in np.unique(self.q[self.cold].round(2)):
            here = self.cold & (self.q.round(2) == q)
            lost[here] = self.response.lost_e(np.float32([level]), float(q))[0]
        return self.a * (level - lost)

    def _mean(self, level, frames):
        shot = self.rng.poisson(frames * self.light(level)) / frames
        return shot + self.rng.normal(0, RN / np.sqrt(frames), shot.shape)

    def low(self, level, frames=150):
        return LowSet(level, (self._mean(level, frames) - self.dark_error).astype(np.float32), frames)

    def corrected(self, level, found, frames=60):
        """The mean of so many subs, with the bright flat alone and with the map."""
        sub = (self._mean(level, frames) - self.dark_error) / self.bright
        return sub, sub if found is None else found.apply(sub.astype(np.float32), level)


def tiles(values):
    side = 40
    parts = values.reshape(SIDE // side, side, -1, side)
    return parts - np.median(parts, axis=(1, 3), keepdims=True)


def fixed_pattern(sensor, found, level):
    """Rms of what two independent means of subs share, bright flat alone and with the map: no noise model."""
    one, two = sensor.corrected(level, found), sensor.corrected(level, found)
    return [float(np.sqrt(max(np.mean(tiles(a) * tiles(b)), 0))) for a, b in zip(one, two, strict=True)]


@pytest.fixture(scope="module")
def charge():
    return Sensor()


def test_where_pixels_keep_charge_back_the_map_takes_the_fixed_pattern_down(charge):
    found = estimate(charge.bright, [charge.low(8.0)], DARKS, RN)
    bright, mapped = fixed_pattern(charge, found, 8.0)
    assert mapped <= 0.65 * bright
    assert found.found[0].share == pytest.approx(charge.cold.mean(), rel=0.15)
    assert found.level_e == (pytest.approx(8.0, rel=1e-3),)


@pytest.mark.parametrize("response", list(Response))
@pytest.mark.parametrize("level", [4.0, 8.0, 12.0])
def test_the_map_helps_whatever_the_shape_of_the_response(response, level):
    sensor = Sensor(response=response, seed=2)
    found = estimate(sensor.bright, [sensor.low(level)], DARKS, RN)
    bright, mapped = fixed_pattern(sensor, found, level)
    assert mapped <= 0.85 * bright


@pytest.mark.parametrize("weak", [0.0, 0.003])
def test_a_linear_sensor_is_left_as_it_is(weak):
    sensor = Sensor(cold=0.0, weak=weak, seed=3)
    found = estimate(sensor.bright, [sensor.low(8.0)], DARKS, RN)
    bright, mapped = fixed_pattern(sensor, found, 8.0)
    assert mapped <= 1.02 * bright
    assert found.found[0].share < 1e-4
    assert found.cold.sum() <= 2
    assert np.sqrt(np.mean(found.deficit_e**2)) < 0.02


def test_noise_cut_off_at_zero_is_a_dense_pattern_and_the_map_takes_it_down():
    rng = np.random.default_rng(4)
    shape, offset = (SIDE // 2, SIDE // 2), rng.normal(0.8, 0.5, (SIDE // 2, SIDE // 2))

    def mean(level, frames):
        total = np.zeros(shape)
        for _ in range(frames):
            total += np.maximum(offset + rng.poisson(level, shape) + rng.normal(0, RN, shape), 0)
        return total / frames

    dark = mean(0.0, DARKS)
    low = LowSet(4.0, (mean(4.0, 150) - dark).astype(np.float32), 150)
    found = estimate(np.ones(shape, np.float32), [low], DARKS, RN)
    assert found.found[0].width > 1.05
    one, two = mean(4.0, 60) - dark, mean(4.0, 60) - dark
    bright = np.mean((one - one.mean()) * (two - two.mean()))
    deficit = found.deficit_e - found.deficit_e.mean()
    mapped = np.mean((one - one.mean() + deficit) * (two - two.mean() + deficit))
    assert mapped < 0.9 * bright


def test_a_map_of_two_levels_holds_at_four_times_the_light(charge):
    found = estimate(charge.bright, [charge.low(16.0, 300), charge.low(8.0, 300)], DARKS, RN)
    assert found.levels_e == (8.0, 16.0)
    assert found.threshold_e is not None
    for level in (4.0, 8.0, 32.0):
        true = level - charge.light(level) / charge.a
        error = (found.at(level) - true)[charge.cold]
        assert np.sqrt(np.mean(error**2)) <= 0.05 * level, level
    one_level = estimate(charge.bright, [charge.low(8.0, 300)], DARKS, RN)
    true = 4.0 - charge.light(4.0) / charge.a
    error = (one_level.at(4.0) - true)[charge.cold]
    assert np.sqrt(np.mean(error**2)) > 0.08 * 4.0


def test_lamp_rows_and_columns_are_told_and_divided_out(charge):
    low = charge.low(8.0)
    x = np.arange(SIDE) / SIDE
    shaded = low.mean_e * (1 + 0.1 * (x - 0.5)) * np.where(np.arange(SIDE)[:, None] % 50 == 0, 1.05, 1.0)
    plain = estimate(charge.bright, [low], DARKS, RN)
    found = estimate(charge.bright, [LowSet(8.0, shaded.astype(np.float32), 150)], DARKS, RN)
    assert found.ratios[0].large == pytest.approx(0.042, abs=0.008)
    assert found.ratios[0].rows == pytest.approx(0.05 * np.sqrt(0.02 * 0.98), rel=0.25)
    np.testing.assert_allclose(
        found.deficit_e[charge.cold], plain.deficit_e[charge.cold], atol=0.06 * 8.0, rtol=0.1
    )


def test_pixels_that_keep_back_more_than_twice_the_sky_are_unusable(charge):
    found = estimate(charge.bright, [charge.low(8.0), charge.low(16.0)], DARKS, RN)
    unusable = found.unusable(1.0)
    assert 0 < unusable.sum() < charge.cold.sum()
    assert charge.q[unusable].min() > 1.3
    assert not found.unusable(100.0).any()


def test_each_colour_has_its_own_level_and_its_own_mixture():
    rng = np.random.default_rng(5)
    shape, frames = (256, 256), 200
    light = np.full(shape, 10.0)
    light[0::2, 0::2] = 5.0
    light[1::2, 1::2] = 3.0
    cold = rng.random(shape) < 0.005
    lost = np.where(cold, np.minimum(2.0, light), 0)
    mean = rng.poisson(frames * (light - lost)) / frames + rng.normal(0, RN / np.sqrt(frames), shape)
    facts = Facts(shape, bayer=Bayer.RGGB)
    low = LowSet(10.0, mean.astype(np.float32), frames)
    found = estimate(np.ones(shape, np.float32), [low], 1000, RN, facts=facts)
    assert found.level_e == pytest.approx((5.0, 10.0, 3.0), rel=0.02)
    assert len(found.found) == 3
    assert np.sqrt(np.mean((found.deficit_e - lost)[cold] ** 2)) < 0.35
    assert np.sqrt(np.mean((found.deficit_e - lost)[~cold] ** 2)) < 0.02


def test_a_blind_pixel_gets_nothing_back():
    sensor = Sensor(cold=0.0, seed=6)
    bright = sensor.bright.copy()
    bright[10, 10] = 0.0
    assert estimate(bright, [sensor.low(8.0)], DARKS, RN).deficit_e[10, 10] == 0


@pytest.mark.parametrize(
    ("lows", "darks", "word"),
    [
        ([], 10, "at least one set"),
        ([LowSet(8.0, np.ones((8, 9), np.float32), 10)], 10, "do not belong together"),
        ([LowSet(8.0, np.zeros((8, 8), np.float32), 10)], 10, "no light above its dark"),
        ([LowSet(8.0, np.ones((8, 8), np.float32), 10)], 0, "how many frames"),
    ],
)
def test_sets_that_cannot_serve_are_refused(lows, darks, word):
    with pytest.raises(MasterError, match=word):
        estimate(np.ones((8, 8), np.float32), lows, darks, RN)


@settings(deadline=None, max_examples=25)
@given(st.floats(0.002, 0.1), st.floats(0.05, 0.3), st.integers(0, 100))
def test_the_mixture_finds_the_share_it_was_drawn_from(share, sigma, seed):
    rng = np.random.default_rng(seed)
    shape = (300, 300)
    true = np.where(rng.random(shape) < share, rng.uniform(0, 8, shape), 0)
    deficit = (true + rng.normal(0, sigma, shape)).astype(np.float32)
    errors = np.full(shape, sigma, np.float32)
    found = mixture(deficit, errors, 8.0)
    drawn = (true > 0).mean()
    assert found.share == pytest.approx(drawn, rel=0.15, abs=4 * np.sqrt(share / deficit.size))
    lost, likely = found.shrunk(deficit, errors)
    assert (likely >= 0).all()
    assert (likely <= 1).all()
    assert np.sqrt(np.mean((lost - true) ** 2)) < np.sqrt(np.mean((deficit - true) ** 2))


@settings(deadline=None, max_examples=40)
@given(st.floats(0.1, 15.0))
def test_a_threshold_without_noise_is_found_between_the_points_of_the_grid(q):
    levels = [8.0, 16.0]
    exact = np.array([[deficit_of(np.float64(q), level)] for level in levels], np.float32)
    found = thresholds(levels, exact, np.full_like(exact, 0.1))
    assert found[0] == pytest.approx(q, rel=0.02)
