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
    Wizard(
        "focus",
        "F",
        "Focus",
        "a loop of short frames, the HFR in large digits, the star, the corners; keeps nothing",
        "starwell_tui.screens.focus:Focus",
    ),
    Wizard(
        "darks",
        "D",
        "Darks",
        "as many darks as tonight's lights need, their master, the library",
        "starwell_tui.screens.darks:Darks",
    ),
    Wizard(
        "flats",
        "T",
        "Flats",
        "flats of each filter with their dark flats; or same-condition flats",
        "starwell_tui.screens.flats:Flats",
    ),
    Wizard(
        "library",
        "M",
        "Masters",
        "the library: what is there, build, use for what follows, audit",
        "starwell_tui.screens.library:Library",
    ),
)
