from __future__ import annotations

import numpy as np
import pytest

from starwell.stack.halves import BLOCKS, Halves

ONE = 1 << 16


def read(subs: int, size: tuple[int, int], seed: int, covered: np.ndarray | None = None):
    """Noise of a stack of white noise of rms 1; only every other pair of subs reaches what is not covered."""
    rng = np.random.default_rng(seed)
    halves = Halves(1, size)
    total, weight = np.zeros(size), np.zeros(size, np.int32)
    whole = np.ones(size, bool)
    for number in range(subs):
        there = whole if covered is None or number // 2 % 2 else covered
        q = np.where(there, np.rint(rng.standard_normal(size, dtype=np.float32) * ONE), 0).astype(np.float32)
        total += q
        weight += ONE * there.astype(np.int32)
        if number % 2 == 0:
            for row in range(size[0]):
                runs = np.flatnonzero(np.diff(np.concatenate([[0], there[row], [0]])))
                for a, b in runs.reshape(-1, 2):
                    halves.add(0, row, q[row : row + 1], (slice(0, 1), slice(int(a), int(b))), ONE)
    return halves.noise(0, total, weight)


def test_noise_is_read_where_all_subs_lie_on_each_other():
    size = (320, 512)
    y, x = np.mgrid[: size[0], : size[1]]
    circle = np.hypot(y - 160, x - 256) < 158
    seen = read(8, size, 3, circle)
    assert list(seen) == list(BLOCKS)
    for one in seen.values():
        assert one.sigma == pytest.approx(8**-0.5, rel=3.5 * one.error)
    assert seen[8].error < 0.05


def test_the_error_of_a_reading_is_what_it_scatters_by():
    readings = [read(2, (256, 256), seed) for seed in range(60)]
    for block in (4, 8):
        sigmas = np.array([one[block].sigma for one in readings]) * 2**0.5
        error = readings[0][block].error
        assert sigmas.std() == pytest.approx(error, rel=0.3)
        assert sigmas.mean() == pytest.approx(1.0, abs=4 * error / 60**0.5)


def test_nothing_is_read_before_both_halves_have_a_sub():
    assert read(1, (128, 128), 1) == {}
