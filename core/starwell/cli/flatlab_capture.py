"""`starwell flatlab capture`: shoots a schedule, asks for panel and film, goes on where it was broken off."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

from starwell.camera.protocol import Camera
from starwell.cli.foreground import setup
from starwell.errors import Aborted, PlanError
from starwell.files.atomic import writing
from starwell.flatlab.schedule import PlannedSet, Schedule, read
from starwell.flatlab.shooting import Shooting, frames_in
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


class _Rig:
    """Camera, files and the user's hands."""

    def __init__(self, camera: Camera, schedule: Schedule, folder: Path, *, ask: bool) -> None:
        self._camera, self._folder = camera, folder
        self._ask = ask and not isinstance(camera, Lamp)
        self._cancel = threading.Event()
        self._captures: dict[str, Capture] = {}
        self._factor = 1.0
        self._numbers = {one.name: len(frames_in(folder / one.name)) for one in schedule.sets}

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
            self._camera.shine(self._factor * one.level_e / one.seconds)

    def _capture(self, one: PlannedSet) -> Capture:
        if one.name not in self._captures:
            night = _SetFolder(self._folder / one.name)
            night.prepare()
            more: Mapping[str, object] = {"FLATSET": one.name}
            self._captures[one.name] = Capture(
                self._camera, night, self._cancel, lambda _: None, keywords=dict(more)
            )
        return self._captures[one.name]


def capture(args: argparse.Namespace) -> int:
    """Shoot what the schedule still lacks; 0, or a StarwellError that says why it ended."""
    schedule = read(args.schedule)
    made = setup()
    with writing(args.output):
        args.output.mkdir(parents=True, exist_ok=True)
    camera = made.connect(args.camera, args.output)
    if not args.yes and not isinstance(camera, Lamp) and not sys.stdin.isatty():
        raise PlanError("Panel and film have to be changed by hand: run this in a terminal, or say --yes.")
    camera.open()
    with closing(camera):
        _cool(camera, schedule)
        shooting = Shooting(
            schedule, args.output, _Rig(camera, schedule, args.output, ask=not args.yes), _say
        )
        taken = shooting.run()
    print(f"{taken} frames taken; now: starwell flatlab analyse --folder {args.output} --json R.json")
    return 0


def _cool(camera: Camera, schedule: Schedule) -> None:
    """Lead the sensor to the schedule's temperature, and stay there."""
    if schedule.celsius is None:
        return
    pace = getattr(camera, "pace", 1.0)
    cooler = Cooler(camera, lambda _: None, pace=pace)
    with closing(cooler):
        cooler.cool(Cooling(celsius=schedule.celsius))
        _say(f"Cooling to {schedule.celsius:g} °C")
        time.sleep(2 * _TICK_S)
        while cooler.on_its_way:
            time.sleep(_TICK_S)


def _exposure(one: PlannedSet) -> Exposure:
    return Exposure(one.kind, one.seconds, one.gain, one.offset)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
