"""Pane 5: how many pixels have which value, for what the preview shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from textual.strip import Strip

from starwell.session.events import HistogramReady, PreviewReady
from starwell_tui.night import Night
from starwell_tui.panes.curve import DOTS
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, Piece, line
from starwell_tui.theme import ACCENT, BLUE, style
from starwell_tui.view import View

BARS, MARK = style(BLUE), style(ACCENT)
BINS = 128
BRIGHT = 0.999

Counts = NDArray[np.float64]


class Histogram(Pane):
    """Bars of logarithmic height in braille, and below them where they begin, peak and end."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="histogram", classes="pane")
        self.view = view
        self._counted: tuple[PreviewReady | None, Counts] = None, np.zeros(1)
        self._title("")

    def strips(self, width: int, height: int) -> list[Strip]:
        """The bars and one line of numbers."""
        of = self.view.shown
        told, picture = self.night.histograms.get(of), self.night.pictures.get(of)
        if width < 2 or height < 2 or not (told or picture):
            self._title("")
            return [line([(" nothing to count yet", DIM)], width)][:height]
        counts = np.array(told.counts, float) if told else self._levels(picture)
        low, high = (told.low_adu, told.high_adu) if told else (0.0, 255.0)
        self._title(f"  {of}")
        words = below(counts, low, high, width) if told is None else self._words(told, counts, width)
        words = words[: max(height - 2, 1)]
        drawn = bars(counts, width, height - len(words))
        ends = (told.black_adu, told.white_adu) if told else (None, None)
        marks = [column(end, low, high, width) for end in ends]
        rows = [line(marked(text, marks), width) for text in drawn]
        return [*rows, *(line([(text, LABEL)], width, PLAIN) for text in words)]

    def _words(self, told: HistogramReady, counts: Counts, width: int) -> list[str]:
        """Where the scale lies, and where the picture does on it."""
        median, bright = (quantile(counts, told.low_adu, told.high_adu, part) for part in (0.5, BRIGHT))
        lines = [between(f"{told.low_adu:.0f}", f"median {median:.0f} ADU", f"{told.high_adu:.0f}", width)]
        seen = self.night.latest_measured
        full = "" if seen is None else f"  full {100 * seen.saturated_fraction:.2g} %"
        if told.black_adu is not None and told.white_adu is not None:
            lines.append(f"black {told.black_adu:.0f}  white {told.white_adu:.0f}")
        return [*lines, f"p99.9 {bright:.0f}{full}"]

    def _levels(self, picture: PreviewReady | None) -> Counts:
        """Counted once for each picture."""
        if picture and picture is not self._counted[0]:
            self._counted = picture, levels(picture)
        return self._counted[1]

    def _title(self, more: str) -> None:
        title = f"5 Histogram{more}"
        if self.border_title != title:
            self.border_title = title


def levels(picture: PreviewReady) -> Counts:
    """How many bytes of the picture lie in each step of two levels; the black of missing pixels left out."""
    pixels = np.frombuffer(picture.pixels, np.uint8)
    return np.histogram(pixels[pixels > 0], BINS, (0, 256))[0].astype(float)


def bars(counts: Sequence[float] | Counts, columns: int, rows: int) -> list[str]:
    """Rows of braille, two bars a column, their heights logarithmic from one pixel to the most."""
    dots = 2 * columns
    edges = np.linspace(0, len(counts), dots + 1)
    total = np.concatenate([[0], np.cumsum(counts)])
    # Spread over the dots as if each step were even, so that no dot between two steps stays empty.
    spread = np.diff(np.interp(edges, np.arange(len(counts) + 1), total)) * dots / max(len(counts), 1)
    tall = np.log1p(spread) / max(np.log1p(spread.max()), 1e-9)
    heights = np.where(spread > 0, np.maximum(np.rint(tall * 4 * rows), 1), 0).astype(int)
    lit = np.arange(4 * rows)[:, None] >= 4 * rows - heights
    cells = lit.reshape(rows, 4, columns, 2)
    bits = np.einsum("ryxc,yc->rx", cells.astype(int), DOTS)
    return ["".join(chr(0x2800 + bit) if bit else " " for bit in row) for row in bits.tolist()]


def column(value: float | None, low: float, high: float, columns: int) -> int | None:
    """Where a value stands on the scale; None where it lies beyond."""
    if value is None or not low <= value <= high:
        return None
    return min(int((value - low) / (high - low) * columns), columns - 1)


def marked(text: str, marks: Sequence[int | None]) -> list[Piece]:
    """A row of bars with a line down each marked column."""
    pieces: list[Piece] = [(cell, MARK if at in marks else BARS) for at, cell in enumerate(text)]
    return [("│" if look is MARK else cell, look) for cell, look in pieces]


def below(counts: Counts, low: float, high: float, columns: int) -> list[str]:
    """Where the bytes of a picture begin, where most of them lie, and where they end."""
    step = (high - low) / max(len(counts), 1)
    peak = low + (int(counts.argmax()) + 0.5) * step
    return [between(f"{low:.0f}", f"most at {peak:.0f}", f"{high:.0f}", columns)]


def between(first: str, middle: str, last: str, columns: int) -> str:
    """Words at the ends and in the middle; the middle alone where there is no room."""
    room = columns - len(first) - len(last)
    return f"{first}{middle:^{max(room, 0)}}{last}" if room > len(middle) else middle


def quantile(counts: Counts, low: float, high: float, part: float) -> float:
    """The value that this part of the pixels stays below, within a step as if its pixels lay evenly."""
    total = np.concatenate([[0.0], np.cumsum(counts)])
    edges = np.linspace(low, high, len(counts) + 1)
    return float(np.interp(part * total[-1], total, edges))
