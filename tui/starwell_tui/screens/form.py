"""A form: fields that arrows choose, enter and digits edit, left and right step through."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from textual import events
from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, Piece, line, wrapped
from starwell_tui.screens.ask import edited
from starwell_tui.theme import ACCENT, BAD, BLUE, BRIGHT, GROUND, PANEL, style

CHOSEN, EDITED = style(GROUND, BLUE), style(BRIGHT, PANEL, bold=True)
WRONG, OPTION = style(BAD), style(ACCENT)
MOVES = {"down": 1, "j": 1, "tab": 1, "up": -1, "k": -1, "shift+tab": -1, "pagedown": 99, "pageup": -99}
STEPS = {"right": 1, "l": 1, "left": -1, "h": -1}
ON_OFF = ("off", "on")
LABELS = 13


@dataclass(frozen=True, slots=True)
class Field:
    """One line. options: what left and right step through; typed: whether anything else may be typed.

    numeric: digits begin to edit it. empty: what is meant where nothing is said. hint: what it is for.
    wrong: what was found wrong with it.
    """

    name: str
    label: str
    text: str = ""
    options: tuple[str, ...] = ()
    typed: bool = True
    numeric: bool = False
    empty: str = "-"
    unit: str = ""
    hint: str = ""
    wrong: str = ""

    @property
    def shown(self) -> str:
        """The value as people read it."""
        unit = self.unit if self.text[-1:].isdigit() else ""
        return f"{self.text} {unit}".rstrip() if self.text else self.empty


def switch(name: str, label: str, hint: str, *, on: bool = False) -> Field:
    """A field that is on or off."""
    return Field(name, label, ON_OFF[on], ON_OFF, typed=False, hint=hint)


class Form(Pane):
    """The fields, as many as fit around the cursor, and below them what the chosen one is for.

    changed: called with the name of a field that has another text now.
    """

    def __init__(
        self,
        night: Night,
        title: str,
        fields: Iterable[Field],
        changed: Callable[[str], None] | None = None,
    ) -> None:
        super().__init__(night, id="form", classes="pane -chosen")
        self.border_title = title
        self.editing = False
        self.below: tuple[Piece, ...] = ()
        self._fields = {field.name: field for field in fields}
        self._order = list(self._fields)
        self._cursor = 0
        self._before = ""
        self._heard = changed

    @property
    def typed(self) -> dict[str, str]:
        """What the form says."""
        return {name: field.text for name, field in self._fields.items()}

    @property
    def chosen(self) -> Field:
        """The field under the cursor."""
        return self._fields[self._order[self._cursor]]

    @property
    def mistaken(self) -> list[Field]:
        """The fields that something is wrong with."""
        return [field for field in self._fields.values() if field.wrong]

    def fill(self, texts: Mapping[str, str]) -> None:
        """Other texts, in the fields there are."""
        for name, text in texts.items():
            if name in self._fields and not (self.editing and name == self.chosen.name):
                self._fields[name] = replace(self._fields[name], text=text)
        self.told()

    def offer(self, name: str, options: tuple[str, ...]) -> None:
        """Other options for a field."""
        self._fields[name] = replace(self._fields[name], options=options)

    def advise(self, name: str, hint: str) -> None:
        """Another hint for a field."""
        self._fields[name] = replace(self._fields[name], hint=hint)
        self.told()

    def find_wrong(self, wrong: Mapping[str, str]) -> None:
        """What is wrong, by field; everything else is right."""
        self._fields = {name: replace(f, wrong=wrong.get(name, "")) for name, f in self._fields.items()}
        self.told()

    def choose(self, name: str) -> None:
        """Move the cursor to a field."""
        self._cursor = self._order.index(name)
        self.redraw()

    def pressed(self, event: events.Key) -> bool:
        """Take a key; whether it was for the form."""
        taken = self._edit(event) if self.editing else self._command(event)
        if taken:
            self.redraw()
        return taken

    def _command(self, event: events.Key) -> bool:
        field, key = self.chosen, event.key
        if key in MOVES:
            self._cursor = min(max(self._cursor + MOVES[key], 0), len(self._order) - 1)
        elif key in STEPS and field.options:
            self._step(STEPS[key])
        elif key == "enter" and not field.typed:
            self._step(1)
        elif key == "enter":
            self._begin(field.text)
        elif key == "backspace" and field.typed:
            self._put("")
            self._changed(field.name)
        elif field.typed and field.numeric and event.character and event.character in "0123456789-.,":
            self._begin("")
            self._put(event.character)
        else:
            return key in STEPS
        return True

    def _edit(self, event: events.Key) -> bool:
        if event.key in ("enter", "down", "up", "tab"):
            self.editing = False
            if self.chosen.text != self._before:
                self._changed(self.chosen.name)
            if event.key != "enter":
                self._command(event)
        elif event.key == "escape":
            self.editing = False
            self._put(self._before)
        else:
            self._put(edited(self.chosen.text, event, longest=200))
        return True

    def _changed(self, name: str) -> None:
        if self._heard is not None:
            self._heard(name)

    def _begin(self, text: str) -> None:
        self._before, self.editing = self.chosen.text, True
        self._put(text)

    def _step(self, steps: int) -> None:
        field = self.chosen
        at = field.options.index(field.text) + steps if field.text in field.options else 0
        self._put(field.options[at % len(field.options)])
        self._changed(field.name)

    def _put(self, text: str) -> None:
        self._fields[self.chosen.name] = replace(self.chosen, text=text)

    def strips(self, width: int, height: int) -> list[Strip]:
        """Fields, then the hint or the mistake, then what stands below."""
        field = self.chosen
        words, look = (field.wrong, WRONG) if field.wrong else (field.hint, LABEL)
        rows = [line([(f" {text}", look)], width) for text in wrapped(words, width - 2)][:3]
        rows += [
            line([(f" {text}", look)], width)
            for paragraph, look in self.below
            for text in wrapped(paragraph, width - 2)
        ]
        room = max(height - len(rows) - 1, 3)
        top = max(min(self._cursor - room // 2, len(self._order) - room), 0)
        fields = [self._row(name, width) for name in self._order[top : top + room]]
        return ([*fields, Strip.blank(width, PLAIN), *rows])[:height]

    def _row(self, name: str, width: int) -> Strip:
        field = self._fields[name]
        label = f" {field.label:<{LABELS}}"
        note: Piece = (f"  ✗ {field.wrong}", WRONG) if field.wrong else ("", PLAIN)
        if field is not self.chosen:
            return line([(label, LABEL), (field.shown, PLAIN if field.text else DIM), note], width)
        if self.editing:
            room = max(width - LABELS - 4, 8)
            text = field.text[-room:]
            return line([(label, CHOSEN), (f" {text}▏", EDITED)], width, EDITED)
        about = "  < > another" if field.options else ""
        return line([(label, CHOSEN), (field.shown, CHOSEN), (about, CHOSEN), note], width, CHOSEN)
