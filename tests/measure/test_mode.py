import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.measure.mode import modes


def clipped(box):
    """The same estimate by the book."""
    kept = box[np.isfinite(box)].astype(np.float64)
    for _ in range(50):
        median, sigma = np.median(kept), kept.std()
        inside = kept[np.abs(kept - median) <= 3 * sigma]
        if len(inside) == len(kept):
            break
        kept = inside
    mean = kept.mean()
    return 2.5 * median - 1.5 * mean if abs(mean - median) < 0.3 * sigma else median


def test_the_mode_of_noise_is_its_middle_and_stars_hardly_lift_it():
    boxes = np.random.default_rng(1).normal(1000, 10, (300, 1300)).astype(np.float32)
    found = modes(boxes)
    assert found.mean() == pytest.approx(1000, abs=0.1)
    assert found.std() < 1.0
    boxes[:, :60] += np.random.default_rng(2).exponential(500, (300, 60)).astype(np.float32)
    assert modes(boxes).mean() == pytest.approx(1000, abs=1.0)


@given(st.integers(0, 2**32 - 1), st.integers(200, 700), st.floats(0, 0.3))
def test_it_is_the_clipped_mode_by_the_book(seed, count, lit):
    rng = np.random.default_rng(seed)
    boxes = rng.normal(200, 6, (3, count))
    boxes += rng.exponential(30, boxes.shape) * (rng.uniform(size=boxes.shape) < lit)
    # where one sample more or less is clipped, and about the jump from mode to median, the two may differ: in
    # boxes of fifty samples once in a hundred times by more than this, and real ones have a thousand
    expected = np.array([clipped(box) for box in boxes])
    assert modes(boxes.astype(np.float32)) == pytest.approx(expected, abs=3.0)
    assert np.median(np.abs(modes(boxes.astype(np.float32)) - expected)) < 1.5


@given(st.floats(-1e4, 6e4), st.integers(1, 200))
def test_boxes_of_one_value_have_that_value(value, count):
    value = np.float32(value)
    assert modes(np.full((2, count), value)) == pytest.approx([value, value])


def test_steps_of_a_converter_do_not_lead_astray():
    boxes = np.random.default_rng(3).normal(100.3, 0.4, (50, 1300)).round().astype(np.float32)
    assert modes(boxes) == pytest.approx(100.3, abs=0.5)


def test_what_is_no_number_is_left_out_and_half_a_box_of_it_leaves_none():
    boxes = np.random.default_rng(4).normal(50, 2, (3, 640)).astype(np.float32)
    boxes[1, ::3] = np.nan
    boxes[2, ::2] = np.inf
    found = modes(boxes)
    assert found[:2] == pytest.approx([50, 50], abs=0.5)
    assert np.isnan(found[2])


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_samples_means_nothing(seed):
    boxes = np.random.default_rng(5).normal(10, 1, (4, 97)).astype(np.float32)
    shuffled = np.random.default_rng(seed).permuted(boxes, axis=1)
    assert (modes(boxes) == modes(shuffled)).all()
