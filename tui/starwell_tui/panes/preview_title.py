"""What the preview's frame says: source ▸ stretch ▸ zoom, and what is in the target box."""

from __future__ import annotations

from starwell.session.events import PreviewReady
from starwell_tui.night import Night
from starwell_tui.view import View


def title(night: Night, view: View, shown: PreviewReady | None, dots_per_px: float) -> str:
    """The words, in the order of how much they matter."""
    label = f" {shown.stack}" if shown and shown.stack else ""
    source = f"{view.shown}{label}{f' (blinking with {_partner(view)})' if view.blink else ''}"
    stretch = shown.stretch if shown and shown.stretch else view.stretch
    parts = [source, stretch + _levels(view), _near(view.viewpoint.zoom, dots_per_px)]
    if night.box is not None and night.box.snr is not None:
        parts.append(f"box SNR {night.box.snr:.1f}")
    return f"3 Preview  {' ▸ '.join(parts)}"


def _partner(view: View) -> str:
    return "stack" if view.other else view.blink


def _levels(view: View) -> str:
    """By how much black and white were moved."""
    curve = view.curve
    black = f" black {curve.black:+g}σ" if view.black else ""
    return f"{black}{f' white -{100 * curve.white:.0f}%' if view.white else ''}"


def _near(zoom: float, dots_per_px: float) -> str:
    if zoom == 1:
        return "fit"
    return "1:1" if abs(dots_per_px - 1) < 0.01 else f"×{zoom:.1f}"
