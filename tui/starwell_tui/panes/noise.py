"""Pane 4: the noise reached in the stack against what physics allows, in electrons."""

from __future__ import annotations

from textual.strip import Strip

from starwell.session.events import StackMeasured
from starwell_tui.night import Night, Standing
from starwell_tui.panes.curve import braille
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Pane, Piece, duration, line, wrapped
from starwell_tui.theme import ACCENT, BLUE, BRIGHT, style

FIGURES_COLUMNS = 40
CURVE_FROM_COLUMNS = FIGURES_COLUMNS + 20
CURVE_FROM_ROWS = 5
BLOCKS_PX = (1, 2, 4, 8, 16)
"""What `reached_e` is measured over."""
SKY_LIMITED, NEARLY = 10.0, 3.0

VALUE = style(BRIGHT, bold=True)
REACHED, IDEAL = style(ACCENT), style(BLUE)


class Noise(Pane):
    """Figures and a curve, or one line where there is room for no more."""

    def __init__(self, night: Night) -> None:
        super().__init__(night, id="noise", classes="pane")
        self.border_title = "4 Noise"

    def strips(self, width: int, height: int) -> list[Strip]:
        """One line, or figures with the curve beside them where it is wide enough."""
        if height == 1:
            return [line(bar(self.night), width)]
        truth = [text for told in self.night.truth for text in wrapped(told, width - 2)]
        below = [line([(f" {text}", PLAIN)], width) for text in truth]
        upper = height - len(below)
        rows: list[list[Piece]] = [
            [(f" {label:<11}", LABEL), *pieces] for label, pieces in figures(self.night)
        ]
        if width < CURVE_FROM_COLUMNS or upper < CURVE_FROM_ROWS:
            return [*(line(row, width) for row in rows[: max(upper, 0)]), *below][:height]
        curve = [
            line(row, width - FIGURES_COLUMNS) for row in plot(self.night, width - FIGURES_COLUMNS, upper)
        ]
        left = [line(row, FIGURES_COLUMNS) for row in (rows + [[]] * upper)[:upper]]
        return [*(Strip.join([one, other]) for one, other in zip(left, curve, strict=True)), *below]


def bar(night: Night) -> list[Piece]:
    """The pane in one line."""
    latest = night.latest_noise
    if latest is None:
        return [(" noise: measured once two subs are stacked", LABEL)]
    sky = "-" if latest.sky_e is None else f"{latest.sky_e:.0f} e-"
    return [
        (" sky ", LABEL),
        (f"{sky}  ", PLAIN),
        ("σ ", LABEL),
        (f"{latest.sub_sigma_e:.1f}  ", PLAIN),
        ("ideal ", LABEL),
        (f"{latest.ideal_e:.2f}  ", PLAIN),
        ("reached ", LABEL),
        (at(latest, 0), PLAIN),
        (" at 1 px ", LABEL),
        (at(latest, judged(latest)), PLAIN),
        (f" at {latest.efficiency_block_px} px ", LABEL),
        (f" {percent(latest)} ", VALUE),
    ]


def figures(night: Night) -> list[tuple[str, list[Piece]]]:
    """Labels and values, top to bottom."""
    sub, latest = night.latest_measured, night.latest_noise
    rows: list[tuple[str, list[Piece]]] = []
    if sub:
        sky = "-" if sub.sky_e is None else f"{sub.sky_e:.0f} e-/px"
        rows.append(("Sky", [(f"{sky:<11}", VALUE), (limited(sub.sky_e, latest), LABEL)]))
        model = "" if sub.sensor_sigma_e is None else f"model {sub.sensor_sigma_e:.1f}"
        rows.append(("σ per sub", [(f"{f'{sub.sigma_e:.1f} e-':<11}", VALUE), (model, LABEL)]))
    if latest is None:
        return [*rows, ("Stack", [("two subs make a figure", DIM)])]
    over = f"at {latest.efficiency_block_px} px"
    subs = f"{latest.sub_sigma_e:.1f}/√{latest.effective_subs:.1f} subs"
    rows += [
        ("Ideal", [(f"{f'{latest.ideal_e:.2f} e-':<11}", VALUE), (subs, LABEL)]),
        ("Reached", [(f"{at(latest, 0)} e-".ljust(11), VALUE), ("at 1 px", LABEL)]),
        ("", [(f"{at(latest, judged(latest))} e-".ljust(11), VALUE), (over, LABEL)]),
        ("Efficiency", [(percent(latest).ljust(11), VALUE), (over, LABEL)]),
        ("Livetime", [(duration(night.livetime_s).ljust(11), VALUE), (stacked(night), LABEL)]),
        ("Gain", [(f"{latest.egain:.2f} e-/ADU, read {latest.read_noise_e:.1f} e-", PLAIN)]),
    ]
    return rows


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


def judged(noise: StackMeasured) -> int:
    """Which of the blocks the efficiency is taken at."""
    return BLOCKS_PX.index(noise.efficiency_block_px)


def at(noise: StackMeasured, block: int) -> str:
    """The noise reached at one of the block sizes."""
    return f"{noise.reached_e[block]:.2f}" if block < len(noise.reached_e) else "-"


def percent(noise: StackMeasured) -> str:
    """The efficiency, once there is one."""
    return "-" if noise.efficiency_percent is None else f"{noise.efficiency_percent:.0f} %"


def stacked(night: Night) -> str:
    """How many subs the livetime is of."""
    count = night.count(Standing.STACKED)
    return f"{count} sub{'' if count == 1 else 's'}"


def limited(sky_e: float | None, noise: StackMeasured | None) -> str:
    """What limits a sub: the swamp factor is the sky's variance over the read noise's."""
    if sky_e is None or noise is None or noise.read_noise_e <= 0:
        return ""
    swamp = sky_e / noise.read_noise_e**2
    name = "sky-limited" if swamp >= SKY_LIMITED else "nearly sky-ltd" if swamp >= NEARLY else "read-limited"
    return f"{name} ×{swamp:.3g}"
