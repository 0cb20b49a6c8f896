"""Events as the log says them."""

from __future__ import annotations

from starwell.kinds import Kind
from starwell.session import events as ev

TELEMETRY = ("sensor_celsius", "cooler_percent")
"""What changes all the time, and is no news."""


def words_of(event: ev.Event) -> str:
    """One line for people; empty for what is no news."""
    match event:
        case ev.SubStacked() | ev.SubRejected():
            return _verdict(event)
        case ev.FrameTaken(kind=kind, number=number) if kind is not Kind.LIGHT:
            return f"{kind.value} {number} taken"
        case ev.StackStarted():
            return f"stack{_name(event)} begun about sub {event.reference}: {event.why}"
        case ev.StackSaved():
            return f"stack{_name(event)} of {event.stacked} written to {event.file}"
        case ev.StateChanged():
            return f"{event.state.value}{f': {event.why}' if event.why else ''}"
        case ev.ControlChanged() if event.name not in TELEMETRY:
            return f"{event.name.replace('_', ' ')} reads {event.value:g} {event.unit}".rstrip()
        case ev.Noted():
            return f"note: {event.text}"
        case _:
            return _trouble(event)


def _verdict(event: ev.SubStacked | ev.SubRejected) -> str:
    if isinstance(event, ev.SubStacked):
        trails = f", {event.trails} trail{'s' if event.trails > 1 else ''} masked" if event.trails else ""
        return f"sub {event.number} stacked, weight {event.weight:.2f}{trails}"
    by = "taken out by hand" if event.by_hand else f"left out: {event.reason}"
    return f"sub {event.number} {by}{f', {event.detail}' if event.detail and not event.by_hand else ''}"


def _trouble(event: ev.Event) -> str:
    match event:
        case ev.QualityAdvice(subject=subject) if subject != "truth":
            known = event.advice.lower().startswith(subject.lower())
            return event.advice if known else f"{subject}: {event.advice}"
        case ev.CameraFault():
            return f"camera: {event.message}"
        case ev.SeriesFinished():
            why = f", {event.why}" if event.why else ""
            return f"series over: {event.stacked} stacked, {event.rejected} rejected{why}"
    return ""


def _name(event: ev.Event) -> str:
    return f" {event.stack}" if event.stack else ""
