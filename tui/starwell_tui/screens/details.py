"""Everything known of one sub, and what it means."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

from rich.style import Style
from textual import events, work
from textual.widget import Widget

from starwell.remote.messages import Reply
from starwell.session.events import SubMeasured, SubRejected, SubStacked
from starwell_tui import by_hand
from starwell_tui.desk import Desk
from starwell_tui.night import Night, Standing, Sub
from starwell_tui.panes.frames import MARKS
from starwell_tui.panes.page import Page
from starwell_tui.panes.pane import DIM, LABEL, PLAIN, Piece, wrapped
from starwell_tui.screens.sheet import Keys, Sheet
from starwell_tui.theme import ACCENT, BAD, BRIGHT, style
from starwell_tui.view import View

LABELLED = 14
WHY = {
    "too few stars": "Clouds, dew, a cap or the wrong focus: there is nothing to align it by.",
    "no match": "Its stars are not the reference's: another field, or too few of them are the same.",
    "out of focus": "Its stars are much wider than those of the night: refocus.",
    "trailed": "Its stars are lines: wind, the cable, or the mount's tracking.",
    "clouds": "Its stars lost too much of their light; it would cost more noise than it brings light.",
    "sky too bright": "The sky adds more noise than the sub brings light: dawn, the moon, or a lamp.",
    "saturated": "Too many pixels are full: expose less, or lower the gain.",
    "black": "The frame is dark: a cap, a closed shutter, or an exposure that failed.",
    "not a number": "The file's pixels are no numbers: it was not written whole.",
    "registration too coarse": "Its stars match, but not well enough to add it without widening the stack's.",
    "different size": "It has not the stack's size: another bin or window.",
    "masters do not fit": "Its settings are not those of the masters: take darks and flats that match.",
    "rejected by hand": "You took it out; u puts it back.",
    "unreadable": "The file cannot be read any more.",
}
"""What a reason means, and what to do."""


class Details(Page):
    """The sub under the cursor of the frames."""

    def __init__(self, night: Night, view: View) -> None:
        super().__init__(night, id="details")
        self.view = view

    @property
    def sub(self) -> Sub | None:
        """The chosen one, else the newest."""
        number = self.view.sub if self.view.sub in self.night.subs else max(self.night.subs, default=None)
        return None if number is None else self.night.subs[number]

    def rows(self, width: int) -> list[list[Piece]]:
        """From what it is down to its warnings."""
        sub = self.sub
        self.border_title = f"Sub {sub.number}" if sub else "Sub"
        if sub is None:
            return [[(" no sub yet", DIM)]]
        mark, look = MARKS[sub.standing]
        rows: list[list[Piece]] = [
            [(f" {mark} ", look), (_standing(self.night, sub), style(BRIGHT, bold=True))]
        ]
        if sub.rejected and sub.standing is Standing.REJECTED:
            rows += _why(sub.rejected, width)
        for label, text in (*_taken(sub), *_measured(sub.measured), *_placed(sub.stacked)):
            rows += _entry(label, text, width)
        warnings = sub.measured.warnings if sub.measured else ()
        return rows + [row for text in warnings for row in _entry("Warning", text, width, style(ACCENT))]


class SubDetails(Sheet[None]):
    """The page of one sub; the arrows go on to its neighbours."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(desk)
        self._page = Details(desk.night, desk.view)

    def body(self) -> Iterable[Widget]:
        """The page alone."""
        yield self._page

    def offered(self) -> Keys:
        """What can be done."""
        return (("j k", "Older, newer"), ("x", "Reject"), ("u", "Put back, undo"), ("esc", "Back"))

    def pressed(self, event: events.Key) -> bool:
        """Another sub, or this one out and back."""
        key = event.key
        steps = {"down": 1, "j": 1, "up": -1, "k": -1}.get(key)
        if steps is not None:
            numbers = sorted(self.night.subs, reverse=True)
            at = numbers.index(self._page.sub.number) if self._page.sub else 0
            to = min(max(at + steps, 0), len(numbers) - 1)
            self.desk.view.sub = numbers[to] if numbers and to else None
            self._page.redraw()
        elif key in ("pagedown", "pageup"):
            self._page.scroll(10 if key == "pagedown" else -10)
        elif key in ("x", "u"):
            self._by_hand(by_hand.reject if key == "x" else by_hand.restore)
        elif key in ("enter", "q"):
            self.leave()
        else:
            return False
        return True

    @work(exclusive=True, group="asks")
    async def _by_hand(self, change: Callable[[Desk, Sub | None], Awaitable[Reply | None]]) -> None:
        if reply := await change(self.desk, self._page.sub):
            self.say(reply.message, good=reply.ok)


def _standing(night: Night, sub: Sub) -> str:
    if sub.standing is Standing.STACKED and sub.number == night.reference:
        return "in the stack; the reference that all others are laid on"
    return {
        Standing.EXPOSING: "the shutter is open",
        Standing.MEASURING: "being calibrated, measured and aligned",
        Standing.STACKED: "in the stack",
        Standing.REJECTED: "not in the stack; it stays on disk",
    }[sub.standing]


def _why(rejected: SubRejected, width: int) -> list[list[Piece]]:
    reason = "rejected by hand" if rejected.by_hand else rejected.reason
    detail = f", {rejected.detail}" if rejected.detail else ""
    return _entry("Reason", f"{reason}{detail}", width, style(BAD)) + (
        _entry("", WHY[reason], width) if reason in WHY else []
    )


def _taken(sub: Sub) -> list[tuple[str, str]]:
    taken = sub.taken
    if taken is None:
        return []
    celsius = "" if taken.celsius is None else f" at {taken.celsius:.1f} °C"
    exposed = f"{taken.seconds:g} s{celsius}" if taken.seconds else ""
    return [pair for pair in (("Exposed", exposed), ("File", taken.file or "in memory only")) if pair[1]]


def _measured(seen: SubMeasured | None) -> list[tuple[str, str]]:
    if seen is None:
        return []
    hfr = "" if seen.hfr_px is None else f", HFR {seen.hfr_px:.2f} px"
    fwhm = "-" if seen.fwhm_px is None else f"FWHM {seen.fwhm_px:.2f} px{hfr}"
    round_ = ""
    if seen.eccentricity is not None:
        angle = "" if seen.angle_deg is None else f" along {seen.angle_deg:.0f}°"
        round_ = f"eccentricity {seen.eccentricity:.2f}{angle} (below 0.5 looks round)"
    sky = f"{seen.sky_adu:.0f} ADU" + ("" if seen.sky_e is None else f", {seen.sky_e:.0f} e- above the dark")
    model = "" if seen.sensor_sigma_e is None else f"; the sensor's model says {seen.sensor_sigma_e:.1f} e-"
    return [
        ("Stars", f"{seen.stars}, {fwhm}"),
        *([("Shape", round_)] if round_ else []),
        ("Sky", sky),
        ("Noise", f"{seen.sigma_e:.1f} e- per px ({seen.sigma_adu:.1f} ADU){model}"),
        ("Saturated", f"{100 * seen.saturated_fraction:.3g} % of the pixels"),
    ]


def _placed(stacked: SubStacked | None) -> list[tuple[str, str]]:
    if stacked is None:
        return []
    moved = f"{stacked.dx_px:+.2f}, {stacked.dy_px:+.2f} px, turned {stacked.angle_deg:+.3f}°"
    trails = f", {stacked.trails} trail{'s' if stacked.trails > 1 else ''}" if stacked.trails else ""
    return [
        ("Weight", f"{stacked.weight:.3f} (1 is the reference's)"),
        ("Transparency", f"{100 * stacked.transparency:.0f} % of the reference's"),
        ("Place", f"{moved} from the reference"),
        ("Match", f"{stacked.matched} stars to {stacked.rms_px:.3f} px"),
        ("Masked", f"{100 * stacked.masked_fraction:.3g} % of the pixels{trails}"),
    ]


def _entry(label: str, text: str, width: int, look: Style = PLAIN) -> list[list[Piece]]:
    first, *rest = wrapped(text, width - LABELLED - 2)
    lines: list[list[Piece]] = [[(f" {label:<{LABELLED}}", LABEL), (first, look)]]
    return lines + [[(f"{'':{LABELLED + 1}}{more}", look)] for more in rest]
