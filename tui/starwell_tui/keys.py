"""The one table of keys: bindings, footer and help are made from it, and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """One line of the help and one entry of the footer; `bindings` maps Textual's key names to actions."""

    shown: str
    word: str
    meaning: str
    bindings: Mapping[str, str]


KEYS = (
    Key("x", "Reject", "take the chosen sub out of the stack, at once", {"x": "reject"}),
    Key("u", "Put back", "put the chosen sub back into the stack, at once", {"u": "restore"}),
    Key(
        "j k",
        "Choose",
        "choose a sub; also the arrows, page up and down, home and end",
        {
            "j,down": "choose(1)",
            "k,up": "choose(-1)",
            "pagedown": "choose(10)",
            "pageup": "choose(-10)",
            "end": "choose(9999)",
            "home": "choose(-9999)",
        },
    ),
    Key("s", "Stretch", "stretch the preview: auto, asinh, linear", {"s": "stretch"}),
    Key(
        "2 3 4",
        "Pane",
        "choose a pane; the same again fills the screen with it, esc goes back, tab goes on",
        {
            "2": "pane('frames')",
            "3": "pane('preview')",
            "4": "pane('noise')",
            "tab": "next_pane(1)",
            "shift+tab": "next_pane(-1)",
            "escape": "all_panes",
        },
    ),
    Key("a", "Alert seen", "take the alert off the screen once you have read it", {"a": "acknowledge"}),
    Key("r", "Red", "night red, then dimmer, then off", {"r": "night_red"}),
    Key("^r", "Redraw", "draw the screen again, should the terminal have garbled it", {"ctrl+r": "redraw"}),
    Key("?", "Help", "this page", {"question_mark": "help"}),
    Key("q", "Quit", "end the demo", {"q,ctrl+c,ctrl+q": "leave"}),
)
"""In order of importance, but that Help and Quit, the last two, are always in the footer."""


def bindings() -> list[Binding]:
    """Every key of the table as Textual's bindings."""
    return [
        Binding(keys, action, key.word, show=False, id=f"{key.word}-{index}".replace(" ", "-").lower())
        for key in KEYS
        for index, (keys, action) in enumerate(key.bindings.items())
    ]


def footer(width: int) -> list[Key]:
    """The keys whose footer entries (` x Reject `) fit into `width` columns."""
    *first, help_key, quit_key = KEYS
    room = width - entry_width(help_key) - entry_width(quit_key)
    fitting = []
    for key in first:
        room -= entry_width(key)
        if room < 0:
            break
        fitting.append(key)
    return [*fitting, help_key, quit_key]


def entry_width(key: Key) -> int:
    """Columns of one entry of the footer."""
    return len(key.shown) + len(key.word) + 3
