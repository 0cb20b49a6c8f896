"""A pipeline for each combination of a night, as its plan wants it, with its masters looked over."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from starwell.calibration.calibrate import Calibrator, cut
from starwell.calibration.master import Masters
from starwell.errors import StarwellError
from starwell.frame import Colour, Facts, Float32, Planes
from starwell.sensor.store import find
from starwell.session.advice_audit import Audit, audit
from starwell.session.automatic import masters_for
from starwell.session.build import Method
from starwell.session.events import Event, QualityAdvice
from starwell.session.intake import Intake, Reread, Unfit
from starwell.session.pipeline import Pipeline
from starwell.session.plan import Plan
from starwell.stack.kernels import Kernel


class StackMaking:
    """Builds pipelines. publish: hears what is to be said of the masters, once for each thing."""

    def __init__(
        self,
        plan: Plan,
        reread: Reread,
        publish: Callable[[Event], None],
        audited: Callable[[Audit, int], None] | None = None,
    ) -> None:
        self._masters = plan.masters
        self._options = plan.stack
        self._reread = reread
        self._publish = publish
        self._audited = audited
        self._said: set[str] = set()

    def __call__(self, facts: Facts) -> Pipeline:
        """The pipeline of a combination that this sub is the first of; MasterError where none fits."""
        masters, chosen = masters_for(self._masters, facts, self._reread)
        calibrator = Calibrator(masters, facts)
        sensor = find(facts)
        intake = Intake(calibrator, masters, colour=Colour(self._options.colour), sensor=sensor)
        for told in (chosen, *intake.warnings):
            if told and told not in self._said:
                self._said.add(told)
                self._publish(QualityAdvice(subject="masters", advice=told))
        self._look_over(facts, masters)
        method = Method(Kernel(self._options.kernel), self._options.reject == "noise-model")
        return Pipeline(intake, self._reread, method)

    def _look_over(self, facts: Facts, masters: Masters) -> None:
        """What the first sub says of the masters."""
        if self._audited is None:
            return
        if masters.dark is None and masters.flat is None and masters.bias is None:
            return
        try:
            frame = self._reread(facts.number)
        except StarwellError:
            return  # it is told when it is the sub's turn
        calibrated = Intake(Calibrator(masters, facts), masters).calibrate(frame)
        if isinstance(calibrated, Unfit):
            return
        planes = Planes.of(facts)
        plane = planes.planes[len(planes.planes) // 2]
        dark, flat = (
            None if master is None else np.ascontiguousarray(planes.view(cut(master, facts), plane))
            for master in (masters.dark, masters.flat)
        )
        repaired = np.zeros(facts.size, dtype=bool)
        repaired[calibrated.defects_xy[:, 1], calibrated.defects_xy[:, 0]] = True
        seen: Float32 = np.ascontiguousarray(planes.view(calibrated.pixels, plane))
        audited = audit(seen, dark, flat, planes.view(repaired, plane))
        self._audited(audited, facts.number)
