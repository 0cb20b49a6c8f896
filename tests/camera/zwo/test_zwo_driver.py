"""ZWO cameras as the engine has them: each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from starwell.camera.isolated import Deadlines
from starwell.camera.protocol import Camera, Control, Driver
from starwell.camera.zwo import ZwoDriver
from starwell.camera.zwo_exposing import Patience
from starwell.errors import Aborted, CameraBusy, CameraNotFound, Transient
from starwell.frame import Exposure

SUB = Exposure(seconds=0.03, gain=100, offset=20)
PATIENCE = Patience(grace_s=0.3, replug_s=5.0, look_s=0.05)
LOOK = """
import sys
from pathlib import Path
from starwell.camera.zwo import ZwoDriver
driver = ZwoDriver(sys.argv[1])
assert driver.available().usable and driver.discover()
assert "zwoasi" not in sys.modules
assert "fakeasi" not in Path("/proc/self/maps").read_text()
"""
DEADLINES = Deadlines(quick_s=1.0, abort_s=0.5, factor=1.0, grace_s=1.5)


@pytest.fixture
def driver(stand_in: Any, tmp_path: Path) -> ZwoDriver:
    """On the stand-in."""
    return ZwoDriver(stand_in.library, tmp_path, PATIENCE, DEADLINES)


@pytest.fixture
def opened(driver: ZwoDriver) -> Iterator[Callable[..., Camera]]:
    """Opens cameras and closes them."""
    cameras: list[Camera] = []

    def make(uid: str | None = None) -> Camera:
        camera = driver.connect(uid)
        cameras.append(camera)
        camera.open()
        return camera

    yield make
    for camera in cameras:
        camera.close()


def test_the_driver_tells_version_file_and_cameras_and_opens_none(driver: ZwoDriver, stand_in: Any) -> None:
    stand_in.set(cameras=2)
    named: Driver = driver
    assert named.name == "zwo"
    assert named.available() == (True, f"ZWO SDK 1.99, {stand_in.library}")
    assert [facts.uid for facts in named.discover()] == ["ZWO Tiny Mono#1", "ZWO Tiny Mono#2"]
    assert stand_in.get("n_open") == 0


def test_without_a_library_the_driver_says_so_and_finds_nothing(tmp_path: Path) -> None:
    driver = ZwoDriver(tmp_path / "none.so")
    usable, why = driver.available()
    assert not usable
    assert "none.so" in why
    assert driver.discover() == []
    with pytest.raises(CameraNotFound, match=r"none\.so"):
        driver.connect()


def test_the_library_is_not_loaded_here(driver: ZwoDriver) -> None:
    command = [sys.executable, "-W", "error", "-c", LOOK, str(driver._library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_frames_carry_their_settings_through_the_process(
    opened: Callable[..., Camera], fakeasi: ModuleType, never: threading.Event
) -> None:
    camera = opened()
    assert camera.facts.uid == "1e00000000000000"
    for gain in (0, 100, 250):
        frame = camera.expose(Exposure(seconds=0.01, gain=gain, offset=gain / 5), never)
        mark = fakeasi.watermark(frame)
        assert (mark.gain, mark.offset) == (gain, gain / 5)
        assert (frame.facts.exposure.gain, frame.facts.exposure.offset) == (gain, gain / 5)


def test_a_call_that_blocks_for_five_minutes_costs_one_exposure(
    opened: Callable[..., Camera], stand_in: Any, fakeasi: ModuleType
) -> None:
    camera = opened()
    camera.set(Control.TARGET_CELSIUS, -5)
    camera.set(Control.COOLER, 1)
    stand_in.set(hang_stop_ms=300_000)
    cancel = threading.Event()
    threading.Timer(0.2, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(Aborted):
        camera.expose(Exposure(seconds=60, gain=7, offset=20), cancel)
    assert time.monotonic() - begun < 30
    stand_in.set(hang_stop_ms=0)
    frame = camera.expose(SUB, threading.Event())
    assert fakeasi.watermark(frame).gain == 100
    assert (camera.telemetry().cooler_on, camera.telemetry().target_celsius) == (True, -5)


def test_an_abort_is_quick_while_the_camera_is_being_opened_again(
    opened: Callable[..., Camera], stand_in: Any, never: threading.Event
) -> None:
    camera = opened()
    stand_in.set(segv_next=1)
    with pytest.raises(Transient):
        camera.expose(SUB, never)
    stand_in.set(hang_stop_ms=300_000)
    cancel = threading.Event()
    threading.Timer(0.8, cancel.set).start()
    begun = time.monotonic()
    with pytest.raises(Aborted):
        camera.expose(SUB, cancel)
    assert time.monotonic() - begun < 15
    stand_in.set(hang_stop_ms=0)
    assert camera.expose(SUB, never).facts.attempts == 1


def test_a_segfault_costs_one_exposure(
    opened: Callable[..., Camera], stand_in: Any, never: threading.Event
) -> None:
    camera = opened()
    stand_in.set(segv_next=1)
    with pytest.raises(Transient, match="SIGSEGV"):
        camera.expose(SUB, never)
    begun = time.monotonic()
    assert camera.expose(SUB, never).facts.attempts == 1
    assert time.monotonic() - begun < 5.0


def test_telemetry_that_blocks_costs_one_exposure(
    opened: Callable[..., Camera], stand_in: Any, never: threading.Event
) -> None:
    camera = opened()
    stand_in.set(hang_telemetry_ms=300_000)
    assert camera.telemetry().sensor_celsius is None
    stand_in.set(hang_telemetry_ms=0)
    assert camera.expose(SUB, never).facts.attempts == 1


def test_an_unplugged_camera_comes_back_inside_its_process(
    opened: Callable[..., Camera], stand_in: Any, fakeasi: ModuleType, never: threading.Event
) -> None:
    camera = opened()
    now = time.monotonic()
    stand_in.set(replug_id_base=5, unplug_at=now + 0.05, replug_at=now + 0.4)
    frame = camera.expose(Exposure(seconds=0.2, gain=50, offset=11), never)
    assert (frame.facts.attempts, fakeasi.watermark(frame).gain) == (2, 50)


def test_two_cameras_expose_at_once(
    opened: Callable[..., Camera], stand_in: Any, fakeasi: ModuleType, never: threading.Event
) -> None:
    stand_in.set(cameras=2, model1=fakeasi.TINY_COLOUR)
    both = [opened("Tiny Mono"), opened("Tiny Colour")]
    marks: dict[int, list[Any]] = {0: [], 1: []}

    def expose(index: int) -> None:
        for _ in range(4):
            frame = both[index].expose(Exposure(seconds=0.05, gain=10 * index, offset=20), never)
            marks[index].append(fakeasi.watermark(frame))

    threads = [threading.Thread(target=expose, args=(index,)) for index in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for index in (0, 1):
        assert [(mark.camera, mark.gain) for mark in marks[index]] == [(index, 10 * index)] * 4


def test_a_camera_held_in_another_process_is_busy_and_free_after_it(
    opened: Callable[..., Camera], driver: ZwoDriver, stand_in: Any
) -> None:
    first = opened()
    second = driver.connect()
    with pytest.raises(CameraBusy, match="in use by another starwell"):
        second.open()
    assert stand_in.opens(0) == 1
    first.close()
    second.open()
    second.close()
