"""The wizards and lists that keys open: one row each, from which the key table and the screens are made."""

from __future__ import annotations

from typing import NamedTuple


class Wizard(NamedTuple):
    """screen: module:class, imported when it is opened."""

    name: str
    key: str
    word: str
    meaning: str
    screen: str


WIZARDS = (
    Wizard(
        "sequence",
        "n",
        "Sequence",
        "what is taken tonight: camera, target, filters, exposure, masters; or how it goes",
        "starwell_tui.screens.sequence:Sequence",
    ),
)
