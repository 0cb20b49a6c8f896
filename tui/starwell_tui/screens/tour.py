"""A short tour of the demo: a line or two above the keys, one thing to look at after the other."""

from __future__ import annotations

from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import Pane, line, wrapped
from starwell_tui.theme import ACCENT, BRIGHT, PANEL, style

STEPS = (
    "A simulated night: darks, flats, then subs, stacked before your eyes and held against the true sky.",
    "On top: what goes on, which sub, how many are stacked or rejected, how much light that is.",
    "2 Frames: FWHM, stars, weight of each sub. j k choose one, x takes it out of the stack, u puts it back.",
    "3 Preview: the stack as it grows. Press 3, then + - zoom, arrows pan, s stretches, i: other dots.",
    "4 Noise: reached, against what physics allows. 4 chooses it, 4 again fills the screen.",
    "r makes all of it night red, ? explains the chosen pane, : finds every key by its name.",
    "With your own camera, `starwell` asks what to take tonight. q ends this demo and leaves nothing behind.",
)


class Tour(Pane):
    """One step at a time."""

    DEFAULT_CSS = "Tour { height: 2; }"

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="tour")
        self._step = 0

    def go_on(self) -> bool:
        """The next step; whether there was one."""
        self._step += 1
        self.redraw()
        return self._step < len(STEPS)

    def strips(self, width: int, height: int) -> list[Strip]:
        """The step, and how to go on or to be left alone."""
        look, hint = style(BRIGHT, PANEL), style(ACCENT, PANEL, bold=True)
        last = self._step + 1 == len(STEPS)
        keys = f" {self._step + 1}/{len(STEPS)}  enter: {'that is all' if last else 'next'}  esc: no tour "
        rows = wrapped(STEPS[min(self._step, len(STEPS) - 1)], width - 2)[:height]
        if len(rows) == height and len(rows[-1]) + len(keys) + 1 > width:
            rows = wrapped(STEPS[self._step], width - 2 - len(keys))[:height]
        strips = [line([(f" {text}", look)], width, look) for text in rows]
        strips += [line([], width, look)] * (height - len(strips))
        tail = line([(keys, hint)], len(keys), look)
        strips[-1] = Strip.join([strips[-1].crop(0, width - len(keys)), tail])
        return strips
