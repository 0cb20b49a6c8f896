"""A pipeline for each combination of a night, as its plan wants it, with its masters looked over."""

from __future__ import annotations

from collections.abc import Callable

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.master import Masters
from starwell.calibration.noise_share import dim_flat_warning
from starwell.errors import StarwellError
from starwell.frame import Colour, Facts, Kind
from starwell.sensor.store import find
from starwell.session.advice_audit import Audit
from starwell.session.automatic import masters_for
from starwell.session.build import Method
from starwell.session.events import Event, QualityAdvice
from starwell.session.intake import Intake, Reader
from starwell.session.master_audit import look_over
from starwell.session.pipeline import Pipeline
from starwell.session.plan import MasterPaths, Plan
from starwell.stack.kernels import Kernel


class StackMaking:
    """Builds pipelines. publish: hears what is to be said of the masters, once for each thing."""

    def __init__(
        self,
        plan: Plan,
        reread: Reader,
        publish: Callable[[Event], None],
        audited: Callable[[Audit, int], None] | None = None,
    ) -> None:
        self._masters = plan.masters
        self._options = plan.stack
        self._reread = reread
        self._publish = publish
        self._audited = audited
        self._said: set[str] = set()
        lights = (s for target in plan.targets for s in target.series if s.kind is Kind.LIGHT)
        self._planned = sum(series.count or 0 for series in lights) or None

    def __call__(self, facts: Facts, wanted: MasterPaths | None = None) -> Pipeline:
        """The pipeline of a combination that this sub is the first of; MasterError where none fits.

        wanted: masters in place of the plan's.
        """
        masters, chosen = masters_for(wanted or self._masters, facts, self._reread)
        calibrator = Calibrator(masters, facts)
        sensor = find(facts)
        intake = Intake(calibrator, masters, colour=Colour(self._options.colour), sensor=sensor)
        for told in (chosen, *intake.warnings, dim_flat_warning(masters.flat, self._planned)):
            if told and told not in self._said:
                self._said.add(told)
                self._publish(QualityAdvice(subject="masters", advice=told))
        self._look_over(facts, masters, intake)
        method = Method(Kernel(self._options.kernel), self._options.reject == "noise-model")
        return Pipeline(intake, self._reread, method, read=self._reread)

    def _look_over(self, facts: Facts, masters: Masters, intake: Intake) -> None:
        """What the first sub says of the masters."""
        if self._audited is None:
            return
        try:
            frame = self._reread(facts.number, intake.room)
        except StarwellError:
            return  # it is told when it is the sub's turn
        audited = look_over(frame, masters, intake)
        if audited is not None:
            self._audited(audited, facts.number)
