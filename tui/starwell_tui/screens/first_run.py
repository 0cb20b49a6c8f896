"""The first run: which camera, where to, what the terminal shows; one screen, and config.toml is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual import events, work
from textual.app import App, ComposeResult
from textual.strip import Strip

from starwell.errors import StarwellError
from starwell.remote.messages import Reply
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode, draw
from starwell_tui import cameras, first_config
from starwell_tui.night import Night
from starwell_tui.panes.drawn import strip
from starwell_tui.panes.pane import LABEL, PLAIN, Pane, Piece, line
from starwell_tui.screens.form import Field, Form
from starwell_tui.screens.sheet import SheetFooter
from starwell_tui.theme import ACCENT, style
from starwell_tui.viewpoint import Picture

COLOURS = ("24bit", "256", "16")
BAR = 56
"""Columns of a bar."""
KEYS = (
    ("s", "Save, go on"),
    ("up down", "Choose"),
    ("< >", "Another"),
    ("enter", "Edit"),
    ("esc", "Not now"),
)
EDITING = (("enter", "Take it"), ("esc", "Leave it"))


def fields(data: Path) -> tuple[Field, ...]:
    """What is asked."""
    optional = "It may stay empty."
    return (
        Field("camera", "Camera", "simulated", ("simulated",), hint="Looking for cameras …"),
        Field("data", "Nights go to", str(data), hint="A folder; each night gets its own below it."),
        Field("telescope", "Telescope", hint=f"Its name, for the headers. {optional}"),
        Field("focal_mm", "Focal length", numeric=True, unit="mm", hint=f"It gives arcseconds. {optional}"),
        Field(
            "latitude", "Latitude", numeric=True, unit="°", hint=f"North is positive; for dawn. {optional}"
        ),
        Field(
            "longitude", "Longitude", numeric=True, unit="°", hint=f"East is positive; for dawn. {optional}"
        ),
        Field(
            "colour",
            "Colours",
            "256",
            COLOURS,
            typed=False,
            hint="Which row below is the smoothest from end to end? Take the first that is.",
        ),
        Field(
            "preview",
            "Pictures",
            "quad",
            tuple(Mode),
            typed=False,
            hint="Which of the three pictures has round stars and no odd signs? Take the first that has.",
        ),
    )


class Bars(Pane):
    """The same ramp from black to white in every depth of colour, each in its own codes."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="bars")
        self.chosen = "256"

    def strips(self, width: int, height: int) -> list[Strip]:
        """A row each."""
        rows = [line([(" Which row looks smooth?", LABEL)], width)]
        for name in COLOURS:
            mark = "▸" if name == self.chosen else " "
            label = Segment(f" {mark} {name:<6} ", style(ACCENT) if name == self.chosen else LABEL)
            steps = min(BAR, max(width - 11, 1))
            cells = [Segment(" ", Style(bgcolor=grey(name, x / (steps - 1 or 1)))) for x in range(steps)]
            rest = Segment(" " * max(width - 10 - steps, 0), PLAIN)
            rows.append(Strip([label, *cells, rest]).crop(0, width))
        return rows[:height]


class Samples(Pane):
    """The same stars in each way to draw them."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="samples")
        self.chosen = "quad"

    def strips(self, width: int, height: int) -> list[Strip]:
        """Side by side, below their names."""
        each = width // len(Mode)
        heads: list[Piece] = [
            (f"{' ▸ ' if mode == self.chosen else '   '}{mode.value:<{each - 3}}", LABEL) for mode in Mode
        ]
        parts = [draw(stars(), each, max(height - 1, 1), ColourDepth.INDEXED, mode=mode) for mode in Mode]
        rows = [
            Strip.join([strip(part[row], each) for part in parts]).adjust_cell_length(width, PLAIN)
            for row in range(max(height - 1, 1))
        ]
        return [line(heads, width), *rows][:height]


class FirstRun(App[bool], inherit_bindings=False):
    """True when the configuration was written."""

    CSS_PATH = Path(__file__).parents[1] / "app.tcss"
    CSS = """
    Screen { layout: vertical; }
    #form { height: 1fr; }
    #bars { height: 4; }
    #samples { height: 5; }
    """
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False

    def __init__(self, data: Path) -> None:
        # Colours are sent as they are, for the terminal to show what it can.
        super().__init__(ansi_color=True)
        night = Night()
        self.form = Form(night, "starwell: the first run", fields(data), self._edited)
        self._bars, self._samples = Bars(night), Samples(night)
        self._footer = SheetFooter(night)
        self.written: Path | None = None

    def compose(self) -> ComposeResult:
        """Top to bottom."""
        yield self.form
        yield self._bars
        yield self._samples
        yield self._footer

    def on_mount(self) -> None:
        """Look for cameras meanwhile."""
        self._footer.offer(KEYS)
        self._edited("data")
        self._find()

    async def on_event(self, event: events.Event) -> None:
        """All keys are the form's, but for those that end it."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._footer.say(None)
            if not self.form.pressed(event):
                self._end(event.key)
            self._footer.offer(EDITING if self.form.editing else KEYS)
            return
        await super().on_event(event)

    def _end(self, key: str) -> None:
        if key in ("escape", "ctrl+c"):
            self.exit(False)
        elif key == "question_mark":
            self._footer.say(
                Reply(True, "Arrows choose, < > step through, enter edits, s saves and goes on.")
            )
        elif key == "s":
            wrong = first_config.wrong_in(self.form.typed)
            self.form.find_wrong(wrong)
            if wrong:
                self.form.choose(next(iter(wrong)))
                return
            self._write()

    def _write(self) -> None:
        try:
            self.written = first_config.write(self.form.typed)
        except StarwellError as error:
            self._footer.say(Reply(False, str(error)))
        else:
            self.exit(True)

    def _edited(self, name: str) -> None:
        typed = self.form.typed
        self._bars.chosen, self._samples.chosen = typed["colour"], typed["preview"]
        self._bars.redraw()
        self._samples.redraw()
        if name == "data":
            free = first_config.room(Path(typed["data"]))
            room = "" if free is None else f"{free / 1e9:.0f} GB are free there."
            self.form.below = ((room, style(ACCENT) if (free or 0) < first_config.LITTLE_BYTES else LABEL),)
        self.form.find_wrong(first_config.wrong_in(typed))

    @work(exclusive=True, group="find")
    async def _find(self) -> None:
        found, why = await cameras.found()
        self.form.offer("camera", tuple(camera.named for camera in found))
        told = "; ".join(f"{camera.named}: {camera.described}" for camera in found)
        self.form.advise("camera", f"{told}. {why}".strip())
        if found and self.form.typed["camera"] == cameras.SIMULATED:
            self.form.fill({"camera": found[0].named})


def grey(depth: str, part: float) -> Color:
    """A grey between black (0) and white (1) in the codes of this depth."""
    if depth == "24bit":
        level = round(255 * part)
        return Color.from_rgb(level, level, level)
    if depth == "256":
        step = round(25 * part)
        return Color.from_ansi(16 if step == 0 else 231 if step == 25 else 231 + step)
    return Color.from_ansi((0, 8, 7, 15)[min(int(4 * part), 3)])


def stars(rows: int = 40, columns: int = 100) -> Picture:
    """A few stars and something faint, the same every time."""
    y, x = np.mgrid[:rows, :columns]
    sky = 30 + 110 * np.exp(-np.hypot((x - 55) / 22, (y - 20) / 9))
    for x0, y0, peak in (
        (12, 9, 220),
        (30, 28, 150),
        (52, 20, 200),
        (74, 8, 180),
        (88, 30, 240),
        (66, 34, 120),
    ):
        sky = sky + peak * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / 6)
    return np.asarray(np.clip(sky, 0, 255), np.uint8)


def ask(data: Path) -> Path | None:
    """Run it; the file that was written, or None."""
    app = FirstRun(data)
    app.run()
    return app.written
