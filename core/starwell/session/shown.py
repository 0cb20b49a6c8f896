"""What others see of the stacks: pictures for the screen, latest.png for guests, FITS files for the day."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starwell.files import pictures
from starwell.files.atomic import writing
from starwell.frame import Frame
from starwell.picture.stretch import Stretch
from starwell.session.box import measured_box
from starwell.session.earlier import earlier_stack
from starwell.session.events import Event, StackMeasured, StackSaved
from starwell.session.face import Box, Look
from starwell.session.intake import Reread
from starwell.session.looking import Looking
from starwell.session.night_files import Night
from starwell.session.output import Unit, finished, save
from starwell.session.stacks import Stack, Stacks
from starwell.session.views import Style

_LATEST_PX = (1080, 1920)


class Shown:
    """Draws and writes the stacks of a night; nothing here changes them. One thread calls, but `earlier`.

    data: where other nights are.
    """

    def __init__(
        self,
        night: Night,
        publish: Callable[[Event], None],
        reread: Reread,
        preview_px: tuple[int, int],
        unit: Unit = Unit.FULL_SCALE,
        data: Path | None = None,
    ) -> None:
        self._night = night
        self._publish = publish
        self._unit = unit
        self._data = data
        self._looking = Looking(publish, reread, self.earlier, preview_px)
        self._saved: dict[str, int] = {}
        self._noise: dict[str, StackMeasured] = {}
        self._box = Box()

    def stretch(self, name: Stretch, black: float, white: float) -> None:
        """Stretch the pictures like this, from now on."""
        self._looking.stretch(Style(name, (black, white)))

    def look(self, look: Look) -> None:
        """Show this from now on, beside the stack."""
        self._looking.at(look)

    def measure(self, box: Box) -> None:
        """Measure what is in this box, now and whenever the stack changes."""
        self._box = box
        self._measure()

    def look_at(self, stack: Stack | None) -> None:
        """The stack that is shown; it changed."""
        self._looking.stack = stack
        self._measure()

    def hear(self, event: Event) -> None:
        """Something that the stacks tell."""
        if isinstance(event, StackMeasured):
            self._noise[event.stack] = event

    def take(self, frame: Frame, *, show: bool) -> None:
        """The newest sub."""
        self._looking.take(frame, show=show)

    def publish_stack(self) -> None:
        """Show the stack."""
        self._looking.show_stack()

    def earlier(self) -> Path | None:
        """The newest stack of what is shown from another night."""
        stack = self._looking.stack
        target = stack.combination.target if stack is not None else None
        return earlier_stack(self._data, self._night.folder, target)

    def write_latest(self) -> None:
        """latest.png; raises StorageError."""
        drawn = self._looking.picture(_LATEST_PX)
        if drawn is not None:
            pictures.write_png(self._night.latest_picture, drawn, overwrite=True)

    def _measure(self) -> None:
        stack = self._looking.stack
        if stack is not None and self._box.width > 0 and self._box.height > 0:
            told = measured_box(stack, self._box, self._noise.get(stack.label))
            if told is not None:
                self._publish(told)

    def save(self, stacks: Stacks, *, again: bool = False) -> None:
        """Write every stack that changed since, or all of them again, each whole; raises StorageError."""
        for stack in stacks.all:
            if again or self._saved.get(stack.label) != stack.changes:
                self._save(stack)
                self._saved[stack.label] = stack.changes
        self.write_latest()

    def _save(self, stack: Stack) -> None:
        pipeline = stack.pipeline
        if pipeline.stack is None or pipeline.reference is None:
            return
        whole = finished(pipeline.stack, pipeline.intake, pipeline.members, pipeline.reference.facts)
        path = self._night.stack_path(stack.label)
        with writing(path):
            path.parent.mkdir(exist_ok=True)
        save(path, whole, unit=self._unit, overwrite=True)
        self._publish(
            StackSaved(
                file=str(path.relative_to(self._night.folder)),
                stacked=whole.stacked,
                livetime_s=whole.livetime_s,
                stack=stack.label,
            )
        )
