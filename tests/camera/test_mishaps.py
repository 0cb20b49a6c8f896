"""What goes wrong in single subs, as it was asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from starwell.camera.sky import (
    Chip,
    Cloud,
    Defocus,
    Mount,
    Optics,
    Scene,
    Shake,
    Sky,
    SkyPlan,
    Star,
    Trail,
    Weather,
)

BLANK = SkyPlan(scene=Scene(stars=0))


def test_clouds_take_star_light_and_add_sky() -> None:
    plan = SkyPlan(
        scene=Scene(stars=0, given=(Star(160, 128, 1e5),)), weather=Weather(clouds=(Cloud((2,), 0.4, 1.7),))
    )
    sky = Sky(plan)
    clear, cloudy = sky.light_e(0), sky.light_e(2)
    assert cloudy[10, 10] / clear[10, 10] == pytest.approx(1.7, rel=1e-4)
    assert (cloudy - cloudy[10, 10]).sum() / (clear - clear[10, 10]).sum() == pytest.approx(0.4, rel=1e-4)
    assert sky.truth(2).sky_e == pytest.approx((51.0,))
    assert sky.truth(2).transparency == 0.4


def test_shaken_and_defocused_stars_swell_but_stay_where_they_are() -> None:
    plan = SkyPlan(
        scene=Scene(stars=0, given=(Star(160.3, 127.6, 1e5),)),
        weather=Weather(sky_e_s=0.0),
        mount=Mount(shakes=(Shake((1,), 12.0, 30.0),)),
        optics=Optics(defocused=(Defocus((2,), 14.0),)),
    )
    sky = Sky(plan)
    y, x = np.mgrid[:256, :320]
    lights = [sky.light_e(i).astype(np.float64) for i in range(3)]
    for light in lights:
        assert light.sum() == pytest.approx(1e5, rel=2e-3)
        assert (light * x).sum() / light.sum() == pytest.approx(160.3, abs=0.01)
        assert (light * y).sum() / light.sum() == pytest.approx(127.6, abs=0.01)
    steady, shaken, defocused = (light.max() for light in lights)
    assert shaken < 0.4 * steady
    assert defocused < 0.15 * steady


def test_a_trail_crosses_its_own_sub_only_as_it_was_asked_to() -> None:
    trail = Trail(3, peak_e=40.0, peak_sigma=2.0, width_px=4.0, angle_deg=30.0, through=(0.5, 0.5))
    sky = Sky(replace(BLANK, trails=(trail,)))
    light = sky.light_e(3) - 30.0
    np.testing.assert_array_equal(sky.light_e(2), np.float32(30.0))
    noise_e = np.sqrt(30 + 0.02 + 1.5**2 + 0.25**2 / 12)
    assert light.max() == pytest.approx(40 + 2 * noise_e, rel=0.01)
    y, x = np.nonzero(light > 0.5 * light.max())
    assert np.degrees(np.arctan(np.polyfit(x, y, 1)[0])) == pytest.approx(30.0, abs=0.2)
    assert len(x) * np.cos(np.radians(30.0)) / 320 == pytest.approx(4.0, rel=0.02)
    mask = sky.truth(3).trail_mask
    np.testing.assert_array_equal(mask, light > 0.25 * noise_e)
    assert not sky.truth(2).trail_mask.any()


def test_an_aircraft_blinks() -> None:
    sky = Sky(replace(BLANK, trails=(Trail(0, peak_e=100.0, width_px=12.0, angle_deg=0.0, dash_px=40.0),)))
    lit = sky.light_e(0)[127] > 80
    assert lit.mean() == pytest.approx(0.5, abs=0.1)
    assert np.count_nonzero(np.diff(lit.astype(int))) == 15


def test_cosmic_rays_strike_where_the_truth_says() -> None:
    plan = replace(BLANK, chip=Chip(cosmic_rays_s=2.0))
    sky, calm = Sky(plan), Sky(BLANK)
    struck = (sky.light(1).pixels.astype(float) - calm.light(1).pixels) > 0.8 * 200 / 0.25
    np.testing.assert_array_equal(struck, sky.truth(1).ray_mask)
    assert struck.sum() >= 10
    assert not np.array_equal(sky.truth(2).ray_mask, sky.truth(1).ray_mask)
