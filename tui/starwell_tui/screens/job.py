"""A command that takes long, while it runs: what it says, how it ended, and a way to end it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.style import Style
from textual import events, work
from textual.strip import Strip
from textual.widget import Widget

from starwell_tui.desk import Desk
from starwell_tui.jobs import Job
from starwell_tui.night import Night
from starwell_tui.panes.page import SCROLL
from starwell_tui.panes.pane import LABEL, PLAIN, Pane, line, wrapped
from starwell_tui.screens.sheet import DONE, HINTED, WRONG, Keys, Sheet

FILES_SHOWN = 3
"""A command with more names its first one only."""


class JobText(Pane):
    """The job's words, newest last; arrows scroll back."""

    def __init__(self, night: Night, job: Job) -> None:
        super().__init__(night, id="job", classes="pane -chosen")
        self.border_title = job.title
        self._job = job
        self._up = 0

    def scroll(self, steps: int) -> None:
        """Down by so many lines, or up."""
        self._up = max(self._up - steps, 0)
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """The command, its last lines, and its end; nothing of what it said is cut."""
        rows: list[tuple[str, Style]] = [(shortened(self._job.words), LABEL), ("", PLAIN)]
        rows += [(text, PLAIN) for text in self._job.lines]
        rows += [("", PLAIN), self._end()]
        wide = [(part, look) for text, look in rows for part in wrapped(text, width - 2)]
        self._up = min(self._up, max(len(wide) - height, 0))
        last = len(wide) - self._up
        return [line([(f" {text}", look)], width) for text, look in wide[max(last - height, 0) : last]]

    def _end(self) -> tuple[str, Style]:
        code = self._job.code
        if code is None:
            return "It is running.", HINTED
        if self._job.cancelled:
            return "It was ended.", HINTED
        return (
            ("Done.", DONE) if code == 0 else (f"It failed (exit code {code}): its words are above.", WRONG)
        )


class JobScreen(Sheet[int | None]):
    """Runs the job; its exit code, or None where it was ended. brief: gone by itself when it went well."""

    def __init__(self, desk: Desk, job: Job, *, brief: bool = False) -> None:
        super().__init__(desk)
        self.job = job
        self._brief = brief
        self._text = JobText(desk.night, job)

    def body(self) -> Iterable[Widget]:
        """What it says."""
        yield self._text

    def offered(self) -> Keys:
        """End it while it runs, go on after it."""
        if self.job.code is None:
            return (("x", "End it"),)
        return (("enter", "Go on"), ("esc", "Back"))

    def on_mount(self) -> None:
        """Begin."""
        super().on_mount()
        self._run()

    def pressed(self, event: events.Key) -> bool:
        """Scroll, end, or go on."""
        key = event.key
        if key in SCROLL:
            self._text.scroll(SCROLL[key])
        elif self.job.code is None:
            if key == "x":
                self._end()
            elif key == "escape":
                self.say("It is running: x ends it.", good=False)
            else:
                return False
        elif key in ("enter", "escape"):
            self.dismiss(None if self.job.cancelled else self.job.code)
        else:
            return False
        return True

    @work(exclusive=True, group="job")
    async def _run(self) -> None:
        code = await self.job.run(self._text.redraw)
        if self._brief and code == 0:
            self.dismiss(code)
        else:
            self.told()

    @work(exclusive=True, group="asks")
    async def _end(self) -> None:
        if await self.sure(f"End '{self.job.title}'?") and self.job.code is None:
            self.job.cancel()


def shortened(words: Sequence[str]) -> str:
    """The command with the first of many files only."""
    files = [word for word in words if word.startswith("/")]
    if len(files) <= FILES_SHOWN:
        return " ".join(["starwell", *words])
    first = words.index(files[0])
    run = next((n for n, word in enumerate(words[first:]) if not word.startswith("/")), len(words) - first)
    return " ".join(["starwell", *words[: first + 1], f"(and {run - 1} more)", *words[first + run :]])
