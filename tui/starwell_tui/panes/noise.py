"""Pane 4: the noise reached in the stack against what physics allows, in electrons."""

from __future__ import annotations

from textual.strip import Strip

from starwell_tui.night import Night
from starwell_tui.panes.curve import braille
from starwell_tui.panes.figures import bar, figures, judged
from starwell_tui.panes.pane import LABEL, PLAIN, Pane, Piece, line, wrapped
from starwell_tui.theme import ACCENT, BLUE, style
from starwell_tui.view import View

FIGURES_COLUMNS = 46
CURVE_FROM_COLUMNS = FIGURES_COLUMNS + 20
CURVE_FROM_ROWS = 5
REACHED, IDEAL = style(ACCENT), style(BLUE)


class Noise(Pane):
    """Figures and a curve, or one line where there is room for no more."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="noise", classes="pane")
        self.view = view
        self.border_title = "4 Noise"

    def strips(self, width: int, height: int) -> list[Strip]:
        """One line, or figures with the curve beside them where it is wide enough."""
        if height == 1:
            return [line(bar(self.night), width)]
        truth = [text for told in self.night.truth for text in wrapped(told, width - 2)]
        below = [line([(f" {text}", PLAIN)], width) for text in truth]
        upper = height - len(below)
        rows: list[list[Piece]] = [
            [(f" {label:<11}", LABEL), *pieces] for label, pieces in figures(self.night, self.view)
        ]
        if width < CURVE_FROM_COLUMNS or upper < CURVE_FROM_ROWS:
            return [*(line(row, width) for row in rows[: max(upper, 0)]), *below][:height]
        curve = [
            line(row, width - FIGURES_COLUMNS) for row in plot(self.night, width - FIGURES_COLUMNS, upper)
        ]
        left = [line(row, FIGURES_COLUMNS) for row in (rows + [[]] * upper)[:upper]]
        return [*(Strip.join([one, other]) for one, other in zip(left, curve, strict=True)), *below]


def plot(night: Night, columns: int, rows: int) -> list[list[Piece]]:
    """The curve of the noise over the blocks it is judged by, the ideal below it, and what the axes mean."""
    seen = [noise for noise in night.noise.values() if len(noise.reached_e) > judged(noise)]
    seen.sort(key=lambda noise: noise.effective_subs)
    if not seen:
        return [[]] * rows
    reached = [(noise.effective_subs, noise.reached_e[judged(noise)]) for noise in seen]
    last = max(seen[-1].effective_subs, 2.0)
    sigma = seen[-1].ideal_e * seen[-1].effective_subs ** 0.5
    x_range = (1.0, last)
    y_range = (sigma / last**0.5 * 0.95, max(sigma, *(noise for _, noise in reached)) * 1.05)
    width, height = columns - 7, rows - 2
    dots = braille(reached, width, height, x_range, y_range)
    below = braille([(1.0, sigma), (last, sigma / last**0.5)], width, height, x_range, y_range)
    ends = {0: f"{y_range[1]:.3g}", height - 1: f"{y_range[0]:.3g}"}
    lines: list[list[Piece]] = [
        [
            (f"  e- at {seen[-1].efficiency_block_px} px: ", LABEL),
            ("reached", REACHED),
            (", ", LABEL),
            ("ideal", IDEAL),
        ]
    ]
    for y in range(height):
        cells: list[Piece] = [
            (chr(0x2800 + int(mine | other)) if mine | other else " ", REACHED if mine else IDEAL)
            for mine, other in zip(dots[y], below[y], strict=True)
        ]
        lines.append([(f"{ends.get(y, ''):>5} ▏"[:7], LABEL), *cells])
    axis = f"{f'{last:.1f} effective subs':>{width - 1}}"
    return [*lines, [("       1", LABEL), (axis, LABEL)]]
