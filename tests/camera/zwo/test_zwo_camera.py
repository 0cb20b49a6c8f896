"""A ZWO camera that does what it is told: settings, scale, windows, controls."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from starwell.camera.protocol import Camera, Control
from starwell.camera.zwo_camera import ZwoCamera
from starwell.camera.zwo_readout import is_torn, readout_for
from starwell.camera.zwo_sdk import Listed, Setting
from starwell.errors import CameraGone, ControlRefused
from starwell.frame import Bayer, Exposure, Kind, Roi

SUB = Exposure(seconds=0.03, gain=100, offset=20)


def test_it_is_a_camera(camera: ZwoCamera) -> None:
    assert isinstance(camera, Camera)


def test_a_frame_carries_the_settings_read_back(
    camera: ZwoCamera, fakeasi: ModuleType, never: threading.Event
) -> None:
    frame = camera.expose(Exposure(seconds=0.0304567891, gain=99.6, offset=20), never)
    mark = fakeasi.watermark(frame)
    facts = frame.facts
    assert (facts.exposure.gain, facts.exposure.offset, facts.exposure.seconds) == (100, 20, 0.030457)
    assert (mark.gain, mark.offset, mark.seconds) == (100, 20, 0.030457)
    assert (facts.shape, facts.attempts, facts.flags) == ((480, 640), 1, ())
    assert facts.sensor_celsius == pytest.approx(mark.celsius, abs=0.2)
    assert facts.header["BITDEPTH"] == 12
    assert facts.header["SDKVER"] == "1.99"
    assert not frame.pixels.flags.writeable


def test_gain_and_offset_stay_as_they_were_when_not_given(
    camera: ZwoCamera, fakeasi: ModuleType, never: threading.Event
) -> None:
    camera.set(Control.GAIN, 55)
    camera.set(Control.OFFSET, 31)
    frame = camera.expose(Exposure(seconds=0.01), never)
    assert (frame.facts.exposure.gain, frame.facts.exposure.offset) == (55, 31)
    assert fakeasi.watermark(frame)[1:2] == (55,)


@pytest.mark.parametrize("gain", [0, 100, 200])
def test_egain_is_of_the_gain_and_of_the_file(camera: ZwoCamera, never: threading.Event, gain: int) -> None:
    facts = camera.expose(Exposure(seconds=0.001, gain=gain, offset=20), never).facts
    assert facts.egain == pytest.approx(4.88 * 10 ** (-gain / 200) / 16, rel=1e-5)
    assert (facts.adu_shift, facts.saturation_adu) == (4, 4095 * 16)


@pytest.mark.parametrize("binning", [1, 2])
def test_egain_is_what_photons_say(
    camera: ZwoCamera, stand_in: Any, never: threading.Event, binning: int
) -> None:
    stand_in.set(sky_e_s=400_000)
    sub = Exposure(seconds=0.01, gain=100, offset=50, bin=binning)
    first, second = (camera.expose(sub, never) for _ in range(2))
    a, b = (frame.pixels[8:].astype(np.float64) for frame in (first, second))
    light_adu = (a.mean() + b.mean()) / 2 - 50 * 16
    read_e = 3.6 * binning
    k = first.facts.egain
    assert k is not None
    expected = light_adu / k + (read_e / k) ** 2
    assert np.var(a - b) / 2 == pytest.approx(expected, rel=0.02)


def test_binned_pixels_have_finer_steps(camera: ZwoCamera, never: threading.Event) -> None:
    facts = camera.expose(Exposure(seconds=0.01, gain=100, offset=20, bin=2), never).facts
    assert (facts.shape, facts.adu_shift, facts.pixel_um, facts.flags) == ((240, 320), 2, 7.5, ())


def test_pixels_with_fewer_bits_than_stated_are_flagged(
    camera: ZwoCamera, stand_in: Any, never: threading.Event
) -> None:
    stand_in.set(shot_bits=10)
    facts = camera.expose(Exposure(seconds=0.01, gain=200, offset=60), never).facts
    assert facts.adu_shift == 6
    assert facts.flags == ("the pixels carry 10 bits where ZWO Tiny Mono states 12",)


def test_an_even_frame_tells_nothing_of_its_bits(
    camera: ZwoCamera, stand_in: Any, never: threading.Event
) -> None:
    stand_in.set(noise=0)
    facts = camera.expose(SUB, never).facts
    assert (facts.adu_shift, facts.flags) == (4, ())


def test_opening_puts_right_what_bends_the_pixels(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera]
) -> None:
    stand_in.set(model0=fakeasi.ASI294)
    camera = connected()
    camera.open()
    link = camera._opened()
    settings = [
        Setting.GAMMA, Setting.WB_R, Setting.WB_B, Setting.FLIP, Setting.HARDWARE_BIN, Setting.MONO_BIN,
        Setting.HIGH_SPEED,
    ]  # fmt: skip
    assert [link.sdk.get(link.camera_id, setting) for setting in settings] == [50, 50, 50, 0, 0, 0, 0]
    assert camera.get(Control.USB_BANDWIDTH) == 40


def test_every_command_that_fails_once_is_repeated(
    camera: ZwoCamera, stand_in: Any, never: threading.Event
) -> None:
    stand_in.set(set_errors=2)
    assert camera.expose(SUB, never).facts.attempts == 1
    stand_in.set(set_errors=2)
    assert camera.set(Control.GAIN, 42) == 42


def test_values_out_of_range_are_refused_not_clamped(camera: ZwoCamera, never: threading.Event) -> None:
    with pytest.raises(ControlRefused, match=r"gain 301 is not within 0\.\.300"):
        camera.set(Control.GAIN, 301)
    with pytest.raises(ControlRefused, match=r"gain 301 is not within 0\.\.300"):
        camera.expose(Exposure(seconds=0.01, gain=301), never)
    with pytest.raises(ControlRefused, match=r"exposure 0 is not within 3\.2e-05\.\.2000"):
        camera.expose(Exposure(seconds=0.0), never)
    with pytest.raises(ControlRefused, match="no time"):
        camera.expose(Exposure(), never)
    with pytest.raises(ControlRefused, match="bins 1, 2, 4, not 3"):
        camera.expose(Exposure(seconds=0.01, bin=3), never)


def test_a_bias_takes_the_shortest_time_there_is(camera: ZwoCamera, never: threading.Event) -> None:
    assert camera.expose(Exposure(Kind.BIAS), never).facts.exposure.seconds == 32e-6


def test_a_window_lies_where_it_was_asked(
    camera: ZwoCamera, fakeasi: ModuleType, never: threading.Event
) -> None:
    frame = camera.expose(Exposure(seconds=0.01, gain=0, offset=9, roi=Roi(101, 51, 205, 103)), never)
    assert frame.facts.exposure.roi == Roi(100, 50, 200, 102)
    assert frame.pixels.shape == (102, 200)
    assert fakeasi.watermark(frame)[6:8] == (100, 50)
    whole = camera.expose(SUB, never)
    assert whole.facts.exposure.roi is None
    assert (whole.pixels.shape, fakeasi.watermark(whole)[6:8]) == ((480, 640), (0, 0))


def test_a_window_off_the_sensor_is_refused(camera: ZwoCamera, never: threading.Event) -> None:
    with pytest.raises(ControlRefused, match="does not fit"):
        camera.expose(Exposure(seconds=0.01, roi=Roi(500, 0, 200, 200)), never)
    with pytest.raises(ControlRefused, match="does not fit"):
        camera.expose(Exposure(seconds=0.01, roi=Roi(0, 0, 6, 6)), never)


def listed(name: str = "ZWO X", *, usb3: bool = True, formats: tuple[int, ...] = (0, 2)) -> Listed:
    return Listed(0, name, 1280, 960, None, (1, 2), formats, 3.75, False, usb3, 1.0, 12)


@pytest.mark.parametrize("width", [8, 64, 200, 640, 1000, 1280])
def test_windows_of_small_usb2_cameras_are_multiples_of_1024_pixels(width: int) -> None:
    roi = readout_for(Exposure(roi=Roi(0, 0, width, 960)), listed("ZWO ASI120MM Mini", usb3=False)).roi
    assert roi.width * roi.height % 1024 == 0
    assert roi.height % 2 == roi.width % 8 == 0
    assert roi.height > 960 - 256


def test_the_first_usb2_cameras_are_read_in_8_bits() -> None:
    assert readout_for(Exposure(), listed("ZWO ASI120MM", usb3=False)).format == 0
    assert readout_for(Exposure(), listed("ZWO ASI120MM Mini", usb3=False)).format == 2
    assert readout_for(Exposure(), listed(formats=(0,))).format == 0


def test_a_colour_camera_tells_its_pattern_whatever_the_window(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera], never: threading.Event
) -> None:
    stand_in.set(model0=fakeasi.TINY_COLOUR)
    camera = connected()
    camera.open()
    assert camera.facts.bayer is Bayer.RGGB
    frame = camera.expose(Exposure(seconds=0.01, roi=Roi(33, 17, 64, 64)), never)
    assert frame.facts.bayer is Bayer.RGGB
    assert frame.facts.exposure.roi == Roi(32, 16, 64, 64)
    assert frame.facts.adu_shift == 2


def test_an_uncooled_camera_is_complete_without_a_cooler(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera], never: threading.Event
) -> None:
    stand_in.set(model0=fakeasi.TINY_COLOUR, ambient=7)
    camera = connected()
    camera.open()
    assert not camera.facts.cooled
    assert Control.COOLER not in camera.controls()
    telemetry = camera.telemetry()
    assert (telemetry.cooler_on, telemetry.cooler_percent, telemetry.target_celsius) == (None, None, None)
    assert telemetry.sensor_celsius is not None
    facts = camera.expose(SUB, never).facts
    assert facts.setpoint_celsius is None
    assert facts.sensor_celsius == telemetry.sensor_celsius
    with pytest.raises(ControlRefused, match="has no cooler"):
        camera.set(Control.COOLER, 1)


def test_a_cooler_left_on_is_found_on(
    connected: Callable[..., ZwoCamera], stand_in: Any, never: threading.Event
) -> None:
    first = connected()
    first.open()
    assert first.set(Control.TARGET_CELSIUS, -10.4) == -10
    first.set(Control.COOLER, 1)
    first.close()
    second = connected()
    second.open()
    telemetry = second.telemetry()
    assert (telemetry.cooler_on, telemetry.target_celsius) == (True, -10)
    assert second.expose(SUB, never).facts.setpoint_celsius == -10


def test_fan_dew_heater_and_bandwidth_are_controls(camera: ZwoCamera) -> None:
    for control, value in ((Control.FAN, 0), (Control.DEW_HEATER, 1), (Control.USB_BANDWIDTH, 60)):
        assert camera.controls()[control].writable
        assert camera.set(control, value) == value
        assert camera.get(control) == value


def test_a_closed_camera_says_so_and_closes_twice(connected: Callable[..., ZwoCamera]) -> None:
    camera = connected()
    with pytest.raises(CameraGone, match="not open"):
        camera.get(Control.GAIN)
    camera.open()
    camera.close()
    camera.close()
    assert camera.telemetry().sensor_celsius is None


def test_progress_counts_up_to_the_exposure(camera: ZwoCamera, never: threading.Event) -> None:
    told: list[float] = []
    camera.expose(Exposure(seconds=0.5, gain=0, offset=9), never, told.append)
    assert told == sorted(told)
    assert len(told) >= 3
    assert told[-1] <= 0.5


def test_telemetry_is_answered_during_an_exposure(camera: ZwoCamera, never: threading.Event) -> None:
    done = threading.Thread(target=lambda: camera.expose(Exposure(seconds=0.4), never))
    done.start()
    answers = [camera.telemetry() for _ in range(50)]
    assert done.is_alive()
    done.join()
    assert all(answer.sensor_celsius == pytest.approx(20, abs=0.2) for answer in answers)


def test_the_smallest_window_is_a_frame(camera: ZwoCamera, never: threading.Event) -> None:
    frame = camera.expose(Exposure(seconds=0.01, gain=0, offset=20, roi=Roi(320, 240, 8, 2)), never)
    assert (frame.pixels.shape, frame.facts.flags) == ((2, 8), ())


def test_a_camera_never_opened_does_not_open_itself(
    connected: Callable[..., ZwoCamera], stand_in: Any, never: threading.Event
) -> None:
    camera = connected()
    with pytest.raises(CameraGone, match="not open"):
        camera.expose(SUB, never)
    with pytest.raises(CameraGone, match="not open"):
        next(camera.stream(SUB, never))
    assert stand_in.get("n_open") == 0


def test_a_black_corner_is_no_torn_frame() -> None:
    whole = np.full((64, 64), 100, np.uint16)
    assert not is_torn(whole)
    torn = whole.copy()
    torn[32:] = 0
    assert is_torn(torn)
    assert not is_torn(np.zeros((64, 64), np.uint16))
    assert math.isclose(whole.mean(), 100)
