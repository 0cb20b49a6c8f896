"""Every key by its name: typing finds, enter does it."""

from __future__ import annotations

from typing import NamedTuple

from textual import events
from textual.app import ComposeResult
from textual.strip import Strip

from starwell_tui.desk import Desk
from starwell_tui.keys import Key
from starwell_tui.night import Night
from starwell_tui.panes.pane import LABEL, PLAIN, Pane, Piece, line
from starwell_tui.screens.ask import edited
from starwell_tui.screens.over import Over
from starwell_tui.theme import ACCENT, BLUE, BRIGHT, GROUND, style

CHOSEN = style(GROUND, BLUE)


class Choice(NamedTuple):
    """One line of the palette."""

    shown: str
    word: str
    meaning: str
    action: str


def choices(keys: tuple[Key, ...]) -> list[Choice]:
    """Every action of the table with the key that shows for it."""
    return [
        Choice(shown, key.word, key.meaning, action)
        for key in keys
        for shown, action in zip(key.shown.split(" "), key.bindings.values(), strict=False)
        if action != "open('palette')"
    ]


class Found(Pane):
    """What was typed, and the choices that have it in their words."""

    def __init__(self, night: Night, keys: tuple[Key, ...]) -> None:
        super().__init__(night, id="palette", classes="pane -chosen")
        self.border_title = "Palette"
        self.border_subtitle = "type to find, enter does it, esc goes back"
        self._choices = choices(keys)
        self._typed = ""
        self._cursor = 0

    @property
    def matching(self) -> list[Choice]:
        """Those whose word or meaning has every word that was typed; names come first."""
        words = self._typed.lower().split()
        found = [c for c in self._choices if all(word in f"{c.word} {c.meaning}".lower() for word in words)]
        return sorted(found, key=lambda c: not all(word in c.word.lower() for word in words))

    @property
    def chosen(self) -> Choice | None:
        """The choice under the cursor."""
        found = self.matching
        return found[min(self._cursor, len(found) - 1)] if found else None

    def typed(self, event: events.Key) -> None:
        """Find by more or other letters, or move the cursor."""
        steps = {"down": 1, "up": -1, "ctrl+n": 1, "ctrl+p": -1}.get(event.key)
        if steps is None:
            self._typed, self._cursor = edited(self._typed, event), 0
        else:
            self._cursor = min(max(self._cursor + steps, 0), max(len(self.matching) - 1, 0))
        self.redraw()

    def strips(self, width: int, height: int) -> list[Strip]:
        """The choices around the cursor."""
        rows = [line([(" : ", LABEL), (f"{self._typed}▏", style(BRIGHT, bold=True))], width)]
        room = max(height - 1, 1)
        top = max(min(self._cursor - room // 2, len(self.matching) - room), 0)
        for choice in self.matching[top : top + room]:
            pieces: list[Piece] = [
                (f" {choice.shown:<6}", style(ACCENT, bold=True)),
                (f"{choice.word:<14}", PLAIN),
                (choice.meaning, LABEL),
            ]
            at_cursor = choice == self.chosen
            shown = [(text, CHOSEN) for text, _ in pieces] if at_cursor else pieces
            rows.append(line(shown, width, CHOSEN if at_cursor else PLAIN))
        return rows[:height]


class Palette(Over[None]):
    """Does what was chosen once it is gone, and nothing when it was left."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._found = Found(desk.night, desk.keys)

    def compose(self) -> ComposeResult:
        """The one pane."""
        yield self._found

    def on_key(self, event: events.Key) -> None:
        """Find, do, or leave."""
        event.stop()
        event.prevent_default()
        if event.key == "escape":
            self.dismiss()
        elif event.key == "enter":
            chosen = self._found.chosen
            self.dismiss()
            if chosen:
                self.app.call_later(self.app.run_action, chosen.action)
        else:
            self._found.typed(event)
