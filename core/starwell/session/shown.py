"""What others see of the stacks: pictures for the screen, latest.png for guests, FITS files for the day."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from starwell.files import pictures
from starwell.files.atomic import writing
from starwell.frame import Facts, Frame, Pixels
from starwell.picture import colour, debayer
from starwell.picture.preview import Picture, preview
from starwell.picture.stretch import Stretch, StretchLock
from starwell.session.events import Event, PreviewReady, StackSaved
from starwell.session.night_files import Night
from starwell.session.output import Unit, finished, save
from starwell.session.stacks import Stack, Stacks

_LATEST_PX = (1080, 1920)


class Shown:
    """Draws and writes the stacks of a night; nothing here changes them. One thread calls."""

    def __init__(
        self,
        night: Night,
        publish: Callable[[Event], None],
        preview_px: tuple[int, int],
        unit: Unit = Unit.FULL_SCALE,
    ) -> None:
        self._night = night
        self._publish = publish
        self._preview_px = preview_px
        self._unit = unit
        self._stretch = Stretch.AUTO
        self._locks: dict[str, StretchLock] = {}
        self._saved: dict[str, int] = {}
        self._stack: Stack | None = None

    def set_stretch(self, stretch: Stretch) -> None:
        """Stretch the pictures like this, from now on."""
        self._stretch = stretch
        self._locks.clear()
        self.publish_stack()

    def look_at(self, stack: Stack | None) -> None:
        """The stack that is shown."""
        self._stack = stack

    def publish_sub(self, frame: Frame) -> None:
        """Show a sub as the camera gave it."""
        facts, pixels = frame.facts, frame.pixels
        if facts.bayer is not None and pixels.ndim == 2 and min(pixels.shape) >= 2:
            pixels = debayer.super_pixel(pixels, facts.bayer)
        drawn = preview(
            pixels,
            max_px=self._preview_px,
            stretch=self._stretch,
            neutral=colour.suits(facts.exposure.filter),
            white_adu=facts.saturation_adu,
        )
        self._publish(_event("sub", facts.number, _upright(facts, drawn)))

    def publish_stack(self) -> None:
        """Show the stack."""
        stack = self._stack
        if stack is None:
            return
        lock = self._locks.setdefault(stack.label, StretchLock())
        drawn = self._drawn(stack, self._preview_px, lock)
        if drawn is not None:
            self._publish(_event("stack", stack.pipeline.members.count(), drawn, stack.label))

    def write_latest(self) -> None:
        """latest.png; raises StorageError."""
        drawn = self._drawn(self._stack, _LATEST_PX) if self._stack is not None else None
        if drawn is not None:
            pictures.write_png(self._night.latest_picture, drawn, overwrite=True)

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

    def _drawn(self, stack: Stack, px: tuple[int, int], lock: StretchLock | None = None) -> Picture | None:
        running, facts = stack.pipeline.stack, stack.pipeline.intake.facts
        if running is None:
            return None
        step = max(1, min(running.size[0] // px[0], running.size[1] // px[1]))
        mean: Pixels = running.mean(step=step)
        drawn = preview(
            mean,
            max_px=px,
            stretch=self._stretch,
            neutral=colour.suits(facts.exposure.filter),
            white_adu=facts.saturation_adu,
            lock=lock,
        )
        return _upright(facts, drawn)


def _upright(facts: Facts, picture: Picture) -> Picture:
    """Files that count rows from the bottom are turned over."""
    return picture if facts.top_down else np.ascontiguousarray(picture[::-1])


def _event(of: str, number: int, picture: Picture, stack: str = "") -> PreviewReady:
    rows, columns = picture.shape[:2]
    channels = picture.shape[2] if picture.ndim == 3 else 1
    return PreviewReady(
        of=of,
        number=number,
        rows=rows,
        columns=columns,
        channels=channels,
        pixels=picture.tobytes(),
        stack=stack,
    )
