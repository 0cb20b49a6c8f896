"""Pane 2: the subs, newest first, with what was measured and why one was left out."""

from __future__ import annotations

from rich.style import Style
from textual.strip import Strip

from starwell_tui.night import Night, Standing, Sub
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, line
from starwell_tui.theme import ACCENT, BAD, BLUE, GOOD, GROUND, INK, style
from starwell_tui.view import View

MARKS = {
    Standing.EXPOSING: ("◌", LABEL),
    Standing.MEASURING: ("~", style(ACCENT)),
    Standing.STACKED: ("✓", style(GOOD)),
    Standing.REJECTED: ("✗", style(BAD)),
}
CHOSEN = style(GROUND, BLUE)
WEIGHT_FROM_COLUMNS = 38


class Frames(Pane):
    """The list and its cursor; the cursor stays with the newest sub until it is moved off it."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="frames", classes="pane")
        self.view = view
        self.border_title = "2 Frames"

    @property
    def chosen(self) -> Sub | None:
        """The sub under the cursor."""
        numbers = self._numbers()
        return self.night.subs[numbers[self._position(numbers)]] if numbers else None

    def choose(self, steps: int) -> None:
        """Move the cursor towards older subs, or back with negative steps."""
        numbers = self._numbers()
        if numbers:
            position = min(max(self._position(numbers) + steps, 0), len(numbers) - 1)
            self.view.sub = numbers[position] if position else None

    def strips(self, width: int, height: int) -> list[Strip]:
        """A head, and the subs around the cursor."""
        numbers = self._numbers()
        wide = width >= WEIGHT_FROM_COLUMNS
        head = line([(f"{'#':>4}   FWHM Stars{' Weight' if wide else ''} Note", LABEL)], width)
        self._title(len(numbers))
        if not numbers:
            nothing = f" no sub has '{self.view.find}'" if self.view.find else " no sub yet"
            return [head, line([(nothing, DIM)], width)]
        position = self._position(numbers)
        rows = max(height - 1, 1)
        top = min(max(position - rows // 2, 0), max(len(numbers) - rows, 0))
        return [head] + [
            self._row(self.night.subs[number], width, wide, chosen=number == numbers[position])
            for number in numbers[top : top + rows]
        ]

    def _row(self, sub: Sub, width: int, wide: bool, *, chosen: bool) -> Strip:
        mark, look = MARKS[sub.standing]
        words = note(sub, reference=sub.number == self.night.reference)
        pieces = [
            (f"{sub.number:>4} ", PLAIN),
            (mark, look),
            (figures(sub, wide), PLAIN),
            (words, note_look(sub)),
        ]
        if not chosen:
            return line(pieces, width)
        return line([(text, CHOSEN) for text, _ in pieces], width, CHOSEN)

    def _numbers(self) -> list[int]:
        words = self.view.find.lower().split()
        return sorted(
            (sub.number for sub in self.night.subs.values() if all(found(sub, word) for word in words)),
            reverse=True,
        )

    def _position(self, numbers: list[int]) -> int:
        return numbers.index(self.view.sub) if self.view.sub in numbers else 0

    def _title(self, listed: int) -> None:
        find = f"  '{self.view.find}' {listed} of {len(self.night.subs)}" if self.view.find else ""
        if self.border_title != f"2 Frames{find}":
            self.border_title = f"2 Frames{find}"


def found(sub: Sub, word: str) -> bool:
    """Whether a sub is what was typed: its number, or a part of its standing, reason or warnings."""
    if word.isdigit():
        return sub.number == int(word)
    reason = f"{sub.rejected.reason} {sub.rejected.detail}" if sub.rejected else ""
    words = f"{sub.standing} {reason} {note(sub, reference=False)}"
    return word in words.lower()


def figures(sub: Sub, wide: bool) -> str:
    """FWHM in px, stars and, where there is room, the weight."""
    seen = sub.measured
    fwhm = f"{seen.fwhm_px:.2f}" if seen and seen.fwhm_px is not None else ""
    text = f"{fwhm:>6} {seen.stars if seen else '':>5}"
    if wide:
        weight = f"{sub.stacked.weight:.2f}" if sub.stacked and sub.standing is Standing.STACKED else ""
        text += f" {weight:>6}"
    return f"{text} "


def note(sub: Sub, *, reference: bool) -> str:
    """What is special about the sub: why it was rejected, what was masked, or what happens to it now."""
    if sub.standing is Standing.REJECTED and sub.rejected:
        return "by hand" if sub.rejected.by_hand else sub.rejected.reason
    if sub.standing is not Standing.STACKED or sub.stacked is None:
        return sub.standing.value
    notes = ["ref"] if reference else []
    trails = sub.stacked.trails
    if trails:
        notes.append("trail masked" if trails == 1 else f"{trails} trails masked")
    if sub.measured and sub.measured.warnings:
        notes.append(sub.measured.warnings[0])
    return ", ".join(notes)


def note_look(sub: Sub) -> Style:
    """Red for what was rejected by the gates, plain for the rest."""
    gated = sub.standing is Standing.REJECTED and sub.rejected is not None and not sub.rejected.by_hand
    return style(BAD) if gated else style(INK) if sub.standing is Standing.STACKED else LABEL
