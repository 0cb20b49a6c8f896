"""How fast this machine stacks: a few subs of two sizes measured, other sizes from the line through them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from starwell.calibration.calibrate import Calibrator
from starwell.frame import Bayer, Frame
from starwell.session.budget import Need, budget
from starwell.session.intake import Intake
from starwell.session.pipeline import Pipeline
from starwell.session.trial_frames import TrialFrames

SIZES = ((1096, 1936), (3008, 3008))
"""Height and width of what is measured: the ASI462's 2 MP and the ASI533's 9 MP."""

_WARM_UP, _MOST = 7, 6
_LEAST_SHARE = 0.5
"""Of the time it may take, what must be left to begin with a size."""

Clock = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Sensor:
    """A camera's sensor, by the name its makers give to the camera."""

    camera: str
    size: tuple[int, int]
    colour: bool

    @property
    def megapixels(self) -> float:
        """Of a frame at bin 1."""
        return self.size[0] * self.size[1] / 1e6


_SENSORS = (
    ("ASI462", (1096, 1936), "C"),
    ("ASI585", (2180, 3856), "C"),
    ("ASI533", (3008, 3008), "MC"),
    ("ASI294", (2822, 4144), "MC"),
    ("ASI1600", (3520, 4656), "M"),
    ("ASI183", (3672, 5496), "MC"),
    ("ASI2600", (4176, 6248), "MC"),
    ("ASI2400", (4056, 6072), "C"),
    ("ASI6200", (6388, 9576), "MC"),
)
SENSORS = tuple(
    Sensor(f"{name}M{kind}", size, kind == "C") for name, size, kinds in _SENSORS for kind in kinds
)
"""Common deep-sky cameras of ZWO's, in mono (MM) and colour (MC)."""


@dataclass(frozen=True, slots=True)
class Case:
    """What was measured: seconds to stack a sub once the stack is warm, over so many subs."""

    size: tuple[int, int]
    colour: bool
    seconds: float
    subs: int

    @property
    def megapixels(self) -> float:
        """Of a sub."""
        return self.size[0] * self.size[1] / 1e6


@dataclass(frozen=True, slots=True)
class Line:
    """Seconds to a sub of any size: start + slope·MP, through what was measured."""

    start: float
    slope: float

    @staticmethod
    def through(cases: Sequence[Case]) -> Line | None:
        """None without cases; through the origin with one."""
        if not cases:
            return None
        small, large = min(cases, key=lambda c: c.megapixels), max(cases, key=lambda c: c.megapixels)
        if small is large:
            return Line(0.0, large.seconds / large.megapixels)
        slope = (large.seconds - small.seconds) / (large.megapixels - small.megapixels)
        if slope <= 0:  # a disturbed measurement: the larger one is nearer to the truth
            return Line(0.0, large.seconds / large.megapixels)
        return Line(small.seconds - slope * small.megapixels, slope)

    def seconds(self, megapixels: float) -> float:
        """For a sub of this size."""
        return max(0.0, self.start + self.slope * megapixels)


def cases(limit_s: float, available: int | None = None, clock: Clock = time.perf_counter) -> Iterator[Case]:
    """Measure small subs first, mono and colour; ends when the time or the memory does."""
    ends = clock() + limit_s
    took = 0.0
    for size in SIZES:
        for colour in (False, True):
            needed = budget(Need(size, mosaic=colour)).peak_bytes + 2 * _WARM_UP * size[0] * size[1]
            if clock() + _LEAST_SHARE * took * size[0] * size[1] > ends or (
                available is not None and needed > available
            ):
                return
            begun = clock()
            case = measured(TrialFrames(size, Bayer.RGGB if colour else None), ends, clock)
            took = (clock() - begun) / (size[0] * size[1])
            if case is not None:
                yield case


def measured(frames: TrialFrames, ends: float, clock: Clock) -> Case | None:
    """Stack subs until there are enough or it is time; None where the time did for the warm-up only."""
    masters, facts = frames.masters(), frames.facts
    first = {number: frames.light(number) for number in range(1, _WARM_UP + 1)}
    pipeline = Pipeline(Intake(Calibrator(masters, facts), masters), first.__getitem__)
    del masters
    told: list[float] = []
    try:
        for number in range(1, _WARM_UP + _MOST + 1):
            if clock() > ends:
                break
            seconds = _fed(pipeline, first.get(number) or frames.light(number), clock)
            if number > _WARM_UP:
                told.append(seconds)
    finally:
        pipeline.close()
    return Case(facts.size, facts.bayer is not None, median(told), len(told)) if told else None


def _fed(pipeline: Pipeline, frame: Frame, clock: Clock) -> float:
    begun = clock()
    for _ in pipeline.feed(frame):
        pass
    return clock() - begun
