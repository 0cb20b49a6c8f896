"""The noise of the whole night on one page: what it is made of, what more light brings, and its curves."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import zip_longest

from textual import events
from textual.widget import Widget

from starwell.session.events import StackMeasured
from starwell_tui.desk import Desk
from starwell_tui.goal import outlook
from starwell_tui.night import Night
from starwell_tui.panes.figures import (
    BLOCKS_PX,
    VALUE,
    at,
    floor_share,
    judged,
    limited,
    sky,
    stacked,
    swamp,
)
from starwell_tui.panes.page import SCROLL, Page
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Piece, duration, roughly, wrapped
from starwell_tui.panes.trend import Points, trend
from starwell_tui.screens.sheet import Keys, Sheet
from starwell_tui.theme import ACCENT, BLUE, GOOD, style
from starwell_tui.view import View

WORDS_COLUMNS = 58
BESIDE_FROM_COLUMNS = WORDS_COLUMNS + 40
CURVE_ROWS = 8
LABELLED = 13

Row = list[Piece]


class Sheaf(Page):
    """Words on the left and curves on the right, or one below the other where it is narrow."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="noise-page")
        self.view = view
        self.border_title = "Noise of the night"
        self.border_subtitle = "arrows: more"

    def rows(self, width: int) -> list[Row]:
        """All of it."""
        if width < BESIDE_FROM_COLUMNS:
            return [*words(self.night, self.view, width), [], *curves(self.night, width, CURVE_ROWS)]
        left = words(self.night, self.view, WORDS_COLUMNS)
        tall = max(self.content_size.height // 4, CURVE_ROWS)
        right = curves(self.night, width - WORDS_COLUMNS - 1, tall)
        return [
            [
                *(one or []),
                (" " * (WORDS_COLUMNS - sum(len(text) for text, _ in one or [])), PLAIN),
                *(two or []),
            ]
            for one, two in zip_longest(left, right)
        ]


class NoiseOfTheNight(Sheet[None]):
    """The page; G sets the goal from the panes."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._page = Sheaf(desk.night, desk.view)

    def body(self) -> Iterable[Widget]:
        """The page alone."""
        yield self._page

    def offered(self) -> Keys:
        """What can be done."""
        return (("arrows", "More"), ("r", "Red"), ("esc", "Back"))

    def pressed(self, event: events.Key) -> bool:
        """Scroll; N and q go back as esc does."""
        key = event.key
        if key in SCROLL:
            self._page.scroll(SCROLL[key])
        elif key in ("N", "q"):
            self.leave()
        return key in SCROLL


def words(night: Night, view: View, width: int) -> list[Row]:
    """What the figures are and what they mean."""
    latest = night.latest_noise
    rows = [*_heading("One sub"), *_sub(night, width), [], *_heading("The stack")]
    rows += _stack(latest, width) if latest else [[(" two subs make a figure", DIM)]]
    return [*rows, [], *_heading("The target"), *_target(night, view, width)]


def _sub(night: Night, width: int) -> list[Row]:
    sub, latest = night.latest_measured, night.latest_noise
    if sub is None:
        return [[(" no sub measured yet", DIM)]]
    model = "" if sub.sensor_sigma_e is None else f"the sensor's model says {sub.sensor_sigma_e:.1f}"
    total = "" if sub.sky_e is None else f"per px; {sub.sky_e:.0f} e- in {night.seconds or 0:g} s"
    rows = _figure("Sky", sky(sub.sky_e, night.seconds), total, width)
    rows += _figure("Noise", f"{sub.sigma_e:.1f} e-", model, width)
    if (factor := swamp(sub.sky_e, latest)) is not None and sub.sky_e is not None and latest:
        read = latest.read_noise_e**2 / (sub.sky_e + latest.read_noise_e**2)
        said = (
            "longer subs bring little" if factor >= 10 else "longer subs bring more than as many short ones"
        )
        rows += _figure("Made of", f"sky {100 * (1 - read):.0f} %", f"read noise {100 * read:.0f} %", width)
        rows += _figure(
            "Swamp", f"×{factor:.3g}", f"{limited(sub.sky_e, latest).split(' ×')[0]}: {said}", width
        )
    return rows


def _stack(latest: StackMeasured, width: int) -> list[Row]:
    one = f"one sub's {latest.sub_sigma_e:.1f} e- over √{latest.effective_subs:.1f} effective subs"
    rows = _figure("Livetime", duration(latest.livetime_s), stacked(latest.stacked), width)
    rows += _figure("Ideal", f"{latest.ideal_e:.2f} e-", one, width)
    fine = ", ".join(
        f"{at(latest, n)} at {px}" for n, px in enumerate(BLOCKS_PX) if n < len(latest.reached_e)
    )
    rows += _figure("Reached", f"{at(latest, judged(latest))} e-", f"blocks in px: {fine}", width)
    over = f"at {latest.efficiency_block_px} px; finer blocks are flattered by interpolation"
    rows += _figure("Efficiency", latest.efficiency, over, width)
    if latest.masters_e is not None:
        rows += _figure(
            "Masters add", f"{latest.masters_e:.2f} e-", "more calibration frames lower it", width
        )
    if latest.fixed_e is not None:
        rows += _figure("Floor", f"{latest.fixed_e:.2f} e-", "fixed pattern: no further sub lowers it", width)
    if latest.n_star is not None:
        rows += _figure("N*", f"{latest.n_star:.0f} subs", "from there on the fixed pattern outweighs", width)
    if latest.gain_percent is not None:
        less = f"{latest.gain_percent:.0f} % less"
        rows += _figure("Again", less, "noise, from as many subs again", width)
    return rows


def _target(night: Night, view: View, width: int) -> list[Row]:
    box, goal = night.box, view.goals.get(night.target)
    if box is None:
        return [[(f" {text}", LABEL)] for text in wrapped("Put a box on it in the preview (z).", width - 2)]
    signal = (
        "" if box.signal_e is None or box.noise_e is None else f"{box.signal_e:.1f} e- over {box.noise_e:.2f}"
    )
    snr = "-" if box.snr is None else f"{box.snr:.1f}"
    rows = _figure("SNR", snr, f"{signal} in {box.width}x{box.height} px", width)
    if not goal:
        return [*rows, *_figure("Goal", "-", "G sets the SNR that is enough for you", width)]
    if box.snr is None or box.snr <= 0 or not night.livetime_s:
        return [*rows, *_figure("Goal", f"{goal:g}", "", width)]
    more, best = outlook(box.snr, goal, night.livetime_s, floor_share(night.latest_noise))
    if box.snr >= goal:
        said = "reached"
    elif more is None:
        said = f"not with more light: the floor ends it at {best or 0:.1f}"
    else:
        subs = f", {(more - night.livetime_s) / night.seconds:.0f} subs" if night.seconds else ""
        said = f"{roughly(more - night.livetime_s)} more{subs} under this sky"
    return [*rows, *_figure("Goal", f"{goal:g}", said, width)]


def curves(night: Night, columns: int, rows: int) -> list[Row]:
    """FWHM, sky and transparency by sub; the noise by how many are stacked."""
    subs = [night.subs[number] for number in sorted(night.subs)]
    measured = [sub.measured for sub in subs if sub.measured]
    fwhm: Points = [(m.number, m.fwhm_px) for m in measured if m.fwhm_px is not None]
    light: Points = [(m.number, m.sky_e) for m in measured if m.sky_e is not None]
    clear: Points = [(sub.number, sub.stacked.transparency) for sub in subs if sub.stacked]
    noise = [n for _, n in sorted(night.noise.items()) if judged(n) < len(n.reached_e)]
    reached: Points = [(n.stacked, n.reached_e[judged(n)]) for n in noise]
    ideal: Points = [(n.stacked, n.ideal_e) for n in noise]
    blue, gold, green = style(BLUE), style(ACCENT), style(GOOD)
    both = [("reached", reached, gold), ("ideal", ideal, blue)]
    return [
        *trend("FWHM", "px", [("", fwhm, gold)], columns, rows),
        *trend("Sky", "e-/px", [("", light, blue)], columns, rows),
        *trend("Transparency", "", [("", clear, green)], columns, rows),
        *trend("Noise", "e-, by stacked subs", both, columns, rows),
    ]


def _heading(text: str) -> list[Row]:
    return [[(f" {text}", style(ACCENT, bold=True))]]


def _figure(label: str, value: str, said: str, width: int) -> list[Row]:
    """A figure, and as many lines of words beside it as they take."""
    left = LABELLED + 12
    first, *rest = wrapped(said, width - left - 1)
    rows: list[Row] = [[(f" {label:<{LABELLED - 1}}", LABEL), (f"{value:<12}", VALUE), (first, PLAIN)]]
    return rows + [[(f"{'':{left}}{text}", PLAIN)] for text in rest]
