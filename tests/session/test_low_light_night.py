from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters
from starwell.session.low_light_night import Frames, LowLightNight, night_lines, night_picture
from starwell.session.noise import noise_lines, noise_record, outlook, total_e
from starwell.stack.pattern import Pattern


@pytest.fixture(scope="module")
def night():
    return LowLightNight((224, 320), Frames(subs=48, darks=1000, bright=25, dim=300))


@pytest.fixture(scope="module")
def ways(night):
    return list(night.ways())


def test_an_undithered_night_is_as_good_with_the_map_as_noise_allows(night, ways):
    plain, mapped, divided = ways
    best = math.hypot(night.ideal_e, mapped.seen.masters_e)
    assert mapped.true_e <= 1.03 * best
    assert plain.true_e >= 1.06 * best
    assert divided.true_e >= 1.06 * best
    assert mapped.cold_percent < 8
    assert plain.cold_percent > 25


def test_calibrated_subs_without_any_warp_average_to_what_theory_allows(night):
    masters = Masters(dark=night.dark, flat=night.bright, low_light=night.low_light)
    plain = replace(masters, low_light=None)
    sky = night.sky
    light = np.float32(8.0) * np.ones(sky.plan.size, np.float32)
    calibrators = [Calibrator(masters, night.facts), Calibrator(plain, night.facts)]
    rng = np.random.default_rng(9)
    sums = [np.zeros(sky.plan.size) for _ in calibrators]
    for _ in range(120):
        frame = type(sky.light(0))(night.facts, sky.silicon.expose(light, 10.0, rng))
        for total, calibrator in zip(sums, calibrators, strict=True):
            total += calibrator.calibrate(frame).pixels
    noise = [float(np.std(total / 120)) * sky.plan.chip.egain for total in sums]
    temporal = (8 + 0.02 + 1.3**2 + 0.05**2 / 12) / 120
    best = math.sqrt(temporal + 1.3**2 / 1000 + 8.0 / 16_000 / 25 * 8)
    assert noise[0] <= 1.03 * best
    assert noise[1] >= 1.12 * best


def test_the_night_is_told_in_words_and_shown(night, ways):
    lines = night_lines(night, ways)
    assert len(lines) == 7
    assert any(line.startswith("bright flat and low-light map") for line in lines)
    picture = night_picture(night, ways, side=64)
    assert picture.dtype == np.uint8
    assert picture.shape == (128 + 28, 3 * 128 + 2 * 8)
    dark = [np.mean(part[28:] < 40) for part in (picture[:, :128], picture[:, 136:264])]
    assert dark[0] > 3 * dark[1]


def test_what_the_stack_says_of_its_noise_can_be_read_and_written(ways):
    seen = ways[1].seen
    record = noise_record(seen)
    assert record.masters_e == pytest.approx(0.0447, rel=0.05)
    assert record.reached_e[8] == seen.reached_e[3]
    assert total_e(seen) == pytest.approx(math.hypot(seen.reached_e[3], seen.fixed_e or 0))
    told = "\n".join(noise_lines(seen))
    assert "own noise puts in 0.04" in told
    assert "as many subs again" in told
    assert json.loads(json.dumps(record.reached_e))


def test_a_known_floor_gives_n_star_and_what_more_subs_gain():
    seen = outlook(Pattern(2.56, 0.05, told=True), 5.0, 256.0)
    assert seen.fixed == pytest.approx(8.0)
    assert seen.n_star == pytest.approx(100.0)
    assert seen.gain_percent == pytest.approx(100 * (1 - math.sqrt(3.06 / 3.56)))


def test_what_cannot_be_told_is_not_promised():
    blind = outlook(Pattern(0.1, 0.6, told=True), 5.0, 64.0)
    assert blind == (None, None, None)
    unseen = outlook(Pattern(0.01, 0.02, told=True), 5.0, 64.0)
    assert unseen.fixed is None
    assert unseen.n_star is None
    bounded = outlook(Pattern(0.5, 0.01, told=False), 5.0, 64.0)
    assert bounded.fixed is None
    assert bounded.gain_percent < 20


@given(st.floats(0, 20), st.floats(0.001, 0.4), st.booleans())
def test_twice_the_subs_never_gain_more_than_the_root_of_two(ratio, error, told):
    gain = outlook(Pattern(ratio, error, told), 1.0, 50.0).gain_percent
    assert gain is not None
    assert 0 <= gain < 100 * (1 - math.sqrt(0.5))
