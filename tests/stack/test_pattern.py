from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.frame import Plane, Planes
from starwell.stack.coherence import Moves, band_power, block_share, coherence, star_power
from starwell.stack.halves import Halves
from starwell.stack.kernels import Kernel, Scratch
from starwell.stack.pattern import common, pattern
from starwell.stack.warp import Warp

SIDE = 512
ONE = 1 << 16
MONO = Planes((Plane(0, 1, 0, 0),), 1)


def stacked(subs):
    """Halves and sums of these pictures, odd and even in turn."""
    halves = Halves(1, (SIDE, SIDE))
    total, weight = np.zeros((SIDE, SIDE)), np.zeros((SIDE, SIDE), np.int32)
    everything = (slice(0, SIDE), slice(0, SIDE))
    for number, sub in enumerate(subs, 1):
        q = np.rint(sub * ONE).astype(np.float32)
        total += q
        weight += ONE
        if number % 2:
            halves.add(0, 0, q, everything, ONE)
    return halves, total, weight


def still(count):
    return Moves(np.zeros((count, 1, 2)), np.zeros(count, np.int64), np.ones(count))


def moved(shifts):
    shifts = np.asarray(shifts, float)
    return Moves(shifts[:, None, :], np.zeros(len(shifts), np.int64), np.ones(len(shifts)))


def measured(subs, shared, temporal, fwhm=3.0):
    found = common(*stacked(subs)[:1], 0, *stacked(subs)[1:], 1)
    assert found is not None
    return pattern(found, shared, temporal, fwhm)


def noise(count, fixed, seed=1, scene=0.0):
    rng = np.random.default_rng(seed)
    floor = fixed * rng.standard_normal((SIDE, SIDE))
    return [100 + scene + floor + rng.standard_normal((SIDE, SIDE)) for _ in range(count)]


@pytest.mark.parametrize("fixed", [0.1, 0.3])
def test_the_floor_of_an_undithered_stack_is_found(fixed):
    shared = coherence(still(32), still(32), Kernel.LANCZOS)
    found = measured(noise(64, fixed), shared, 1 / 64)
    assert shared.white == pytest.approx(1.0)
    assert found.told
    assert found.ratio == pytest.approx(64 * fixed**2, abs=3 * found.error)
    assert found.error < 0.1 * max(1, 64 * fixed**2)


def test_without_a_pattern_nothing_is_found():
    found = measured(noise(32, 0.0), coherence(still(16), still(16), Kernel.LANCZOS), 1 / 32)
    assert abs(found.ratio) < 3 * found.error
    assert found.error < 0.1


def test_faint_stars_and_a_gradient_are_no_pattern():
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:SIDE, :SIDE]
    scene = 0.02 * x + 0.01 * y
    sigma = 3.0 / 2.3548
    for _ in range(1500):
        cx, cy = rng.uniform(0, SIDE, 2)
        top, left = max(int(cy) - 8, 0), max(int(cx) - 8, 0)
        part = np.s_[top : top + 17, left : left + 17]
        r2 = (x[part] - cx) ** 2 + (y[part] - cy) ** 2
        scene[part] += rng.exponential(0.6) * np.exp(-r2 / (2 * sigma**2))
    found = measured(noise(64, 0.0, scene=scene), coherence(still(32), still(32), Kernel.LANCZOS), 1 / 64)
    assert found.ratio < 3 * found.error
    seen = measured(noise(64, 0.1, scene=scene), coherence(still(32), still(32), Kernel.LANCZOS), 1 / 64)
    assert seen.ratio == pytest.approx(0.64, rel=0.25)


@pytest.mark.parametrize("kernel", list(Kernel))
def test_a_pattern_is_followed_through_the_kernel_and_the_dithering(kernel):
    rng = np.random.default_rng(4)
    floor = 0.3 * rng.standard_normal((SIDE, SIDE)).astype(np.float32)
    places = [(0.0, 0.0), (-7.78, -3.18), (0.44, 2.98), (12.3, 9.7)]
    shifts = [places[i // 16 % 4] for i in range(64)]
    shifts = [(x + dx, y + dy) for (x, y), (dx, dy) in zip(shifts, rng.normal(0, 0.1, (64, 2)), strict=True)]
    subs = []
    for dx, dy in shifts:
        raw = floor + rng.standard_normal((SIDE, SIDE)).astype(np.float32)
        warp = Warp(Transform(1, 0, -dx, 0, 1, -dy), MONO, (SIDE, SIDE), (SIDE, SIDE), kernel)
        bands = [np.array(warp.band(raw, 0, y, min(y + 64, SIDE), Scratch())) for y in range(0, SIDE, 64)]
        subs.append(np.concatenate(bands))
    shared = coherence(moved(shifts[0::2]), moved(shifts[1::2]), kernel)
    assert shared.white == pytest.approx(0.25, abs=0.02)
    found = measured(subs, shared, 1 / 64)
    assert found.told
    assert found.ratio == pytest.approx(64 * 0.09 * shared.white, abs=3 * found.error + 0.1)


def test_where_every_sub_moved_a_pattern_is_bounded_not_told():
    rng = np.random.default_rng(5)
    shifts = rng.uniform(-40, 40, (64, 2))
    shared = coherence(moved(shifts[0::2]), moved(shifts[1::2]), Kernel.LANCZOS)
    assert abs(shared.white) < 0.02
    found = measured(noise(64, 0.0), shared, 1 / 64)
    assert not found.told
    assert found.ratio >= 0


def test_subs_on_either_side_of_a_flip_share_nothing():
    here = still(8)
    there = here._replace(turns=np.full(8, 2))
    assert coherence(here, there, Kernel.LANCZOS).white == 0
    both = Moves(np.zeros((8, 1, 2)), np.array([0, 2] * 4), np.ones(8))
    assert coherence(both, both, Kernel.LANCZOS).white == pytest.approx(0.5)


def test_too_little_sky_tells_nothing():
    halves = Halves(1, (64, 64))
    assert common(halves, 0, np.zeros((64, 64)), np.zeros((64, 64), np.int32), 1) is None


@settings(deadline=None, max_examples=30)
@given(st.floats(1.5, 6.0))
def test_stars_leave_less_in_the_finer_band(fwhm):
    assert star_power(1, fwhm) < 0.2 * star_power(2, fwhm)
    assert math.isclose(band_power(1).sum(), 1.0)


@pytest.mark.parametrize("kernel", [Kernel.LINEAR, Kernel.CUBIC, Kernel.LANCZOS])
@pytest.mark.parametrize(("dx", "dy"), [(0.5, 0.5), (0.25, -1.3), (0.0, 0.0)])
def test_what_block_means_lose_to_interpolation_is_foreseen(kernel, dx, dy):
    raw = np.random.default_rng(5).standard_normal((SIDE, SIDE), dtype=np.float32)
    warp = Warp(Transform(1, 0, -dx, 0, 1, -dy), MONO, (SIDE, SIDE), (SIDE, SIDE), kernel)
    bands = [np.array(warp.band(raw, 0, y, min(y + 64, SIDE), Scratch())) for y in range(0, SIDE, 64)]
    inner = np.concatenate(bands)[16:-16, 16:-16]
    lost = [pixels.reshape(60, 8, 60, 8).mean(axis=(1, 3)).std() for pixels in (inner, raw[16:-16, 16:-16])]
    share = block_share(moved([(dx, dy)]), moved([(dx, dy)]), kernel, 8)
    assert lost[0] / lost[1] == pytest.approx(np.sqrt(share), rel=0.015)
    assert share == pytest.approx(1.0, abs=0.13)
