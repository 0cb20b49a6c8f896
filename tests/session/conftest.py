"""Simulated nights of known truth, walked through the pipeline without a disk between."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Master, Masters, unit_mean
from starwell.camera.sky import Sky, SkyPlan
from starwell.frame import Colour, Facts, Frame, Kind
from starwell.session.build import Method
from starwell.session.events import Event, StackMeasured
from starwell.session.exact import ExactRun
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
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

    def frame(self, number: int) -> Frame:
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
def night() -> Iterator[Callable[..., Night]]:
    """Makes nights. Those of one plan share their frames, for the sky takes longer than the stack."""
    nights: list[Night] = []
    shot: dict[str, dict[int, Frame]] = {}

    def make(plan: SkyPlan, **how: Any) -> Night:
        one = Night(plan, **how)
        if "change" not in how:
            one.frames = shot.setdefault(repr(plan), one.frames)
        nights.append(one)
        return one

    yield make
    for one in nights:
        if one.pipeline.stack is not None:
            one.pipeline.stack.close()


@pytest.fixture(scope="session")
def masters_of() -> Callable[..., Masters]:
    return perfect_masters
