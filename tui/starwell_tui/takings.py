"""What the wizards remember of a night: frames for masters, the focus run, and how the last series ended."""

from __future__ import annotations

from dataclasses import dataclass, field

from starwell.kinds import Kind
from starwell.session import events as ev

FOCUS_KEPT = 400
"""Measurements of the focus loop that are remembered."""


@dataclass(slots=True)
class Takings:
    """Made of nothing but events. calibration: what was taken that is no light. end: None while one runs."""

    calibration: list[ev.FrameTaken] = field(default_factory=list)
    focus: list[ev.FocusMeasured] = field(default_factory=list)
    end: ev.SeriesFinished | None = None

    def see(self, event: ev.Event) -> None:
        """Take one event in."""
        match event:
            case ev.FrameTaken(kind=kind) if kind is not Kind.LIGHT:
                self.calibration.append(event)
            case ev.ExposureStarted():
                self.end = None
            case ev.SeriesFinished():
                self.end = event
            case ev.FocusMeasured():
                begun = not self.focus or event.number <= self.focus[-1].number
                self.focus = [event] if begun else [*self.focus[1 - FOCUS_KEPT :], event]
