"""What was set by hand for the frames to come, on top of the plan."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from starwell.frame import Exposure
from starwell.session.plan import Plan, Series, Target
from starwell.session.plan_walk import Step, named_series

SHOT = {"exposure": "seconds", "gain": "gain", "offset": "offset", "bin": "bin"}
"""Settings of every light to come, by the names of an Exposure."""

OF_SERIES = ("filter", "frames")
OF_TARGET = ("target",)
SETTINGS = (*SHOT, *OF_SERIES, *OF_TARGET)
"""All that is set in the plan's place; everything else is a control of the camera."""


class Adjustments:
    """A plan as it is carried out. plan: with the numbers of frames that were asked for since."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self._shot: dict[str, float | int] = {}
        self._filters: dict[str, str] = {}
        self._targets: dict[str, str] = {}

    def set(self, name: str, value: float | str, series: str) -> None:
        """Take a setting of SETTINGS over; series: the one at hand, by its name in the journal."""
        if name == "frames":
            self.plan = with_count(self.plan, series, int(value))
        elif name == "filter":
            self._filters[series] = str(value)
        elif name == "target":
            self._targets[_target_of(self.plan, series)] = str(value)
        else:
            self._shot[SHOT[name]] = int(value) if name == "bin" else float(value)

    def exposure(self, step: Step, shot: Exposure) -> Exposure:
        """The exposure with what was set since; what follows the lights stays as planned."""
        if step.after:
            return shot
        shot = replace(shot, **self._shot)  # type: ignore[arg-type]  # the names are an Exposure's
        return replace(shot, filter=self.filter(step))

    def filter(self, step: Step) -> str | None:
        """The filter to be in the light's way."""
        return self._filters.get(step.series, step.exposure.filter)

    def target(self, step: Step) -> str | None:
        """What the light is of."""
        named = step.target.name if step.target is not None else ""
        return self._targets.get(named, named) or None


def with_count(plan: Plan, name: str, count: int) -> Plan:
    """The plan with so many frames of the series of this name."""
    changed = {id(series): count for named, series, _ in named_series(plan) if named == name}

    def series_of(target: Target) -> tuple[Series, ...]:
        return tuple(
            msgspec.structs.replace(one, count=changed[id(one)]) if id(one) in changed else one
            for one in target.series
        )

    targets = (msgspec.structs.replace(target, series=series_of(target)) for target in plan.targets)
    return msgspec.structs.replace(plan, targets=tuple(targets))


def _target_of(plan: Plan, name: str) -> str:
    return next((t.name for named, _, t in named_series(plan) if named == name and t is not None), "")
