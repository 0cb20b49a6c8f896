"""The numbers of the noise, as the pane, its one line and its page have them."""

from __future__ import annotations

from datetime import timedelta

from starwell.session.events import StackMeasured
from starwell_tui.goal import outlook
from starwell_tui.night import Night
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Piece, duration, roughly
from starwell_tui.theme import ACCENT, BRIGHT, style
from starwell_tui.view import View

BLOCKS_PX = (1, 2, 4, 8, 16)
"""What `reached_e` is measured over."""
SKY_LIMITED, NEARLY = 10.0, 3.0
LONGEST_GOAL = timedelta(days=365)

VALUE, WARNED = style(BRIGHT, bold=True), style(ACCENT)
Figure = tuple[str, list[Piece]]
"""A label, and what stands beside it."""


def figures(night: Night, view: View) -> list[Figure]:
    """What matters most, top to bottom."""
    rows = _of_sub(night)
    latest = night.latest_noise
    if latest is None:
        return [*rows, ("Stack", [("two subs make a figure", DIM)]), *of_box(night, view)]
    over = f"at {latest.efficiency_block_px} px"
    subs = f"{latest.sub_sigma_e:.1f}/√{latest.effective_subs:.1f} subs"
    rows += [
        ("Ideal", pair(f"{latest.ideal_e:.2f} e-", subs)),
        ("Reached", pair(f"{at(latest, judged(latest))} e-", f"{over}, {at(latest, 0)} at 1 px")),
        ("Efficiency", pair(latest.efficiency, over)),
        *_of_floor(latest),
        *of_box(night, view),
        ("Livetime", pair(duration(latest.livetime_s), stacked(latest.stacked))),
        ("Gain", [(f"{latest.egain:.2f} e-/ADU, read {latest.read_noise_e:.1f} e-", PLAIN)]),
    ]
    return rows


def _of_sub(night: Night) -> list[Figure]:
    sub, latest = night.latest_measured, night.latest_noise
    if sub is None:
        return []
    model = "" if sub.sensor_sigma_e is None else f"model {sub.sensor_sigma_e:.1f}"
    said = "not known without a dark" if sub.sky_e is None else limited(sub.sky_e, latest)
    return [
        ("Sky", pair(sky(sub.sky_e, night.seconds), said)),
        ("σ per sub", pair(f"{sub.sigma_e:.1f} e-", model)),
    ]


def _of_floor(latest: StackMeasured) -> list[Figure]:
    rows: list[Figure] = []
    if latest.fixed_e is not None:
        ends = f"wins after {latest.n_star:.0f} subs" if latest.n_star else "the fixed pattern"
        rows.append(("Floor", pair(f"{latest.fixed_e:.2f} e-", ends)))
    if latest.gain_percent is not None:
        rows.append(("Again", [(f"as many subs: {latest.gain_percent:.0f} % less noise", PLAIN)]))
    return rows


def of_box(night: Night, view: View) -> list[Figure]:
    """The SNR in the target box, and how far the goal is."""
    box, goal = night.box, view.goals.get(night.target)
    if box is None:
        return [("Goal", [(f"SNR {goal:g}, but there is no box", LABEL)])] if goal else []
    snr = "-" if box.snr is None else f"{box.snr:.1f}"
    return [("Box SNR", [(snr.ljust(11), VALUE), (_goal(night, box.snr, goal), LABEL)])]


def _goal(night: Night, now: float | None, goal: float | None) -> str:
    if not goal:
        return "no goal yet"
    more = still(night, now, goal)
    return f"goal {goal:g}: {more}" if more else f"goal {goal:g}"


def still(night: Night, now: float | None, goal: float) -> str:
    """How much longer, in a few words; nothing where that cannot be told."""
    if now is None or now <= 0 or not night.livetime_s:
        return ""
    if now >= goal:
        return "reached"
    total_s = outlook(now, goal, night.livetime_s, floor_share(night.latest_noise)).total_s
    if total_s is None or total_s > LONGEST_GOAL.total_seconds():
        return "never so"
    return f"{roughly(total_s - night.livetime_s)} more"


def floor_share(latest: StackMeasured | None) -> float:
    """What part of the noise's variance no further sub takes away; 0 where that is not known."""
    if latest is None or latest.fixed_e is None or judged(latest) >= len(latest.reached_e):
        return 0.0
    reached_e = latest.reached_e[judged(latest)]
    return min((latest.fixed_e / reached_e) ** 2, 1.0) if reached_e > 0 else 0.0


def bar(night: Night) -> list[Piece]:
    """All of it in one line."""
    latest = night.latest_noise
    if latest is None:
        return [(" noise: measured once two subs are stacked", LABEL)]
    pieces: list[Piece] = []
    sub = night.latest_measured
    known = sub is not None and sub.sky_e is not None
    of_sky = (
        (("sky", sky(sub.sky_e, night.seconds)), ("", limited(sub.sky_e, latest))) if sub and known else ()
    )
    for label, value in (
        *of_sky,
        ("reached", f"{at(latest, judged(latest))} e-"),
        ("ideal", f"{latest.ideal_e:.2f}"),
    ):
        pieces += [(f" {label}" if label else "", LABEL), (f" {value} ", PLAIN)]
    return [*pieces, (f" {latest.efficiency} ", VALUE)]


def pair(value: str, beside: str) -> list[Piece]:
    """A figure and what it means."""
    return [(f"{value:<10} ", VALUE), (beside, LABEL)]


def sky(sky_e: float | None, seconds: float | None) -> str:
    """The sky's light per second and pixel, else per sub."""
    if sky_e is None:
        return "-"
    return f"{sky_e / seconds:.3g} e-/s" if seconds else f"{sky_e:.0f} e-"


def judged(noise: StackMeasured) -> int:
    """Which of the blocks the efficiency is taken at."""
    return BLOCKS_PX.index(noise.efficiency_block_px)


def at(noise: StackMeasured, block: int) -> str:
    """The noise reached at one of the block sizes."""
    return f"{noise.reached_e[block]:.2f}" if block < len(noise.reached_e) else "-"


def stacked(count: int) -> str:
    """How many subs the livetime is of."""
    return f"{count} sub{'' if count == 1 else 's'}"


def swamp(sky_e: float | None, noise: StackMeasured | None) -> float | None:
    """The sky's variance over the read noise's."""
    if sky_e is None or noise is None or noise.read_noise_e <= 0:
        return None
    return sky_e / noise.read_noise_e**2


def limited(sky_e: float | None, noise: StackMeasured | None) -> str:
    """What limits a sub, and its swamp factor."""
    factor = swamp(sky_e, noise)
    if factor is None:
        return ""
    name = (
        "sky-limited" if factor >= SKY_LIMITED else "nearly sky-ltd" if factor >= NEARLY else "read-limited"
    )
    return f"{name} ×{factor:.3g}"
