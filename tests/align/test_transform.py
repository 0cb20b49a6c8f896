from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.align.transform import Transform

angles = st.floats(-180, 180)
scales = st.floats(0.2, 5)
shifts = st.floats(-5000, 5000)
similarities = st.builds(Transform.similarity, angles, scales, shifts, shifts)
POINTS = np.array([(0.0, 0.0), (4655.0, 0.0), (120.5, 3519.0), (-40.0, 77.25)])


def test_the_default_moves_nothing() -> None:
    np.testing.assert_array_equal(Transform().apply(POINTS), POINTS)


def test_a_quarter_turn_takes_x_to_y() -> None:
    turn = Transform.similarity(90, 2, 10, 20)
    np.testing.assert_allclose(turn.apply([(1, 0), (0, 1)]), [(10, 22), (8, 20)], atol=1e-12)
    assert turn.angle_deg == pytest.approx(90)
    assert turn.scale == pytest.approx(2)


def test_a_matrix_survives_the_round_trip() -> None:
    matrix = np.array([[1.0, 0.1, 3.0], [-0.2, 0.9, 4.0]])
    np.testing.assert_array_equal(Transform.from_matrix(matrix).matrix, matrix)
    np.testing.assert_array_equal(Transform.from_matrix(np.vstack([matrix, (0, 0, 1)])).matrix, matrix)


def test_only_a_reflection_is_mirrored() -> None:
    assert Transform(d=-1.0).mirrored
    assert not Transform.similarity(180).mirrored
    assert (Transform(d=-1.0) @ Transform.similarity(30)).mirrored
    assert not (Transform(d=-1.0) @ Transform(a=-1.0)).mirrored


def test_the_corner_distance_is_that_of_the_farthest_corner() -> None:
    assert Transform().corner_distance(Transform(tx=3, ty=-4), (100, 200)) == pytest.approx(5)
    turned = Transform.similarity(0.1)
    reach = math.hypot(199, 99)
    assert turned.corner_distance(Transform(), (100, 200)) == pytest.approx(
        math.radians(0.1) * reach, rel=1e-6
    )


@given(similarities)
def test_the_inverse_undoes(t: Transform) -> None:
    np.testing.assert_allclose(t.inverse().apply(t.apply(POINTS)), POINTS, atol=1e-7)
    assert (t @ t.inverse()).corner_distance(Transform(), (3520, 4656)) < 1e-7


@given(similarities, similarities)
def test_a_product_applies_the_right_factor_first(one: Transform, two: Transform) -> None:
    np.testing.assert_allclose((one @ two).apply(POINTS), one.apply(two.apply(POINTS)), rtol=1e-9, atol=1e-6)


@given(angles, scales)
def test_angle_and_scale_read_back(angle: float, scale: float) -> None:
    t = Transform.similarity(angle, scale, 5, 6)
    assert t.scale == pytest.approx(scale)
    assert math.cos(math.radians(t.angle_deg - angle)) == pytest.approx(1)
