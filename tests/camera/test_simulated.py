"""The simulated camera: real time, a cooler with a lag, settings read back, faults as scripted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import numpy as np
import pytest

from starwell.camera.chip import Silicon
from starwell.camera.cooler import Climate, Cooler
from starwell.camera.drivers import connect
from starwell.camera.plan import Scene, SkyPlan
from starwell.camera.protocol import Camera, Control
from starwell.camera.readout import DOUBLING_K, chip_at
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.camera.sky import ASI1600, Chip, Flaw
from starwell.camera.truths import WARMER_K
from starwell.errors import (
    Aborted,
    CameraError,
    CameraGone,
    CameraNotFound,
    ControlRefused,
    PlanError,
    Transient,
)
from starwell.frame import Bayer, Exposure, Frame, Kind, Roi

PLAN = SkyPlan(size=(96, 128), scene=Scene(stars=20), chip=Chip(hot=(Flaw(5, 10.0),)))
LIGHT = Exposure(Kind.LIGHT, 1.0)
FAST = 500.0
EPOCH = datetime(2026, 11, 19, 20, 0, tzinfo=UTC)


@contextmanager
def camera(plan: SkyPlan = PLAN, speed: float = FAST, **options: object) -> Iterator[SimulatedCamera]:
    made = SimulatedCamera(plan, speed=speed, epoch=EPOCH, **options)  # type: ignore[arg-type]
    made.open()
    try:
        yield made
    finally:
        made.close()


def shoot(made: SimulatedCamera, exposure: Exposure = LIGHT) -> Frame:
    return made.expose(exposure, threading.Event())


def test_it_is_a_camera() -> None:
    assert isinstance(SimulatedCamera(PLAN), Camera)


def test_the_same_seed_gives_the_same_frames_and_another_seed_others() -> None:
    with camera() as one, camera() as two, camera(SkyPlan(size=(96, 128), seed=2)) as other:
        first, second = shoot(one), shoot(one)
        assert np.array_equal(first.pixels, shoot(two).pixels)
        assert np.array_equal(second.pixels, shoot(two).pixels)
        assert not np.array_equal(first.pixels, second.pixels)
        assert not np.array_equal(first.pixels, shoot(other).pixels)


def test_a_night_goes_on_after_the_frames_it_has_already() -> None:
    with camera() as whole, camera() as rest:
        rest.go_on_after({Kind.LIGHT: 1})
        shoot(whole)
        assert np.array_equal(shoot(whole).pixels, shoot(rest).pixels)


def test_an_exposure_takes_its_time_and_tells_how_far_it_is() -> None:
    told: list[float] = []
    with camera(speed=10.0) as made:
        begun = time.monotonic()
        frame = made.expose(Exposure(Kind.LIGHT, 1.0), threading.Event(), told.append)
        assert time.monotonic() - begun >= 0.1
    assert frame.facts.exposure.seconds == 1.0
    assert len(told) >= 3
    assert told == sorted(told)


@pytest.mark.parametrize("faults", [{}, {1: Fault.HANG}, {1: Fault.DROP}])
def test_cancel_ends_an_exposure_at_once(faults: dict[int, Fault]) -> None:
    cancel = threading.Event()
    begun = time.monotonic()
    with camera(speed=1.0, faults=faults) as made:
        timer = threading.Timer(0.05, cancel.set)
        timer.start()
        with pytest.raises(Aborted):
            made.expose(Exposure(Kind.LIGHT, 300.0), cancel)
        assert time.monotonic() - begun < 30
        timer.join()


def test_facts_hold_the_settings_read_back() -> None:
    with camera() as made:
        made.set(Control.OFFSET, 30)
        facts = shoot(made, Exposure(Kind.LIGHT, 2.0, gain=200.4, filter="L")).facts
    assert facts.exposure == Exposure(Kind.LIGHT, 2.0, 200.0, 30.0, 1, Roi(0, 0, 128, 96), "L")
    assert facts.egain == pytest.approx(0.25 * 10 ** (-100 / 200))
    assert (facts.sensor_celsius, facts.setpoint_celsius) == (20.0, None)
    assert facts.started is not None
    assert facts.started >= EPOCH
    assert facts.number == 1


def test_gain_and_read_noise_follow_the_law_of_the_amplifier() -> None:
    plan = SkyPlan(size=(256, 256), scene=Scene(stars=0), chip=Chip(dsnu_e=0.0, dark_e_s=0.0))
    for gain in (0.0, 100.0, 300.0):
        with camera(plan) as made:
            exposure = Exposure(Kind.FLAT, 0.05, gain=gain, offset=50)
            flats = [shoot(made, exposure).pixels.astype(float) for _ in range(2)]
            biases = [shoot(made, Exposure(Kind.BIAS, gain=gain)).pixels.astype(float) for _ in range(2)]
            egain = 0.25 * 10 ** ((100 - gain) / 200)
            light = np.mean(flats) - np.mean(biases)
            variance = (np.var(flats[0] - flats[1]) - np.var(biases[0] - biases[1])) / 2
            assert light / variance == pytest.approx(egain, rel=0.03)
            read_noise = np.std(biases[0] - biases[1]) / np.sqrt(2) * egain
            assert read_noise == pytest.approx(chip_at(plan.chip, gain, 50, 20.0).read_noise_e, rel=0.05)
    assert chip_at(plan.chip, 300, 50, -10).read_noise_e < plan.chip.read_noise_e
    assert chip_at(plan.chip, 100, 50, -10).read_noise_e == pytest.approx(plan.chip.read_noise_e)


def test_dark_current_doubles_every_6_k_hot_pixels_included() -> None:
    warm, cold = chip_at(PLAN.chip, 100, 50, 8.0), chip_at(PLAN.chip, 100, 50, 2.0)
    assert warm.dark_e_s == pytest.approx(2 * cold.dark_e_s)
    assert warm.hot[0].level == pytest.approx(2 * cold.hot[0].level)
    assert chip_at(PLAN.chip, 100, 50, PLAN.chip.celsius) == PLAN.chip


def test_kinds_are_what_they_say() -> None:
    with camera() as made:
        level = {kind: float(np.median(shoot(made, Exposure(kind, 2.0)).pixels)) for kind in Kind}
        assert shoot(made, Exposure(Kind.BIAS, 2.0)).facts.exposure.seconds == 0.0
    assert level[Kind.BIAS] == pytest.approx(500, abs=2)
    assert level[Kind.DARK] == pytest.approx(500, abs=5)
    assert level[Kind.DARK_FLAT] == pytest.approx(500, abs=5)
    assert level[Kind.LIGHT] > 505
    assert level[Kind.FLAT] > 50 * level[Kind.LIGHT]


def test_flats_grow_with_their_exposure_under_the_same_panel() -> None:
    with camera() as made:
        short, long = (np.mean(shoot(made, Exposure(Kind.FLAT, s)).pixels - 500.0) for s in (0.3, 0.9))
    assert long / short == pytest.approx(3, rel=0.01)


def test_a_window_is_cut_from_the_whole_and_keeps_the_bayer_phase() -> None:
    plan = SkyPlan(size=(96, 128), bayer=Bayer.GRBG)
    with camera(plan) as made, camera(plan) as other:
        whole = shoot(made)
        part = shoot(other, Exposure(Kind.LIGHT, 1.0, roi=Roi(11, 7, 45, 33)))
    assert part.facts.exposure.roi == Roi(10, 6, 40, 32)
    assert np.array_equal(part.pixels, whole.pixels[6:38, 10:50])
    assert part.facts.bayer is Bayer.GRBG


def test_binning_takes_means_and_says_what_an_adu_is_worth() -> None:
    plan = SkyPlan(size=(128, 160), scene=Scene(stars=0), chip=ASI1600)
    exposure = Exposure(Kind.FLAT, 0.4, bin=2)
    with camera(plan) as made:
        flats = [shoot(made, exposure) for _ in range(2)]
        biases = [shoot(made, Exposure(Kind.BIAS, bin=2)).pixels.astype(float) for _ in range(2)]
    facts = flats[0].facts
    assert facts.shape == (64, 80)
    assert (facts.adu_shift, facts.pixel_um) == (2, 7.6)
    assert not np.any(flats[0].pixels & 3)
    a, b = (flat.pixels.astype(float) for flat in flats)
    light, variance = np.mean([a, b]) - np.mean(biases), (np.var(a - b) - np.var(biases[0] - biases[1])) / 2
    assert light / variance == pytest.approx(facts.egain, rel=0.05)


def test_a_binned_colour_sensor_has_no_mosaic_left() -> None:
    with camera(SkyPlan(size=(96, 128), bayer=Bayer.RGGB)) as made:
        assert shoot(made, Exposure(Kind.LIGHT, 1.0, bin=3)).facts.bayer is None


@pytest.mark.parametrize(
    "exposure",
    [
        Exposure(Kind.LIGHT, None),
        Exposure(Kind.LIGHT, -1.0),
        Exposure(Kind.LIGHT, float("nan")),
        Exposure(Kind.LIGHT, 1.0, gain=501),
        Exposure(Kind.LIGHT, 1.0, bin=5),
        Exposure(Kind.LIGHT, 1.0, roi=Roi(100, 0, 64, 64)),
        Exposure(Kind.LIGHT, 1.0, roi=Roi(0, 0, 4, 4)),
        Exposure(Kind.LIGHT, 1.0, roi=Roi(-8, 0, 64, 64)),
    ],
)
def test_what_cannot_be_is_refused_not_clamped(exposure: Exposure) -> None:
    with camera() as made, pytest.raises(ControlRefused):
        shoot(made, exposure)


def test_controls_out_of_range_are_refused_and_read_back_as_taken() -> None:
    with camera() as made:
        assert made.set(Control.TARGET_CELSIUS, -9.6) == -10.0 == made.get(Control.TARGET_CELSIUS)
        with pytest.raises(ControlRefused, match="-40 to 30"):
            made.set(Control.TARGET_CELSIUS, -60)
        assert set(made.controls()) == set(Control)


def test_the_cooler_lags_behind_then_holds_with_less_than_full_power() -> None:
    cooler = Cooler(Climate(ambient_celsius=20.0, reach_k=40.0))
    cooler.on, cooler.target_celsius = True, -10.0
    cooler.advance(10)
    assert -5 < cooler.celsius < 15
    assert cooler.power == 1.0
    cooler.advance(600)
    assert cooler.celsius == pytest.approx(-10, abs=0.05)
    assert cooler.power == pytest.approx(0.75, abs=0.01)
    cooler.on = False
    cooler.advance(2000)
    assert cooler.celsius == pytest.approx(20, abs=0.05)


def test_a_cooler_asked_too_much_ends_at_full_power_above_its_setpoint() -> None:
    cooler = Cooler(Climate(ambient_celsius=25.0, reach_k=30.0))
    cooler.on, cooler.target_celsius = True, -20.0
    cooler.advance(1e6)
    assert cooler.celsius == pytest.approx(-5, abs=0.05)
    assert cooler.power == 1.0


def test_telemetry_tells_of_the_cooler_and_frames_carry_it() -> None:
    with camera(speed=1e5) as made:
        made.set(Control.COOLER, 1)
        made.set(Control.TARGET_CELSIUS, -10)
        time.sleep(0.01)
        told = made.telemetry()
        facts = shoot(made).facts
    assert (told.sensor_celsius, told.cooler_percent, told.cooler_on) == (-10.0, 75.0, True)
    assert (facts.sensor_celsius, facts.setpoint_celsius) == (-10.0, -10.0)


def test_a_failed_exposure_is_transient_and_the_next_one_comes() -> None:
    with camera(faults={1: Fault.FAIL}) as made, camera() as sound:
        with pytest.raises(Transient):
            shoot(made)
        assert np.array_equal(shoot(made).pixels, shoot(sound).pixels)


def test_a_hung_exposure_is_given_up_by_the_watchdog() -> None:
    with camera(faults={1: Fault.HANG}) as made, pytest.raises(Transient, match="17 s"):
        shoot(made)


def test_a_dropped_frame_is_lost_and_the_next_one_says_so() -> None:
    with camera(faults={2: Fault.DROP}) as made, camera() as sound:
        frames, kept = [shoot(made) for _ in range(3)], [shoot(sound) for _ in range(4)]
        assert made.telemetry().dropped == 1
    assert [frame.facts.dropped_before for frame in frames] == [0, 1, 0]
    assert np.array_equal(frames[1].pixels, kept[2].pixels)


def test_a_corrupt_frame_comes_without_a_word() -> None:
    with camera(faults={1: Fault.CORRUPT}) as made, camera() as sound:
        broken, whole = shoot(made).pixels, shoot(sound).pixels
    assert np.array_equal(broken[:64], whole[:64])
    assert not broken[64:].any()


def test_an_exposure_ended_by_somebody_else_is_aborted() -> None:
    with camera(faults={1: Fault.ABORT}) as made, pytest.raises(Aborted):
        shoot(made)


def test_an_unplugged_camera_is_gone_until_it_is_plugged_in_and_opened_again() -> None:
    with camera(faults={1: Fault.UNPLUG}) as made:
        with pytest.raises(CameraGone):
            shoot(made)
        with pytest.raises(CameraGone):
            made.get(Control.GAIN)
        assert made.telemetry().sensor_celsius is None
        with pytest.raises(CameraNotFound):
            made.open()
        made.plug_in()
        made.open()
        assert shoot(made).facts.shape == (96, 128)


def test_a_closed_camera_does_not_expose() -> None:
    made = SimulatedCamera(PLAN)
    with pytest.raises(CameraError, match="not open"):
        shoot(made)
    made.close()
    made.close()


def test_a_stream_ends_when_it_is_cancelled() -> None:
    cancel = threading.Event()
    with camera() as made:
        stream = made.stream(LIGHT, cancel)
        assert [next(stream).facts.number for _ in range(2)] == [1, 2]
        cancel.set()
        assert list(stream) == []


def test_flats_see_the_panel_they_are_given_and_a_warm_dark_says_nothing_of_it():
    camera = connect("simulated:truth=dark_mismatch,size=64x64,speed=5000,panel=30")
    camera.open()
    flat = camera.expose(Exposure(Kind.FLAT, 10.0), threading.Event())
    chip = camera.plan.chip
    middle = flat.pixels[24:40, 24:40].mean() / 16 - chip.offset_adu
    assert middle * chip.egain == pytest.approx(300.0, rel=0.05)
    dark = camera.expose(Exposure(Kind.DARK, 10.0), threading.Event())
    assert dark.facts.sensor_celsius == pytest.approx(flat.facts.sensor_celsius, abs=1.0)
    x, y = Silicon(chip, (64, 64), 1).hot_xy[-1].T
    warmth = 2 ** ((dark.facts.sensor_celsius - chip.celsius + WARMER_K) / DOUBLING_K)
    lost = (dark.pixels[y, x].mean() / 16 - chip.offset_adu) * chip.egain
    assert lost == pytest.approx(0.4 * 10 * warmth, rel=0.2)
    camera.close()


def test_a_truth_that_is_none_is_refused_with_those_there_are():
    with pytest.raises(PlanError, match="charge_threshold"):
        connect("simulated:truth=magic")
