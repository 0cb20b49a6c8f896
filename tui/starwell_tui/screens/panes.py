"""The one screen of the night: where the panes are, and which of them is chosen."""

from __future__ import annotations

from textual import events, work
from textual.app import ComposeResult
from textual.containers import Container

from starwell.remote.live import Connected, Lost
from starwell.remote.messages import Look, Reply, Status
from starwell_tui import hours
from starwell_tui.desk import Desk
from starwell_tui.messages import Happened
from starwell_tui.night import Night
from starwell_tui.panes.camera import Camera
from starwell_tui.panes.frames import Frames
from starwell_tui.panes.histogram import Histogram
from starwell_tui.panes.noise import Noise
from starwell_tui.panes.pane import Pane
from starwell_tui.panes.preview import Preview
from starwell_tui.panes.status import Alert, Footer, NoiseBar, StatusLine, TooSmall
from starwell_tui.screens.commands import Commands
from starwell_tui.screens.over import Over, opened
from starwell_tui.view import View

COLUMNS = [(0, "-w0"), (40, "-w40"), (60, "-w60"), (100, "-w100"), (120, "-w120")]
ROWS = [(0, "-h0"), (10, "-h10"), (18, "-h18"), (32, "-h32")]


class Panes(Commands):
    """Status, alert, five panes, footer; and what is shown where there is no room for them."""

    HORIZONTAL_BREAKPOINTS = COLUMNS
    VERTICAL_BREAKPOINTS = ROWS

    def __init__(self, desk: Desk, preview: Preview) -> None:
        super().__init__()
        night, view = desk.night, desk.view
        self.desk = desk
        self.camera, self.frames, self.preview = Camera(night, view), Frames(night, view), preview
        self.noise, self.histogram = Noise(night, view), Histogram(night, view)
        self.status, self.alert = StatusLine(night, desk.clock), Alert(night)
        self.footer = Footer(night, desk.keys)
        self._bar = NoiseBar(night)
        self._numbered: tuple[Pane, ...] = (
            self.camera,
            self.frames,
            self.preview,
            self.noise,
            self.histogram,
        )

    @property
    def night(self) -> Night:
        """What is known."""
        return self.desk.night

    @property
    def view(self) -> View:
        """How it is looked at."""
        return self.desk.view

    def compose(self) -> ComposeResult:
        """Top to bottom, left to right."""
        yield self.status
        yield self.alert
        with Container(id="panes"):
            with Container(id="left"):
                yield self.camera
                yield self.frames
            with Container(id="right"):
                yield self.preview
                with Container(id="below"):
                    yield self.noise
                    yield self.histogram
        yield self._bar
        yield self.footer
        yield TooSmall(self.night)

    def on_mount(self) -> None:
        """The frames come first, unless the view says otherwise: their keys are used most."""
        self._arrange()

    def on_resize(self, _event: events.Resize) -> None:
        """Another part of the picture is seen."""
        self.call_after_refresh(self.look)

    @property
    def chosen(self) -> Pane:
        """The pane that the keys are for."""
        return next(pane for pane in self._numbered if pane.id == self.view.pane)

    def on_happened(self, message: Happened) -> None:
        """Onto the panes that show it."""
        match message.item:
            case Connected() as connected:
                self.night.begin(connected, hours.taken(connected.status.folder))
                parts = (Look(part.of, part.crop) for part in self.night.crops.values())
                self.view.given = next(parts, Look())
                stack = self.night.pictures.get("stack")
                if stack is not None and stack.stretch:
                    self.view.adopt(stack.stretch, stack.points)
            case Lost(why):
                self.night.gone = why
            case event:
                self.night.see(event, self.desk.clock())
        self.redraw()

    def stands(self, status: Status | None) -> None:
        """The engine was asked."""
        if status is not None:
            self.night.stands(status, self.desk.clock())
            self.redraw()

    def redraw(self) -> None:
        """The night, or the view of it, has changed."""
        self.alert.set_class(bool(self.night.alert or self.night.gone), "-shown")
        self.set_class(self.night.status is None, "-no-camera")
        for pane in (self.status, self.alert, self._bar, *self._numbered):
            pane.told()
        for screen in self.app.screen_stack:
            if isinstance(screen, Over):
                screen.told()
        self.look()

    def look(self) -> None:
        """Have the engine show what is wanted, where it shows something else."""
        wanted = self.preview.wanted
        if self.night.status is not None and not self.night.gone and wanted != self.view.given:
            self.view.given = wanted
            self._look(wanted)

    @work(exclusive=True, group="picture")
    async def _look(self, wanted: Look) -> None:
        if not (await self.desk.put(wanted)).ok and self.view.blink == wanted.of:
            self.action_blink()

    def action_move(self, across: int, down: int) -> None:
        """Choose another sub or setting, or pan the picture."""
        match self.chosen:
            case Preview():
                self.view.viewpoint = self.view.viewpoint.panned(across, down)
            case Camera() as camera:
                camera.choose(down)
            case _:
                self.frames.choose(down)
        self.redraw()

    async def action_enter(self) -> None:
        """What is chosen, closer: a setting to change, a sub, the noise; the whole screen for a picture."""
        match self.chosen:
            case Camera() as camera:
                self.action_edit(camera.chosen.word)
            case Frames():
                self.app.push_screen(opened("sub", self.desk))
            case Noise():
                self.app.push_screen(opened("noise", self.desk))
            case pane:
                self.action_pane(pane.id or "")

    def action_zoom(self, how: str) -> None:
        """Nearer, further, all of it, or dot by dot."""
        self.preview.zoom(how)
        self.redraw()

    def action_view(self) -> None:
        """Another picture, and its histogram."""
        self.preview.next_view()
        self.redraw()

    def action_blink(self) -> None:
        """The stack by turns with another picture."""
        self.preview.blink()
        self.redraw()

    def action_dots(self) -> None:
        """The next way to draw."""
        self.desk.say(Reply(True, f"The picture is drawn in {self.preview.next_dots()} now."))
        self.redraw()

    def action_crosshair(self) -> None:
        """Lines through the middle of the frame, or none."""
        self.view.crosshair = not self.view.crosshair
        self.redraw()

    def action_pane(self, name: str) -> None:
        """Choose a pane; when it is chosen already, fill the screen with it, or go back."""
        self.view.alone ^= self.view.pane == name
        self.view.pane = name
        self._arrange()

    def action_next_pane(self, steps: int) -> None:
        """Choose another pane."""
        at = (self._numbered.index(self.chosen) + steps) % len(self._numbered)
        self.view.pane = self._numbered[at].id or ""
        self._arrange()

    def action_all_panes(self) -> None:
        """All panes and all subs again, and nothing blinks."""
        self.view.alone, self.view.find, self.view.blink = False, "", ""
        self._arrange()
        self.redraw()

    def _arrange(self) -> None:
        self.set_class(self.view.alone, "-alone")
        for pane in self._numbered:
            chosen = pane is self.chosen
            pane.set_class(chosen, "-chosen")
            self.set_class(chosen, f"-on-{pane.id}")
            pane.redraw()
        self.footer.of_pane(self.view.pane)
