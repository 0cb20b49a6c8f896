"""How something went from sub to sub: a curve in braille with what its axes mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from rich.style import Style

from starwell_tui.panes.curve import DOTS
from starwell_tui.panes.pane import DIM, LABEL, Piece
from starwell_tui.theme import BRIGHT, style

LEFT = 8
"""Columns of the scale."""
ROOM = 0.08
"""How much of its range is left free above and below a curve."""

Points = Sequence[tuple[int, float]]
"""A sub's number, and what was measured on it."""


def trend(
    name: str, unit: str, curves: Sequence[tuple[str, Points, Style]], columns: int, rows: int
) -> list[list[Piece]]:
    """A line of words and rows - 1 of dots; several curves share the axes, the first lies on top."""
    words: list[Piece] = [(f" {name}", style(BRIGHT, bold=True)), (f"  {unit}" if unit else "", LABEL)]
    told = [(label, points, look) for label, points, look in curves if points]
    if not told or rows < 3 or columns <= LEFT + 2:
        return [[*words, ("  nothing measured yet", DIM)]]
    for label, points, look in told:
        words += [("  ", LABEL), (f"{label} {_short(points[-1][1])}".strip(), look)]
    numbers = [number for _, points, _ in told for number, _ in points]
    values = [value for _, points, _ in told for _, value in points]
    x_range = min(numbers), max(numbers)
    y_range = _spread(min(values), max(values))
    width, height = columns - LEFT, rows - 2
    drawn = [(dots(points, width, height, x_range, y_range), look) for _, points, look in told]
    ends = {0: _short(y_range[1]), height - 1: _short(y_range[0])}
    rows_of_dots = [
        [(f"{ends.get(y, ''):>{LEFT - 2}} ▏", LABEL), *_cells([d[y] for d, _ in drawn], drawn)]
        for y in range(height)
    ]
    last = f"{x_range[1]}"
    axis = f"{'':{LEFT}}{x_range[0]}".ljust(columns - len(last)) + last
    return [words, *rows_of_dots, [(axis, LABEL)]]


def dots(
    points: Points, columns: int, rows: int, x_range: tuple[int, int], y_range: tuple[float, float]
) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """rows×columns of braille bits, on linear axes: a dot for each sub, joined where there is room."""
    bits = np.zeros((rows, columns), np.int64)
    across, down = 2 * columns - 1, 4 * rows - 1
    number, value = np.array(points, float).T
    if len(points) < columns:
        between = np.linspace(number[0], number[-1], across + 1)
        number, value = between, np.interp(between, number, value)
    x = np.rint(across * (number - x_range[0]) / max(x_range[1] - x_range[0], 1)).astype(int)
    y = np.rint(down * (y_range[1] - value) / (y_range[1] - y_range[0])).astype(int)
    np.bitwise_or.at(bits, (y // 4, x // 2), DOTS[y % 4, x % 2])
    return bits


def _cells(
    rows: Sequence[np.ndarray[tuple[int], np.dtype[np.int64]]],
    drawn: Sequence[tuple[object, Style]],
) -> list[Piece]:
    """Runs of one look; where curves meet, the first one's."""
    together = np.bitwise_or.reduce(np.array(rows), axis=0)
    pieces: list[Piece] = []
    for column, bits in enumerate(together.tolist()):
        mine = next((look for row, (_, look) in zip(rows, drawn, strict=True) if row[column]), LABEL)
        text = chr(0x2800 + bits) if bits else " "
        if pieces and (pieces[-1][1] == mine or not bits):
            pieces[-1] = pieces[-1][0] + text, pieces[-1][1]
        else:
            pieces.append((text, mine))
    return pieces


def _spread(low: float, high: float) -> tuple[float, float]:
    """The ends of an axis that shows these, never of no length."""
    room = ROOM * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
