from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from starwell.camera.chip import Chip, Flaw, Silicon
from starwell.frame import Plane, Planes
from starwell.sensor.photon_transfer import Sets, analyse
from starwell.sensor.photon_transfer_blocks import BLOCK, clipped_rms, flattened
from starwell.sensor.photon_transfer_levels import dark_level, floor_share, light_level

TWELVE_BIT = Chip(offset_adu=60, bits=12, shift=4, prnu=0.006, dsnu_e=1.0, full_well_e=20_000.0)


def said(analysis, word: str) -> bool:
    return any(word in warning for warning in analysis.warnings)


@pytest.mark.parametrize(("egain", "read_noise"), [(1.0, 1.7), (4.9, 3.5), (0.157, 1.25)])
def test_a_sensor_is_found_as_it_was_made(analysed, egain, read_noise):
    chip = replace(TWELVE_BIT, egain=egain, read_noise_e=read_noise)
    found = analysed(chip, size=384, lights=tuple(np.linspace(0.03, 0.97, 16)), frames=4)
    assert found.egain == pytest.approx(egain, rel=0.005)
    assert found.read_noise_e == pytest.approx(read_noise, rel=0.02)
    assert found.prnu_percent == pytest.approx(0.6, rel=0.05)
    assert found.dsnu_e == pytest.approx(1.0, rel=0.05)
    assert found.full_well_e == pytest.approx(chip.usable_e, rel=0.02)
    assert found.linearity_percent < 0.1
    assert found.adu_shift == 4
    assert found.dynamic_range == pytest.approx(chip.usable_e / read_noise, rel=0.03)
    assert found.zero_fraction < 1e-6
    assert not said(found, "Zero clipping")


@pytest.mark.parametrize(("offset", "zeros"), [(20, 0.028), (5, 0.33)])
def test_a_low_offset_is_flagged_and_nothing_spoiled_is_told(analysed, offset, zeros):
    chip = replace(TWELVE_BIT, egain=0.157, read_noise_e=1.25, offset_adu=offset)
    found = analysed(chip)
    assert found.zero_fraction == pytest.approx(zeros, rel=0.1)
    assert said(found, "Zero clipping")
    assert said(found, "Raise the offset")
    assert found.read_noise_e is None
    assert found.dsnu_e is None
    assert found.prnu_percent is None
    assert found.linearity_percent is None
    assert found.dynamic_range is None
    assert found.egain == pytest.approx(0.157, rel=0.01)  # the flats alone tell it


def test_saturated_levels_are_left_out_and_tell_the_full_well(analysed):
    chip = Chip(egain=2.0, read_noise_e=4.0, offset_adu=200, bits=16, full_well_e=30_000.0)
    found = analysed(chip, lights=(0.1, 0.2, 0.3, 0.5, 0.8, 1.1, 1.3))
    assert said(found, "Saturation")
    assert found.full_well_e == pytest.approx(30_000, rel=0.01)
    assert found.egain == pytest.approx(2.0, rel=0.005)
    assert found.linearity_percent < 0.1


def test_without_a_bright_level_the_full_well_is_not_told_but_its_least(analysed):
    found = analysed(Chip(egain=0.5), lights=(0.05, 0.1, 0.2))
    assert found.full_well_e is None
    assert found.least_full_well_e == pytest.approx(0.2 * Chip(egain=0.5).usable_e, rel=0.02)
    assert said(found, "full well cannot be told")


def test_a_lamp_that_does_not_follow_the_exposure_shows_as_nonlinearity(analysed):
    found = analysed(Chip(egain=0.5), lamp=lambda part: part * (1 - 0.25 * part))
    assert found.linearity_percent > 3
    assert said(found, "not linear")


def test_dark_current_by_noise_and_by_level_agree_where_nothing_is_clamped(analysed):
    chip = Chip(egain=0.8, offset_adu=100, bits=14, dark_e_s=0.1, hot=(Flaw(60, 5.0),), rtn=(Flaw(25, 30.0),))
    found = analysed(chip, lights=(0.2, 0.5), darks=((60, 4), (300, 8)), frames=4).dark
    assert found.by_variance == pytest.approx(0.1, rel=0.02)
    assert found.by_mean == pytest.approx(0.1, rel=0.02)
    assert not found.clamped
    assert found.e_per_s == found.by_mean
    assert 60 <= found.hot <= 65
    assert 22 <= found.rtn <= 28
    assert found.map_pixels == 256 * 256


def test_a_camera_that_subtracts_its_black_is_found_out_by_its_noise(analysed):
    chip = Chip(egain=0.8, offset_adu=100, bits=14, dark_e_s=0.1)
    found = analysed(chip, lights=(0.2, 0.5), darks=((60, 4), (300, 4)), clamp=True)
    assert found.dark.clamped
    assert abs(found.dark.by_mean) < 0.01
    assert found.dark.e_per_s == pytest.approx(0.1, rel=0.03)
    assert said(found, "Black clamp")


def test_flats_without_biases_tell_the_gain_by_their_slope_alone(analysed):
    chip = Chip(egain=0.5, offset_adu=400)
    silicon, rng = Silicon(chip, (256, 256), 1), np.random.default_rng(1)
    planes = Planes((Plane(0, 1, 0, 0),), 1)
    flats = [
        light_level((silicon.expose(e, 0, rng) for _ in range(4)), planes, seconds=None, rail_adu=65535)
        for e in (200, 2000, 6000)
    ]
    found = analyse(Sets(None, flats, [], 65535))
    assert found.egain == pytest.approx(0.5, rel=0.01)
    assert found.read_noise_e is None
    assert said(found, "No bias")


def test_vignetting_and_a_bayer_mosaic_change_neither_gain_nor_prnu():
    chip = Chip(egain=0.5, read_noise_e=3.0, offset_adu=300, prnu=0.01)
    silicon, rng = Silicon(chip, (512, 512), 2), np.random.default_rng(2)
    y, x = np.mgrid[-1:1:512j, -1:1:512j]
    light = (1 - 0.2 * (x * x + y * y)).astype("f4") * 12_000
    light[::2, ::2] *= 0.4
    light[1::2, 1::2] *= 0.7
    planes = Planes(tuple(Plane(c, 2, i, j) for c, i, j in ((0, 0, 0), (1, 1, 0), (1, 0, 1), (2, 1, 1))), 3)
    bias = dark_level((silicon.expose(0, 0, rng) for _ in range(6)), planes, seconds=0, rail_adu=65535)
    flat = light_level(
        (silicon.expose(light, 0, rng) for _ in range(8)),
        planes,
        seconds=1,
        rail_adu=65535,
        pedestal_adu=bias.mean_adu,
    )
    found = analyse(Sets(bias, [flat], [], 65535))
    assert found.egain == pytest.approx(0.5, rel=0.01)
    assert found.read_noise_e == pytest.approx(3.0, rel=0.02)
    assert found.prnu_percent == pytest.approx(1.0, rel=0.05)
    assert found.uneven_percent > 5
    assert said(found, "uneven")


def test_frames_that_hold_no_shot_noise_are_no_flats(analysed):
    rng = np.random.default_rng(3)
    planes = Planes((Plane(0, 1, 0, 0),), 1)

    def flat(level):
        frames = (rng.normal(level, 5, (128, 128)).round().astype("u2") for _ in range(4))
        return light_level(frames, planes, seconds=1, rail_adu=65535, pedestal_adu=np.array([500.0]))

    bias = dark_level(
        (rng.normal(500, 5.2, (128, 128)).round().astype("u2") for _ in range(4)),
        planes,
        seconds=0,
        rail_adu=65535,
    )
    found = analyse(Sets(bias, [flat(2000), flat(9000)], [], 65535))
    assert found.egain is None
    assert said(found, "no raw flats")


def test_read_noise_below_the_converters_step_is_not_told(analysed):
    found = analysed(Chip(egain=8.0, read_noise_e=1.0, offset_adu=100, bits=12), lights=(0.2, 0.5))
    assert found.read_noise_e is None
    assert said(found, "drowns in the converter's steps")


def test_flattening_keeps_the_variance_of_noise_and_takes_the_plane():
    rng = np.random.default_rng(4)
    noise = rng.normal(0, 3, (400, BLOCK * BLOCK))
    ramp = np.repeat(np.linspace(-50, 50, BLOCK), BLOCK)
    noise[:, 7] += 4000  # a hot pixel in every block
    assert clipped_rms(flattened(noise + ramp, tilt=True)) == pytest.approx(3, rel=0.005)


def test_a_floor_above_zero_is_told_from_a_tail():
    rng = np.random.default_rng(6)
    noise = rng.normal(16, 4, (300, 300)).round()
    clamped = np.maximum(noise, 14).astype("u2")
    assert floor_share(clamped) == pytest.approx((noise <= 14).mean())
    assert floor_share((noise + 100).astype("u2")) == 0
