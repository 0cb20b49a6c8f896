"""Whole frames of a simulated night against what is true of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sep

from starwell.align.transform import Transform
from starwell.camera.sky import (
    ASI1600,
    Chip,
    Cloud,
    Dust,
    Flaw,
    Galaxy,
    Mount,
    Nebula,
    Optics,
    Scene,
    Sky,
    SkyPlan,
    Star,
    Turn,
    Weather,
    demo_plan,
)
from starwell.errors import PlanError
from starwell.frame import Bayer, Float32, Float64, Kind, Planes

EMPTY = Scene(stars=0)
BLANK = SkyPlan(scene=EMPTY)


def centroids(light_e: Float32, xy: Float64, fwhm_px: float) -> Float64:
    pixels = np.ascontiguousarray(light_e - np.median(light_e))
    x, y, _ = sep.winpos(pixels, xy[:, 0], xy[:, 1], fwhm_px / 2.355)
    return np.stack([x, y], axis=1)


def lattice(n: int = 5) -> tuple[Star, ...]:
    """Lone bright stars at odd positions, well inside the default frame."""
    rng = np.random.default_rng(8)
    spots = [(70 + 42 * i, 60 + 34 * j) for i in range(n) for j in range(n)]
    return tuple(Star(x + rng.random(), y + rng.random(), 2e4) for x, y in spots)


def test_frames_do_not_depend_on_the_order_they_are_taken_in() -> None:
    plan = demo_plan((128, 160), subs=40)
    one, other = Sky(plan), Sky(plan)
    third = one.light(3).pixels
    other.dark(0), other.light(9)
    np.testing.assert_array_equal(other.light(3).pixels, third)
    assert not np.array_equal(one.light(4).pixels, third)
    assert not np.array_equal(Sky(replace(plan, seed=2)).light(3).pixels, third)


def test_darks_biases_and_flats_are_different_draws() -> None:
    sky = Sky(BLANK)
    frames = [sky.dark(0), sky.dark(1), sky.bias(0), sky.dark_flat(0), sky.flat(0), sky.flat(1)]
    assert len({f.pixels.tobytes() for f in frames}) == 6
    assert [f.facts.exposure.kind for f in frames[1:5]] == [Kind.DARK, Kind.BIAS, Kind.DARK_FLAT, Kind.FLAT]
    assert [f.facts.exposure.seconds for f in frames[1:5]] == [10.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "mount",
    [
        Mount((0.37, -0.21), dither_px=6.0),
        Mount(rotation_deg=0.2, wander_px=0.4),
        Mount((0.1, 0.1), flip_at=2),
        Mount(turns=(Turn(1, 90.0),)),
        Mount(turns=(Turn(0, 37.0),), drift_px=(1.5, 0.0)),
    ],
)
def test_the_true_transform_takes_measured_stars_to_sub_0(mount: Mount) -> None:
    sky = Sky(SkyPlan(scene=Scene(stars=0, given=lattice()), mount=mount))
    first, fifth = sky.truth(0), sky.truth(5)
    pairs = []
    for truth in (first, fifth):
        stars = truth.stars.inside(sky.plan.size, 12)
        found = centroids(sky.light_e(truth.number), stars.xy, truth.fwhm_px)
        np.testing.assert_allclose(found, stars.xy, atol=0.005)
        pairs.append(truth.transform.apply(found))
    distance = np.hypot(*(pairs[0][:, None] - pairs[1][None]).T)
    assert (distance.min(axis=0) < 0.01).sum() >= 12


def test_the_world_is_sub_0_and_stars_drift_in_from_outside() -> None:
    sky = Sky(SkyPlan(scene=Scene(stars=300), mount=Mount(drift_px=(3.0, 0.0)), subs=60))
    assert sky.truth(0).transform == Transform()
    counts = [len(sky.truth(i).stars.x) for i in (0, 30, 59)]
    assert min(counts) > 230
    assert max(counts) < 370


def test_star_counts_follow_their_power_law() -> None:
    sky = Sky(SkyPlan(scene=Scene(stars=20_000, faintest_e=100, brightest_e=1e6, slope=0.7), subs=1))
    flux = sky.stars.flux_e
    assert (np.diff(flux) <= 0).all()
    assert flux.min() >= 100
    assert flux.max() <= 1e6
    ratio = (flux > 2000).sum() / (flux > 200).sum()
    assert ratio == pytest.approx(10**-0.7, rel=0.08)


def test_differential_seeing_moves_stars_by_its_rms_and_not_the_truth() -> None:
    plan = SkyPlan(scene=Scene(stars=0, given=lattice()), weather=Weather(jitter_px=0.3))
    sky = Sky(plan)
    stars = sky.truth(0).stars
    moved = [centroids(sky.light_e(i), stars.xy, 3.0) - stars.xy for i in range(12)]
    assert np.std(moved) == pytest.approx(0.3, rel=0.1)


@pytest.mark.parametrize("chip", [Chip(), ASI1600, replace(ASI1600, egain=0.16, read_noise_e=1.25)])
@pytest.mark.parametrize("sky_e_s", [0.1, 0.8, 6.0])
def test_the_noise_of_the_sky_is_what_the_sensor_model_says(chip: Chip, sky_e_s: float) -> None:
    sky = Sky(replace(BLANK, chip=replace(chip, dark_e_s=0.05), weather=Weather(sky_e_s=sky_e_s)))
    subs = [sky.light(i).pixels.astype(np.float64) for i in range(4)]
    measured = np.mean([np.var(subs[0] - subs[1]) / 2, np.var(subs[2] - subs[3]) / 2])
    egain = chip.file_egain
    light_adu = subs[0].mean() - (chip.offset_adu * 2**chip.shift) - 0.5 / egain
    assert light_adu * egain == pytest.approx(10 * sky_e_s, abs=0.1)
    assert np.sqrt(measured) == pytest.approx(
        np.sqrt(sky.model.variance_adu(light_adu, 1.0, 0.5 / egain)), rel=0.02
    )


def test_a_weighted_stack_scatters_by_the_predicted_noise() -> None:
    weather = Weather(sky_e_s=2.0, clouds=(Cloud((1, 5), 0.4, 1.6),))
    sky = Sky(replace(BLANK, weather=weather, optics=Optics(vignette=0.5), chip=Chip(prnu=0.0)))
    total, weights = np.zeros(sky.plan.size), 0.0
    for i in range(8):
        truth = sky.truth(i)
        light_e = (sky.light(i).pixels - sky.plan.chip.offset_adu) * sky.model.egain - sky.silicon.fixed_e
        light_e = light_e / sky.optics - truth.sky_e[0]
        w = truth.transparency**2 / sky.model.variance_adu(truth.sky_e[0] / sky.model.egain)
        total, weights = total + w * light_e / truth.transparency, weights + w
    predicted = sky.stack_noise_e(range(8))
    score = total / weights / predicted
    assert score.std() == pytest.approx(1.0, abs=0.015)
    assert score[:40, :40].std() == pytest.approx(1.0, abs=0.06)
    assert predicted[0, 0] == pytest.approx(1.484 * predicted[128, 160], rel=0.01)


def test_a_stack_has_no_predicted_noise_where_no_sub_reaches() -> None:
    sky = Sky(replace(BLANK, mount=Mount(drift_px=(20.0, 0.0))))
    noise = sky.stack_noise_e([1, 2])
    assert np.isnan(noise[:, -20:]).all()
    assert np.isfinite(noise[:, :-20]).all()
    assert noise[0, -30] == pytest.approx(np.sqrt(2) * noise[0, 0], rel=1e-6)


def test_flats_show_vignette_dust_and_pixel_response() -> None:
    optics = Optics(vignette=0.35, dust=(Dust(100.0, 80.0, 15.0, 0.1),))
    sky = Sky(replace(BLANK, optics=optics))
    flat = np.mean([sky.flat(i).pixels for i in range(16)], axis=0) - sky.plan.chip.offset_adu
    flat *= sky.model.egain / (0.5 * sky.plan.chip.usable_e)
    error = flat - sky.flat_field
    assert error.std() == pytest.approx(np.sqrt(0.88 / (16 * 0.5 * sky.plan.chip.usable_e)), rel=0.1)
    assert flat[:6, :6].mean() == pytest.approx(0.65, abs=0.015)
    assert flat[120:136, 152:168].mean() == pytest.approx(1.0, abs=0.002)
    assert sky.optics[80, 110] / sky.optics[80, 125] == pytest.approx(0.9, abs=0.02)


def test_the_light_of_a_sub_is_vignetted_too_and_its_dark_is_not() -> None:
    sky = Sky(replace(BLANK, optics=Optics(vignette=0.5), weather=Weather(sky_e_s=50.0)))
    sub = np.mean([sky.light(i).pixels for i in range(4)], axis=0) - 500.0
    assert sub[:8, :8].mean() / sub[124:132, 156:164].mean() == pytest.approx(0.51, abs=0.02)


def test_every_bayer_pixel_has_the_colour_of_its_phase() -> None:
    for bayer in Bayer:
        plan = replace(
            BLANK, bayer=bayer, scene=Scene(stars=0, given=(Star(160, 128, 1e5, (1.0, 0.0, 0.0)),))
        )
        sky = Sky(plan)
        light = sky.light_e(0)
        planes = Planes.of(sky.light(0).facts)
        for plane in planes.planes:
            view = planes.view(light, plane)
            assert view[0, 0] == pytest.approx((24.0, 30.0, 21.0)[plane.channel], rel=1e-5)
            assert (view.max() > 1000) == (plane.channel == 0)
        flat = sky.flat(0).pixels - 500.0
        levels = [np.mean(planes.view(flat, plane)) for plane in planes.planes]
        expected = [(0.8, 1.0, 0.6)[plane.channel] for plane in planes.planes]
        np.testing.assert_allclose(np.array(levels) / max(levels), expected, rtol=2e-3)


def test_a_mosaic_is_the_colour_scene_sampled() -> None:
    scene = Scene(stars=40, nebula=Nebula(core_e=500), galaxy=Galaxy())
    sky = Sky(SkyPlan(bayer=Bayer.GRBG, scene=scene, weather=Weather(gradient=(0.2, 0.1))))
    truth, mosaic, planes = sky.scene_e(), sky.light_e(0), sky.planes
    assert truth.shape == (3, 256, 320)
    for plane in planes.planes:
        whole = truth[plane.channel][plane.y0 :: 2, plane.x0 :: 2]
        np.testing.assert_allclose(planes.view(mosaic, plane), whole, atol=0.2, rtol=2e-3)


def test_the_scene_is_what_subs_average_to() -> None:
    plan = SkyPlan(scene=Scene(stars=20, nebula=Nebula()), chip=Chip(prnu=0.0))
    sky = Sky(plan)
    subs = np.mean([sky.light(i).pixels for i in range(12)], axis=0)
    mean_e = (subs - 500.0) * 0.25 - sky.silicon.fixed_e - 0.02
    score = (mean_e - sky.scene_e()) / np.sqrt((sky.scene_e() + 1.5**2 + 0.25**2 / 12) / 12)
    assert score.mean() == pytest.approx(0.0, abs=0.02)
    assert score.std() == pytest.approx(1.0, abs=0.02)
    np.testing.assert_allclose(sky.scene_e() - sky.scene_e(sky=False), 30.0, rtol=1e-4)


def test_a_turned_nebula_is_the_nebula_turned() -> None:
    scene = Scene(stars=0, nebula=Nebula(core_e=800), galaxy=Galaxy())
    sky = Sky(SkyPlan(scene=scene, weather=Weather(sky_e_s=0.0), mount=Mount(flip_at=1)))
    first, flipped = sky.light_e(0), sky.light_e(1)
    np.testing.assert_allclose(flipped[::-1, ::-1], first, atol=0.002 * 800)
    assert first.max() == pytest.approx(800, rel=0.15)


def test_the_surface_between_its_nodes_is_the_function_itself() -> None:
    for size in ((256, 320), (700, 900)):
        sky = Sky(
            SkyPlan(
                size=size, scene=Scene(stars=0, nebula=Nebula(), galaxy=Galaxy()), weather=Weather(sky_e_s=0)
            )
        )
        y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
        exact = sky.surface.brightness_e(x, y)[0]
        error = np.abs(sky.light_e(0) - exact)
        assert error.max() < 0.005 * exact.max()
        assert error.mean() < 1e-3 * exact.mean()


def test_a_longer_exposure_collects_more_light_and_more_dark() -> None:
    sky = Sky(replace(BLANK, chip=Chip(dark_e_s=2.0, hot=(Flaw(20, 50.0),))))
    short, long = (sky.light(0, s).pixels.mean() - 500 for s in (5.0, 20.0))
    assert long / short == pytest.approx(4.0, rel=0.01)
    x, y = sky.silicon.hot_xy[0].T
    dark = sky.dark(0, 30.0).pixels[y, x].mean() - 500
    assert dark * 0.25 == pytest.approx(30 * 52, rel=0.03)


def test_the_facts_are_complete() -> None:
    sky = Sky(SkyPlan(chip=ASI1600, bayer=Bayer.RGGB, filter="L"))
    facts = sky.light(7).facts
    assert facts.number == 7
    assert facts.egain == pytest.approx(1 / 16)
    assert (facts.adu_shift, facts.saturation_adu, facts.bayer) == (4, 65520.0, Bayer.RGGB)
    assert (facts.exposure.gain, facts.exposure.offset, facts.exposure.seconds) == (139.0, 21.0, 10.0)
    assert facts.exposure.filter == "L"
    assert facts.camera == "Simulated ASI1600MM"
    assert facts.sensor_celsius == -10.0
    assert facts.started is not None
    assert (facts.started - sky.light(0).facts.started).total_seconds() == 84.0  # type: ignore[operator]
    assert not sky.light(7).pixels.flags.writeable


def test_the_demo_night_has_everything_in_it() -> None:
    sky = Sky(demo_plan((270, 480)))
    assert sky.truth(17).transparency < 0.6
    assert sky.truth(6).trail_mask.any()
    assert sky.truth(31).trail_mask.any()
    assert len(sky.truth(0).stars.x) > 20
    assert sky.optics.min() < 0.7
    sub = sky.light(0)
    assert sub.pixels.min() > 0
    assert np.median(sub.pixels) < 0.1 * sub.facts.saturation_adu


def test_a_frame_too_small_is_refused() -> None:
    with pytest.raises(PlanError, match="too small"):
        Sky(SkyPlan(size=(8, 300)))
