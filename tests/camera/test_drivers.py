"""What --camera understands."""

from __future__ import annotations

from pathlib import Path

import pytest

from starwell.camera.drivers import SimulatedDriver, connect, drivers
from starwell.camera.folder import FolderCamera
from starwell.camera.protocol import Camera
from starwell.camera.simulated import SimulatedCamera
from starwell.camera.watch import WatchCamera
from starwell.errors import CameraNotFound, PlanError


def test_every_name_gives_its_camera(tmp_path: Path) -> None:
    assert isinstance(connect("simulated"), SimulatedCamera)
    assert isinstance(connect(f"folder:{tmp_path}"), FolderCamera)
    watch = connect(f"watch:{tmp_path}")
    assert isinstance(watch, WatchCamera)
    assert watch.folder == tmp_path


def test_a_simulated_camera_takes_options() -> None:
    made = connect("simulated:size=640x480,colour,speed=60,seed=5,3=hang")
    assert isinstance(made, SimulatedCamera)
    assert (made.facts.width, made.facts.height, made.facts.uid) == (640, 480, "seed=5")
    assert made.facts.bayer is not None


def test_the_seed_of_the_call_is_the_simulated_cameras_and_its_uid_finds_it_again() -> None:
    (facts,) = SimulatedDriver(7).discover()
    again = connect(f"simulated:{facts.uid}")
    assert again.facts == facts


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("asi", "no kind of camera called 'asi'"),
        ("", "no kind of camera called ''"),
        ("folder", "needs a folder"),
        ("watch:", "needs a folder"),
        ("zwo:", "ends in a colon"),
        ("simulated:fast", "is not understood"),
        ("simulated:size=12", "is not understood"),
        ("simulated:speed=0", "is not understood"),
        ("simulated:3=explode", "fail, hang, drop"),
    ],
)
def test_what_cannot_be_a_camera_is_said(named: str, said: str) -> None:
    with pytest.raises(PlanError, match=said):
        connect(named)


def test_without_its_library_zwo_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(CameraNotFound, match="library"):
        connect("zwo", zwo_library=str(tmp_path / "libASICamera2.so"))


def test_simulated_cameras_are_always_found_and_looking_never_opens() -> None:
    simulated = drivers()[-1]
    assert simulated.available().usable
    assert isinstance(simulated.connect(), Camera)
    assert [facts.driver for facts in simulated.discover()] == ["simulated"]
