"""What goes wrong with ZWO cameras, and what becomes of the exposure."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest

from starwell.camera.protocol import Control
from starwell.camera.zwo_camera import ZwoCamera
from starwell.camera.zwo_exposing import Patience
from starwell.errors import Aborted, CameraBusy, CameraGone, Transient
from starwell.frame import Exposure

SUB = Exposure(seconds=0.03, gain=100, offset=20)


@pytest.mark.parametrize(
    ("knob", "times", "attempts"),
    [
        ("fail_exposures", 1, 2),
        ("fail_exposures", 2, 3),
        ("hang_exposures", 1, 2),
        ("start_errors", 1, 2),
        ("data_errors", 1, 1),
        ("data_errors", 3, 2),
        ("corrupt_next", 1, 2),
        ("early_next", 1, 2),
        ("status_errors", 5, 1),
        ("set_errors", 2, 1),
    ],
)
def test_a_fault_costs_time_not_the_frame(
    camera: ZwoCamera,
    stand_in: Any,
    fakeasi: ModuleType,
    never: threading.Event,
    knob: str,
    times: int,
    attempts: int,
) -> None:
    stand_in.set(**{knob: times})
    frame = camera.expose(SUB, never)
    assert frame.facts.attempts == attempts
    assert sum(flag.startswith("tried again: ") for flag in frame.facts.flags) == attempts - 1
    mark = fakeasi.watermark(frame)
    assert (mark.gain, mark.offset, mark.seconds) == (100, 20, 0.03)
    assert frame.pixels[-1].any()


@pytest.mark.parametrize("knob", ["fail_exposures", "hang_exposures", "start_errors", "corrupt_next"])
def test_after_three_attempts_the_exposure_is_given_up_and_the_next_works(
    camera: ZwoCamera, stand_in: Any, never: threading.Event, knob: str
) -> None:
    stand_in.set(**{knob: 3})
    with pytest.raises(Transient, match="3 attempts"):
        camera.expose(SUB, never)
    assert camera.expose(SUB, never).facts.attempts == 1


def test_a_hung_exposure_is_told_with_the_known_cures(
    camera: ZwoCamera, stand_in: Any, never: threading.Event
) -> None:
    stand_in.set(hang_exposures=1)
    (flag,) = camera.expose(SUB, never).facts.flags
    assert "SDK 1.99" in flag
    assert "usb_max_current_enable=1" in flag


@pytest.mark.parametrize("partial", [0, 1])
def test_an_aborted_exposure_gives_no_frame_and_spoils_none(
    camera: ZwoCamera, stand_in: Any, fakeasi: ModuleType, never: threading.Event, partial: int
) -> None:
    stand_in.set(stop_gives_success=partial)
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(Aborted):
        camera.expose(Exposure(seconds=60, gain=7, offset=20), cancel)
    assert time.monotonic() - begun < 30
    frame = camera.expose(SUB, never)
    assert fakeasi.watermark(frame).gain == 100
    assert fakeasi.watermark(frame).seconds == 0.03


def test_an_abort_before_the_start_starts_nothing(camera: ZwoCamera, stand_in: Any) -> None:
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Aborted):
        camera.expose(SUB, cancel)
    assert stand_in.get("n_snap") == 0


@pytest.mark.parametrize("code", [5, 2, 4])
@pytest.mark.parametrize("mode", [0, 1, 2])
def test_an_unplugged_camera_comes_back_under_another_id_as_it_was(
    camera: ZwoCamera, stand_in: Any, fakeasi: ModuleType, never: threading.Event, code: int, mode: int
) -> None:
    camera.set(Control.TARGET_CELSIUS, -5)
    camera.set(Control.COOLER, 1)
    camera.set(Control.USB_BANDWIDTH, 70)
    uid, now = camera.facts.uid, time.monotonic()
    stand_in.set(removed_code=code, removed_mode=mode)
    stand_in.set(replug_id_base=3, unplug_at=now + 0.05, replug_at=now + 0.3)
    frame = camera.expose(Exposure(seconds=0.2, gain=50, offset=11), never)
    assert frame.facts.attempts == 2
    mark = fakeasi.watermark(frame)
    assert (mark.gain, mark.offset, mark.seconds) == (50, 11, 0.2)
    assert camera._opened().camera_id == 3
    assert camera.facts.uid == uid
    assert camera.get(Control.USB_BANDWIDTH) == 70
    telemetry = camera.telemetry()
    assert (telemetry.cooler_on, telemetry.target_celsius) == (True, -5)


def test_a_camera_that_stays_away_is_gone_and_can_be_opened_later(
    stand_in: Any, connected: Callable[..., ZwoCamera], never: threading.Event
) -> None:
    camera = connected(patience=Patience(grace_s=0.3, replug_s=0.3, look_s=0.05))
    camera.open()
    stand_in.unplug()
    with pytest.raises(CameraGone, match=r"did not come back within 0\.3 s"):
        camera.expose(SUB, never)
    assert camera.telemetry().sensor_celsius is None
    stand_in.plug()
    camera.open()
    assert camera.expose(SUB, never).facts.attempts == 1


def test_waiting_for_an_unplugged_camera_ends_on_request(camera: ZwoCamera, stand_in: Any) -> None:
    stand_in.unplug()
    cancel = threading.Event()
    threading.Timer(0.1, cancel.set).start()
    with pytest.raises(Aborted):  # when the patience for it ends, the camera is gone
        camera.expose(SUB, cancel)
    stand_in.plug()
    assert camera.expose(SUB, threading.Event()).facts.attempts == 1


@pytest.mark.parametrize("knobs", [{"open_error": 5}, {"open_error": 16}, {"init_error": 16}])
def test_a_camera_that_does_not_open_says_why_it_may_be(
    stand_in: Any, connected: Callable[..., ZwoCamera], knobs: dict[str, float], never: threading.Event
) -> None:
    stand_in.set(**knobs)
    camera = connected()
    with pytest.raises(CameraBusy, match=r"another program holds it.*udev rule"):
        camera.open()
    stand_in.set(open_error=0, init_error=0)
    camera.open()
    assert camera.expose(SUB, never).facts.attempts == 1
