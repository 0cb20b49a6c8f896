from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.align.fit import Field, Similarity, affine, complex_of, pair, recentred, rms, settle, similarity
from starwell.align.transform import Transform


def test_a_similarity_is_found_exactly_from_two_points() -> None:
    z = np.array([1 + 2j, 5 - 1j])
    truth = Similarity(0.8 + 0.6j, 3 - 4j)
    found = similarity(z, truth.apply(z))
    assert found.a == pytest.approx(truth.a)
    assert found.b == pytest.approx(truth.b)


def test_points_that_coincide_give_a_shift() -> None:
    found = similarity(np.full(3, 2 + 1j), np.full(3, 5 + 5j))
    assert found == (1, 3 + 4j)


def test_a_similarity_and_its_transform_agree() -> None:
    s = Similarity(0.6 - 0.8j, 12 + 7j)
    points = np.array([(3.0, 4.0), (100.0, -20.0)])
    np.testing.assert_allclose(complex_of(s.transform().apply(points)), s.apply(complex_of(points)))


def test_an_affine_map_is_found_exactly() -> None:
    truth = Transform(1.001, 0.0004, 30, -0.0003, 0.9985, -12)
    points = np.random.default_rng(1).uniform(0, 4000, (9, 2))
    found, residual = affine(complex_of(points), complex_of(truth.apply(points)))
    np.testing.assert_allclose(found.matrix, truth.matrix, atol=1e-9)
    assert np.abs(residual).max() < 1e-8


def test_the_rms_is_per_coordinate() -> None:
    assert rms(np.array([1 + 1j, -1 - 1j])) == pytest.approx(1)
    jitter = np.random.default_rng(2).normal(0, 0.3, (20000, 2))
    assert rms(complex_of(jitter)) == pytest.approx(0.3, rel=0.02)


def test_no_field_star_is_paired_twice_and_the_closest_star_gets_it() -> None:
    field = Field(np.array([0j, 10 + 0j]))
    i, j = pair(np.array([1 + 0j, 0.5 + 0j, 9 + 0j, 40 + 0j]), field, 2.0)
    assert i.tolist() == [1, 2]
    assert j.tolist() == [0, 1]


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.integers(0, 60), st.floats(0.5, 40))
def test_pairs_are_those_that_a_look_at_every_distance_finds(
    seed: int, count: int, others: int, radius: float
) -> None:
    rng = np.random.default_rng(seed)
    z, w = (rng.uniform(0, 100, n) + 1j * rng.uniform(0, 100, n) for n in (count, others))
    distance = np.abs(z[:, None] - w)
    nearest = {k: int(row.argmin()) for k, row in enumerate(distance) if others and row.min() < radius}
    expected: dict[int, int] = {}
    for k in sorted(nearest, key=lambda k: distance[k, nearest[k]]):
        expected.setdefault(nearest[k], k)
    i, j = pair(z, Field(w), radius)
    assert list(zip(i.tolist(), j.tolist(), strict=True)) == sorted((k, m) for m, k in expected.items())


def test_the_residual_most_pairs_share_wins_over_the_mean() -> None:
    z = np.array([0j, 100, 200j, 300, 400 + 50j, 90 + 500j, 700, 800j])
    shift = np.where(np.arange(8) < 5, 4 + 0j, -3 + 1j)
    assert recentred(z, Field(z + shift), Similarity(1, 0), 6.0).b == pytest.approx(4)


@given(st.integers(0, 2**32 - 1))
def test_a_settled_fit_reaches_the_least_squares_limit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = complex_of(rng.uniform(0, 3000, (60, 2)))
    onto = Similarity(1, 5 + 2j).apply(z) + complex_of(rng.normal(0, 0.1, (60, 2)))
    onto[:15] = complex_of(rng.uniform(0, 3000, (15, 2)))
    fit = settle(z, Field(onto), Similarity(1, 5.8 + 1.5j))
    assert fit is not None
    assert fit.matched >= 44
    # sigma·sqrt(2/n) is 0.02 px in length; five times that is beyond chance.
    middle = complex(z.mean())
    assert abs(fit.similarity.a * middle + fit.similarity.b - (middle + 5 + 2j)) < 0.1


def test_hot_pixels_do_not_pull_a_field_that_moved_by_a_pixel(sky: Callable) -> None:
    s = sky(7)
    field = s.with_hot_pixels(s.seen_twice(40, 0.9, 3, Transform(tx=1.0)), 20)
    fit = settle(complex_of(field.stars), Field(complex_of(field.reference)), Similarity(1, 1))
    assert fit is not None
    assert field.corner_error(fit.similarity.transform()) < 0.4


def test_too_few_pairs_settle_on_nothing() -> None:
    assert settle(np.array([0j, 50 + 0j]), Field(np.array([0j, 50 + 0j])), Similarity(1, 0)) is None
