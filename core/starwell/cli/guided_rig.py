"""Camera, folders and the user's hands, where sets of frames are shot under guidance."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from starwell.camera.protocol import Camera
from starwell.cli.foreground import setup
from starwell.errors import Aborted, PlanError
from starwell.files.atomic import writing
from starwell.flatlab.schedule import PlannedSet
from starwell.flatlab.shooting import frames_in
from starwell.frame import Exposure, Facts, Frame, Kind
from starwell.session.capture import Capture, Shot
from starwell.session.cooling import Cooler
from starwell.session.night_files import Night, frame_name
from starwell.session.plan import Cooling

_TICK_S = 0.2


@runtime_checkable
class Lamp(Protocol):
    """A camera that comes with its own panel: a simulated one."""

    def shine(self, e_s: float | None) -> None:
        """Give so many e-/s on each pixel."""


@dataclass(frozen=True, slots=True)
class _SetFolder(Night):
    """A set's folder: all its frames in one place."""

    def path(self, facts: Facts, number: int) -> Path:
        return self.folder / frame_name(facts, number)


class GuidedRig:
    """Shoots into a subfolder for each set, and asks for what only hands can do."""

    def __init__(self, camera: Camera, folder: Path, *, ask: bool) -> None:
        self._camera, self._folder = camera, folder
        self._ask = ask and not isinstance(camera, Lamp)
        self._cancel = threading.Event()
        self._captures: dict[str, Capture] = {}
        self._factor = 1.0
        self._numbers: dict[str, int] = {}

    def take(self, one: PlannedSet) -> Frame:
        """The next frame of this set, on disk."""
        self._shine(one)
        capture = self._capture(one)

        def number(_: Kind) -> int:
            return self._numbers[one.name] + 1

        frame = capture.take(Shot(_exposure(one)), number)
        self._numbers[one.name] += 1
        return frame

    def trial(self, one: PlannedSet) -> Frame:
        """A frame that is not kept."""
        self._shine(one)
        return self._capture(one).trial(_exposure(one))

    def light(self, one: PlannedSet) -> None:
        """Ask for panel and film."""
        self._factor = 1.0
        print(f"{one.name}: {one.light}", file=sys.stderr, flush=True)
        if self._ask:
            self._wait("Enter when it is so, q to stop: ")

    def dim(self, said: str, factor: float) -> bool:
        """Ask for another brightness, or set it."""
        if isinstance(self._camera, Lamp):
            self._factor *= factor
            return True
        if self._ask:
            print(f"{said} Change the panel by a factor of {factor:.2g}.", file=sys.stderr, flush=True)
            self._wait("Enter when it is so, q to stop: ")
        return self._ask

    def _wait(self, said: str) -> None:
        print(said, end="", file=sys.stderr, flush=True)
        answer = sys.stdin.readline()
        if not answer or answer.strip().lower() == "q":
            raise Aborted("Stopped. The same call goes on where this one ended.")

    def _shine(self, one: PlannedSet) -> None:
        if isinstance(self._camera, Lamp):
            self._camera.shine(self._factor * one.level_e / one.seconds if one.level_e else 0.0)

    def _capture(self, one: PlannedSet) -> Capture:
        if one.name not in self._captures:
            night = _SetFolder(self._folder / one.name)
            night.prepare()
            self._numbers[one.name] = len(frames_in(night.folder))
            more: Mapping[str, object] = {"FLATSET": one.name}
            self._captures[one.name] = Capture(
                self._camera, night, self._cancel, lambda _: None, keywords=dict(more)
            )
        return self._captures[one.name]


@contextmanager
def guided(named: str, folder: Path, *, celsius: float | None, yes: bool) -> Iterator[GuidedRig]:
    """The rig of the camera named, opened and cooled; PlanError where nobody could change the light."""
    made = setup()
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    camera = made.connect(named, folder)
    if not yes and not isinstance(camera, Lamp) and not sys.stdin.isatty():
        raise PlanError("Panel and film have to be changed by hand: run this in a terminal, or say --yes.")
    camera.open()
    with closing(camera):
        _cool(camera, celsius)
        yield GuidedRig(camera, folder, ask=not yes)


def say(text: str) -> None:
    """To the user, beside what is printed."""
    print(text, file=sys.stderr, flush=True)


def _cool(camera: Camera, celsius: float | None) -> None:
    """Lead the sensor to this temperature, and stay there."""
    if celsius is None:
        return
    pace = getattr(camera, "pace", 1.0)
    cooler = Cooler(camera, lambda _: None, pace=pace)
    with closing(cooler):
        cooler.cool(Cooling(celsius=celsius))
        say(f"Cooling to {celsius:g} °C")
        time.sleep(2 * _TICK_S)
        while cooler.on_its_way:
            time.sleep(_TICK_S)


def _exposure(one: PlannedSet) -> Exposure:
    return Exposure(one.kind, one.seconds, one.gain, one.offset)
