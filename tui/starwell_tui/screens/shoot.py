"""A series of frames for a master: what to take and why, the frames as they come, the master, its use."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path

from textual import events, work
from textual.widget import Widget

from starwell.kinds import Kind
from starwell.remote.messages import Start, Stop, UseMasters
from starwell.session.events import FrameTaken, SeriesFinished
from starwell_tui import remembered
from starwell_tui.desk import Desk
from starwell_tui.jobs import Job
from starwell_tui.screens.form import Field, Form
from starwell_tui.screens.job import JobScreen
from starwell_tui.screens.sheet import DONE, HINTED, WRONG, Keys, Sheet, Text, faint, heading

TAKEN_ALL = "all frames taken"
"""Why a series ends that came to its end."""


class Stage(Enum):
    """FORM: to be begun; SHOOTING: frames come; OVER: they are there, or it was refused."""

    FORM = 0
    SHOOTING = 1
    OVER = 2


class Shoot(Sheet[None]):
    """The frame of the wizards for darks and flats. kind: of the frames at hand; name: of its memory."""

    kind = Kind.DARK
    name = "darks"

    def __init__(self, desk: Desk, title: str, fields: Iterable[Field]) -> None:
        super().__init__(desk)
        self.form = Form(desk.night, title, fields, self.edited)
        self.stage = Stage.FORM
        self.told_of: list[tuple[str, bool]] = []
        self._words = Text(desk.night, id="shooting", classes="pane -chosen")
        self._words.border_title = title
        self._known: set[str | None] = set()
        self._end_before: SeriesFinished | None = None

    @abstractmethod
    def edited(self, name: str) -> None:
        """A field has another text."""

    @abstractmethod
    def question(self) -> str:
        """What must be so before it begins."""

    @abstractmethod
    def plan(self) -> str:
        """What the engine is given, as TOML."""

    @abstractmethod
    def watched(self) -> Iterator[str | tuple[str, bool]]:
        """What is said of the frames while they come: plainly, or whether it is good."""

    @abstractmethod
    async def finish(self) -> None:
        """The frames are there: make what is made of them."""

    @property
    def frames(self) -> list[FrameTaken]:
        """Those of this series."""
        night = self.night.takings.calibration
        return [frame for frame in night if frame.kind is self.kind and frame.file not in self._known]

    def on_disk(self, frames: Iterable[FrameTaken]) -> list[str]:
        """Their files."""
        return [str(self.folder / frame.file) for frame in frames if frame.file]

    @property
    def folder(self) -> Path:
        """Of the night that they are in."""
        return Path(self.night.status.folder if self.night.status else "")

    @property
    def lights_of(self) -> dict[str, str]:
        """What was typed of tonight's lights."""
        return remembered.typed("sequence")

    @property
    def masters(self) -> Path:
        """Where masters are built."""
        return self.folder / "masters"

    @property
    def lights(self) -> int:
        """How many lights the master serves: as many as are planned, or there are."""
        status = self.night.status
        if status is None:
            return 100
        return (status.frames if status.kind in (None, Kind.LIGHT) else None) or max(status.stacked, 100)

    def body(self) -> Iterable[Widget]:
        """One of them is shown."""
        yield self.form
        yield self._words

    def on_mount(self) -> None:
        """As tonight's lights are; a series of this kind that runs already is watched."""
        last = remembered.typed(self.name)
        lights = self.lights_of | remembered.of_lights(self.night.status)
        self.form.fill(last | {name: text for name, text in lights.items() if name != "frames"})
        self.edited("")
        status = self.night.status
        if self.at_work and status is not None and status.kind is self.kind:
            self.stage = Stage.SHOOTING
            taken = self.night.takings.calibration
            self._known = {frame.file for frame in taken if frame.seconds != status.seconds}
        super().on_mount()

    def offered(self) -> Keys:
        """By the stage."""
        if self.stage is Stage.FORM:
            if self.form.editing:
                return (("enter", "Take it"), ("esc", "Leave it"))
            return (("s", "Start"), ("enter", "Edit"), ("esc", "Back"))
        if self.stage is Stage.SHOOTING:
            return (("x", "End it"), ("esc", "Back, it goes on"))
        return (("m", "Make the master"), ("esc", "Back")) if self.frames else (("esc", "Back"),)

    def told(self) -> None:
        """The night has changed."""
        if self.stage is Stage.SHOOTING and self._ended:
            self.stage = Stage.OVER
            self._over()
        self.form.display = self.stage is Stage.FORM
        self._words.display = self.stage is not Stage.FORM
        if self.stage is not Stage.FORM:
            self._write()
        super().told()

    def pressed(self, event: events.Key) -> bool:
        """By the stage."""
        match self.stage, event.key:
            case Stage.FORM, key:
                if self.form.pressed(event):
                    return True
                if key != "s":
                    return False
                self._start()
            case Stage.SHOOTING, "x":
                self._stop()
            case Stage.OVER, "m" if self.frames:
                self._finish()
            case _:
                return False
        return True

    @property
    def _ended(self) -> bool:
        end = self.night.takings.end
        return not self.at_work and end is not None and end is not self._end_before

    def _over(self) -> None:
        end = self.night.takings.end
        if end is not None and end.why == TAKEN_ALL and self.frames:
            self._finish()

    def _write(self) -> None:
        status = self.night.status
        said = [(text, WRONG if not good else DONE) for text, good in self.told_of]
        end = self.night.takings.end if self.stage is Stage.OVER else None
        over = [(end.why, HINTED if end.why == TAKEN_ALL else WRONG)] if end is not None else []
        watched = [
            (word[0], DONE if word[1] else WRONG) if isinstance(word, tuple) else word
            for word in self.watched()
        ]
        doing = faint(f"{status.state.value} {status.why}".strip() if status else "")
        self._words.write(heading(self.form.border_title or ""), *watched, "", *(over or [doing]), *said)

    @work(exclusive=True, group="asks")
    async def _start(self) -> None:
        if self.at_work:
            self.say("A series is running: n shows it, and there x ends it.", good=False)
            return
        if await self.sure(self.question()):
            await self.begin()

    async def begin(self) -> None:
        """Give the plan to the engine, and watch."""
        remembered.keep(self.name, self.form.typed)
        self._known = {frame.file for frame in self.night.takings.calibration}
        self._end_before = self.night.takings.end
        reply = await self.ask(Start(text=self.plan()))
        if reply.ok:
            self.stage = Stage.SHOOTING
        self.told()

    @work(exclusive=True, group="asks")
    async def _stop(self) -> None:
        if await self.sure("End this series after the frame at hand?"):
            await self.ask(Stop())

    @work(exclusive=True, group="finish")
    async def _finish(self) -> None:
        await self.finish()
        if self.is_mounted:
            self.told()

    async def build(self, kind: str, files: Sequence[str], out: Path, *more: str) -> bool:
        """A master from these files, in place of one of the same name; whether it went well."""
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self.told_of.append((f"{out.parent} cannot be made: {error.strerror}.", False))
            return False
        title = f"Master {kind.replace('-', ' ')} of {len(files)} frames"
        return await self.job(title, ["master", kind, *files, "-o", str(out), *more, "--overwrite"])

    async def job(self, title: str, words: Sequence[str], *, brief: bool = False) -> bool:
        """Run a command before the user's eyes; whether it went well."""
        code = await self.app.push_screen_wait(JobScreen(self.desk, Job(title, words), brief=brief))
        return code == 0

    async def keep(self, file: Path) -> bool:
        """A master into the library."""
        kept = await self.job("Into the library", ["library", "add", str(file)], brief=True)
        said = "is in the library" if kept else "was not taken by the library"
        self.told_of.append((f"{file.name} {said}.", kept))
        return kept

    async def use(self, name: str) -> None:
        """Into use, where that is wanted: for what follows, and for the lights that are there."""
        if not await self.sure(f"Use the {name.replace('_', ' ')} for the lights that follow?"):
            return
        remembered.keep("sequence", remembered.typed("sequence") | {name: "auto"})
        lights = sum(1 for _ in (self.folder / "lights").rglob("*.fits"))
        if not lights:
            self.told_of.append((f"The next sequence uses it: {name.replace('_', ' ')} auto.", True))
            return
        restack = await self.sure(f"And stack tonight's {lights} lights anew with it?")
        reply = await self.ask(UseMasters(**{name: "auto"}, restack=restack))
        self.told_of.append((reply.message, reply.ok))
