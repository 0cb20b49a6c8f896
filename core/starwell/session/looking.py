"""What a screen looks at, drawn when it is asked for and when it changes."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from starwell.files.frames import open_frame
from starwell.frame import Facts, Frame
from starwell.picture.preview import Picture
from starwell.picture.stretch import StretchLock
from starwell.session.events import Event, PreviewReady
from starwell.session.face import Look
from starwell.session.histogram import histogram
from starwell.session.intake import Reread, Unfit
from starwell.session.stacks import Stack
from starwell.session.views import Box, Counts, Linear, Size, Style, View, of_frame, of_stack

LOOKS = ("stack", "sub", "calibrated", "masked", "coverage", "reference")
_OF_SUB = ("sub", "calibrated")
_OF_STACK = ("masked", "coverage")
LARGEST_PART = (1600, 1200)
"""Width and height of a part at most."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A view, and what is said with its picture. scale: sensor pixels to one of the view's."""

    view: View
    facts: Facts
    number: int
    stack: str = ""
    scale: float = 1.0


class Looking:
    """Draws pictures for the screen. One thread calls.

    reread: frames by number. earlier: the file of an earlier stack of the same field.
    """

    def __init__(
        self,
        publish: Callable[[Event], None],
        reread: Reread,
        earlier: Callable[[], Path | None],
        fit_px: Size,
    ) -> None:
        self.stack: Stack | None = None
        self.look = Look()
        self._style = Style()
        self._publish = publish
        self._reread = reread
        self._earlier = earlier
        self._fit_px = fit_px
        self._locks: dict[str, StretchLock] = {}
        self._sub = 0
        self._held: Frame | None = None
        self._kept: tuple[object, Subject] | None = None

    def at(self, look: Look) -> None:
        """Show this from now on."""
        self.look = look
        if look.of not in _OF_SUB:
            self._held = None
        self.show(look.of)

    def stretch(self, style: Style) -> None:
        """Draw everything like this from now on."""
        self._style, self._kept = style, None
        self._locks.clear()
        self.show("stack")
        if self.look.of != "stack":
            self.show(self.look.of)

    def take(self, frame: Frame, *, show: bool) -> None:
        """The newest sub; it is drawn where it is looked at, or nothing else is there yet to be seen."""
        self._sub = frame.facts.number
        told = histogram("sub", self._sub, frame.pixels)
        if told is not None:
            self._publish(told)
        self._held = frame if self.look.of in _OF_SUB else None
        if show and self.look.of in _OF_SUB:
            self.show(self.look.of)
        elif show and (self.stack is None or self.stack.pipeline.stack is None):
            self._held = frame
            self.show("sub")
            self._held = None

    def show_stack(self) -> None:
        """The stack changed."""
        self.show("stack")
        if self.look.of in _OF_STACK:
            self.show(self.look.of)

    def picture(self, px: Size) -> Picture | None:
        """The stack to be kept as a picture."""
        subject = self._subject("stack")
        return None if subject is None else _upright(subject.facts, subject.view.whole(px))

    def show(self, of: str) -> None:
        """Draw it now; nothing where there is nothing yet. StorageError for a file that is gone."""
        subject = self._subject(of)
        if subject is None:
            return
        crop = self.look.crop if of == self.look.of else None
        self._publish(self._drawn(of, subject, crop))
        if isinstance(subject.view, Linear) and subject.view.shown is not None:
            told = histogram(of, subject.number, subject.view.shown, subject.stack)
            if told is not None:
                black, white = subject.view.ends_adu
                self._publish(msgspec.structs.replace(told, black_adu=black, white_adu=white))

    def _drawn(self, of: str, subject: Subject, crop: Box | None) -> PreviewReady:
        height, width = subject.view.size
        if crop is None:
            picture = _upright(subject.facts, subject.view.whole(self._fit_px))
            scale = subject.scale * width / picture.shape[1]
        else:
            x, y, wide, tall = crop = _inside(crop, subject.view.size)
            rows = y if subject.facts.top_down else height - y - tall
            picture = _upright(subject.facts, subject.view.part((x, rows, wide, tall)))
            scale = subject.scale
        return PreviewReady(
            of=of,
            number=subject.number,
            rows=picture.shape[0],
            columns=picture.shape[1],
            channels=picture.shape[2] if picture.ndim == 3 else 1,
            pixels=picture.tobytes(),
            full_rows=height,
            full_columns=width,
            crop=crop,
            scale=scale,
            stack=subject.stack,
            stretch=self._style.stretch.value,
            points=self._style.points,
        )

    def _subject(self, of: str) -> Subject | None:
        stack = self.stack
        if of == "calibrated":  # the next sub overwrites its pixels
            return self._calibrated()
        key = (of, self._sub) if of == "sub" else (of, *_state(stack)) if stack else (of,)
        if self._kept is None or self._kept[0] != key:
            subject = self._frame() if of == "sub" else self._file() if of == "reference" else self._of(of)
            self._kept = (key, subject) if subject is not None else None
        return self._kept[1] if self._kept is not None else None

    def _of(self, of: str) -> Subject | None:
        """The stack, or a map of it."""
        stack = self.stack
        running = stack.pipeline.stack if stack is not None else None
        if stack is None or running is None:
            return None
        facts, view = stack.pipeline.intake.facts, None
        if of == "stack":
            lock = self._locks.setdefault(stack.label, StretchLock())
            view = of_stack(running, facts, self._style, lock, self._fit_px)
        counts = running.sums.masked if of == "masked" else running.sums.count
        step = stack.pipeline.intake.planes.output_step
        number = stack.pipeline.members.count()
        return Subject(view or Counts(counts, rare=of == "masked"), facts, number, stack.label, float(step))

    def _frame(self) -> Subject | None:
        frame = self._newest()
        if frame is None:
            return None
        facts = frame.facts
        view = of_frame(frame.pixels, facts, self._style, facts.saturation_adu, self._fit_px)
        return Subject(view, facts, facts.number)

    def _calibrated(self) -> Subject | None:
        frame, stack = self._newest(), self.stack
        if frame is None or stack is None:
            return None
        calibrated = stack.pipeline.intake.calibrate(frame)
        if isinstance(calibrated, Unfit):
            return None
        white_adu = calibrated.saturation_adu
        view = of_frame(calibrated.pixels, frame.facts, self._style, white_adu, self._fit_px)
        return Subject(view, frame.facts, frame.facts.number)

    def _newest(self) -> Frame | None:
        if self._held is None and self._sub:
            self._held = self._reread(self._sub)
        return self._held

    def _file(self) -> Subject | None:
        path = self._earlier()
        if path is None:
            return None
        frame = open_frame(path)
        view = of_frame(frame.pixels, frame.facts, self._style, frame.facts.saturation_adu, self._fit_px)
        return Subject(view, frame.facts, 0, path.stem)


def _state(stack: Stack) -> tuple[object, ...]:
    """What another stack, or the same one later, differs in."""
    running = stack.pipeline.stack
    return stack.label, stack.changes, None if running is None else weakref.ref(running)


def _inside(crop: Box, size: Size) -> Box:
    """The part of that size, or less, that lies in the picture."""
    x, y, width, height = crop
    width, height = min(max(width, 1), size[1]), min(max(height, 1), size[0])
    return min(max(x, 0), size[1] - width), min(max(y, 0), size[0] - height), width, height


def _upright(facts: Facts, picture: Picture) -> Picture:
    """Files that count rows from the bottom are turned over."""
    return picture if facts.top_down else np.ascontiguousarray(picture[::-1])
