"""Pointing and weather of a simulated night."""

from __future__ import annotations

import numpy as np
import pytest

from starwell.align.transform import Transform
from starwell.camera.conditions import conditions, pose
from starwell.camera.plan import Cloud, Mount, SkyPlan, Turn, Weather

CENTRE = (159.5, 127.5)


def test_the_first_sub_is_where_the_world_is() -> None:
    busy = Mount((0.3, 0.1), 8.0, 1, 0.2, 0.01, 50)
    assert pose(SkyPlan(mount=busy), 0) == Transform()


def test_drift_moves_the_centre_and_rotation_turns_about_it() -> None:
    plan = SkyPlan(mount=Mount(drift_px=(0.5, -0.25), rotation_deg=0.1))
    there = pose(plan, 12)
    assert there.angle_deg == pytest.approx(1.2)
    assert there.apply(CENTRE) == pytest.approx((CENTRE[0] + 6.0, CENTRE[1] - 3.0))


def test_a_meridian_flip_turns_by_180_degrees_and_a_turned_camera_by_its_angle() -> None:
    plan = SkyPlan(mount=Mount(flip_at=5, turns=(Turn(8, 37.0),)))
    assert pose(plan, 4) == Transform()
    np.testing.assert_allclose(pose(plan, 5).apply((0.0, 0.0)), (319.0, 255.0), atol=1e-9)
    assert pose(plan, 9).angle_deg == pytest.approx(217.0 - 360.0)


def test_dithers_fill_a_disc_and_hold_for_their_subs() -> None:
    plan = SkyPlan(mount=Mount(dither_px=10.0, dither_every=3))
    shifts = np.array([pose(plan, i).apply((0.0, 0.0)) for i in range(1200)])
    np.testing.assert_array_equal(shifts[0::3], shifts[1::3])
    np.testing.assert_array_equal(shifts[0::3], shifts[2::3])
    radius = np.hypot(*shifts[::3].T)
    assert radius[0] == 0
    assert radius.max() <= 10.0
    assert np.mean(radius**2) == pytest.approx(50.0, rel=0.1)  # of a uniform disc: R²/2
    assert len(np.unique(shifts, axis=0)) == 400


def test_seeing_is_correlated_from_sub_to_sub() -> None:
    plan = SkyPlan(weather=Weather(fwhm_px=3.0, seeing_scatter=0.1, correlation=0.8))
    logs = np.log([conditions(plan, i).fwhm_px / 3.0 for i in range(800)])
    assert logs.std() == pytest.approx(0.1, rel=0.15)
    assert np.corrcoef(logs[:-1], logs[1:])[0, 1] == pytest.approx(0.8, abs=0.08)


def test_clouds_dim_the_stars_and_brighten_the_sky() -> None:
    plan = SkyPlan(weather=Weather(clouds=(Cloud(range(3, 5), 0.4, 1.7),)))
    assert [conditions(plan, i).transparency for i in range(6)] == [1, 1, 1, 0.4, 0.4, 1]
    assert [conditions(plan, i).sky for i in range(6)] == [1, 1, 1, 1.7, 1.7, 1]


def test_transparency_never_rises_above_clear() -> None:
    plan = SkyPlan(weather=Weather(transparency_scatter=0.1))
    clarity = [conditions(plan, i).transparency for i in range(50)]
    assert max(clarity) <= 1
    assert np.std(clarity) > 0.02


def test_the_gradient_turns_with_the_hours() -> None:
    plan = SkyPlan(weather=Weather(gradient=(0.2, 0.0), gradient_turn_deg=3.0))
    assert conditions(plan, 30).gradient == pytest.approx((0.0, 0.2), abs=1e-12)
