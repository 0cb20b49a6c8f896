"""The inner loops: weights, noise, exact sums."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.frame import flat_true
from starwell.stack.kernels import Kernel, Sums, accumulate, among, clipped_rms, distinct
from starwell.stack.reach import covers, ragged, reaches
from starwell.stack.strips import NODES, Line, horizontal, taps
from starwell.stack.vertical import Drift, vertical


@pytest.mark.parametrize("kernel", Kernel)
@pytest.mark.parametrize("stretch", [1, 2])
def test_the_weights_that_meet_pixels_sum_to_one(kernel: Kernel, stretch: int) -> None:
    weights = taps(kernel, stretch).weights
    for parity in range(stretch):
        assert weights[:, parity::stretch].sum(axis=1) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    ("kernel", "mean_factor", "half_way"),
    [(Kernel.LINEAR, 2 / 3, 0.5), (Kernel.CUBIC, 0.814, 0.64), (Kernel.LANCZOS, 0.893, 0.786)],
)
def test_white_noise_passes_a_kernel_with_its_known_factor(
    kernel: Kernel, mean_factor: float, half_way: float
) -> None:
    squares = np.square(taps(kernel).weights.astype(float)).sum(axis=1)
    rms = [math.sqrt(a * b) for a in squares[::16] for b in squares[::16]]
    assert np.mean(rms) == pytest.approx(mean_factor, rel=0.02)
    rng = np.random.default_rng(2)
    rows = rng.normal(0, 1, (256, 262)).astype(np.float32)
    for phase, factor in ((0.0, 1.0), (0.5, half_way)):
        mid = np.zeros((256, 262), np.float32)
        horizontal(rows, 0, Line(1.0, 0.0, phase), taps(kernel), mid, 0)
        out = np.zeros((256 + 12, 262), np.float32)
        vertical(
            mid, 0, Line(1.0, 0.0, phase), taps(kernel), out, 6, 1.0, np.empty_like(out), Drift.unknown()
        )
        assert out[16:240, 10:-10].std() == pytest.approx(factor, rel=0.01)


@pytest.mark.parametrize("kernel", Kernel)
def test_weights_between_nodes_are_those_of_the_phase(kernel: Kernel) -> None:
    weights, _, nodes = taps(kernel)
    weights = np.pad(weights, ((0, 0), (0, 1)))
    nodes = np.stack([*np.pad(nodes, ((0, 0), (0, 1))), np.array([0, *nodes[0]], np.float32)])
    place = np.arange(len(weights)) / (len(weights) - 1) * NODES
    m = np.minimum(place.astype(int), NODES - 1)
    blended = nodes[m] + (place - m)[:, None] * (nodes[m + 1] - nodes[m])
    assert blended.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.abs(blended - weights).max() < 0.006
    centroid = (blended - weights) @ np.arange(weights.shape[1])
    assert np.abs(centroid).max() < 0.002
    noise = np.sqrt(np.square(blended).sum() / np.square(weights).sum())
    assert noise == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("kernel", Kernel)
@pytest.mark.parametrize("slope", [1e-4, -1e-4, 1.9e-3, 2.1e-3, -2.1e-3, 0.03])
def test_every_column_of_a_turned_field_has_the_weights_of_its_own_phase(
    kernel: Kernel, slope: float
) -> None:
    rng = np.random.default_rng(4)
    mid = rng.normal(0, 1, (110, 640)).astype(np.float32)
    of, drift = taps(kernel), Drift.unknown()
    out, spare = (np.zeros((64 + 12, 640), np.float32) for _ in range(2))
    for start in (20.3, 21.3, 20.9):  # the drift is worked out, used again and worked out anew
        vertical(mid, 0, Line(1.0, slope, start), of, out, 6, 3.0, spare, drift)
        for x in (0, 30, 63, 350, 639):
            shift = start + slope * x
            whole, phase = math.floor(shift), shift - math.floor(shift)
            top = whole - of.before
            weights = of.weights[round(phase * 256)]
            expected = [3 * weights @ mid[j + top : j + top + len(weights), x] for j in range(64)]
            assert out[6:-6, x] == pytest.approx(expected, abs=0.08)


def test_rows_beyond_the_sources_ends_repeat_its_end_rows() -> None:
    rng = np.random.default_rng(5)
    mid, of = rng.normal(0, 1, (30, 640)).astype(np.float32), taps(Kernel.LANCZOS)
    held = np.pad(mid, ((20, 20), (0, 0)), mode="edge")
    near, far, spare = (np.zeros((30 + 12, 640), np.float32) for _ in range(3))
    vertical(mid, 0, Line(1.0, 4e-3, -4.2), of, near, 6, 1.0, spare, Drift.unknown())
    vertical(held, -20, Line(1.0, 4e-3, -4.2), of, far, 6, 1.0, spare, Drift.unknown())
    assert np.array_equal(near, far)


@given(st.lists(st.booleans(), max_size=200))
def test_places_of_true_are_found_like_numpy_finds_them(values: list[bool]) -> None:
    mask = np.array(values, bool)
    assert flat_true(mask).tolist() == np.flatnonzero(mask).tolist()


@given(st.integers(0, 2**32 - 1), st.integers(1, 5))
def test_sums_come_back_bit_by_bit_in_any_order(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    shape = (4, 16)
    sums = Sums(np.zeros(shape), np.zeros(shape, np.int32), np.zeros(shape, np.uint16))
    added = []
    for _ in range(count):
        y, weight = rng.uniform(-100, 65535, shape).astype(np.float32), int(rng.integers(1, 200_000))
        columns = slice(*np.sort(rng.integers(0, 17, 2)))
        part = Sums(*(whole[:, columns] for whole in sums))
        q = np.rint(y * np.float32(weight))
        accumulate(q[:, columns], weight, part)
        assert np.array_equal(sums.total, np.rint(sums.total))
        added.append((y, part, columns, weight))
    for index in rng.permutation(count):
        y, part, columns, weight = added[index]
        accumulate(-np.rint(y * np.float32(weight))[:, columns], -weight, part)
    assert not sums.total.any()
    assert not sums.weight.any()
    assert not sums.subs.any()


@given(st.lists(st.integers(0, 50)), st.lists(st.integers(0, 50)))
def test_indices_are_gathered_and_found_like_in_a_set(some: list[int], more: list[int]) -> None:
    flat = distinct(np.array(some, np.int64), np.array(more, np.int64))
    assert flat.tolist() == sorted({*some, *more})
    assert among(np.array(more, np.int64), np.unique(np.array(some, np.int64))).tolist() == [
        value in some for value in more
    ]


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=9), st.integers(1, 9))
def test_a_reach_is_its_rectangle_and_what_is_ragged_around_it(
    rows: list[tuple[int, int]], tall: int
) -> None:
    first, end = (np.array([f(row) for row in rows], np.int64) for f in (min, max))
    bands, width = reaches(first, end, tall), 20
    x = np.arange(width)
    covered = (x >= first[:, None]) & (x < end[:, None])
    parts = np.zeros(covered.shape, int)
    np.add.at(parts.reshape(-1), ragged(bands, width), 1)
    nothing = np.empty(0, np.int64)
    counted = covers(first, end, nothing, width, tall)
    for y, reach, cover in zip(range(0, len(rows), tall), bands, counted, strict=True):
        band = np.s_[y : y + tall]
        inside = reach.covers(np.arange(covered[band].size), width).reshape(covered[band].shape)
        assert np.array_equal(inside, covered[band])
        parts[band][reach.inner] += 1
        left = np.ones(covered[band].shape)
        cover.erase(left, 0)
        assert np.array_equal(left == 1, covered[band])
    assert np.array_equal(parts, covered)
    assert (np.diff(ragged(bands, width)) > 0).all()


def test_the_clipped_rms_sees_past_outliers() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0, 3, 50_000).astype(np.float32)
    values[:500] = 1e4
    assert clipped_rms(values) == pytest.approx(3, rel=0.01)
    assert math.isnan(clipped_rms(values[:0]))
