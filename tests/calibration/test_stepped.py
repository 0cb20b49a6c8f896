"""Masters in 16 bits against the formula in double precision: every pixel within its bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from starwell.calibration.stepped import (
    BAND_ROWS,
    FINEST_ADU,
    FLAT_ERROR,
    Correction,
    Stepped,
    inverse_steps,
    offset_steps,
)

H, W = 2 * BAND_ROWS + 3, 41
SINGLE = 2.0**-23
"""What single precision leaves of a value."""
RANGE_ADU = 65535 * FINEST_ADU


def formula(raw, offset, flat):
    a = flat.astype(np.float64)
    return (raw.astype(np.float64) - offset) / np.where(a >= 0.05, a, np.inf)


def corrected(raw, offset, flat):
    out = np.full(raw.shape, np.nan, np.float32)
    Correction(offset_steps(offset), None if flat is None else inverse_steps(flat)).apply(raw, out)
    return out


def bound(largest, truth, flat, step=FINEST_ADU):
    """Half a step of the offset, the rounding of the flat, and single precision."""
    inverse = 1 / np.maximum(flat.astype(np.float64), 0.05)
    return inverse * (step / 2 + 3 * SINGLE * (largest + RANGE_ADU)) + 1.05 * FLAT_ERROR * np.abs(truth)


def strange(values, seed, extremes):
    """The same with a few pixels of these values."""
    rng = np.random.default_rng(seed)
    where = rng.choice(values.size, 4 * len(extremes), replace=False)
    values.reshape(-1)[where] = np.tile(extremes, 4)
    return values


@settings(deadline=None, max_examples=60)
@given(
    level=st.floats(0, 3000),
    spread=st.floats(0, 60),
    fall=st.floats(0, 0.85),
    seed=st.integers(0, 99),
    kind=st.sampled_from(["u1", "u2", "i2", "f4", "i4", ">u2", "f8"]),
)
def test_a_pixel_is_what_the_formula_says_within_its_bound(level, spread, fall, seed, kind):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:H, :W]
    flat = 1 - fall * ((x / W - 0.5) ** 2 + (y / H - 0.5) ** 2) * 2
    flat = strange((flat / flat.mean()).astype(np.float32), seed, [0.0, 0.04, 0.06, 3.0, 40.0])
    offset = strange(rng.normal(level, spread, (H, W)).astype(np.float32), seed + 1, [-90, 9000, 65535])
    raw = rng.integers(0, 127 if kind == "u1" else 32767, (H, W)).astype(kind)
    truth = formula(raw, offset, flat)
    error = np.abs(corrected(raw, offset, flat) - truth)
    largest = np.maximum(np.abs(raw.astype(np.float64)), np.abs(offset))
    assert (error <= bound(largest, truth, flat)).all()


@pytest.mark.parametrize("glow", [2000.0, 30000.0])
def test_an_offset_of_a_wide_range_is_held_in_coarser_steps(glow):
    offset = np.linspace(100, 100 + glow, H * W).astype(np.float32).reshape(H, W)
    steps = offset_steps(offset)
    assert steps.beyond.size == 0
    assert FINEST_ADU < steps.step <= 4 * glow / 65535
    raw = np.full((H, W), 40000, np.uint16)
    out = np.empty((H, W), np.float32)
    Correction(steps, None).apply(raw, out)
    assert np.abs(out - (40000.0 - offset)).max() <= steps.step / 2 + 0.01


def test_of_a_usual_dark_only_hot_pixels_are_beyond_the_steps():
    offset = np.random.default_rng(1).normal(500, 3, (H, W)).astype(np.float32)
    offset[::100, ::20] += 5000
    steps = offset_steps(offset)
    assert steps.step == FINEST_ADU
    assert steps.beyond.size == offset[::100, ::20].size
    assert steps.steps.dtype == np.uint16


@settings(deadline=None)
@given(arrays(np.int32, (9, 7), elements=st.integers(-60 * 64, 600 * 64)))
def test_an_offset_of_whole_steps_is_held_as_it_is(whole):
    offset = (whole / 64).astype(np.float32)
    raw = np.full(offset.shape, 1000, np.uint16)
    np.testing.assert_array_equal(corrected(raw, offset, None), 1000 - offset)


def test_a_flat_too_dark_in_its_corners_for_sixteen_bits_is_held_in_single_precision():
    fall = np.linspace(1, 0.3, H * W).astype(np.float32).reshape(H, W)
    assert not isinstance(inverse_steps(fall), Stepped)
    mild = np.linspace(1, 0.6, H * W).astype(np.float32).reshape(H, W)
    assert isinstance(inverse_steps(mild), Stepped)


def test_what_is_no_number_in_a_master_is_none_in_the_sub():
    offset, flat = np.full((H, W), 300, np.float32), np.ones((H, W), np.float32)
    offset[3, 5], offset[4, 6], flat[7, 7] = np.nan, np.inf, np.nan
    out = corrected(np.full((H, W), 500, np.uint16), offset, flat)
    assert np.isnan(out[3, 5])
    assert out[4, 6] == -np.inf
    assert out[7, 7] == 0
    assert (np.delete(out, [3, 4, 7], axis=0) == 200).all()


@pytest.mark.parametrize("shape", [(H, W), (3, H, W)])
@pytest.mark.parametrize("kind", ["u1", "u2", "f4"])
def test_raw_pixels_at_the_end_of_the_room_give_the_same(shape, kind):
    rng = np.random.default_rng(2)
    offset, flat = rng.normal(90, 2, shape).astype(np.float32), rng.normal(1, 0.02, shape).astype(np.float32)
    raw = rng.integers(0, 250, shape).astype(kind)
    room = np.empty(shape, np.float32)
    end = room.reshape(-1).view(np.uint8)[room.nbytes - raw.nbytes :].view(kind).reshape(shape)
    end[...] = raw
    Correction(offset_steps(offset), inverse_steps(flat)).apply(end, room)
    np.testing.assert_array_equal(room, corrected(raw, offset, flat))


def test_a_constant_offset_alone_is_subtracted():
    raw = np.arange(H * W, dtype=np.uint16).reshape(H, W)
    out = corrected(raw, np.full((1, 1), 7.5, np.float32), None)
    np.testing.assert_array_equal(out, raw - 7.5)
