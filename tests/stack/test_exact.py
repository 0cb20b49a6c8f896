"""The exact stack beside a plain numpy one in float64: no bands, no fixed point, no tricks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from starwell.align.transform import Transform
from starwell.errors import NothingStacked
from starwell.frame import Float64
from starwell.stack.exact import second_pass
from starwell.stack.kernels import Scratch
from starwell.stack.ledger import unpack
from starwell.stack.rejection import STAR_ADU, Scene
from starwell.stack.running import RunningStack


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
            counts = band.counts(np.arange(band.y.size)).reshape(band.y.shape)
            cube[i, y0:y1], covered[i, y0:y1] = band.y, counts
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


def test_the_order_of_the_subs_does_not_matter(make_field: Any, dithers: Any) -> None:
    field, moves = make_field(size=(96, 96)), dithers(12)

    def sub(i: int) -> Any:
        return field.sub(i, moves[i])

    sums = []
    for order in (range(12), [7, 3, 11, 0, 1, 10, 2, 9, 4, 8, 6, 5]):
        stack = RunningStack(field.size, field.planes(), field.model)
        entries = [field.entry(i, moves[i]) for i in range(12)]
        for entry in entries:
            stack.add(sub(entry.number), entry)
        for _ in second_pass(stack, [entries[i] for i in order], sub):
            pass
        sums.append(stack.sums.sum.copy())
    assert np.array_equal(*sums)


def test_without_a_first_stack_there_is_no_exact_one(make_field: Any) -> None:
    field = make_field(size=(64, 64))
    stack = RunningStack(field.size, field.planes(), field.model)
    with pytest.raises(NothingStacked, match="stack them once"):
        list(second_pass(stack, [field.entry(0, Transform())], field.sub))
