from __future__ import annotations

import weakref
from dataclasses import replace

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator, coarse, shows_glow
from starwell.calibration.defects import Defects
from starwell.calibration.master import Masters, constant_bias
from starwell.calibration.stepped import FINEST_ADU, FLAT_ERROR
from starwell.errors import MasterMismatch
from starwell.frame import Bayer, Facts, Kind, Roi

H, W = 96, 130


def truth(seed=1):
    rng = np.random.default_rng(seed)
    bias = rng.normal(1000, 5, (H, W))
    charge = rng.normal(20, 2, (H, W))
    y, x = np.mgrid[:H, :W]
    flat = 1.1 - 0.3 * ((x / W - 0.5) ** 2 + (y / H - 0.5) ** 2)
    flat *= rng.normal(1, 0.01, (H, W))
    return bias, charge, flat / flat.mean()


def test_a_sub_comes_back_as_the_light_that_made_it(make_master, make_light):
    bias, charge, flat = truth()
    light = np.linspace(50, 3000, H * W).reshape(H, W)
    masters = Masters(
        bias=make_master(Kind.BIAS, bias, 0.0),
        dark=make_master(Kind.DARK, bias + charge),
        flat=make_master(Kind.FLAT, flat, 2.0),
    )
    frame = make_light((bias + charge + light * flat).astype(np.float32))
    calibrated = Calibrator(masters, frame.facts).calibrate(frame)
    np.testing.assert_allclose(calibrated.pixels, light, rtol=FLAT_ERROR, atol=FINEST_ADU)
    assert calibrated.pixels.dtype == np.float32
    assert calibrated.dark_adu == pytest.approx(np.median(charge), abs=0.2)
    assert len(calibrated.defects_xy) == 0
    assert calibrated.flat is not None
    assert calibrated.flat.shape == (6, 9)
    assert calibrated.flat[0, 0] == pytest.approx(flat[:16, :16].mean(), rel=1e-4)


def test_negative_values_are_kept(make_master, make_light):
    masters = Masters(dark=make_master(Kind.DARK, np.full((H, W), 1000)))
    frame = make_light(np.full((H, W), 990, np.uint16))
    assert (Calibrator(masters, frame.facts).calibrate(frame).pixels == -10).all()


def test_the_mean_of_dark_frames_after_calibration_is_zero_not_above(make_master, make_light):
    rng = np.random.default_rng(3)
    masters = Masters(dark=make_master(Kind.DARK, np.full((H, W), 200.0)))
    frame = make_light(rng.normal(200, 12, (H, W)).round().astype(np.uint16))
    assert abs(Calibrator(masters, frame.facts).calibrate(frame).pixels.mean()) < 4 * 12 / np.sqrt(H * W)


def test_out_is_filled_in_place(make_master, make_light):
    bias, charge, flat = truth()
    masters = Masters(dark=make_master(Kind.DARK, bias + charge), flat=make_master(Kind.FLAT, flat))
    frame = make_light((bias + charge + 500 * flat).astype(np.uint16))
    out = np.empty((H, W), np.float32)
    one = Calibrator(masters, frame.facts).calibrate(frame, out)
    assert one.pixels is out
    apart = Calibrator(masters, frame.facts).calibrate(frame)
    np.testing.assert_array_equal(one.pixels, apart.pixels)


def test_a_constant_bias_is_subtracted_everywhere(make_light):
    frame = make_light(np.full((H, W), 1234, np.uint16))
    calibrated = Calibrator(Masters(bias=constant_bias(500)), frame.facts).calibrate(frame)
    assert (calibrated.pixels == 734).all()
    assert calibrated.saturation_adu == 65535 - 500


def test_without_masters_a_sub_is_only_converted(make_light):
    frame = make_light(np.arange(H * W, dtype=np.uint16).reshape(H, W))
    calibrated = Calibrator(Masters(), frame.facts).calibrate(frame)
    np.testing.assert_array_equal(calibrated.pixels, frame.pixels)
    assert calibrated.flat is None


def test_a_blind_pixel_is_filled_not_divided(make_master, make_light):
    flat = np.ones((H, W))
    flat[40, 50] = 0.01
    light = np.full((H, W), 900.0, np.float32)
    light[40, 50] = 9
    frame = make_light(light)
    calibrated = Calibrator(Masters(flat=make_master(Kind.FLAT, flat)), frame.facts).calibrate(frame)
    assert calibrated.defects_xy.tolist() == [[50, 40]]
    assert calibrated.pixels[40, 50] == pytest.approx(900)
    assert np.isfinite(calibrated.pixels).all()


def test_hot_pixels_lose_their_weight_warm_ones_are_subtracted(make_master, make_light):
    rng = np.random.default_rng(5)
    charge = rng.normal(5, 0.5, (H, W))
    charge[10, 10], charge[20, 20] = 25, 4000  # K = 1, RN = 5: noise of 5 and of 63 e-
    dark = make_master(Kind.DARK, 500 + charge, learnt={"egain": 1.0, "read_noise_adu": 5.0})
    masters = Masters(bias=constant_bias(500), dark=dark)
    frame = make_light((600 + charge).round().astype(np.uint16))
    calibrated = Calibrator(masters, frame.facts).calibrate(frame)
    assert calibrated.defects_xy.tolist() == [[20, 20]]
    assert calibrated.pixels[10, 10] == pytest.approx(100, abs=1)
    assert calibrated.pixels[20, 20] == pytest.approx(100, abs=1)


def test_a_window_of_the_sensor_takes_its_part_of_a_full_frame_master(make_master, make_light):
    bias, charge, flat = truth()
    masters = Masters(dark=make_master(Kind.DARK, bias + charge), flat=make_master(Kind.FLAT, flat))
    roi = Roi(30, 20, 60, 40)
    part = (slice(20, 60), slice(30, 90))
    frame = make_light((bias + charge + 700 * flat)[part].astype(np.float32), roi=roi)
    calibrated = Calibrator(masters, frame.facts).calibrate(frame)
    np.testing.assert_allclose(calibrated.pixels, 700, rtol=FLAT_ERROR, atol=FINEST_ADU)


def test_defects_of_the_full_sensor_are_cut_to_the_window(make_light):
    defects = Defects(np.array([[35, 25], [5, 5]]), (H, W))
    frame = make_light(np.full((40, 60), 100, np.uint16), roi=Roi(30, 20, 60, 40))
    calibrated = Calibrator(Masters(defects=defects), frame.facts).calibrate(frame)
    assert calibrated.defects_xy.tolist() == [[5, 5]]


def test_a_master_of_another_size_is_refused_naming_both(make_master, make_light):
    masters = Masters(dark=make_master(Kind.DARK, np.zeros((50, 60))))
    with pytest.raises(MasterMismatch, match=r"60×50.*130×96"):
        Calibrator(masters, make_light(np.zeros((H, W), np.uint16)).facts)


def test_a_sub_of_another_size_is_refused(make_light):
    calibrator = Calibrator(Masters(), make_light(np.zeros((H, W), np.uint16)).facts)
    with pytest.raises(MasterMismatch, match="48×48"):
        calibrator.calibrate(make_light(np.zeros((48, 48), np.uint16)))


def test_a_master_with_another_bayer_phase_is_refused(make_master, make_light):
    facts = Facts((H, W), bayer=Bayer.RGGB)
    masters = Masters(flat=make_master(Kind.FLAT, np.ones((H, W)), facts=facts))
    with pytest.raises(MasterMismatch, match=r"RGGB.*GBRG"):
        Calibrator(masters, make_light(np.zeros((H, W), np.uint16), bayer=Bayer.GBRG).facts)


def test_a_dark_of_another_exposure_is_refused_unless_scaled_with_a_bias(make_master, make_light):
    bias = make_master(Kind.BIAS, np.full((H, W), 1000), 0.0)
    dark = make_master(Kind.DARK, np.full((H, W), 1030), 60.0)
    frame = make_light(np.full((H, W), 1500, np.uint16), 120.0)
    with pytest.raises(MasterMismatch, match=r"60 s.*120 s"):
        Calibrator(Masters(bias=bias, dark=dark), frame.facts)
    with pytest.raises(MasterMismatch, match="without a bias"):
        Calibrator(Masters(dark=dark), frame.facts, scale_dark=True)
    calibrator = Calibrator(Masters(bias=bias, dark=dark), frame.facts, scale_dark=True)
    assert calibrator.calibrate(frame).pixels.mean() == pytest.approx(440)
    assert any("scaled" in warning for warning in calibrator.warnings)


def test_a_dark_with_amp_glow_is_never_scaled(make_master, make_light):
    glow = np.full((H, W), 30.0)
    glow[:20, 100:] += 400
    assert shows_glow(glow.astype(np.float32))
    assert not shows_glow(np.random.default_rng(1).normal(30, 4, (H, W)).astype(np.float32))
    masters = Masters(bias=constant_bias(1000), dark=make_master(Kind.DARK, 1000 + glow))
    with pytest.raises(MasterMismatch, match="amp glow"):
        Calibrator(masters, make_light(np.zeros((H, W), np.uint16), 120.0).facts, scale_dark=True)


@pytest.mark.parametrize(("word", "mine", "theirs"), [("gain", 139.0, 200.0), ("offset", 10.0, 50.0)])
def test_a_dark_of_another_gain_or_offset_is_refused(make_master, make_light, word, mine, theirs):
    masters = Masters(dark=make_master(Kind.DARK, np.zeros((H, W)), **{word: mine}))
    with pytest.raises(MasterMismatch, match=f"{word} {mine:g}.*{word} {theirs:g}"):
        Calibrator(masters, make_light(np.zeros((H, W), np.uint16), **{word: theirs}).facts)


def test_temperature_is_warned_of_then_refused(make_master, make_light):
    dark = make_master(Kind.DARK, np.zeros((H, W)))
    dark = replace(dark, facts=replace(dark.facts, sensor_celsius=-10.0))

    def warnings(celsius):
        return Calibrator(
            Masters(dark=dark), make_light(np.zeros((H, W), np.uint16), celsius=celsius).facts
        ).warnings

    assert warnings(-9.0) == ()
    assert "-7.0 °C" in warnings(-7.0)[0]
    with pytest.raises(MasterMismatch, match="°C"):
        warnings(-4.0)


def test_a_flat_of_another_filter_is_refused(make_master, make_light):
    masters = Masters(flat=make_master(Kind.FLAT, np.ones((H, W)), filter="Ha"))
    with pytest.raises(MasterMismatch, match=r"Ha.*OIII"):
        Calibrator(masters, make_light(np.zeros((H, W), np.uint16), filter="OIII").facts)


def test_a_native_12_bit_master_is_scaled_to_left_justified_lights(make_master, make_light):
    dark = make_master(Kind.DARK, np.full((H, W), 60.0), keywords={"ADUSHIFT": 0})
    dark = replace(dark, facts=replace(dark.facts, saturation_adu=4095.0))
    frame = make_light(np.full((H, W), 1600, np.uint16), shift=4, saturation=65520.0)
    calibrator = Calibrator(Masters(dark=dark), frame.facts)
    assert (calibrator.calibrate(frame).pixels == 640).all()
    assert "scaled by 16" in calibrator.warnings[-1]


@pytest.mark.parametrize(("lights", "darks", "left"), [(-100, None, 50), (-100, -100, 150), (100, None, 50)])
def test_a_pedestal_that_only_the_lights_carry_is_taken_off(make_master, make_light, lights, darks, left):
    dark = make_master(Kind.DARK, np.full((H, W), 1000.0))
    dark = replace(dark, facts=replace(dark.facts, header={"PEDESTAL": darks} if darks else {}))
    frame = make_light(np.full((H, W), 1150, np.uint16))
    facts = replace(frame.facts, header={"PEDESTAL": lights})
    assert (Calibrator(Masters(dark=dark), facts).calibrate(frame).pixels == left).all()
    assert (Calibrator(Masters(), facts).calibrate(frame).pixels == 1050).all()


def test_masters_above_the_first_sub_are_refused(make_master, make_light):
    masters = Masters(dark=make_master(Kind.DARK, np.full((H, W), 960.0)))
    frame = make_light(np.full((H, W), 80, np.uint16))
    with pytest.raises(MasterMismatch, match=r"960 ADU.*80 ADU"):
        Calibrator(masters, frame.facts).calibrate(frame)


def test_a_flat_alone_is_warned_of(make_master, make_light):
    masters = Masters(flat=make_master(Kind.FLAT, np.ones((H, W))))
    warnings = Calibrator(masters, make_light(np.zeros((H, W), np.uint16)).facts).warnings
    assert "neither dark nor bias" in warnings[0]


def test_three_planes_are_calibrated_plane_by_plane(make_master, make_light):
    dark = np.stack([np.full((H, W), level) for level in (100.0, 200.0, 300.0)])
    frame = make_light((dark + 50).astype(np.uint16))
    calibrated = Calibrator(Masters(dark=make_master(Kind.DARK, dark)), frame.facts).calibrate(frame)
    assert (calibrated.pixels == 50).all()


def test_the_coarse_flat_of_a_ragged_size_keeps_its_level():
    flat = np.full((33, 50), 0.8, np.float32)
    assert coarse(flat).shape == (3, 4)
    np.testing.assert_allclose(coarse(flat), 0.8, rtol=1e-6)


def test_the_same_sub_gives_the_same_pixels_twice(make_master, make_light):
    bias, charge, flat = truth()
    masters = Masters(dark=make_master(Kind.DARK, bias + charge), flat=make_master(Kind.FLAT, flat))
    frame = make_light((bias + charge + 90).astype(np.uint16))
    calibrator = Calibrator(masters, frame.facts)
    np.testing.assert_array_equal(calibrator.calibrate(frame).pixels, calibrator.calibrate(frame).pixels)


def test_of_masters_that_gave_their_pixels_away_only_names_and_figures_stay(make_master):
    flat = make_master(Kind.FLAT, np.ones((H, W)), learnt={"egain": 0.8})
    masters = Masters(bias=constant_bias(500), dark=make_master(Kind.DARK, np.ones((H, W))), flat=flat)
    left = masters.without_pixels()
    assert left.hashes == masters.hashes
    assert left.learnt("egain") == 0.8
    assert left.bias.constant_adu == 500
    assert left.dark.pixels.nbytes == left.flat.pixels.nbytes == 0
    assert left.dark_flat is None


def test_a_calibrator_keeps_no_master(make_master, make_light):
    pixels = [np.full((H, W), level, np.float32) for level in (500, 1, 100)]
    left = [weakref.ref(array) for array in pixels]
    masters = Masters(dark=make_master(Kind.DARK, pixels[0]), flat=make_master(Kind.FLAT, pixels[1]))
    frame = make_light(np.full((H, W), 700, np.uint16))
    whole = Calibrator(masters, frame.facts)
    sensor = make_master(Kind.DARK, pixels[2], roi=Roi(0, 0, W, H))
    masters = Masters(dark=sensor)
    part = make_light(np.full((H - 8, W - 8), 700, np.uint16), roi=Roi(2, 4, W - 8, H - 8))
    window = Calibrator(masters, part.facts)
    del masters, sensor, pixels
    assert [ref() is not None for ref in left] == [False, False, False]
    assert (whole.calibrate(frame).pixels == 200).all()
    assert (window.calibrate(part).pixels == 600).all()
