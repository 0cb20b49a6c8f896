"""The target box put by keys: it moves over the stack until enter puts it down."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.strip import Strip

from starwell.remote.messages import Box
from starwell_tui.desk import Desk
from starwell_tui.panes.pane import OneLine, line
from starwell_tui.screens.over import Over
from starwell_tui.theme import ACCENT, GROUND, style
from starwell_tui.viewpoint import full_size

PART, SMALLEST_PX = 8, 4
"""A new box is this part of the picture; no box is smaller."""
GROWN = 1.25
ASKED = style(GROUND, ACCENT, bold=True)
MOVES = {
    "left": (-1, 0),
    "right": (1, 0),
    "up": (0, -1),
    "down": (0, 1),
    "h": (-1, 0),
    "l": (1, 0),
    "k": (0, -1),
    "j": (0, 1),
}
SIZES = {
    "plus": (GROWN, GROWN),
    "minus": (1 / GROWN, 1 / GROWN),
    "greater_than_sign": (GROWN, 1),
    "less_than_sign": (1 / GROWN, 1),
    "full_stop": (1, GROWN),
    "comma": (1, 1 / GROWN),
}


class Hint(OneLine):
    """Which keys there are."""

    def only(self, width: int) -> Strip:
        """The line, with fewer words where there is less room."""
        whole = " Target box: arrows move, + - size, < > width, , . height, enter put it, x none, esc leave "
        short = " Box: arrows, + - size, enter put, x none, esc "
        return line([(whole if width >= len(whole) else short, ASKED)], width, ASKED)


class Put(Over[Box | None]):
    """The box as it was put down, one without a size for none; None when it was left as it was."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._before = desk.view.box
        picture = desk.night.pictures.get("stack")
        self._tall, self._wide = full_size(picture) if picture else (1, 1)

    def compose(self) -> ComposeResult:
        """The one line."""
        yield Hint(self.desk.night, id="box-hint")

    def on_mount(self) -> None:
        """Where it is, or a new one in the middle of what is seen."""
        view, known = self.desk.view, self.desk.night.box
        view.of, view.blink = "stack", ""
        if known is not None and view.box is None:
            view.box = Box(known.x, known.y, known.width, known.height)
        if view.box is None:
            size = max(min(self._wide, self._tall) / PART / view.viewpoint.zoom, SMALLEST_PX)
            middle = view.viewpoint.x * self._wide, view.viewpoint.y * self._tall
            view.box = self._kept(middle[0] - size / 2, middle[1] - size / 2, size, size)
        self.desk.redraw()

    def on_key(self, event: events.Key) -> None:
        """Move, size, put down or leave."""
        event.stop()
        event.prevent_default()
        box = self.desk.view.box or Box()
        if event.key in MOVES:
            across, down = MOVES[event.key]
            part = 4 if event.key in ("left", "right", "up", "down") else 16
            x, y = box.x + across * max(box.width / part, 1), box.y + down * max(box.height / part, 1)
            self.desk.view.box = self._kept(x, y, box.width, box.height)
        elif event.key in SIZES:
            wide, tall = SIZES[event.key]
            width, height = _sized(box.width, wide), _sized(box.height, tall)
            x, y = box.x + (box.width - width) / 2, box.y + (box.height - height) / 2
            self.desk.view.box = self._kept(x, y, width, height)
        elif event.key in ("enter", "escape", "x"):
            self.desk.view.box = self._before
            self.dismiss({"enter": box, "x": Box()}.get(event.key))
        self.desk.redraw()

    def _kept(self, x: float, y: float, width: float, height: float) -> Box:
        """Within the stack."""
        wide = round(min(max(width, min(SMALLEST_PX, self._wide)), self._wide))
        tall = round(min(max(height, min(SMALLEST_PX, self._tall)), self._tall))
        left = round(min(max(x, 0), self._wide - wide))
        return Box(left, round(min(max(y, 0), self._tall - tall)), wide, tall)


def _sized(pixels: int, factor: float) -> float:
    """At least a pixel more or less."""
    return pixels if factor == 1 else pixels * factor + (1 if factor > 1 else -1)
