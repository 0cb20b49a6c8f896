"""The lights of a run stacked as they come, and written into the night."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from starwell.calibration.calibrate import Calibrator
from starwell.calibration.library import load_masters
from starwell.files import pictures
from starwell.files.frames import open_frame
from starwell.frame import Facts, Frame, Kind
from starwell.picture.preview import preview
from starwell.session.build import Method
from starwell.session.events import Event, StackSaved, SubStacked
from starwell.session.intake import Intake
from starwell.session.night_files import Night
from starwell.session.output import Stacked, finished, save
from starwell.session.pipeline import Pipeline
from starwell.session.stack_files import MasterPaths
from starwell.session.stacks import Stacks

_PICTURE_PX = (1080, 1920)
_PICTURE_EVERY_S = 5.0


class LiveStacks:
    """One running stack per combination; latest.png shows the one that grew last."""

    def __init__(
        self,
        night: Night,
        masters: MasterPaths,
        method: Method | None = None,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.stacks = Stacks(self._pipeline, self._reread)
        self.warnings: dict[str, None] = {}
        self._night = night
        self._paths = masters
        self._method = method
        self._facts: dict[int, Facts] = {}
        self._now = now
        self._next_picture = 0.0

    @property
    def counts(self) -> tuple[int, int]:
        """Subs stacked, and rejected."""
        members = [stack.pipeline.members for stack in self.stacks.all]
        stacked = sum(m.count() for m in members)
        return stacked, sum(len(m.by_number) for m in members) - stacked

    @property
    def livetime_s(self) -> float | None:
        """Light in all stacks together; None where nothing is known of it."""
        known = [t for s in self.stacks.all if (t := s.pipeline.members.livetime_s()) is not None]
        return sum(known) if known else None

    def deliver(self, frame: Frame) -> Iterator[Event]:
        """Stack a light that is safe on disk; other kinds are left alone."""
        if frame.facts.exposure.kind is not Kind.LIGHT:
            return
        self._facts[frame.facts.number] = frame.facts
        grew = False
        for event in self.stacks.feed(frame):
            grew = grew or isinstance(event, SubStacked)
            yield event
        if grew and self._now() >= self._next_picture:
            self._draw()
            self._next_picture = self._now() + _PICTURE_EVERY_S

    def finish(self) -> Iterator[Event]:
        """The series is over."""
        yield from self.stacks.finish()

    def save(self) -> Iterator[Event]:
        """Write every stack, with its maps, in place of older ones, and latest.png."""
        for stack in self.stacks.all:
            whole = _finished(stack.pipeline)
            if whole is None:
                continue
            path = self._night.stack_path(stack.label)
            path.parent.mkdir(exist_ok=True)
            save(path, whole, overwrite=True)
            yield StackSaved(
                file=str(path.relative_to(self._night.folder)),
                stacked=whole.stacked,
                livetime_s=whole.livetime_s,
                stack=stack.label,
            )
        self._draw()

    def _draw(self) -> None:
        latest = self.stacks.latest
        if latest is None or latest.pipeline.stack is None:
            return
        stack, intake = latest.pipeline.stack, latest.pipeline.intake
        picture = preview(stack.mean(), max_px=_PICTURE_PX, white_adu=intake.model.saturation_adu)
        upright = picture if intake.facts.top_down else picture[::-1]
        pictures.write_png(self._night.latest_picture, upright, overwrite=True)

    def _pipeline(self, facts: Facts) -> Pipeline:
        paths = self._paths
        masters = load_masters(
            bias=paths.bias, dark=paths.dark, flat=paths.flat, dark_flat=paths.dark_flat, lights=facts
        )
        intake = Intake(Calibrator(masters, facts), masters)
        self.warnings |= dict.fromkeys(intake.warnings)
        return Pipeline(intake, self._reread, self._method)

    def _reread(self, number: int) -> Frame:
        facts = self._facts[number]
        assert facts.source is not None
        return Frame(facts, open_frame(facts.source).pixels)


def _finished(pipeline: Pipeline) -> Stacked | None:
    if pipeline.stack is None or pipeline.reference is None:
        return None
    return finished(pipeline.stack, pipeline.intake, pipeline.members, pipeline.reference.facts)
