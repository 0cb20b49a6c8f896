"""Simulated nights of known truth, walked through the pipeline without a disk between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import load_masters
from starwell.calibration.master import Master, Masters, constant_bias, unit_mean
from starwell.camera.sky import Sky, SkyPlan
from starwell.files import fits
from starwell.files.keywords import keywords_of
from starwell.frame import Colour, Facts, Float32, Frame, Kind
from starwell.session.build import Method
from starwell.session.events import Event, StackMeasured
from starwell.session.exact import ExactRun
from starwell.session.intake import Intake
from starwell.session.journal import Journal
from starwell.session.night_files import Night as NightFolder
from starwell.session.pipeline import Pipeline
from starwell.session.plan import MasterPaths
from starwell.session.saved_frames import SavedFrames, saved_record
from starwell.session.stacking import Stacking
from starwell.session.stacks import Stacks
from starwell.session.truth import Comparison, compare
from starwell.stack.kernels import Kernel

LANCZOS = Method(Kernel.LANCZOS, threads=2)


def perfect_masters(sky: Sky, *, flat: bool = True) -> Masters:
    """The simulated sensor's own truth as dark and flat: masters without noise."""
    chip, silicon = sky.plan.chip, sky.silicon
    learnt = {"egain": chip.file_egain, "read_noise_e": chip.read_noise_e}
    charge = silicon.fixed_e + silicon.dark_e_s * np.float32(sky.plan.seconds)
    dark = ((chip.offset_adu + charge / chip.egain) * (1 << chip.shift)).astype(np.float32)
    facts = sky.dark(0).facts
    dark_charge = {
        **learnt,
        "dark_adu": float(np.median(silicon.dark_e_s) * sky.plan.seconds / chip.file_egain),
    }
    of_dark = Master(Kind.DARK, dark, facts, float(np.median(dark)), learnt=dark_charge)
    if not flat:
        return Masters(dark=of_dark)
    facts = sky.flat(0).facts
    response = unit_mean(sky.flat_field, facts)
    return Masters(dark=of_dark, flat=Master(Kind.FLAT, response, facts, 30_000.0, learnt=learnt))


class Night:
    """A simulated night: sub n is the sky's light n - 1. Frames are kept, so that each is drawn once."""

    def __init__(
        self,
        plan: SkyPlan,
        *,
        masters: Masters | None = None,
        colour: Colour = Colour.FULL,
        method: Method = LANCZOS,
        change: Callable[[int, Frame], Frame] | None = None,
    ) -> None:
        self.sky = Sky(plan)
        self.masters = perfect_masters(self.sky) if masters is None else masters
        self.colour = colour
        self.method = method
        self.events: list[Event] = []
        self._change = change
        self.frames: dict[int, Frame] = {}
        self.pipeline = Pipeline(self.intake(), self.frame, method)

    def intake(self) -> Intake:
        facts = self._facts()
        return Intake(Calibrator(self.masters, facts), self.masters, colour=self.colour)

    def _facts(self) -> Facts:
        return self.sky.light(0).facts

    def frame(self, number: int, room: Float32 | None = None) -> Frame:
        if number not in self.frames:
            shot = self.sky.light(number - 1)
            shot = Frame(replace(shot.facts, number=number), shot.pixels)
            self.frames[number] = self._change(number, shot) if self._change else shot
        return self.frames[number]

    def feed(self, numbers: Iterable[int]) -> Night:
        for number in numbers:
            self.events += self.pipeline.feed(self.frame(number))
        return self

    def finish(self) -> Night:
        self.events += self.pipeline.finish()
        return self

    def live(self, subs: int) -> Night:
        """The whole night, live."""
        return self.feed(range(1, subs + 1)).finish()

    def exact(
        self, numbers: Iterable[int], *, reference: int | None = None, method: Method | None = None
    ) -> ExactRun:
        """The same subs stacked exactly."""
        run = ExactRun(self.intake(), self.frame, list(numbers), method or self.method, reference=reference)
        self.events += run.run()
        return run

    def told(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def told_noise(self) -> StackMeasured:
        """The last noise figures."""
        return [event for event in self.events if isinstance(event, StackMeasured)][-1]

    def truth(self) -> Comparison:
        found = compare(self.sky, self.pipeline)
        assert found is not None
        return found


@pytest.fixture(scope="module")
def night() -> Callable[..., Night]:
    """Makes nights. Those of one plan share their frames, for the sky takes longer than the stack."""
    shot: dict[str, dict[int, Frame]] = {}

    def make(plan: SkyPlan, **how: Any) -> Night:
        one = Night(plan, **how)
        if "change" not in how:
            one.frames = shot.setdefault(repr(plan), one.frames)
        return one

    return make


class SavedNight:
    """A night on disk with its journal, as an engine keeps one; stacks its lights in a thread."""

    def __init__(self, folder: Path, masters: Masters | None = None) -> None:
        self.night = NightFolder(folder)
        self.night.prepare()
        self.journal = Journal(folder / "journal.jsonl")
        self.masters = masters or Masters(bias=constant_bias(500))
        self.events: list[Event] = []
        self.stacking: Stacking | None = None

    def open(self, **how: Any) -> Stacking:
        """Take the night up and begin to stack."""
        frames = SavedFrames(self.night, self.journal)

        def make(facts: Facts, wanted: MasterPaths | None = None) -> Pipeline:
            masters = self.masters
            if wanted is not None:
                masters = load_masters(bias=wanted.bias, dark=wanted.dark, flat=wanted.flat, lights=facts)
            intake = Intake(Calibrator(masters, facts), masters)
            return Pipeline(intake, frames, Method(threads=2))

        rare = {"checkpoint_every_s": 1e3, "save_every_s": 1e3, "preview_every_s": 1e3}
        stacking = Stacking(self.night, self.journal, make, self.events.append, **{**rare, **how})
        stacking.resume()
        stacking.start()
        self.stacking = stacking
        return stacking

    def write(self, number: int, frame: Frame) -> Frame:
        """The frame on disk as this number, without a line in the journal."""
        path = self.night.path(frame.facts, number)
        path.parent.mkdir(parents=True, exist_ok=True)
        fits.write(path, frame.pixels, keywords_of(frame.facts))
        return Frame(replace(frame.facts, number=number, source=path), frame.pixels)

    def take(self, number: int, frame: Frame) -> Frame:
        """The frame on disk and in the journal."""
        written = self.write(number, frame)
        self.journal.append(saved_record(self.night, written.facts))
        return written

    def feed(self, frames: Mapping[int, Frame], *, in_memory: bool = True) -> SavedNight:
        """Take these frames and wait until they are stacked."""
        assert self.stacking is not None
        for number, frame in frames.items():
            taken = self.take(number, frame)
            self.stacking.put(number, taken if in_memory else None)
        assert self.stacking.drained(120)
        return self

    def again(self, **how: Any) -> SavedNight:
        """The night as another process finds it."""
        self.journal.close()
        return SavedNight(self.night.folder, self.masters).opened(**how)

    def opened(self, **how: Any) -> SavedNight:
        self.open(**how)
        return self

    @property
    def stacks(self) -> Stacks:
        assert self.stacking is not None
        return self.stacking._stacks

    def sums(self) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
        """Copies of everything that all stacks consist of, by label."""
        assert self.stacking is not None
        assert self.stacking.drained(120)
        return {
            stack.label: {n: a.copy() for n, a in stack.pipeline.stack.state().items()}
            for stack in self.stacks.all
            if stack.pipeline.stack is not None
        }

    def stacked(self) -> dict[str, list[int]]:
        """Which subs are in which stack."""
        return {s.label: [n for n, _ in s.pipeline.members.stacked()] for s in self.stacks.all}

    def told(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def close(self) -> None:
        if self.stacking is not None:
            self.stacking.close(finish=False)
        self.journal.close()


@pytest.fixture
def saved_night(tmp_path: Path) -> Iterator[Callable[..., SavedNight]]:
    """Makes nights on disk, begun; each in a folder of its own unless told which."""
    nights: list[SavedNight] = []

    def make(name: str | None = None, masters: Masters | None = None, **how: Any) -> SavedNight:
        night = SavedNight(tmp_path / (name or f"night{len(nights)}"), masters)
        nights.append(night)
        return night.opened(**how)

    yield make
    for night in nights:
        night.close()


@pytest.fixture(scope="session")
def masters_of() -> Callable[..., Masters]:
    return perfect_masters
