"""A camera in a process of its own: any camera, whatever it does to that process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from starwell.camera import drivers
from starwell.camera.isolated import Deadlines, IsolatedCamera, run_apart
from starwell.camera.protocol import Camera, Control, Telemetry
from starwell.errors import Aborted, CameraError, CameraGone, CameraNotFound, ControlRefused, Transient
from starwell.frame import Exposure

QUICK = Deadlines(quick_s=2.0, open_s=10.0, abort_s=0.4, back_s=2.0, factor=1.0, grace_s=0.5)
SUB = Exposure(seconds=0.01, gain=10, offset=20)
LATE_S = 20.0
"""What a slow machine may take for what comes at once; what is not cut short takes longer still."""

TOY = '''
"""A camera that misbehaves on request: the gain says how."""
import os, signal, sys, time
import numpy as np
from starwell.camera.protocol import CameraFacts, Control, ControlRange, Telemetry
from starwell.errors import Aborted, CameraNotFound, ControlRefused
from starwell.frame import Exposure, Facts, Frame

def connect(uid=None, shape=(40, 60)):
    if uid == "nobody":
        raise CameraNotFound("no such toy")
    return Toy(uid, shape)

class Toy:
    def __init__(self, uid, shape):
        self.uid, self.shape, self.values, self.n, self.opened = uid, shape, {Control.FAN: 0.0}, 0, False
    @property
    def facts(self):
        return CameraFacts("toy", "serial-7" if self.opened else self.uid or "toy#1", "Toy", 60, 40)
    def open(self):
        print("a library that talks")
        print("and complains", file=sys.stderr)
        self.opened = True
    def close(self):
        if self.uid == "sticky":
            time.sleep(600)
    def controls(self):
        return {Control.FAN: ControlRange(Control.FAN, 0, 9, 0)}
    def get(self, control):
        return self.values[control]
    def set(self, control, value):
        if value > 9:
            raise ControlRefused("fan 10 is too much")
        self.values[control] = value
        return value
    def telemetry(self):
        if self.values[Control.FAN] == 9:
            time.sleep(600)
        return Telemetry(sensor_celsius=float(os.getpid()), cooler_percent=float(self.uid == "serial-7"))
    def expose(self, exposure, cancel, progress=None):
        self.n += 1
        match exposure.gain:
            case 1: time.sleep(600)
            case 2: os.kill(os.getpid(), signal.SIGSEGV)
            case 3: os._exit(3)
            case 4: raise ValueError("a bug")
        until = time.monotonic() + exposure.seconds
        while time.monotonic() < until:
            if progress:
                progress(exposure.seconds - (until - time.monotonic()))
            if cancel.wait(0.02):
                raise Aborted("as asked")
        return self._frame(exposure)
    def stream(self, exposure, cancel):
        while not cancel.wait(exposure.seconds):
            self.n += 1
            if exposure.gain == 2 and self.n == 3:
                os.kill(os.getpid(), signal.SIGSEGV)
            yield self._frame(exposure)
    def _frame(self, exposure):
        pixels = np.full([size * exposure.bin for size in self.shape], self.n, np.uint16)
        header = {"PID": os.getpid()}
        return Frame(Facts(shape=pixels.shape, exposure=exposure, number=self.n, header=header), pixels)

def add(a, b):
    return a + b

def die():
    os._exit(9)
'''


@pytest.fixture(scope="module")
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of the toy camera's module, importable here and in children."""
    folder = tmp_path_factory.mktemp("toys")
    (folder / "starwell_toys.py").write_text(TOY)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield "starwell_toys"


@pytest.fixture
def toy(toys: str) -> Iterator[Callable[..., IsolatedCamera]]:
    """Makes open toy cameras and closes them."""
    made: list[IsolatedCamera] = []

    def make(deadlines: Deadlines = QUICK, **arguments: object) -> IsolatedCamera:
        camera = IsolatedCamera(f"{toys}:connect", {"uid": None} | arguments, deadlines)
        made.append(camera)
        camera.open()
        return camera

    yield make
    for camera in made:
        camera.close()


@pytest.fixture
def never() -> threading.Event:
    """A cancel that nobody sets."""
    return threading.Event()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pid_of(camera: Camera) -> int:
    celsius = camera.telemetry().sensor_celsius
    assert celsius is not None
    return int(celsius)


def test_a_simulated_camera_gives_the_same_frame_there_as_here(never: threading.Event) -> None:
    named = "simulated:speed=600,size=48x32"
    here = drivers.connect(named, seed=3)
    there = IsolatedCamera("starwell.camera.drivers:connect", {"named": named, "seed": 3}, QUICK)
    with closing(here), closing(there):
        assert isinstance(there, Camera)
        here.open()
        there.open()
        assert there.facts == here.facts
        assert there.controls() == dict(here.controls())
        exposure = Exposure(seconds=30.0, gain=100, offset=20)
        a, b = here.expose(exposure, never), there.expose(exposure, never)
        assert np.array_equal(a.pixels, b.pixels)
        assert a.pixels.dtype == b.pixels.dtype
        assert b.facts.exposure == a.facts.exposure
        assert b.facts.egain == a.facts.egain


def test_a_frame_comes_with_its_facts_and_cannot_be_written(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    frame = toy().expose(SUB, never)
    assert frame.facts.exposure == SUB
    assert isinstance(frame.facts.header, MappingProxyType)
    assert frame.facts.header["PID"] != os.getpid()
    assert not frame.pixels.flags.writeable
    with pytest.raises(ValueError, match=r"read-only|cannot set WRITEABLE"):
        frame.pixels.flags.writeable = True


def test_frames_held_are_never_overwritten(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    held = [camera.expose(SUB, never) for _ in range(7)]
    camera.close()
    assert [int(frame.pixels[-1, -1]) for frame in held] == [1, 2, 3, 4, 5, 6, 7]
    assert [frame.pixels.min() == frame.pixels.max() for frame in held] == [True] * 7


def test_a_part_of_a_frame_keeps_all_of_it(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    corners = [camera.expose(SUB, never).pixels[:2, :2] for _ in range(2)]
    for _ in range(5):
        camera.expose(SUB, never)
    assert [int(corner[0, 0]) for corner in corners] == [1, 2]


def test_frames_may_grow(toy: Callable[..., IsolatedCamera], never: threading.Event) -> None:
    camera = toy()
    sizes = [camera.expose(Exposure(seconds=0.01, gain=10, bin=size), never).pixels for size in (1, 50, 2)]
    assert [pixels.shape for pixels in sizes] == [(40, 60), (2000, 3000), (80, 120)]
    assert [(int(pixels[0, 0]), int(pixels[-1, -1])) for pixels in sizes] == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(("how", "words"), [(2, "crashed .SIGSEGV."), (3, "ended: and complains")])
def test_a_crash_costs_one_exposure(
    toy: Callable[..., IsolatedCamera], never: threading.Event, how: int, words: str
) -> None:
    camera = toy()
    camera.set(Control.FAN, 5)
    before = pid_of(camera)
    with pytest.raises(Transient, match=words):
        camera.expose(Exposure(seconds=0.01, gain=how), never)
    assert camera.expose(SUB, never).facts.number == 1
    assert pid_of(camera) != before
    assert camera.get(Control.FAN) == 5


def test_after_a_crash_the_camera_is_found_by_its_serial_number(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    assert camera.facts.uid == "serial-7"
    assert camera.telemetry().cooler_percent == 0.0
    with pytest.raises(Transient):
        camera.expose(Exposure(seconds=0.01, gain=2), never)
    assert camera.telemetry().cooler_percent == 1.0


def test_a_hung_exposure_is_ended_and_costs_one(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    begun = time.monotonic()
    with pytest.raises(Transient, match="hangs"):
        camera.expose(Exposure(seconds=0.1, gain=1), never)
    assert 0.5 < time.monotonic() - begun < LATE_S
    assert camera.expose(SUB, never).facts.number == 1


def test_progress_keeps_a_long_exposure_alive(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy(Deadlines(factor=0.0, grace_s=0.3))
    told: list[float] = []
    camera.expose(Exposure(seconds=0.8, gain=10), never, told.append)
    assert told == sorted(told)
    assert told[-1] > 0.7


def test_an_abort_is_quick_even_when_the_camera_hangs(toy: Callable[..., IsolatedCamera]) -> None:
    camera = toy()
    for gain in (10, 1):
        cancel = threading.Event()
        threading.Timer(0.1, cancel.set).start()
        begun = time.monotonic()
        with pytest.raises(Aborted):
            camera.expose(Exposure(seconds=60, gain=gain), cancel)
        assert time.monotonic() - begun < LATE_S
    assert camera.expose(SUB, threading.Event()).pixels.size


def test_errors_keep_their_class_and_bugs_are_named(
    toy: Callable[..., IsolatedCamera], never: threading.Event, toys: str
) -> None:
    camera = toy()
    with pytest.raises(ControlRefused, match="fan 10 is too much"):
        camera.set(Control.FAN, 10)
    with pytest.raises(CameraError, match="ValueError: a bug"):
        camera.expose(Exposure(seconds=0.01, gain=4), never)
    with pytest.raises(CameraNotFound, match="no such toy"):
        IsolatedCamera(f"{toys}:connect", {"uid": "nobody"})
    with pytest.raises(CameraError, match="ModuleNotFoundError"):
        IsolatedCamera("starwell.camera.nothing:connect")


def test_telemetry_and_controls_are_answered_during_an_exposure(
    toy: Callable[..., IsolatedCamera],
) -> None:
    camera, begun, enough = toy(), threading.Event(), threading.Event()

    def expose() -> None:
        with pytest.raises(Aborted):
            camera.expose(Exposure(seconds=600, gain=10), enough, lambda _: begun.set())

    exposing = threading.Thread(target=expose)
    exposing.start()
    assert begun.wait(LATE_S)
    for value in range(5):
        assert camera.set(Control.FAN, value) == value
        assert camera.telemetry().sensor_celsius
    assert exposing.is_alive()
    enough.set()
    exposing.join()


def test_telemetry_that_hangs_takes_the_process_with_it(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy(Deadlines(quick_s=0.3, abort_s=0.3))
    before = pid_of(camera)
    camera.set(Control.FAN, 9)
    assert camera.telemetry() == Telemetry()
    assert not is_running(before)


def test_a_stream_flows_whatever_is_held(toy: Callable[..., IsolatedCamera], never: threading.Event) -> None:
    camera = toy()
    with closing(camera.stream(SUB, never)) as frames:  # type: ignore[type-var]
        held = list(islice(frames, 8))
    assert [int(frame.pixels[0, 0]) for frame in held] == list(range(1, 9))
    assert camera.expose(SUB, never).facts.number >= 9


def test_a_stream_ends_when_cancelled(toy: Callable[..., IsolatedCamera]) -> None:
    cancel = threading.Event()
    got = 0
    for _ in toy().stream(SUB, cancel):
        got += 1
        if got == 3:
            cancel.set()
    assert 3 <= got <= 6


def test_a_stream_that_crashes_is_told_and_can_be_started_again(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    with pytest.raises(Transient, match="SIGSEGV"):
        list(camera.stream(Exposure(seconds=0.01, gain=2), never))
    with closing(camera.stream(SUB, never)) as frames:  # type: ignore[type-var]
        assert next(frames).facts.number == 1


def test_a_closed_camera_says_so_and_opens_again(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    camera.close()
    camera.close()
    assert camera.telemetry() == Telemetry()
    with pytest.raises(CameraGone, match="not open"):
        camera.expose(SUB, never)
    camera.open()
    assert camera.expose(SUB, never).facts.number == 1


def test_closing_does_not_wait_for_a_camera_that_sticks(toy: Callable[..., IsolatedCamera]) -> None:
    camera = toy(uid="sticky")
    pid, begun = pid_of(camera), time.monotonic()
    camera.close()
    assert time.monotonic() - begun < LATE_S
    assert not is_running(pid)


def test_closing_ends_an_exposure_elsewhere(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera, begun = toy(), threading.Event()
    fault: list[Exception] = []

    def expose() -> None:
        try:
            camera.expose(Exposure(seconds=600, gain=10), never, lambda _: begun.set())
        except CameraError as ended:
            fault.append(ended)

    exposing = threading.Thread(target=expose)
    exposing.start()
    assert begun.wait(LATE_S)
    camera.close()
    exposing.join(LATE_S)
    assert isinstance(fault[0], CameraGone)


def test_what_a_library_prints_does_not_reach_the_screen(
    toy: Callable[..., IsolatedCamera], capfd: pytest.CaptureFixture[str], never: threading.Event
) -> None:
    toy().expose(SUB, never)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_left_open(toys: str, never: threading.Event) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before, threads = descriptors(), threading.active_count()
    for _ in range(3):
        camera = IsolatedCamera(f"{toys}:connect", {"uid": None}, QUICK)
        camera.open()
        camera.expose(SUB, never)
        camera.close()
    assert (descriptors(), threading.active_count()) == (before, threads)


def test_an_interrupt_leaves_the_camera_alone(
    toy: Callable[..., IsolatedCamera], never: threading.Event
) -> None:
    camera = toy()
    pid = pid_of(camera)
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGHUP)
    assert camera.expose(SUB, never).facts.number == 1
    assert os.getsid(pid) != os.getsid(0)


PARENT = """
import sys, threading
sys.path.insert(0, sys.argv[1])
from starwell.camera.isolated import IsolatedCamera
from starwell.frame import Exposure
camera = IsolatedCamera("starwell_toys:connect", {"uid": "sticky"})
camera.open()
print(int(camera.telemetry().sensor_celsius), flush=True)
camera.expose(Exposure(seconds=600, gain=float(sys.argv[2])), threading.Event())
"""


@pytest.mark.parametrize("gain", [10, 1])
def test_the_process_ends_with_its_parent(toys: str, gain: int) -> None:
    folder = Path(sys.modules[toys].__file__ or "").parent if toys in sys.modules else Path(sys.path[0])
    command = [sys.executable, "-c", PARENT, str(folder), str(gain)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pid = int(parent.stdout.readline())
        assert is_running(pid)
        parent.kill()
    until = time.monotonic() + LATE_S
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_running(pid)


def test_a_function_runs_apart(toys: str) -> None:
    assert run_apart(f"{toys}:add", 2, 3) == 5
    with pytest.raises(Transient, match="status 9"):
        run_apart(f"{toys}:die")
