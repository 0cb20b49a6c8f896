"""Screens that keys open over the panes, by name: `open('noise')` in the key table is a row here.

A screen is its class's call with the desk, and imported when it is opened first.
"""

from __future__ import annotations

from importlib import import_module
from typing import Generic, TypeVar

from textual.screen import ModalScreen

from starwell_tui.desk import Desk
from starwell_tui.panes.pane import Pane
from starwell_tui.wizards import WIZARDS

T = TypeVar("T")

SCREENS: dict[str, str] = {
    "help": "starwell_tui.screens.help:Help",
    "palette": "starwell_tui.screens.palette:Palette",
    "log": "starwell_tui.screens.log:Log",
    "noise": "starwell_tui.screens.noise:NoiseOfTheNight",
    "sub": "starwell_tui.screens.details:SubDetails",
    **{wizard.name: wizard.screen for wizard in WIZARDS},
}
"""Name to module:class."""


class Over(ModalScreen[T], Generic[T], inherit_bindings=False):
    """Lies over the panes and hears the night too."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.desk = desk

    def told(self) -> None:
        """The night has changed."""
        for pane in self.query(Pane):
            pane.told()


def opened(name: str, desk: Desk) -> Over[object]:
    """The screen of this name, new."""
    module, of = SCREENS[name].split(":")
    screen: Over[object] = getattr(import_module(module), of)(desk)
    return screen
