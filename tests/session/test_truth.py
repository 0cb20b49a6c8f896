"""Whole simulated nights against what is true of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from starwell.camera.sky import Chip, Flaw, Mount, Nebula, Optics, Scene, Sky, SkyPlan, Trail, Turn, Weather
from starwell.frame import Bayer, Colour, Float32, Mask, Plane, Planes
from starwell.measure.sub import measure

STARS = Scene(stars=120, faintest_e=3000.0, brightest_e=150_000.0)
DITHER = Mount(drift_px=(0.3, -0.2), dither_px=8.0)
PLAN = SkyPlan(size=(480, 640), subs=24, seconds=20.0, scene=STARS, mount=DITHER, optics=Optics(vignette=0.2))
SUBS = 24
Make = Callable[..., Any]


@pytest.mark.parametrize(
    "mount",
    [
        pytest.param(replace(DITHER, rotation_deg=0.01), id="drift-and-field-rotation"),
        pytest.param(replace(DITHER, flip_at=12), id="meridian-flip"),
        pytest.param(replace(DITHER, turns=(Turn(12, 90.0),)), id="turned-by-90"),
        pytest.param(replace(DITHER, turns=(Turn(12, 37.0),)), id="turned-by-37"),
    ],
)
def test_corners_noise_and_star_light_are_right_however_the_camera_turns(mount: Mount, night: Make) -> None:
    done = night(replace(PLAN, mount=mount)).live(SUBS)
    truth = done.truth()
    median, worst = truth.corner_px
    assert truth.stacked == SUBS
    assert median <= 0.05
    assert worst <= 0.15
    assert 0.95 <= truth.noise_ratio <= 1.03
    assert truth.flux_ratio == pytest.approx(1.0, abs=0.01)
    assert truth.flux_scatter < 0.01
    seen = done.told_noise()
    assert seen.efficiency_error_percent < 2.5
    assert seen.efficiency_percent == pytest.approx(100.0, abs=3 * seen.efficiency_error_percent)


def test_differential_seeing_costs_less_than_a_third_of_a_pixel_in_the_corners(night: Make) -> None:
    done = night(replace(PLAN, weather=Weather(jitter_px=0.2))).live(SUBS)
    assert done.truth().corner_px[1] < 0.3


def star_fwhm(mean: Float32, saturation_adu: float) -> float:
    planes = Planes(tuple(Plane(c, 1, 0, 0) for c in range(len(mean))), len(mean))
    pixels = mean if len(mean) == 3 else mean[0]
    return measure(pixels, planes, saturation_adu=saturation_adu).stars.fwhm_px


@pytest.mark.parametrize(
    ("bayer", "fwhm_px"), [(None, 2.5), (None, 4.5), (Bayer.RGGB, 5.0)], ids=["mono", "mono-wide", "colour"]
)
def test_lanczos_keeps_stars_as_sharp_as_the_subs(bayer: Bayer | None, fwhm_px: float, night: Make) -> None:
    plan = replace(PLAN, size=(360, 480), bayer=bayer, weather=Weather(fwhm_px=fwhm_px))
    done = night(plan).live(SUBS)
    subs = [m.figures["fwhm_px"] for _, m in done.pipeline.members.stacked()]
    stack = done.pipeline.stack
    assert stack.kernel == "lanczos"
    assert star_fwhm(stack.mean(), plan.chip.saturation_adu) <= 1.03 * np.median(subs)


def test_full_size_colour_reaches_the_noise_of_the_samples_its_planes_have(night: Make) -> None:
    plan = replace(PLAN, bayer=Bayer.GRBG, weather=Weather(fwhm_px=5.0))
    truth = night(plan).live(SUBS).truth()
    assert truth.stacked == SUBS
    assert truth.corner_px[0] <= 0.05
    assert truth.corner_px[1] <= 0.15
    assert 0.93 <= truth.noise_ratio <= 1.03


def test_colour_keeps_the_light_of_stars_and_rings_by_less_than_a_hundredth(night: Make) -> None:
    plan = replace(PLAN, bayer=Bayer.RGGB, weather=Weather(fwhm_px=2.8))
    done = night(plan).live(SUBS)
    truth = done.truth()
    assert truth.flux_ratio == pytest.approx(1.0, abs=0.01)
    assert truth.flux_scatter < 0.01
    home = done.pipeline.reference.number - 1
    mean_e = done.pipeline.stack.mean() * np.float32(plan.chip.egain)
    sky = np.median(mean_e.reshape(3, -1), axis=1)[:, None, None]
    smooth = np.stack([cv2.GaussianBlur(plane, (0, 0), 1.0) for plane in mean_e - sky])
    stars = done.sky.truth(home).stars
    for x, y, flux in zip(stars.x, stars.y, stars.flux_e, strict=True):
        cx, cy = round(float(x)), round(float(y))
        if flux > 80_000 and 20 < cx < 620 and 20 < cy < 460:
            box = smooth[:, cy - 12 : cy + 13, cx - 12 : cx + 13]
            assert (box.min(axis=(1, 2)) >= -0.01 * box.max(axis=(1, 2)) - 2.0).all()


def test_super_pixels_lie_where_the_sky_says_and_carry_two_greens(night: Make) -> None:
    plan = replace(PLAN, bayer=Bayer.RGGB, weather=Weather(fwhm_px=5.0), optics=Optics())
    done = night(plan, colour=Colour.SUPER).live(SUBS)
    stack, home = done.pipeline.stack, done.pipeline.reference.number - 1
    assert stack.mean().shape == (3, 240, 320)
    corners = [
        m.placed.transform.corner_distance(
            done.sky.truth(home).transform.inverse() @ done.sky.truth(n - 1).transform, plan.size
        )
        for n, m in done.pipeline.members.stacked()
    ]
    assert np.median(corners) <= 0.05
    green_e = stack.mean(1) * np.float32(plan.chip.egain)
    scene = cv2.resize(done.sky.scene_e(home, as_seen=True)[1], (320, 240), interpolation=cv2.INTER_AREA)
    noise = done.told_noise()
    assert noise.efficiency_block_px == 8
    assert noise.efficiency_percent == pytest.approx(100.0, abs=8.0)
    # Each output pixel of green is the mean of two samples.
    residual = (green_e - scene)[8:-8, 8:-8]
    inside = cv2.dilate((scene - scene.min()).clip(0, 5), np.ones((5, 5)))[8:-8, 8:-8] < 0.5
    by_blocks = block_steps(residual, inside)
    ideal = float(np.median(done.sky.stack_noise_e(range(SUBS)))) / np.sqrt(2) / 8
    assert by_blocks == pytest.approx(np.sqrt(2) * ideal, rel=0.06)


def block_steps(pixels: Float32, use: Mask, block: int = 8) -> float:
    """Rms step between neighbouring blocks' means where every pixel may be used."""
    ny, nx = (n // block for n in pixels.shape)
    shape = (ny, block, nx, block)
    cut = np.s_[: ny * block, : nx * block]
    means = pixels[cut].reshape(shape).mean(axis=(1, 3))
    whole = use[cut].reshape(shape).all(axis=(1, 3))
    steps = (means[:, 1:] - means[:, :-1])[whole[:, 1:] & whole[:, :-1]]
    assert steps.size > 200
    return float(np.sqrt(np.mean(np.square(steps))))


CORE = Scene(
    stars=60,
    faintest_e=3000.0,
    brightest_e=80_000.0,
    nebula=Nebula(core_e=2000.0, core_radius=0.1, cloud_e=0.0, filaments_e=0.0),
)


@pytest.fixture(scope="module")
def untouched() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("sub", [0, 4, 15])
@pytest.mark.parametrize("bayer", [None, Bayer.RGGB], ids=["mono", "colour"])
def test_a_trail_in_any_sub_the_first_included_leaves_nothing(
    sub: int, bayer: Bayer | None, night: Make, untouched: dict[str, Any]
) -> None:
    plan = SkyPlan(
        size=(256, 320),
        subs=16,
        seconds=20.0,
        scene=CORE,
        mount=DITHER,
        bayer=bayer,
        weather=Weather(fwhm_px=3.0),
    )
    if bayer not in untouched:
        untouched[bayer] = night(plan).live(16)
    clean = untouched[bayer]
    trailed = night(replace(plan, trails=(Trail(sub, peak_sigma=10.0),)))
    trailed.frames = {n: clean.frame(n) for n in range(1, 17) if n != sub + 1}
    trailed.live(16)
    home = trailed.pipeline.reference.number - 1
    assert clean.pipeline.reference.number - 1 == home
    assert trailed.pipeline.members[sub + 1].trails >= 1
    sky = trailed.sky
    there = (sky.truth(home).transform.inverse() @ sky.truth(sub).transform).matrix
    under = cv2.warpAffine(
        sky.truth(sub).trail_mask.astype(np.uint8), there, (320, 256), flags=cv2.INTER_NEAREST
    )
    channel = 0 if bayer is None else 1
    scene = sky.scene_e(home)
    scene = scene if bayer is None else scene[channel]
    left_e = (trailed.pipeline.stack.mean(channel) - clean.pipeline.stack.mean(channel)) * plan.chip.egain
    sigma = left_e / np.sqrt((scene + plan.chip.read_noise_e**2) / 16)
    on_sky, on_core = (under > 0) & (scene < 100), (under > 0) & (scene > 1500)
    assert on_sky.sum() > 500
    assert on_core.sum() > 50
    assert abs(sigma[on_sky].mean()) < 0.1
    assert abs(sigma[on_core].mean()) < 0.3


def test_three_trails_through_one_pixel_leave_nothing(night: Make) -> None:
    trails = tuple(Trail(s, peak_sigma=12.0, angle_deg=a) for s, a in ((0, 20.0), (3, 80.0), (9, -40.0)))
    plan = SkyPlan(
        size=(256, 320), subs=16, seconds=20.0, scene=replace(STARS, stars=60), mount=DITHER, trails=trails
    )
    left = night(plan).live(16).truth().trail_sigma
    assert left is not None
    assert abs(left) < 0.25  # as many pixels as trails have: the mean of 1,500 noisy ones


def test_the_clip_rate_is_the_same_in_a_vignetted_corner_as_in_the_centre(night: Make) -> None:
    plan = SkyPlan(
        size=(560, 720),
        subs=40,
        seconds=20.0,
        scene=Scene(stars=30, faintest_e=3000.0, brightest_e=60_000.0),
        weather=Weather(sky_e_s=2.0),
        mount=Mount(dither_px=8.0),
        optics=Optics(vignette=0.35),
    )
    done = night(plan).live(40)
    stack, home = done.pipeline.stack, done.pipeline.reference.number - 1
    masked, count = stack.sums.masked[0], stack.sums.count[0].astype(int)
    height, width = plan.size
    y, x = np.mgrid[:height, :width]
    r2 = ((x - width / 2) / (width / 2)) ** 2 / 2 + ((y - height / 2) / (height / 2)) ** 2 / 2
    scene = done.sky.scene_e(home)
    blank = (scene < scene.min() * 1.02) & (count + masked >= 36)
    rates = []
    for place in (blank & (r2 < 0.25), blank & (r2 > 0.5)):
        assert masked[place].sum() > 200  # so that chance is below a tenth
        rates.append(masked[place].sum() / (count[place].sum() + masked[place].sum()))
    centre, corner = rates
    assert corner == pytest.approx(centre, rel=0.2)


@pytest.mark.parametrize(("every", "subs"), [(1, 60), (3, 60), (10, 100)])
@pytest.mark.parametrize("known", [True, False], ids=["with-a-dark", "without-a-dark-that-knows-them"])
def test_hot_pixels_go_away_with_dithers(
    every: int, subs: int, known: bool, night: Make, masters_of: Make
) -> None:
    hot = (Flaw(60, 2.0), Flaw(60, 5.0))  # 40 and 100 e- in 20 s
    plan = SkyPlan(
        size=(256, 320),
        subs=subs,
        seconds=20.0,
        scene=replace(STARS, stars=60),
        weather=Weather(sky_e_s=1.5),
        mount=Mount(dither_px=8.0, dither_every=every),
        chip=Chip(hot=hot),
    )
    silent = masters_of(Sky(replace(plan, chip=Chip())))
    done = night(plan, masters=None if known else silent).live(subs)
    home = done.pipeline.reference.number - 1
    scene = done.sky.scene_e(home, as_seen=True)
    residual = done.pipeline.stack.mean(0) * plan.chip.egain - scene
    sigma = np.where(scene < 1.1 * scene.min(), residual / done.sky.stack_noise_e(range(subs)), np.nan)
    for places in done.sky.silicon.hot_xy:
        left = np.concatenate([values_at(sigma, done.sky, home, sub, places) for sub in range(subs)])
        assert np.isfinite(left).sum() > 1000
        assert abs(np.nanmean(left)) < 1.0


def values_at(pixels: Float32, sky: Sky, home: int, sub: int, places: Any) -> Float32:
    """Of the stack, where a sub's sensor pixels fell on it."""
    there = (sky.truth(home).transform.inverse() @ sky.truth(sub).transform).apply(places)
    x, y = np.rint(there).astype(int).T
    height, width = pixels.shape
    inside = (x > 5) & (y > 5) & (x < width - 5) & (y < height - 5)
    return pixels[y[inside], x[inside]]
