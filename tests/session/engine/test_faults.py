"""Whatever goes wrong in a night: a clear sentence, nothing lost, and the end is always told."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from starwell.camera.cooler import Climate
from starwell.camera.folder import FolderCamera
from starwell.camera.plan import Mount, Scene, SkyPlan
from starwell.camera.protocol import Control
from starwell.camera.simulated import Fault, SimulatedCamera
from starwell.errors import CameraError, CameraNotFound, DiskFull, PlanError, StorageError
from starwell.files.frames import open_frame
from starwell.frame import Kind
from starwell.session.events import (
    CameraFault,
    ExposureStarted,
    FrameTaken,
    QualityAdvice,
    SeriesFinished,
    State,
    StateChanged,
)
from starwell.session.face import Start
from starwell.session.journal import ClockJumped, FrameSaved
from starwell.session.night_files import Night
from starwell.session.plan import Cooling

Lights = Callable[..., Any]


def whole(night: Path) -> list[int]:
    """The numbers of the lights; every one can be read, and nothing half-written is beside them."""
    frames = Night(night).frames(Kind.LIGHT)
    assert all(open_frame(path).facts.shape == (200, 256) for path in frames.values())
    assert not list(night.rglob("*.part"))
    return sorted(frames)


def advice(heard: Any, subject: str) -> list[str]:
    return [e.advice for e in heard.of(QualityAdvice) if e.subject == subject]


def test_failed_hung_and_foreign_ended_exposures_are_taken_again(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    faults = {2: Fault.FAIL, 3: Fault.HANG, 4: Fault.ABORT, 6: Fault.DROP}
    heard = house.run(plan_of_lights(4), camera_of(faults=faults))
    assert whole(house.night) == [1, 2, 3, 4]
    assert [fault.recovered for fault in heard.of(CameraFault)] == [True] * 3
    finished = heard.told()[-1]
    assert (finished.stacked, finished.unreadable) == (4, 3)
    assert heard.engine.failure is None


def test_a_camera_that_dies_for_good_ends_the_night_with_everything_safe(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(9), camera_of(faults={4: Fault.UNPLUG}), stay=True)
    fault = heard.state(State.FAULT)
    assert "unplugged" in fault.why
    assert whole(house.night) == [1, 2, 3]
    assert [f.recovered for f in heard.of(CameraFault)] == [False]
    assert heard.of(SeriesFinished)[0].stacked == 3
    assert (house.night / "stacks" / "M51_20s.fits").exists()
    heard.quit()


def test_start_tries_again_after_a_fault_and_goes_on_where_it_was(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    camera = camera_of(faults={3: Fault.UNPLUG})
    heard = house.start(plan_of_lights(5), camera, stay=True)
    heard.state(State.FAULT)
    camera.plug_in()
    assert heard.ask(Start()).ok
    heard.state(State.IDLE)
    assert heard.of(SeriesFinished)[-1].stacked == 5
    assert whole(house.night) == [1, 2, 3, 4, 5]
    heard.quit()


def test_a_camera_that_comes_back_goes_on_with_the_plan_and_its_temperature(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    camera = camera_of(faults={3: Fault.UNPLUG}, speed=500.0)
    plan = plan_of_lights(4, cooling=Cooling(celsius=10, ramp_c_per_min=20, warm_up=False))
    heard = house.start(plan, camera)
    heard.until(lambda e: isinstance(e, CameraFault))
    camera.plug_in()
    heard.end()
    assert [fault.recovered for fault in heard.of(CameraFault)] == [False, True]
    assert whole(house.night) == [1, 2, 3, 4]
    assert camera._values[Control.TARGET_CELSIUS] == 10


def test_exposures_that_keep_failing_reopen_the_camera_and_then_end_the_night(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.run(plan_of_lights(9), camera_of(faults=dict.fromkeys(range(2, 40), Fault.FAIL)))
    assert isinstance(heard.engine.failure, CameraError)
    assert "10 exposures in a row failed" in str(heard.engine.failure)
    assert "is back" in " ".join(fault.message for fault in heard.of(CameraFault))
    assert whole(house.night) == [1]
    assert isinstance(heard.told()[-1], SeriesFinished)


def test_a_camera_that_is_not_there_is_told_with_the_end(house: Any, plan_of_lights: Lights) -> None:
    class Absent(SimulatedCamera):
        def open(self) -> None:
            raise CameraNotFound("It is not connected.")

    heard = house.run(plan_of_lights(2), Absent())
    assert isinstance(heard.engine.failure, CameraNotFound)
    assert heard.told()[-1].why == "It is not connected."


def test_a_fault_of_our_own_is_a_sentence_and_loses_nothing(house: Any, plan_of_lights: Lights) -> None:
    class Odd(SimulatedCamera):
        def expose(self, *asked: Any) -> Any:
            frame = super().expose(*asked)
            if self._asked == 3:
                raise RuntimeError("nobody thought of this")
            return frame

    heard = house.run(plan_of_lights(9), Odd(plan_of_sky(), speed=2000.0))
    assert "RuntimeError: nobody thought of this" in str(heard.engine.failure)
    assert whole(house.night) == [1, 2]
    assert heard.told()[-1].stacked == 2


def test_a_full_disk_ends_the_night_before_a_frame_is_lost(
    house: Any, plan_of_lights: Lights, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = iter([*(2 * 200 * 256 * n for n in (100, 60, 30)), *[1000] * 99])
    monkeypatch.setattr("starwell.session.capture.shutil.disk_usage", lambda folder: Usage(next(room)))
    heard = house.run(plan_of_lights(9))
    assert isinstance(heard.engine.failure, DiskFull)
    assert whole(house.night) == [1, 2, 3]
    assert "room for 41 more frames" in advice(heard, "disk")[0]
    assert heard.told()[-1].stacked == 3
    assert (house.night / "stacks" / "M51_20s.fits").exists()


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_night_whose_folder_vanishes_ends_and_is_not_begun_elsewhere(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    heard = house.start(plan_of_lights(99), camera_of(speed=300.0))
    heard.frame(2)
    moved = house.night.with_name("moved")
    house.night.rename(moved)
    heard.end()
    assert isinstance(heard.engine.failure, StorageError)
    assert "gone" in str(heard.engine.failure)
    assert not house.night.exists()
    assert len(whole(moved)) >= 2
    assert isinstance(heard.told()[-1], SeriesFinished)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that others may enter; pytest's own they may not."""
    with tempfile.TemporaryDirectory(prefix="starwell-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


READ_ONLY = """
import os, sys
import starwell.cli.run
from starwell.cli.main import main
os.setgid(65534); os.setuid(65534)
sys.exit(main(["run", "--camera", "simulated:size=64x64,speed=900", "--exposure", "1", "--frames", "2",
               "--bias", "500", "--folder", sys.argv[1]]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else for a while")
def test_a_folder_that_cannot_be_written_is_a_sentence(open_to_all: Path) -> None:
    home = open_to_all / "home"
    home.mkdir()
    shutil.chown(home, 65534)
    night = open_to_all / "night"
    night.mkdir(mode=0o555)
    told = subprocess.run(
        [sys.executable, "-c", READ_ONLY, str(night)],
        env={**os.environ, "STARWELL_HOME": str(home), "HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=60,
        cwd="/",
    )
    assert told.returncode == 1
    assert "cannot be written: Permission denied" in told.stderr
    assert "Traceback" not in told.stderr
    assert not list(night.iterdir())


def test_a_clock_that_jumps_is_told_and_numbers_keep_the_order(house: Any, plan_of_lights: Lights) -> None:
    lock, back = threading.Lock(), [timedelta(0)]

    def now() -> datetime:
        with lock:
            return datetime.now(UTC) + back[0]

    class Jumping(SimulatedCamera):
        def expose(self, *asked: Any) -> Any:
            frame = super().expose(*asked)
            if self._asked == 2:
                back[0] = timedelta(hours=-3)
            return frame

    camera = Jumping(speed=2000.0, plan=plan_of_sky())
    heard = house.run(plan_of_lights(4), camera, now=now)
    (jump,) = (r for r in house.records if isinstance(r, ClockJumped))
    assert jump.seconds == pytest.approx(-10_800, abs=1)
    assert "set 10800 s back" in advice(heard, "clock")[0]
    assert [r.number for r in house.records if isinstance(r, FrameSaved)] == [1, 2, 3, 4]
    assert heard.told()[-1].stacked == 4


def plan_of_sky() -> SkyPlan:
    scene = Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0)
    return SkyPlan(size=(200, 256), seconds=20.0, scene=scene, mount=Mount(dither_px=6.0))


def test_the_sensor_is_warmed_up_on_every_way_out(house: Any, plan_of_lights: Lights, camera_of: Any) -> None:
    plan = plan_of_lights(2, cooling=Cooling(celsius=-5, ramp_c_per_min=20))
    ways = {
        "end": camera_of(),
        "fault": camera_of(faults=dict.fromkeys(range(1, 40), Fault.FAIL)),
        "quit": camera_of(),
    }
    for name, camera in ways.items():
        heard = house.start(plan, camera, folder=house.folder / name)
        heard.state(State.COOLING)
        if name == "quit":
            heard.until(lambda e: isinstance(e, ExposureStarted))
            heard.engine.quit()
        heard.end()
        states = [(e.state, e.why) for e in heard.of(StateChanged)]
        assert states[0] == (State.COOLING, "to -5 °C")
        assert (State.STOPPING, "warming the sensor up") in states
        assert camera._values[Control.COOLER] == 0
        assert not any("left cooled" in said for said in advice(heard, "cooling"))
        assert len(heard.of(SeriesFinished)) == 1


def test_a_sensor_that_is_to_stay_cold_is_left_so_and_said_so(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    plan = plan_of_lights(1, cooling=Cooling(celsius=-5, ramp_c_per_min=20, warm_up=False))
    camera = camera_of()
    heard = house.run(plan, camera)
    assert "left cooled at -5 °C" in advice(heard, "cooling")[0]
    assert camera._values[Control.COOLER] == 1


def test_a_cooler_that_cannot_does_not_keep_the_lights_back(
    house: Any, plan_of_lights: Lights, camera_of: Any
) -> None:
    camera = camera_of(climate=Climate(ambient_celsius=25.0, reach_k=20.0))
    heard = house.run(plan_of_lights(2, cooling=Cooling(celsius=-20, ramp_c_per_min=40)), camera)
    assert "does not reach -20 °C" in advice(heard, "cooling")[0]
    assert len(heard.of(FrameTaken)) == 2


def test_temperatures_out_of_reach_and_lights_without_a_length_are_refused(
    house: Any, plan_of_lights: Lights
) -> None:
    heard = house.run(plan_of_lights(1, cooling=Cooling(celsius=-80)))
    assert "-40 to 30 °C" in str(heard.engine.failure)
    heard = house.run(plan_of_lights(1, seconds=None))
    assert isinstance(heard.engine.failure, PlanError)
    assert "--exposure" in str(heard.engine.failure)


def test_a_watched_file_that_goes_away_as_it_is_read_is_passed_over(
    house: Any, plan_of_lights: Lights
) -> None:
    class Leaving(FolderCamera):
        def expose(self, *asked: Any) -> Any:
            frame = super().expose(*asked)
            if frame.facts.number == 2 and frame.facts.source is not None:
                frame.facts.source.unlink()
            return frame

    house.run(plan_of_lights(3), folder=house.folder / "live")
    heard = house.run(plan_of_lights(None), Leaving(house.folder / "live" / "lights"))
    assert heard.engine.failure is None
    assert (heard.told()[-1].stacked, heard.told()[-1].unreadable) == (2, 1)
    assert "went away" in heard.of(CameraFault)[0].message
