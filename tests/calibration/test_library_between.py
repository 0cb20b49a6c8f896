"""A dark between two temperatures is better than either, by as much as the exponential law says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.library_open import between
from starwell.calibration.master import Master, constant_bias
from starwell.errors import MasterMismatch
from starwell.frame import Exposure, Facts, Float64, Kind

SHAPE, BIAS, NOISE, FRAMES = (128, 128), 500.0, 8.0, 16
COLD, HERE, WARM = 12.0, 15.0, 18.0
RNG = np.random.default_rng(11)
AT_15 = RNG.gamma(0.5, 120.0, SHAPE)  # charge of each pixel at 15 °C, ADU: many quiet, some warm


def dark(celsius: float, charge: Float64) -> Master:
    """A master of FRAMES darks at this temperature: the truth and its noise."""
    seen = BIAS + charge + RNG.normal(0, NOISE / np.sqrt(FRAMES), SHAPE)
    facts = Facts(SHAPE, Exposure(Kind.DARK, 60.0), sensor_celsius=celsius)
    return Master(Kind.DARK, seen.astype(np.float32), facts, 500.0, FRAMES, learnt={"noise_adu": NOISE})


def lights(celsius: float = HERE) -> Facts:
    return Facts(SHAPE, Exposure(seconds=60.0), sensor_celsius=celsius)


def rms(pixels: Float64) -> float:
    return float(np.sqrt(np.mean(np.square(pixels))))


def test_halfway_it_beats_either_dark_by_the_predicted_factor() -> None:
    charges = {t: AT_15 * 2 ** ((t - HERE) / 6.0) for t in (COLD, HERE, WARM)}
    cold, warm = dark(COLD, charges[COLD]), dark(WARM, charges[WARM])
    made = between(cold, warm, 0.5, lights())
    truth = BIAS + charges[HERE]
    of_master = NOISE / np.sqrt(FRAMES)
    weight = (2**0.5 - 1) / (2**1.0 - 1)
    own = of_master * np.hypot(1 - weight, weight)
    assert rms(made.pixels - truth) == pytest.approx(own, rel=0.03)
    for master, factor in ((cold, 1 - 2**-0.5), (warm, 2**0.5 - 1)):
        predicted = np.hypot(rms(AT_15) * factor, of_master) / own
        assert predicted > 10
        assert rms(master.pixels - truth) / rms(made.pixels - truth) == pytest.approx(predicted, rel=0.05)
    # its noise is that of the mean of both, and it says how many frames that is worth
    assert made.combined == round(FRAMES / ((1 - weight) ** 2 + weight**2))
    assert made.facts.sensor_celsius == HERE
    assert "between" in made.name


def test_with_a_bias_each_warm_pixel_follows_its_own_law() -> None:
    doubling = RNG.uniform(4.5, 8.0, SHAPE)
    charges = {t: AT_15 * 2 ** ((t - HERE) / doubling) for t in (COLD, HERE, WARM)}
    cold, warm = dark(COLD, charges[COLD]), dark(WARM, charges[WARM])
    truth, bias = BIAS + charges[HERE], constant_bias(BIAS)
    hot = AT_15 > 200
    alone = between(cold, warm, 0.5, lights()).pixels - truth
    told = between(cold, warm, 0.5, lights(), bias).pixels - truth
    assert rms(told[hot]) < 0.6 * rms(alone[hot])
    assert rms(told[hot]) < 1.2 * NOISE / np.sqrt(FRAMES)


def test_the_ends_of_the_range_are_the_darks_themselves() -> None:
    cold, warm = dark(COLD, AT_15 * 0.7), dark(WARM, AT_15 * 1.4)
    np.testing.assert_allclose(between(cold, warm, 0.0, lights(COLD)).pixels, cold.pixels, atol=1e-3)
    np.testing.assert_allclose(between(cold, warm, 1.0, lights(WARM)).pixels, warm.pixels, atol=1e-3)


def test_darks_of_two_sizes_have_nothing_between_them() -> None:
    cold, warm = dark(COLD, AT_15), dark(WARM, AT_15)
    with pytest.raises(MasterMismatch, match="differ in size"):
        between(cold, replace(warm, pixels=warm.pixels[:64]), 0.5, lights())
