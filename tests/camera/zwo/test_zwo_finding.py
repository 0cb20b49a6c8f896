"""Which camera is meant, and that no other one is touched."""

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

from starwell.camera.zwo_camera import ZwoCamera, discover
from starwell.errors import CameraBusy, CameraError, CameraNotFound
from starwell.frame import Exposure

SUB = Exposure(seconds=0.03, gain=100, offset=20)
FIRST, SECOND = "1e00000000000000", "1e00000000000001"

HOLD = """
import sys
from starwell.camera.zwo_camera import connect
camera = connect(sys.argv[1], sys.argv[2], sys.argv[3])
camera.open()
print("open", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held_by_another(stand_in: Any, tmp_path: Path) -> Iterator[Callable[[str], None]]:
    """Opens a camera in another process until the test ends."""
    running: list[subprocess.Popen[str]] = []

    def hold(uid: str) -> None:
        command = [sys.executable, "-c", HOLD, uid, str(stand_in.library), str(tmp_path)]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        running.append(other)
        assert other.stdout
        assert other.stdout.readline() == "open\n"

    yield hold
    for other in running:
        other.communicate()


def test_discovery_opens_nothing(stand_in: Any, fakeasi: ModuleType) -> None:
    stand_in.set(cameras=3, model1=fakeasi.TINY, model2=fakeasi.ASI120)
    found = discover(str(stand_in.library))
    assert [facts.uid for facts in found] == ["ZWO Tiny Mono#1", "ZWO Tiny Mono#2", "ZWO ASI120MM Mini#1"]
    assert found[2].roi_step == (64, 16)
    assert stand_in.get("n_open") == 0


def test_only_the_chosen_camera_is_opened(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera]
) -> None:
    stand_in.set(cameras=3, model1=fakeasi.TINY_COLOUR, model2=fakeasi.TINY)
    camera = connected("ZWO Tiny Colour")
    camera.open()
    assert camera.facts.uid == SECOND
    assert [stand_in.opens(index) for index in range(3)] == [0, 1, 0]


@pytest.mark.parametrize("uid", ["ZWO Tiny Mono#2", "zwo tiny mono#2", "Tiny Mono#2"])
def test_a_label_chooses_one_of_two_alike(
    stand_in: Any, connected: Callable[..., ZwoCamera], fakeasi: ModuleType, uid: str, never: threading.Event
) -> None:
    stand_in.set(cameras=2)
    camera = connected(uid)
    assert camera.facts.uid == "ZWO Tiny Mono#2"
    camera.open()
    assert camera.facts.uid == SECOND
    assert fakeasi.watermark(camera.expose(SUB, never)).camera == 1
    assert stand_in.opens(0) == 0


def test_a_serial_number_is_known_after_the_first_opening(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera], never: threading.Event
) -> None:
    stand_in.set(cameras=3, model2=fakeasi.TINY_COLOUR)
    with pytest.raises(CameraNotFound, match=r"never opened here.*ZWO Tiny Mono#1"):
        connected(SECOND)
    assert stand_in.get("n_open") == 0
    first = connected("Tiny Mono#2")
    first.open()
    first.close()
    again = connected(SECOND)
    again.open()
    assert fakeasi.watermark(again.expose(SUB, never)).camera == 1
    assert stand_in.opens(2) == 0


def test_a_known_camera_that_is_not_there_is_named_by_model(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera]
) -> None:
    camera = connected()
    camera.open()
    camera.close()
    stand_in.reset(model0=fakeasi.TINY_COLOUR)
    with pytest.raises(CameraNotFound, match=f"{FIRST}, a ZWO Tiny Mono, is not connected"):
        connected(FIRST)


def test_among_several_cameras_one_has_to_be_chosen(
    stand_in: Any, connected: Callable[..., ZwoCamera]
) -> None:
    stand_in.set(cameras=2)
    with pytest.raises(CameraNotFound, match="choose one: ZWO Tiny Mono#1, ZWO Tiny Mono#2"):
        connected()
    with pytest.raises(CameraNotFound, match="choose one"):
        connected("Tiny Mono")


def test_no_camera_at_all_says_where_to_look(stand_in: Any, connected: Callable[..., ZwoCamera]) -> None:
    stand_in.set(cameras=0)
    with pytest.raises(CameraNotFound, match="no ZWO camera is connected: look at cable and power"):
        connected()


@pytest.mark.parametrize(
    ("knobs", "uid"),
    [({"serials": 0}, "ZWO Tiny Mono#1"), ({"serials": 0, "flash_ids": 1}, f"flash-{b'SCOPE0'.hex()}0000")],
)
def test_without_a_serial_number_the_flash_id_or_the_label_serves(
    stand_in: Any,
    connected: Callable[..., ZwoCamera],
    knobs: dict[str, float],
    uid: str,
    never: threading.Event,
) -> None:
    stand_in.set(**knobs)
    camera = connected()
    camera.open()
    assert camera.facts.uid == uid
    now = time.monotonic()
    stand_in.set(replug_id_base=1, unplug_at=now + 0.01, replug_at=now + 0.2)
    assert camera.expose(Exposure(seconds=0.1, gain=3, offset=9), never).facts.attempts == 2


def test_a_camera_without_serial_number_waits_for_its_twin_to_be_counted_again(
    stand_in: Any, connected: Callable[..., ZwoCamera], fakeasi: ModuleType, never: threading.Event
) -> None:
    stand_in.set(cameras=2, serials=0)
    camera = connected("Tiny Mono#1")
    camera.open()
    now = time.monotonic()
    stand_in.set(unplug_at=now + 0.01, replug_at=now + 0.4)
    frame = camera.expose(Exposure(seconds=0.1, gain=3, offset=9), never)
    assert fakeasi.watermark(frame).camera == 0
    assert stand_in.opens(1) == 0


def test_a_camera_held_by_another_starwell_is_not_opened(
    stand_in: Any, connected: Callable[..., ZwoCamera], held_by_another: Callable[[str], None]
) -> None:
    held_by_another("Tiny Mono#1")
    camera = connected("Tiny Mono#1")
    with pytest.raises(CameraBusy, match="in use by another starwell"):
        camera.open()
    assert stand_in.opens(0) == 1


def test_coming_back_leaves_the_twin_of_another_process_alone(
    stand_in: Any,
    connected: Callable[..., ZwoCamera],
    held_by_another: Callable[[str], None],
    fakeasi: ModuleType,
    never: threading.Event,
) -> None:
    stand_in.set(cameras=2)
    camera = connected("Tiny Mono#1")
    camera.open()
    held_by_another("Tiny Mono#2")
    now = time.monotonic()
    stand_in.set(unplug_at=now + 0.02, replug_at=now + 0.4)
    frame = camera.expose(Exposure(seconds=0.1, gain=3, offset=9), never)
    assert fakeasi.watermark(frame).camera == 0
    assert stand_in.opens(1) == 1


def test_a_camera_held_by_another_program_is_busy_and_its_neighbour_is_not(
    stand_in: Any, fakeasi: ModuleType, connected: Callable[..., ZwoCamera], never: threading.Event
) -> None:
    stand_in.set(cameras=2, model1=fakeasi.TINY_COLOUR, held=1)
    with pytest.raises(CameraBusy, match="another program holds it"):
        connected("Tiny Colour").open()
    camera = connected("Tiny Mono")
    camera.open()
    assert camera.expose(SUB, never).facts.attempts == 1


def test_a_lock_ends_with_its_process(
    stand_in: Any, connected: Callable[..., ZwoCamera], tmp_path: Path
) -> None:
    command = [sys.executable, "-c", HOLD, "Tiny Mono", str(stand_in.library), str(tmp_path)]
    other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdout.readline() == "open\n"
    other.kill()
    other.communicate()
    camera = connected()
    camera.open()
    assert camera.facts.uid == FIRST


def test_a_lock_that_cannot_be_written_is_told_and_leaves_the_camera_closed(
    stand_in: Any, connected: Callable[..., ZwoCamera], tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(CameraError, match="lock file cannot be written"):
        connected(locks=tmp_path / "file").open()
    assert stand_in.get("n_close") == 1
    connected().open()


def test_a_damaged_lock_file_is_no_obstacle(connected: Callable[..., ZwoCamera], tmp_path: Path) -> None:
    (tmp_path / f"{FIRST}.lock").write_text("{")
    camera = connected()
    camera.open()
    assert camera.facts.uid == FIRST
