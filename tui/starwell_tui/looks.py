"""Which colours the screen has: a theme, and night red over it."""

from __future__ import annotations

from textual.filter import LineFilter

from starwell.terminal.colours import ColourDepth
from starwell_tui.theme import Colourless, HighContrast, NightRed

THEMES = ("dark256", "high-contrast", "night")
RED_LEVELS = (1.0, 0.5)
"""Night red, and its second level."""


class Looks:
    """What the keys for red and theme go round."""

    def __init__(self, depth: ColourDepth, *, theme: str = THEMES[0], red: bool = False) -> None:
        self._colourless = Colourless() if depth is ColourDepth.MONO else None
        self._reds = [NightRed(level, cube=depth is not ColourDepth.TRUE) for level in RED_LEVELS]
        self._contrast = HighContrast()
        self._high = theme == "high-contrast"
        self._level = 1 if red or theme == "night" else 0

    @property
    def red(self) -> bool:
        """Whether the screen is red."""
        return self._level > 0

    @property
    def brightness(self) -> float | None:
        """Of the red; None without."""
        return RED_LEVELS[self._level - 1] if self._level else None

    @property
    def theme(self) -> str:
        """The name of what is seen."""
        return "night" if self.red else self.below

    @property
    def below(self) -> str:
        """The name of what is seen without the red."""
        return "high-contrast" if self._high else THEMES[0]

    def redder(self) -> None:
        """Red, dimmer, off."""
        self._level = (self._level + 1) % (len(RED_LEVELS) + 1)

    def next_theme(self) -> None:
        """The theme after this one."""
        name = THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)]
        self._high, self._level = name == "high-contrast", int(name == "night")

    def filters(self) -> list[LineFilter]:
        """What every line goes through, last."""
        if self._colourless:
            return [self._colourless]
        if self._level:
            return [self._reds[self._level - 1]]
        return [self._contrast] if self._high else []
