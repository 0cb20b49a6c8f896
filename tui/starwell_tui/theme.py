"""Colours that 256-colour terminals show exactly, and night red for everything on the screen."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter
from textual.theme import Theme

GROUND, PANEL, FAINT, MUTED, INK, BRIGHT = "#121212", "#303030", "#585858", "#949494", "#d0d0d0", "#eeeeee"
ACCENT, BLUE, GOOD, BAD = "#ffaf00", "#5f87af", "#87af5f", "#d75f5f"
PALETTE = (GROUND, PANEL, FAINT, MUTED, INK, BRIGHT, ACCENT, BLUE, GOOD, BAD)
"""Every colour is an entry of xterm's 256, so that no terminal rounds it to another."""

DARK = Theme(
    name="starwell-dark",
    primary=BLUE,
    secondary=BLUE,
    accent=ACCENT,
    foreground=INK,
    background=GROUND,
    surface=GROUND,
    panel=PANEL,
    success=GOOD,
    warning=ACCENT,
    error=BAD,
    dark=True,
    variables={"border": FAINT},
)


def style(colour: str, ground: str = GROUND, *, bold: bool = False) -> Style:
    """Letters of `colour` on `ground`, both of the palette."""
    return _style(colour, ground, bold)


@lru_cache(256)
def _style(colour: str, ground: str, bold: bool) -> Style:
    return Style(color=colour, bgcolor=ground, bold=bold)


class Colourless(LineFilter):
    """No colours at all, for NO_COLOR and terminals without: grounds other than the usual are reversed."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002, Textual's name
        """The same text in the terminal's own colours."""
        return [Segment(text, _plain(look), control) for text, look, control in segments]


@lru_cache(1024)
def _plain(look: Style | None) -> Style:
    ground = look.bgcolor if look else None
    usual = ground is None or ground.is_default or ground.get_truecolor().hex == GROUND
    return Style(bold=look.bold if look else None, reverse=not usual)


class HighContrast(LineFilter):
    """The palette on black, its letters white or nearly so; the pictures' greys are none of it and stay."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002, Textual's name
        """The same text, easier to read."""
        return [Segment(text, _contrasting(look or Style()), control) for text, look, control in segments]


STARK = {
    GROUND: "#000000",
    PANEL: "#000087",
    FAINT: "#bcbcbc",
    MUTED: "#dadada",
    INK: "#ffffff",
    BRIGHT: "#ffffff",
    ACCENT: "#ffff00",
    BLUE: "#87d7ff",
    GOOD: "#5fff5f",
    BAD: "#ff8787",
}
"""What each colour of the palette becomes; these are entries of xterm's 256, too."""


@lru_cache(8192)
def _contrasting(look: Style) -> Style:
    return look + Style(color=_stark(look.color), bgcolor=_stark(look.bgcolor))


def _stark(colour: RichColor | None) -> RichColor | None:
    if colour is None or colour.is_default:
        return None
    known = STARK.get(colour.get_truecolor().hex)
    return RichColor.parse(known) if known else colour


CUBE_REDS = (0, 95, 135, 175, 215, 255)


class NightRed(LineFilter):
    """Every colour of every cell becomes red of the same lightness, without any green or blue.

    `brightness` in 0..1; with `cube` only the six reds that 256-colour terminals have are used.
    """

    def __init__(self, brightness: float = 1.0, *, cube: bool = False) -> None:
        super().__init__()
        self.brightness = brightness
        self.cube = cube
        self._reddened = lru_cache(8192)(self._redden)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:  # noqa: ARG002, Textual's name
        """The same text in red."""
        return [Segment(text, self._reddened(look or Style()), control) for text, look, control in segments]

    def _redden(self, look: Style) -> Style:
        # Grounds take the lower of two reds and letters the higher, so that text stands out from its ground.
        letters, ground = self._red(look.color, 208, 6 / 256), self._red(look.bgcolor, 0, 5 / 255)
        return look + Style(color=RichColor.from_rgb(letters, 0, 0), bgcolor=RichColor.from_rgb(ground, 0, 0))

    def _red(self, colour: RichColor | None, default: int, cube_steps: float) -> int:
        if colour is None or colour.is_default:
            return int(self.brightness * default)
        red, green, blue = colour.get_truecolor()
        if not (green or blue):  # chosen as a red already: the nearest to it
            level = self.brightness * red
            return min(CUBE_REDS, key=lambda known: abs(known - level)) if self.cube else int(level)
        level = self.brightness * (0.3 * red + 0.5 * green + 0.2 * blue)
        return CUBE_REDS[int(level * cube_steps)] if self.cube else int(level)
