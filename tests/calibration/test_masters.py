from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from starwell.calibration import combine as combining
from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters, colour_views, constant_bias, unit_mean
from starwell.calibration.masters import build
from starwell.camera.chip import Chip, Flaw
from starwell.camera.plan import Optics, Scene, SkyPlan, Weather
from starwell.camera.sky import Sky
from starwell.errors import MasterError, MasterMismatch, MasterMissing
from starwell.frame import Bayer, Facts, Kind
from starwell.sensor.photon_transfer_blocks import KEPT_VARIANCE, clipped_rms

SHAPE = (120, 160)
DARK = {"IMAGETYP": "Dark", "EXPTIME": 60.0}
FLAT = {"IMAGETYP": "Flat", "EXPTIME": 2.0}


def darks(n, sigma=10.0, seed=0, level=500.0):
    rng = np.random.default_rng(seed)
    pattern = level + rng.normal(0, 3, SHAPE)
    return pattern, [(pattern + rng.normal(0, sigma, SHAPE)).round().astype(np.uint16) for _ in range(n)]


@pytest.mark.parametrize("n", [3, 4, 5, 8, 16, 31])
def test_the_noise_of_a_master_falls_with_the_root_of_its_frames(write_frames, n):
    pattern, frames = darks(n)
    master = build(Kind.DARK, [write_frames("darks", frames, DARK)])
    assert master.combined == n
    assert (master.pixels - pattern).std() == pytest.approx(10 / np.sqrt(n), rel=0.04)
    assert abs((master.pixels - pattern).mean()) < 4 * 10 / np.sqrt(n * pattern.size)
    assert master.learnt["noise_adu"] == pytest.approx(np.sqrt(100 + 1 / 12), rel=0.02)


@pytest.mark.parametrize("n", [3, 4, 7, 20])
def test_cosmic_rays_leave_nothing_behind(write_frames, n):
    pattern, frames = darks(n)
    rng = np.random.default_rng(9)
    for frame in frames:
        frame[rng.integers(0, SHAPE[0], 60), rng.integers(0, SHAPE[1], 60)] += np.uint16(20000)
    master = build(Kind.DARK, [write_frames("darks", frames, DARK)])
    off = np.abs(master.pixels - pattern)
    twice = 2 * n * n * 60**2 / pattern.size  # pixels struck in two frames by chance
    assert (off > 6 * 10 / np.sqrt(n)).sum() <= (twice if n == 3 else 0) + 3
    assert master.keywords["CLIPFRAC"] == pytest.approx(60 / pattern.size, rel=0.1)


@pytest.mark.parametrize("n", [3, 6])
def test_a_frame_that_a_hand_lamp_leaked_into_is_named_and_left_out(write_frames, n):
    pattern, frames = darks(n)
    frames[1][:, 100:] += 90
    frames[0][50, 50] = 30000
    master = build(Kind.DARK, [write_frames("darks", frames, DARK)])
    assert master.combined == n - 1
    assert any(re.search(r"frame_001.fits: \+(8|9|10)\d ADU", warning) for warning in master.warnings)
    assert (master.pixels - pattern).std() == pytest.approx(10 / np.sqrt(n - 1), rel=0.05)
    assert master.pixels[50, 50] == pytest.approx(pattern[50, 50], abs=40)


def test_a_series_that_does_not_agree_with_itself_is_refused(write_frames):
    frames = [(darks(1, seed=i)[1][0] + np.uint16(60 * i)) for i in range(8)]
    with pytest.raises(MasterMismatch, match="do not agree with each other"):
        build(Kind.DARK, [write_frames("darks", frames, DARK)])


def test_more_frames_than_the_ring_holds_give_the_same_master(write_frames, monkeypatch):
    _, frames = darks(24)
    folder = write_frames("darks", frames, DARK)
    whole = build(Kind.DARK, [folder])
    monkeypatch.setattr(combining, "RING_BYTES", 5 * frames[0].nbytes)
    small = build(Kind.DARK, [folder])
    assert (whole.keywords["CLIPREF"], small.keywords["CLIPREF"]) == (15, 5)
    assert np.abs(whole.pixels - small.pixels).max() < 3
    assert (whole.pixels == small.pixels).mean() > 0.98


def test_the_same_frames_give_the_same_master(write_frames):
    _, frames = darks(6)
    folder = write_frames("darks", frames, DARK)
    assert build(Kind.DARK, [folder]).sha256 == build(Kind.DARK, [folder]).sha256


def test_damaged_frames_are_named_and_left_out(write_frames):
    pattern, frames = darks(8)
    broken = [np.asarray(frame, np.float32) for frame in frames]
    broken[1] = np.full(SHAPE, 512, np.float32)
    broken[2] = np.full(SHAPE, np.nan, np.float32)
    broken[5] = broken[4]
    folder = write_frames("darks", broken, DARK)
    cut = folder / "frame_003.fits"
    cut.write_bytes(cut.read_bytes()[:30000])
    master = build(Kind.DARK, [folder])
    told = " ".join(master.warnings)
    assert master.combined == 4
    assert "frame_001.fits: every pixel is 512" in told
    assert "frame_002.fits: it holds no numbers" in told
    assert "frame_003.fits" in told
    assert "frame_005.fits: the same pixels as frame_004.fits" in told
    assert (master.pixels - pattern).std() == pytest.approx(10 / 2, rel=0.04)


def test_too_few_good_frames_say_which_are_bad(write_frames):
    _, frames = darks(4)
    frames[0] = np.zeros(SHAPE, np.uint16)
    frames[3] = np.zeros(SHAPE, np.uint16)
    with pytest.raises(MasterMissing, match=r"there are 2.*frame_000.fits.*frame_003.fits"):
        build(Kind.DARK, [write_frames("darks", frames, DARK)])


def test_a_pixel_that_is_never_a_number_is_marked_hot_not_lost(write_frames):
    pattern, frames = darks(5)
    frames = [frame.astype(np.float32) for frame in frames]
    for frame in frames:
        frame[7, 9] = np.nan
    frames[2][30, 30] = np.nan
    master = build(Kind.DARK, [write_frames("darks", frames, DARK)])
    assert master.pixels[7, 9] == 65535
    assert master.pixels[30, 30] == pytest.approx(pattern[30, 30], abs=25)


def lamp_flats(n, drift, bayer=None, seed=3):
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    field = 1 - 0.4 * ((x / SHAPE[1] - 0.5) ** 2 + (y / SHAPE[0] - 0.5) ** 2)
    field = field * rng.normal(1, 0.01, SHAPE)
    light = 20000.0 * field
    if bayer:
        for i, letter in enumerate(bayer):
            light[i // 2 :: 2, i % 2 :: 2] *= {"R": 0.5, "G": 1.0, "B": 0.3}[letter]
    frames = [
        (1000 + rng.poisson(light * factor) + rng.normal(0, 5, SHAPE)).round().astype(np.uint16)
        for factor in np.linspace(1, drift, n)
    ]
    return field, frames


@pytest.mark.parametrize("drift", [1.0, 0.6, 2.2])
def test_a_drifting_lamp_does_not_bend_the_flat(write_frames, drift):
    field, frames = lamp_flats(8, drift)
    master = build(Kind.FLAT, [write_frames("flats", frames, FLAT)], bias=constant_bias(1000))
    assert master.pixels.mean() == pytest.approx(1, abs=1e-6)
    ratio = master.pixels / (field / field.mean())
    light = 20000 * field.mean() * np.mean(np.linspace(1, drift, 8)) * 8
    assert ratio.std() == pytest.approx(1 / np.sqrt(light), rel=0.06)
    assert master.level_adu == pytest.approx(
        20000 * field.mean() * np.mean(np.linspace(1, drift, 8)), rel=0.02
    )


def test_each_colour_of_a_flat_has_mean_one_and_the_greens_keep_their_ratio(write_frames):
    _, frames = lamp_flats(5, 1.1, "GBRG")
    for frame in frames:
        frame[1::2, 1::2] = 1000 + (frame[1::2, 1::2] - 1000.0) * 0.98  # the second green is 2 % weaker
    folder = write_frames("flats", frames, {**FLAT, "BAYERPAT": "GBRG", "ROWORDER": "TOP-DOWN"})
    master = build(Kind.FLAT, [folder], bias=constant_bias(1000))
    assert master.facts.bayer is Bayer.GBRG
    for views in colour_views(master.pixels, master.facts):
        assert np.mean([view.mean() for view in views]) == pytest.approx(1, abs=1e-5)
    assert master.pixels[1::2, 1::2].mean() / master.pixels[::2, ::2].mean() == pytest.approx(0.98, abs=2e-3)


def test_a_flat_with_a_shadow_and_a_saturated_one_are_left_out(write_frames):
    _, frames = lamp_flats(7, 1.0)
    frames[2][:60] = 1000 + (frames[2][:60] - 1000.0) * 0.8
    frames[4][:] = 65535
    frames[4][0] = 65000
    master = build(Kind.FLAT, [write_frames("flats", frames, FLAT)], bias=constant_bias(1000))
    told = " ".join(master.warnings)
    assert master.combined == 5
    assert re.search(r"frame_002.fits: [-+]1\d % off the other flats' shape", told)
    assert "frame_004.fits: 98.3 % of its pixels are saturated" in told


def test_an_uncalibrated_flat_is_refused_unless_asked_for(write_frames):
    folder = write_frames("flats", lamp_flats(3, 1.0)[1], FLAT)
    with pytest.raises(MasterMissing, match="--uncalibrated"):
        build(Kind.FLAT, [folder])
    assert "uncalibrated" in " ".join(build(Kind.FLAT, [folder], uncalibrated=True).warnings)


def test_flats_darker_than_their_bias_are_refused(write_frames):
    folder = write_frames("flats", [f // 10 for f in lamp_flats(3, 1.0)[1]], FLAT)
    with pytest.raises(MasterMismatch, match="no brighter than the bias"):
        build(Kind.FLAT, [folder], bias=constant_bias(4000))


def test_dark_flats_of_another_exposure_are_refused(write_frames, make_master):
    folder = write_frames("flats", lamp_flats(3, 1.0)[1], FLAT)
    with pytest.raises(MasterMismatch, match=r"30 s, the flats 2 s"):
        build(Kind.FLAT, [folder], dark_flat=make_master(Kind.DARK_FLAT, np.full(SHAPE, 1000.0), 30.0))


def test_dim_flats_are_warned_of(write_frames):
    frames = [1000 + (f - 1000.0) / 20 for f in lamp_flats(3, 1.0)[1]]
    folder = write_frames("flats", [f.astype(np.uint16) for f in frames], FLAT)
    assert "dim" in " ".join(build(Kind.FLAT, [folder], bias=constant_bias(1000)).warnings)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrays(np.float32, (6, 8), elements=st.floats(0.125, 50000, width=32)),
    st.sampled_from([None, *Bayer]),
)
def test_normalising_gives_mean_one_per_colour_and_keeps_ratios(pixels, bayer):
    facts = Facts(pixels.shape, bayer=bayer)
    before = pixels.astype(np.float64)
    scaled = unit_mean(pixels, facts)
    np.testing.assert_array_equal(unit_mean(pixels, facts, out=pixels), scaled)
    for views, raw in zip(colour_views(scaled, facts), colour_views(before, facts), strict=True):
        assert np.concatenate([v.ravel() for v in views]).mean() == pytest.approx(1, rel=1e-4)
        np.testing.assert_allclose(views[0] / views[0].flat[0], raw[0] / raw[0].flat[0], rtol=1e-5)


def test_a_flat_without_light_cannot_be_normalised():
    with pytest.raises(MasterError, match="no light"):
        unit_mean(np.zeros((4, 4), np.float32), Facts((4, 4)))


@pytest.mark.parametrize("sigma", [0.4, 0.7, 2.0, 30.0])
def test_the_clipped_rms_is_right_on_whole_adu_where_a_mad_is_not(sigma):
    rng = np.random.default_rng(1)
    a, b = (rng.normal(500.3, sigma, 400_000).round() for _ in range(2))
    values = a - b
    values[:200] = 5000
    assert clipped_rms(values) == pytest.approx(values[200:].std(), rel=0.005)


def test_the_truncation_of_a_gaussian_at_4_sigma_is_accounted_for():
    x = np.linspace(-4, 4, 200_001)
    density = np.exp(-x * x / 2)
    assert (x * x * density).sum() / density.sum() == pytest.approx(KEPT_VARIANCE, abs=1e-5)


CHIP = Chip(
    egain=0.8,
    read_noise_e=3.5,
    offset_adu=300,
    bits=14,
    full_well_e=12000,
    prnu=0.01,
    dsnu_e=1.0,
    dark_e_s=0.05,
)


@pytest.mark.parametrize("bayer", [None, Bayer.RGGB])
@pytest.mark.parametrize("shift", [0, 2])
def test_pairs_tell_gain_and_read_noise_of_a_simulated_camera(shoot, bayer, shift):
    chip = replace(CHIP, shift=shift)
    sky = Sky(SkyPlan(size=(256, 256), chip=chip, bayer=bayer, optics=Optics(vignette=0.3)))
    bias = build(Kind.BIAS, [shoot("bias", [sky.bias(i) for i in range(10)])])
    flat = build(Kind.FLAT, [shoot("flat", [sky.flat(i, 0.5 + 0.02 * i) for i in range(10)])], bias=bias)
    assert flat.learnt["egain"] == pytest.approx(0.8 / 2**shift, rel=0.01)
    assert flat.learnt["read_noise_e"] == pytest.approx(3.5, rel=0.02)
    assert flat.facts.adu_shift == shift


def test_a_calibrated_night_keeps_only_the_pattern_that_its_masters_noise_predicts(shoot):
    sky = Sky(
        SkyPlan(
            size=(200, 240),
            seconds=60.0,
            chip=replace(CHIP, hot=(Flaw(96, 80.0),), cosmic_rays_s=0.005),
            optics=Optics(vignette=0.35),
            scene=Scene(stars=0),
            weather=Weather(sky_e_s=500 / 60),
        )
    )
    bias = build(Kind.BIAS, [shoot("bias", [sky.bias(i) for i in range(12)])])
    dark = build(Kind.DARK, [shoot("dark", [sky.dark(i) for i in range(12)])], bias=bias)
    flat = build(Kind.FLAT, [shoot("flat", [sky.flat(i) for i in range(12)])], bias=bias)
    calibrator = Calibrator(Masters(bias=bias, dark=dark, flat=flat), sky.light(0).facts)
    halves = [
        np.mean([calibrator.calibrate(sky.light(i)).pixels for i in range(first, 40, 2)], axis=0) * 0.8
        for first in (0, 1)
    ]
    good = ~calibrator.defects.mask()
    response = sky.flat_field
    level = 500.0 * response.mean()
    relative = response / response.mean()
    assert np.median(halves) == pytest.approx(level, rel=0.01)
    # what two independent halves share is pattern: the noise of the master dark and of the master flat
    pattern = np.cov(halves[0][good], halves[1][good])[0, 1]
    of_dark = (3.5**2 + 0.05 * 60) / 12 / relative**2
    of_flat = level**2 / (12 * 0.5 * 12000 * response)
    assert pattern == pytest.approx((of_dark + of_flat)[good].mean(), rel=0.12)
    corner, centre = (half.mean() for half in (halves[0][:24, :24], halves[0][90:110, 110:130]))
    assert corner / centre == pytest.approx(1, abs=0.005)


def test_hot_pixels_are_counted_above_the_stated_threshold(shoot):
    chip = replace(CHIP, hot=(Flaw(400, 20.0),))
    sky = Sky(SkyPlan(size=(200, 200), seconds=60.0, chip=chip))
    bias = build(Kind.BIAS, [shoot("bias", [sky.bias(i) for i in range(6)])])
    dark = build(Kind.DARK, [shoot("dark", [sky.dark(i) for i in range(6)])], bias=bias, hot_adu=400.0)
    assert dark.learnt["hot_adu"] == 400
    assert dark.learnt["hot_pixels"] == pytest.approx(400, abs=80)
    assert dark.learnt["dark_adu"] == pytest.approx(0.05 * 60 / 0.8, abs=0.4)
