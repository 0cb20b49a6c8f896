"""The exact stack beside a plain numpy one in float64: no bands, no fixed point, no tricks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.align.transform import Transform
from starwell.errors import NothingStacked
from starwell.frame import Float64
from starwell.stack.exact import second_pass
from starwell.stack.fixed import often_masked
from starwell.stack.kernels import Scratch
from starwell.stack.ledger import unpack
from starwell.stack.running import RunningStack
from starwell.stack.scene import STAR_ADU, Scene


def plain_masks(cube: Float64, mean: Float64, scatter: list[float], variance: Float64, scene: Scene) -> Any:
    """y beyond 4 or -5 sigma of a fixed mean; sigma from the sensor's law and the scene's star term."""
    star = np.repeat(np.repeat(STAR_ADU * scene.star.astype(float), 2, 0), 2, 1)
    sigma = np.sqrt(np.square(scatter)[:, None, None] * variance + star**2)
    z = (cube - mean) / sigma
    return (z > 4) | (z < -5), z


def test_the_exact_stack_is_the_plain_one_in_float64(make_field: Any, stack_up: Any, dithers: Any) -> None:
    rng = np.random.default_rng(3)
    stars = np.column_stack([*rng.uniform(15, 113, (2, 12)), 10 ** rng.uniform(3, 4.5, 12)])
    field, moves = make_field(size=(128, 128), stars=stars), dithers(24)
    weights = rng.uniform(0.3, 1.2, 24)

    def sub(i: int) -> Any:
        return field.sub(i, moves[i])

    stack = RunningStack(field.size, field.planes(), field.model)
    entries = [field.entry(i, moves[i], weight=(float(weights[i]),)) for i in range(24)]
    for entry in entries:
        stack.add(sub(entry.number), entry)
    first = stack.mean(0).astype(np.float64)
    added = list(second_pass(stack, entries, sub))

    cube, covered = np.zeros((24, 128, 128)), np.zeros((24, 128, 128), bool)
    for i, entry in enumerate(entries):
        contribution = stack.contribution(sub(i), entry)
        for y0, y1 in contribution.bands():
            band = contribution.band(0, y0, y1, Scratch())
            counts = band.counts(np.arange(band.q.size)).reshape(band.q.shape)
            cube[i, y0:y1], covered[i, y0:y1] = band.q / band.weight, counts
    variance = np.maximum(first + field.model.read_variance_adu, field.model.read_variance_adu)
    scatter = [a.entry.scatter[0] for a in added]
    bare, z = plain_masks(cube, first, scatter, variance, stack.scenes[0])

    masks = np.zeros_like(covered)
    for i, a in enumerate(added):
        masks[i].flat[unpack(a.entry.masks[0])] = True
    unclear = (np.abs(z - 4) < 1e-3) | (np.abs(z + 5) < 1e-3)
    assert not (bare & covered & ~masks & ~unclear).any()
    grown = masks & ~bare & ~unclear
    assert grown.sum() < 0.3 * max(masks.sum(), 10)

    w = np.rint(weights * 65536)[:, None, None] * (covered & ~masks)
    total = w.sum(axis=0)
    expected = np.divide((w * cube).sum(axis=0), total, out=np.zeros((128, 128)), where=total > 0)
    assert np.array_equal(stack.sums.weight[0], total)
    assert stack.mean(0) == pytest.approx(expected, rel=1e-6, abs=1e-6)


def trailed(make_field: Any, trail_e: Any) -> Any:
    """A field, and subs of it of which two show a trail and all of them an edge that stays on the sky."""
    field = make_field(size=(96, 96))
    lines = {i: trail_e(field.size, 60.0, (0.0, 10.0 + i), (95.0, 80.0 - 4 * i), 3.0) for i in (2, 9)}
    return field, lines


def test_neither_order_nor_grouping_of_the_subs_matters(make_field: Any, dithers: Any, trail_e: Any) -> None:
    (field, lines), moves = trailed(make_field, trail_e), dithers(12)
    entries = [field.entry(i, moves[i], weight=(0.37 + 0.1 * i,)) for i in range(12)]

    def sub(i: int) -> Any:
        return field.sub(i, moves[i], added=lines.get(i))

    def first() -> RunningStack:
        stack = RunningStack(field.size, field.planes(), field.model)
        for entry in entries:
            stack.add(sub(entry.number), entry)
        return stack

    sums, found = [], []
    for order in (range(12), [7, 3, 11, 0, 1, 10, 2, 9, 4, 8, 6, 5]):
        stack = first()
        added = list(second_pass(stack, [entries[i] for i in order], sub))
        sums.append({name: array.copy() for name, array in stack.sums.arrays().items()})
        found.append({a.entry.number: (a.entry.masks, len(a.trails)) for a in added})
    stack = first()
    fixed = stack.fix_reference(apart=True)
    for group in ((0, 5, 7, 2), (1, 3, 4, 6, 8), (9, 10, 11)):
        part = RunningStack(field.size, field.planes(), field.model)
        part.judge_by(fixed)
        for i in group:
            part.add(sub(i), entries[i])
        stack.sums.add(part.sums.arrays())
    sums.append(stack.sums.arrays())
    assert found[0] == found[1]
    assert {i for i, (_, trails) in found[0].items() if trails} == set(lines)
    for others in sums[1:]:
        assert all(np.array_equal(sums[0][name], array) for name, array in others.items())


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 600)), min_size=1, max_size=40))
def test_how_often_others_were_masked_leaves_the_sub_itself_out(pixels: list[tuple[int, int]]) -> None:
    masked, count = (
        np.array([of], kind)
        for of, kind in zip(zip(*pixels, strict=True), (np.uint8, np.uint16), strict=True)
    )
    often = np.zeros(masked.shape, np.uint8)
    often_masked(masked, count, often)
    for (m, n), part in zip(pixels, often[0], strict=True):
        others = m + n - 1
        assert part == (255 if others < 3 else pytest.approx(254 * max(m - 1, 0) / others, abs=0.51))


def test_counts_of_masked_pixels_stop_at_255_when_sums_are_added(make_field: Any) -> None:
    field = make_field(size=(64, 700))
    one, other = (RunningStack(field.size, field.planes(), field.model).sums for _ in range(2))
    one.masked[0, :2, :3], other.masked[0, :2, :3] = 200, (3, 55, 90)
    one.add(other.arrays())
    assert one.masked[0, 1, :4].tolist() == [203, 255, 255, 0]


def test_a_hundred_thousand_subs_fit_the_sums_of_many_parts(make_field: Any) -> None:
    field = make_field(size=(96, 128))
    part = RunningStack(field.size, field.planes(), field.model, reject=False)
    for i in range(2):
        part.add(field.sub(i), field.entry(i))
    whole = RunningStack(field.size, field.planes(), field.model)
    whole.sums.widen()
    much = {name: array * (0 if name == "masked" else 5000) for name, array in part.sums.arrays().items()}
    for _ in range(10):
        whole.sums.add(much)
    assert whole.sums.count.max() == 100_000
    assert whole.mean(0) == pytest.approx(part.mean(0), rel=1e-6)
    assert whole.sums.noise(0).keys() == part.sums.noise(0).keys()
    assert whole.sums.variance(0) == pytest.approx(part.sums.variance(0) / 50_000, rel=1e-4)


def test_without_a_first_stack_there_is_no_exact_one(make_field: Any) -> None:
    field = make_field(size=(64, 64))
    stack = RunningStack(field.size, field.planes(), field.model)
    with pytest.raises(NothingStacked, match="stack them once"):
        list(second_pass(stack, [field.entry(0, Transform())], field.sub))
