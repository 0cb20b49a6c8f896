"""The masters at hand: build them from tonight's frames, use them for what follows, have them audited."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from textual import events, work
from textual.strip import Strip
from textual.widget import Widget

from starwell.remote.messages import UseMasters
from starwell_tui.desk import Desk
from starwell_tui.jobs import Job
from starwell_tui.kept_masters import HEAD, Entry, listed
from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, line, wrapped
from starwell_tui.screens.form import CHOSEN, MOVES, Field, Form
from starwell_tui.screens.job import JobScreen
from starwell_tui.screens.sheet import Keys, Sheet

KINDS = {"dark": "dark", "flat": "flat", "bias": "bias", "dark flat": "dark_flat"}
"""As the library names them, and what `UseMasters` calls them."""
FOLDERS = {"dark": "darks", "flat": "flats", "bias": "biases", "dark-flat": "darkflats"}
WIDE = 100


class Shelf(Pane):
    """The list, the cursor, and what the chosen one is."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="shelf", classes="pane -chosen")
        self.border_title = "Masters"
        self.entries: list[Entry] | None = None
        self.fault = ""
        self._cursor = 0

    @property
    def chosen(self) -> Entry | None:
        """Under the cursor."""
        return self.entries[min(self._cursor, len(self.entries) - 1)] if self.entries else None

    def move(self, steps: int) -> None:
        """The cursor down, or up."""
        self._cursor = min(max(self._cursor + steps, 0), max(len(self.entries or ()) - 1, 0))
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """The masters around the cursor, or how to get some."""
        if self.fault or not self.entries:
            words = self.fault or (
                "Looking …"
                if self.entries is None
                else "No masters yet. D takes darks and T flats, builds their masters and keeps them here; "
                "b builds one from a folder of frames."
            )
            return [line([(f" {text}", DIM)], width) for text in wrapped(words, width - 2)][:height]
        room = max(height - 3, 1)
        top = max(min(self._cursor - room // 2, len(self.entries) - room), 0)
        wide = width >= WIDE
        rows = [line([(HEAD, LABEL)], width)]
        for entry in self.entries[top : top + room]:
            look = CHOSEN if entry is self.chosen else PLAIN
            rows.append(line([(entry.cells(wide=wide), look)], width, look))
        chosen = self.chosen
        about = (
            [] if chosen is None else [Strip.blank(width, PLAIN), line([(f" {chosen.file}", LABEL)], width)]
        )
        return [*rows, *about][:height]


class Library(Sheet[None]):
    """The list and what can be done with it."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._shelf = Shelf(desk.night)

    def body(self) -> Iterable[Widget]:
        """The list."""
        yield self._shelf

    def offered(self) -> Keys:
        """Use, build, audit."""
        use: Keys = (("u", "Use it"), ("o", "Use none")) if self._shelf.entries else ()
        return (*use, ("b", "Build one"), ("i", "Audit"), ("esc", "Back"))

    def on_mount(self) -> None:
        """What there is."""
        super().on_mount()
        self._list()

    def pressed(self, event: events.Key) -> bool:
        """Choose, use, build, audit."""
        match event.key:
            case key if key in MOVES:
                self._shelf.move(MOVES[key])
            case "u" if self._shelf.chosen:
                self._use(self._shelf.chosen)
            case "o" if self._shelf.chosen:
                self._use(None)
            case "b":
                self._build()
            case "i":
                self._audit()
            case _:
                return False
        return True

    @work(exclusive=True, group="list")
    async def _list(self) -> None:
        self._shelf.entries, self._shelf.fault = await listed()
        self._shelf.redraw()
        self.told()

    @work(exclusive=True, group="asks")
    async def _use(self, entry: Entry | None) -> None:
        status = self.night.status
        what = "no masters" if entry is None else f"this {entry.kind}"
        if entry is not None and entry.kind not in KINDS:
            self.say(f"A {entry.kind} is not used by itself.", good=False)
            return
        if not await self.sure(f"Use {what} for the lights that follow?"):
            self.say("Nothing was changed.")
            return
        restack = False
        if status is not None and status.stacked:
            restack = await self.sure(f"And stack tonight's {status.stacked} lights anew?")
        if entry is None:
            await self.ask(UseMasters("none", "none", "none", "none", restack=restack))
        else:
            await self.ask(UseMasters(**{KINDS[entry.kind]: entry.file}, restack=restack))

    @work(exclusive=True, group="asks")
    async def _build(self) -> None:
        words = await self.app.push_screen_wait(Build(self.desk))
        if words:
            await self.app.push_screen_wait(JobScreen(self.desk, Job("A master from frames", words)))
            self._list()

    @work(exclusive=True, group="asks")
    async def _audit(self) -> None:
        folder = Path(self.night.status.folder if self.night.status else "", "lights")
        lights = [str(folder)] if folder.is_absolute() and folder.is_dir() else []
        job = Job("Audit of the library", ["library", "audit", *lights])
        await self.app.push_screen_wait(JobScreen(self.desk, job))


class Build(Sheet[list[str]]):
    """Which frames make which master: the words of the command, or nothing."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self.form = Form(
            desk.night,
            "A master from frames",
            (
                Field("kind", "Kind", "dark", tuple(FOLDERS), typed=False, hint="What the frames are."),
                Field(
                    "folder", "Folder", hint="Where the frames are; tonight's own, unless you name another."
                ),
            ),
            self._edited,
        )

    def body(self) -> Iterable[Widget]:
        """The form."""
        yield self.form

    def offered(self) -> Keys:
        """Build, or leave."""
        return (("s", "Build"), ("enter", "Edit"), ("esc", "Back"))

    def on_mount(self) -> None:
        """Tonight's darks."""
        self._edited("kind")
        super().on_mount()

    def pressed(self, event: events.Key) -> bool:
        """Of the form, or build."""
        if self.form.pressed(event):
            return True
        if event.key != "s":
            return False
        folder = Path(self.form.typed["folder"].strip()).expanduser()
        if not folder.is_dir():
            self.form.find_wrong({"folder": "no such folder"})
            return True
        self.dismiss(["library", "add", str(folder.absolute()), "--kind", self.form.typed["kind"]])
        return True

    def leave(self) -> None:
        """Nothing is built."""
        self.dismiss([])

    def _edited(self, name: str) -> None:
        self.form.find_wrong({})
        status = self.night.status
        if name == "kind" and status is not None and status.folder:
            self.form.fill({"folder": str(Path(status.folder, FOLDERS[self.form.typed["kind"]]))})
