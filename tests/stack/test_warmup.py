"""How a stack begins: medians, rings of dither positions, hot pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.errors import PlanError
from starwell.stack.held import MISSING
from starwell.stack.kernels import Kernel, Scratch
from starwell.stack.median import median
from starwell.stack.ring import Ring
from starwell.stack.running import RunningStack
from starwell.stack.warmup import start


@given(
    st.integers(1, 7).flatmap(
        lambda n: st.lists(
            st.lists(st.integers(-400, 400) | st.just(MISSING), min_size=4, max_size=4),
            min_size=n,
            max_size=n,
        )
    )
)
def test_the_median_is_of_what_is_there(values: list[list[int]]) -> None:
    held = np.array(values, np.int16)[:, None, :]
    out = np.empty_like(held[0])
    median(list(held), out, Scratch())
    out = out[0]
    for x, column in enumerate(np.array(values).T):
        there = np.sort(column[column != MISSING])
        if not there.size:
            assert out[x] == MISSING
        elif there.size <= 2:
            assert out[x] == there[0]
        else:
            assert out[x] == int(np.floor(np.median(there)))


def test_a_ring_takes_two_subs_of_a_position() -> None:
    ring = Ring()
    offsets = [(0.0, 0.0)] * 10 + [(12.0, 3.0)] * 10 + [(-7.0, 5.0)] * 10 + [(4.0, -9.0)] * 10
    taken = [ring.offer(number, offset) for number, offset in enumerate(offsets)]
    assert ring.members == (0, 1, 10, 11, 20, 21, 30)
    assert sum(taken) == 7
    assert ring.complete
    assert ring.positions == 4


def test_a_ring_never_dithered_is_never_complete_and_small_drifts_are_one_position() -> None:
    ring = Ring()
    for number in range(50):
        ring.offer(number, (0.03 * number, 0.0))
    assert ring.members == (0, 1)
    assert not ring.complete
    ring.withdraw(0)
    assert ring.members == (1,)
    assert ring.offer(60, (0.5, 0.0))


@pytest.mark.parametrize("count", [1, 2, 3, 6, 7])
def test_a_night_shorter_than_the_ring_still_makes_a_stack(make_field: Any, trail_e: Any, count: int) -> None:
    field = make_field(size=(256, 256))
    trail = trail_e(field.size, 15 * field.sigma_e(), (10, 40), (250, 200), 2.5)
    stack = RunningStack(field.size, field.planes(), field.model)
    added = start(
        stack,
        [field.entry(i) for i in range(count)],
        lambda i: field.sub(i, added=trail if i == 0 else None),
    )
    assert stack.stacked == count
    mean = stack.mean(0) - field.sky_e
    sigma = field.sigma_e() / np.sqrt(count)
    if count > 1:
        assert added[0].trails
        line = trail > 5 * field.sigma_e()
        assert abs(mean[line].mean()) < 0.35 * sigma
        whole = stack.sums.count[0] == count
        assert whole.mean() > 0.9
        assert mean[whole].std() == pytest.approx(sigma, rel=0.02)
    else:
        assert added[0].masked_fraction == 0


def test_a_stack_begins_once_and_with_a_ring_at_most(make_field: Any) -> None:
    field = make_field(size=(64, 64))
    stack = RunningStack(field.size, field.planes(), field.model)
    with pytest.raises(PlanError, match="1 to 7"):
        start(stack, [], field.sub)
    with pytest.raises(PlanError, match="not 8"):
        start(stack, [field.entry(i) for i in range(8)], field.sub)
    start(stack, [field.entry(i) for i in range(3)], field.sub)
    with pytest.raises(PlanError, match="clear it first"):
        start(stack, [field.entry(3)], field.sub)
    stack.clear()
    assert not stack.sums.sum.any()
    assert len(start(stack, [field.entry(3)], field.sub)) == 1


def test_a_sub_that_cannot_be_read_leaves_an_empty_stack(make_field: Any) -> None:
    field = make_field(size=(64, 64))
    stack = RunningStack(field.size, field.planes(), field.model)

    def reread(number: int) -> Any:
        if number == 2:
            raise PlanError("gone")
        return field.sub(number)

    with pytest.raises(PlanError, match="gone"):
        start(stack, [field.entry(i) for i in range(3)], reread)
    assert not any(array.any() for array in stack.sums.arrays().values())
    assert len(start(stack, [field.entry(i) for i in range(2)], reread)) == 2


@pytest.mark.parametrize("every", [1, 3, 10])
@pytest.mark.parametrize("hot_e", [40.0, 100.0])
def test_hot_pixels_vanish_however_seldom_the_mount_dithers(
    make_field: Any, dithers: Any, every: int, hot_e: float
) -> None:
    spots = [(x, y) for x in range(20, 112, 13) for y in range(20, 112, 13)]
    field = make_field(size=(128, 128), sky_e=20.0, read_noise_e=1.5, hot=dict.fromkeys(spots, hot_e))
    moves = dithers(100, reach=12, turn_deg=0.0, every=every, seed=21)
    ring = Ring()
    for number, move in enumerate(moves):
        ring.offer(number, (move.tx, move.ty))
    assert ring.complete
    stack = RunningStack(field.size, field.planes(), field.model)
    start(stack, [field.entry(i, moves[i]) for i in ring.members], lambda i: field.sub(i, moves[i]))
    for i in range(100):
        if i not in ring.members:
            stack.add(field.sub(i, moves[i]), field.entry(i, moves[i]))
    left = stack.mean(0) - field.sky_e
    landed = np.concatenate([np.rint(move.apply(spots)).astype(int) for move in moves[::every]])
    landed = landed[((landed > 14) & (landed < 113)).all(axis=1)]
    residual = left[landed[:, 1], landed[:, 0]] / (field.sigma_e() / 10)
    assert abs(residual.mean()) < 0.3
    assert np.median(residual) < 1
    assert np.percentile(residual, 99) < 3.5


def test_what_does_not_fit_16_bits_is_stacked_as_it_is_and_comes_out_again(
    make_field: Any, dithers: Any
) -> None:
    field = make_field(
        size=(200, 128), sky_e=20.0, read_noise_e=1.5, stars=np.array([(64, 95, 5e6)]), defects=((64, 94),)
    )
    moves = [Transform()] * 3 + dithers(4)
    subs = [field.sub(i, move) for i, move in enumerate(moves)]
    stack = RunningStack(field.size, field.planes(), field.model, kernel=Kernel.LINEAR)
    added = start(stack, [field.entry(i, move) for i, move in enumerate(moves)], subs.__getitem__)
    assert subs[0].pixels[95, 64] > 32767 * added[0].entry.grid[0][1] + 1e4
    for i in range(3, 7):
        stack.remove(subs[i], added[i].entry)
    plain = np.mean([sub.pixels for sub in subs[:3]], axis=0)
    assert stack.mean(0)[95, 64] == pytest.approx(plain[95, 64], abs=added[0].entry.grid[0][1])
    assert stack.mean(0)[94, 64] == pytest.approx(plain[94, 64], abs=added[0].entry.grid[0][1])
    for i in range(3):
        stack.remove(subs[i], added[i].entry)
    assert not any(stack.sums.arrays()[name].any() for name in ("sum", "weight", "count", "masked"))
