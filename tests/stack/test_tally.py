"""Weights that are added up late are those that would have been added at once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.errors import PlanError
from starwell.stack.exact import second_pass
from starwell.stack.running import RunningStack
from starwell.stack.tally import Counted, Tally

HEIGHT, WIDTH, BAND = 12, 9, 4

spans = st.tuples(st.integers(0, BAND), st.integers(0, BAND), st.integers(0, WIDTH), st.integers(0, WIDTH))
rectangles = st.lists(st.tuples(st.integers(0, 1), st.sampled_from((0, 4, 8)), spans, st.integers(-9, 9)))
singles = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.lists(st.tuples(st.integers(0, HEIGHT * WIDTH - 1), st.integers(-70_000, 70_000)), max_size=6),
    )
)


@given(rectangles, singles)
def test_what_is_poured_is_what_every_pixel_would_have_got(some: Any, changes: Any) -> None:
    tally = Tally()
    weight, count = np.full((2, HEIGHT, WIDTH), 5, np.int32), np.full((2, HEIGHT, WIDTH), 100, np.uint16)
    weights, counts = weight.copy(), count.copy()
    for channel, band, (a, b, c, d), w in some:
        (top, bottom), (left, right) = sorted((a, b)), sorted((c, d))
        tally.add(channel, band, Counted(band + top, band + bottom, left, right, w))
        here = np.s_[channel, band + top : band + bottom, left:right]
        weights[here] += w
        counts[here] += np.array(np.sign(w)).astype(np.uint16)
    for channel, pixels in changes:
        flat, by = np.array(pixels, np.int64).reshape(-1, 2).T
        tally.change(channel, flat, by.astype(np.int32))
        np.add.at(weights[channel].reshape(-1), flat, by.astype(np.int32))
    for _ in range(2):
        tally.pour(weight, count)
        assert np.array_equal(weight, weights), "and a second time nothing is left to be added"
        assert np.array_equal(count, counts)


@pytest.fixture
def finished(make_field: Any, dithers: Any) -> Any:
    """An exact stack of subs with defects and cosmic rays, what became of them, and the subs."""
    field, moves = make_field(size=(160, 300), defects=((40, 50), (200, 90), (299, 159))), dithers(10)
    rays = np.zeros(field.size)
    rays[60, 70] = 9000.0
    entries = [field.entry(i, moves[i], weight=(0.4 + 0.1 * i,)) for i in range(10)]

    def sub(i: int) -> Any:
        return field.sub(i, moves[i], added=rays if i % 3 == 0 else None)

    stack = RunningStack(field.size, field.planes(), field.model)
    for entry in entries:
        stack.add(sub(entry.number), entry)
    added = list(second_pass(stack, entries, sub))
    return stack, added, sub, field


def test_an_exact_stack_is_the_sum_of_its_subs_with_their_masks(finished: Any) -> None:
    stack, added, sub, field = finished
    assert stack.sums.lent
    again = RunningStack(field.size, field.planes(), field.model)
    for one in added:
        again.restore(sub(one.entry.number), one.entry)
    assert sum(one.masked_fraction for one in added) > 0
    for name, array in again.sums.arrays().items():
        assert np.array_equal(stack.sums.arrays()[name], array), name
    assert not stack.sums.lent


def test_an_exact_stack_that_was_looked_at_takes_no_more_subs_before_it_is_cleared(finished: Any) -> None:
    stack, added, sub, _ = finished
    entry = added[0].entry
    stack.mean(0)
    with pytest.raises(PlanError, match="clear it"):
        stack.add(sub(0), entry)
    stack.clear()
    stack.add(sub(0), entry)
    assert stack.sums.count.max() == 1
