"""The exposures of a plan, one after the other, from wherever a journal says that the night had got to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import cycle
from typing import NamedTuple

from starwell.frame import Exposure, Kind, Roi
from starwell.session.plan import After, Biases, Darks, Flats, Plan, Series, Target


@dataclass(frozen=True, slots=True)
class Step:
    """One exposure of a plan.

    series: its name in the journal; the frames done under it are what `steps` is resumed with. index: from
    0 within the series. exposure.seconds: None for a flat whose exposure is estimated before it is shot, and
    for the dark flats after it, which take the exposure of those flats. after: whether the lights are over.
    """

    series: str
    exposure: Exposure
    index: int
    count: int | None
    target: Target | None = None
    after: bool = False


def steps(
    plan: Plan, done: Mapping[str, int] | None = None, *, over: Collection[str] = (), night_over: bool = False
) -> Iterator[Step]:
    """The exposures still to be made, in order.

    done: frames taken so far, by Step.series. over: the names of targets that have ended. night_over: no
    more lights, only what follows them.
    """
    done = done or {}
    if not night_over:
        for target in plan.targets:
            if target.name not in over:
                yield from _left(_target_order(target), done)
    yield from _left(_after_order(plan), done)


def warms_up(plan: Plan) -> bool:
    """Whether the sensor is warmed up at the end."""
    asked = After.WARM_UP in plan.after
    return asked or (plan.cooling is not None and plan.cooling.warm_up)


def after_series(plan: Plan) -> tuple[Series, ...]:
    """The calibration frames that follow the lights, for every way in which lights are shot."""
    lights = [s for target in plan.targets for s in target.series if s.kind is Kind.LIGHT]
    made: dict[Series, None] = {}
    for after in plan.after:
        if after is After.FLATS:
            made.update(dict.fromkeys(_flats(plan, lights)))
        elif after is After.DARKS:
            made.update(dict.fromkeys(_darks(plan, lights)))
        elif after is After.BIASES:
            made.update(dict.fromkeys(_biases(plan, lights)))
    return tuple(made)


def named_series(plan: Plan) -> Iterator[tuple[str, Series, Target | None]]:
    """Every series with its name in the journal, and its target; None for what follows the lights."""
    for target in plan.targets:
        for line in _lines(target.name, target.series, target):
            yield line.name, line.series, target
    for line in _lines("", after_series(plan), None):
        yield line.name, line.series, None


def series_name(target: str, series: Series, repeat: int = 0) -> str:
    """The name of a series in a journal: it stays the same when a plan's counts or order change."""
    parts = [target, series.kind.value, series.filter or ""]
    parts.append("auto" if series.exposure_s is None else f"{series.exposure_s:g}s")
    parts += [f"{n}{v:g}" for n, v in (("g", series.gain), ("o", series.offset)) if v is not None]
    parts.append(f"bin{series.bin}")
    if series.roi is not None:
        parts.append("roi" + ",".join(str(v) for v in series.roi))
    return "/".join(p for p in parts if p) + (f"#{repeat + 1}" if repeat else "")


def _left(order: Iterator[Step], done: Mapping[str, int]) -> Iterator[Step]:
    return (step for step in order if step.index >= done.get(step.series, 0))


def _target_order(target: Target) -> Iterator[Step]:
    lines = _lines(target.name, target.series, target)
    if not target.pattern:
        for line in lines:
            yield from line
        return
    turns = [[line for line in lines if line.series.filter == name] for name in target.pattern]
    waiting = {id(line): line for turn in turns for line in turn}
    for turn in cycle(turns):
        for line in turn:
            step = next(line, None)
            if step is not None:
                yield step
                break
            waiting.pop(id(line), None)
        if not waiting:
            return


def _after_order(plan: Plan) -> Iterator[Step]:
    for line in _lines("", after_series(plan), None, after=True):
        yield from line


class _Line:
    """The steps of one series, one at a time."""

    def __init__(self, name: str, series: Series, target: Target | None, after: bool) -> None:
        self.name, self.series = name, series
        self._target, self._after = target, after
        self._next = 0

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        count = self.series.count
        if count is not None and self._next >= count:
            raise StopIteration
        index, self._next = self._next, self._next + 1
        return Step(self.name, self.series.exposure, index, count, self._target, self._after)


def _lines(
    prefix: str, all_series: tuple[Series, ...], target: Target | None, *, after: bool = False
) -> list[_Line]:
    met: Counter[str] = Counter()
    lines = []
    for series in all_series:
        name = series_name(prefix, series)
        lines.append(_Line(series_name(prefix, series, met[name]), series, target, after))
        met[name] += 1
    return lines


def _flats(plan: Plan, lights: list[Series]) -> Iterator[Series]:
    flats = plan.flats
    wanted = [light for light in lights if not flats.filters or light.filter in flats.filters]
    ways = dict.fromkeys((light.filter, _way(light, flats)) for light in wanted)
    shot = {name for name, _ in ways}
    alone = _Way(flats.gain, flats.offset, flats.bin or 1, None)
    ways |= dict.fromkeys((name, alone) for name in flats.filters if name not in shot)
    for name, way in ways:
        yield way.series(Kind.FLAT, flats.exposure_s, flats.count, name)
        if flats.dark_flats:
            # Dark flats of a set exposure serve every filter; estimated ones follow their own flats.
            of = name if flats.exposure_s is None else None
            yield way.series(Kind.DARK_FLAT, flats.exposure_s, flats.count, of)


def _darks(plan: Plan, lights: list[Series]) -> Iterator[Series]:
    darks = plan.darks
    for light in lights:
        for seconds in darks.exposures_s or (light.exposure_s,):
            yield _way(light, darks).series(Kind.DARK, seconds, darks.count)


def _biases(plan: Plan, lights: list[Series]) -> Iterator[Series]:
    for light in lights:
        yield _way(light, plan.biases).series(Kind.BIAS, plan.biases.exposure_s, plan.biases.count)


class _Way(NamedTuple):
    """How the sensor is read out."""

    gain: float | None
    offset: float | None
    bin: int
    roi: Roi | None

    def series(self, kind: Kind, seconds: float | None, count: int, filter_: str | None = None) -> Series:
        return Series(
            kind=kind,
            exposure_s=seconds,
            count=count,
            filter=filter_,
            gain=self.gain,
            offset=self.offset,
            bin=self.bin,
            roi=self.roi,
        )


def _way(light: Series, wanted: Flats | Darks | Biases) -> _Way:
    """As the light is read out, but for what the calibration frames' own table says."""
    return _Way(
        light.gain if wanted.gain is None else wanted.gain,
        light.offset if wanted.offset is None else wanted.offset,
        light.bin if wanted.bin is None else wanted.bin,
        light.roi,
    )
