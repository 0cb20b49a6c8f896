"""What stands where a picture will be."""

from __future__ import annotations

from rich.style import Style

from starwell.session.events import State
from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, PLAIN
from starwell_tui.view import View

WAITING: tuple[str, ...] = ("the first stacked sub appears here",)
ASKED: tuple[str, ...] = ("the engine draws it as soon as there is one",)
NOTHING_RUNS: tuple[str, ...] = ("nothing is running: n sets up a sequence",)
READY: tuple[str, ...] = ("all is ready: space exposes the first sub",)
HOW_TO_START: tuple[str, ...] = (
    "No engine is running. Start one:",
    "",
    "starwell run --camera CAMERA --exposure 60",
    "starwell run --help    says more",
    "starwell demo          needs no camera",
    "",
    "This screen comes alive by itself.",
)


def awaited(night: Night, view: View) -> tuple[tuple[str, ...], Style]:
    """The lines, and their look: what it takes for the picture to come."""
    status = night.status
    if status is None or night.gone:
        return (HOW_TO_START, PLAIN) if night.gone and status is None else (WAITING, DIM)
    if view.of != "stack":
        return ASKED, DIM
    if status.stacked or status.frame:
        return WAITING, DIM
    return {State.IDLE: NOTHING_RUNS, State.PAUSED: READY}.get(night.state, WAITING), DIM
