"""Every kind of event there is, and an event as the line of JSON that scripts and alerts read."""

from __future__ import annotations

import msgspec

from starwell.session.events import (
    BoxMeasured,
    CameraFault,
    ControlChanged,
    Event,
    ExposureStarted,
    FocusMeasured,
    FrameTaken,
    HistogramReady,
    Noted,
    PreviewReady,
    QualityAdvice,
    SeriesFinished,
    StackMeasured,
    StackSaved,
    StackStarted,
    StateChanged,
    SubMeasured,
    SubRejected,
    SubStacked,
)

AnyEvent = (
    ExposureStarted
    | FrameTaken
    | SubMeasured
    | SubStacked
    | SubRejected
    | StackStarted
    | StackMeasured
    | PreviewReady
    | HistogramReady
    | FocusMeasured
    | BoxMeasured
    | Noted
    | StackSaved
    | ControlChanged
    | StateChanged
    | QualityAdvice
    | CameraFault
    | SeriesFinished
)


def encode(event: Event) -> bytes:
    """One event as a line of JSON; an AnyEvent reads it."""
    return msgspec.json.encode(event)
