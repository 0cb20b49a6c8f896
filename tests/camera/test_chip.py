"""The simulated sensor, measured as a real one would be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from starwell.camera.chip import ASI1600, Chip, Flaw, Response, Silicon, drawn
from starwell.errors import PlanError
from starwell.frame import Float64

SIZE = (256, 320)
CLEAN = Chip(prnu=0.0, dsnu_e=0.0, dark_e_s=0.0)


def exposures(silicon: Silicon, light_e: float, count: int, seconds: float = 1.0) -> Float64:
    return np.stack(
        [silicon.expose(light_e, seconds, np.random.default_rng([9, int(light_e), k])) for k in range(count)]
    ).astype(np.float64)


def pair_variance(frames: Float64) -> float:
    return float(np.mean([np.var(a - b) / 2 for a, b in zip(frames[::2], frames[1::2], strict=True)]))


@pytest.mark.parametrize("chip", [Chip(), ASI1600, Chip(egain=0.16, bits=14, shift=2, full_well_e=2200)])
def test_photon_transfer_recovers_egain_and_read_noise(chip: Chip) -> None:
    silicon = Silicon(chip, SIZE, seed=4)
    biases = exposures(silicon, 0.0, 8)
    levels = np.linspace(0.1, 0.7, 6) * chip.usable_e
    flats = [exposures(silicon, level, 6) for level in levels]
    signal = np.array([f.mean() for f in flats]) - biases.mean()
    excess = np.array([pair_variance(f) for f in flats]) - pair_variance(biases)
    egain = (signal @ (signal / signal**2)) / (excess @ (signal / signal**2))
    step = 1 << chip.shift
    read_noise_e = np.sqrt(pair_variance(biases) - step**2 / 12) * egain
    assert egain == pytest.approx(chip.file_egain, rel=0.01)
    assert read_noise_e == pytest.approx(chip.read_noise_e, rel=0.01)


@pytest.mark.parametrize("mean_e", [0.0, 0.3, 8.0, 15.9, 16.1, 40.0, 3000.0])
def test_charges_have_the_moments_of_the_poisson_law(mean_e: float) -> None:
    n = 400_000
    charge = drawn(np.full((n // 400, 400), mean_e, np.float32), np.random.default_rng(5)).astype(np.float64)
    spread = np.sqrt(max(mean_e, 1e-9))
    assert charge.mean() == pytest.approx(mean_e, abs=4 * spread / np.sqrt(n) + 1e-6)
    assert charge.var() == pytest.approx(mean_e, rel=4 * np.sqrt(2 / n) + 4 * spread / np.sqrt(n), abs=1e-9)
    if mean_e > 1:
        skewness = np.mean((charge - mean_e) ** 3) / spread**3
        assert skewness == pytest.approx(1 / spread, abs=4 * np.sqrt(6 / n) + 0.01 / spread)


def test_both_rails_clip_and_nothing_wraps_around() -> None:
    dark = Silicon(replace(CLEAN, offset_adu=2.0), SIZE, 1)
    black = exposures(dark, 0.0, 1)
    assert black.min() == 0
    assert 0.3 < (black == 0).mean() < 0.5  # an offset of 2 ADU is a third of the read noise of 6 ADU
    bright = exposures(Silicon(CLEAN, SIZE, 1), 30_000.0, 1)
    assert (bright == 65535).all()


def test_a_full_well_below_the_rail_is_where_saturation_begins() -> None:
    chip = replace(CLEAN, full_well_e=8000.0)
    full = exposures(Silicon(chip, SIZE, 1), 12_000.0, 1)
    assert full.mean() == pytest.approx(500 + 8000 / 0.25, rel=1e-3)
    assert (full >= chip.saturation_adu).mean() > 0.999
    assert exposures(Silicon(chip, SIZE, 1), 7000.0, 1).max() < chip.saturation_adu


def test_left_justified_values_are_multiples_of_their_step() -> None:
    frame = Silicon(ASI1600, SIZE, 2).expose(300.0, 1.0, np.random.default_rng(0))
    assert frame.dtype == np.uint16
    assert np.bitwise_or.reduce(frame, axis=None) & 15 == 0
    assert np.bitwise_or.reduce(frame, axis=None) & 16 == 16
    assert ASI1600.file_egain == 1 / 16
    assert ASI1600.saturation_adu == 65520


def test_hot_pixels_give_the_charge_they_were_given() -> None:
    chip = replace(CLEAN, hot=(Flaw(60, 4.0), Flaw(30, 10.0)))
    silicon = Silicon(chip, SIZE, 3)
    mean_e = (exposures(silicon, 0.0, 20, seconds=10.0).mean(axis=0) - chip.offset_adu) * chip.egain
    for xy, charge_e in zip(silicon.hot_xy, (40.0, 100.0), strict=True):
        found = mean_e[xy[:, 1], xy[:, 0]]
        assert found.mean() == pytest.approx(charge_e, abs=4 * np.sqrt(charge_e / found.size / 20))
    assert (mean_e > 20).sum() == 90


def test_warm_pixels_are_log_normal() -> None:
    chip = replace(CLEAN, warm=(Flaw(4000, 0.3),))
    silicon = Silicon(chip, SIZE, 3)
    logs = np.log(silicon.dark_e_s[silicon.warm_xy[0][:, 1], silicon.warm_xy[0][:, 0]])
    assert np.median(logs) == pytest.approx(np.log(0.3), abs=0.08)
    assert logs.std() == pytest.approx(1.0, abs=0.05)


def test_cold_pixels_lose_up_to_their_threshold_and_weak_ones_their_share() -> None:
    silicon = Silicon(replace(CLEAN, cold=(Flaw(500, 2.0),), weak=(Flaw(400, 0.7),)), SIZE, 3)
    cx, cy = silicon.cold_xy[0].T
    wx, wy = silicon.weak_xy[0].T
    for light in (1.0, 8.0, 50.0):
        charge = silicon.charge_e(light, 1.0)
        np.testing.assert_allclose(charge[cy, cx], light - 2 * (1 - np.exp(-light / 2)), rtol=1e-5)
        np.testing.assert_allclose(charge[wy, wx], 0.7 * light, rtol=1e-6)
        assert (charge == np.float32(light)).sum() == charge.size - 900


def test_telegraph_pixels_jump_in_every_other_frame_and_the_rest_stays_quiet() -> None:
    chip = replace(CLEAN, rtn=(Flaw(50, 60.0),))
    silicon = Silicon(chip, SIZE, 3)
    frames = (exposures(silicon, 0.0, 40) - chip.offset_adu) * chip.egain
    x, y = silicon.rtn_xy[0].T
    up = frames[:, y, x] > 30
    assert up.mean() == pytest.approx(0.5, abs=4 * 0.5 / np.sqrt(up.size))
    assert frames[:, y, x][up].mean() == pytest.approx(60.0, abs=0.3)
    assert frames[:, y, x][~up].mean() == pytest.approx(0.0, abs=0.3)
    assert (frames.std(axis=0) > 10).sum() == 50


def test_fixed_patterns_stay_and_row_noise_comes_anew() -> None:
    chip = replace(CLEAN, prnu=0.01, dsnu_e=2.0, column_e=1.0, row_e=1.5)
    silicon = Silicon(chip, SIZE, 3)
    frames = (exposures(silicon, 0.0, 30) - chip.offset_adu) * chip.egain
    assert np.corrcoef(frames.mean(axis=0).ravel(), silicon.fixed_e.ravel())[0, 1] > 0.98
    assert silicon.fixed_e.std() == pytest.approx(np.hypot(2.0, 1.0), rel=0.05)
    assert silicon.response.std() == pytest.approx(0.01, rel=0.01)
    rows = (frames - frames.mean(axis=0)).mean(axis=2)
    assert rows.std() == pytest.approx(np.sqrt((1.5**2 + 1.5**2 / 320) * 29 / 30), rel=0.05)


def test_read_noise_may_differ_from_pixel_to_pixel() -> None:
    silicon = Silicon(replace(CLEAN, read_noise_spread=0.5), SIZE, 3)
    frames = exposures(silicon, 0.0, 60) * 0.25
    assert np.median(frames.std(axis=0)) == pytest.approx(1.5, rel=0.03)
    assert np.percentile(frames.std(axis=0), 97.7) > 2 * 1.5


def test_no_pixel_has_two_flaws() -> None:
    many = tuple(Flaw(2000, level) for level in (1.0, 2.0))
    silicon = Silicon(replace(CLEAN, hot=many, warm=many, cold=many, weak=many, rtn=many), SIZE, 3)
    placed = [silicon.hot_xy, silicon.warm_xy, silicon.cold_xy, silicon.weak_xy, silicon.rtn_xy]
    xy = np.concatenate([flaw for kind in placed for flaw in kind])
    assert len(xy) == len(np.unique(xy, axis=0)) == 20_000


@pytest.mark.parametrize(
    "chip",
    [replace(CLEAN, egain=0.0), replace(CLEAN, bits=14, shift=4), replace(CLEAN, hot=(Flaw(99_999, 1),))],
)
def test_an_impossible_sensor_is_refused(chip: Chip) -> None:
    with pytest.raises(PlanError):
        Silicon(chip, SIZE, 1)


@pytest.mark.parametrize(
    ("shape", "lost"),
    [
        (Response.EXPONENTIAL, lambda light: 2 * (1 - np.exp(-light / 2))),
        (Response.TANH, lambda light: 2 * np.tanh(light / 2)),
        (Response.THRESHOLD, lambda light: min(light, 2)),
    ],
)
def test_every_shape_of_response_loses_its_own_share_and_ends_at_the_threshold(shape, lost) -> None:
    silicon = Silicon(replace(CLEAN, cold=(Flaw(500, 2.0),), response=shape), SIZE, 3)
    x, y = silicon.cold_xy[0].T
    for light in (1.0, 8.0, 50.0):
        np.testing.assert_allclose(light - silicon.charge_e(light, 1.0)[y, x], lost(light), rtol=1e-5)
    assert light - silicon.charge_e(light, 1.0)[y[0], x[0]] == pytest.approx(2.0, rel=1e-5)


def test_a_leak_grows_with_time_and_a_sunk_pixel_with_neither_light_nor_time() -> None:
    silicon = Silicon(replace(CLEAN, leaky=(Flaw(400, 0.3),), sunk=(Flaw(300, 8.0),)), SIZE, 3)
    x, y = silicon.leaky_xy[0].T
    np.testing.assert_allclose(silicon.charge_e(20.0, 10.0)[y, x], 17.0, rtol=1e-5)
    np.testing.assert_allclose(silicon.charge_e(20.0, 2.0)[y, x], 19.4, rtol=1e-5)
    assert (silicon.charge_e(0.0, 10.0)[y, x] == 0).all()
    x, y = silicon.sunk_xy[0].T
    lit = exposures(silicon, 100.0, 40)
    assert lit.mean() - lit[:, y, x].mean() == pytest.approx(8.0, abs=1.2)
    dark = exposures(silicon, 0.0, 40)
    assert dark[:, y, x].mean() == pytest.approx(500.0, abs=0.3)
