"""The one table of keys: bindings, footer, help and palette are made from it, and from nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from starwell.errors import PlanError
from starwell_tui.wizards import WIZARDS


class Key(NamedTuple):
    """One line of the help and one entry of the footer; `bindings` maps Textual's key names to actions.

    pane: where it is of use, else everywhere. engine: only where there is an engine to command.
    """

    shown: str
    word: str
    meaning: str
    bindings: Mapping[str, str]
    pane: str = ""
    engine: bool = False


def _setting(key: str, word: str, meaning: str) -> Key:
    return Key(key, word, meaning, {key: f"screen.edit('{word.lower()}')"}, "", True)


KEYS = (
    Key("space", "Start", "begin, or go on after a pause", {"space": "screen.order('start')"}, engine=True),
    Key("p", "Pause", "expose nothing more after this sub", {"p": "screen.order('pause')"}, engine=True),
    Key("x", "Reject", "take the chosen sub out of the stack, at once", {"x": "screen.reject"}, "frames"),
    Key(
        "u",
        "Undo",
        "put it back; on one that is in, undo your last x or u",
        {"u": "screen.restore"},
        "frames",
    ),
    Key(
        "enter",
        "Open",
        "the chosen sub or the noise closer, a setting to change it where it stands",
        {"enter": "screen.enter"},
    ),
    Key(
        "/",
        "Find",
        "list only subs with this number or word; esc lists all",
        {"slash": "screen.find"},
        "frames",
    ),
    Key("N", "Noise", "the noise of the whole night, what more light brings, curves", {"N": "open('noise')"}),
    Key("G", "Goal", "the SNR that is enough, and how long that takes", {"G": "screen.goal"}, "noise"),
    Key(
        "j k",
        "Choose",
        "choose a sub or a setting, pan the picture; also the arrows, page up and down, home, end",
        {
            "j,down": "screen.move(0, 1)",
            "k,up": "screen.move(0, -1)",
            "h,left": "screen.move(-1, 0)",
            "l,right": "screen.move(1, 0)",
            "pagedown": "screen.move(0, 10)",
            "pageup": "screen.move(0, -10)",
            "end": "screen.move(0, 9999)",
            "home": "screen.move(0, -9999)",
        },
    ),
    Key(
        "+ - 0 =",
        "Zoom",
        "nearer, further, the whole picture, one pixel of it to a dot",
        {
            "plus": "screen.zoom('in')",
            "minus": "screen.zoom('out')",
            "0": "screen.zoom('fit')",
            "equals_sign": "screen.zoom('dots')",
        },
        "preview",
    ),
    Key(
        "v",
        "View",
        "another picture: the stack, the last sub and what else there is",
        {"v": "screen.view"},
        "preview",
    ),
    Key("s", "Stretch", "stretch the preview: auto, asinh, linear, log", {"s": "screen.stretch"}, "preview"),
    Key(
        ", . < >",
        "Black, white",
        "move the picture's black (, .) and white point (< >)",
        {
            "comma": "screen.level('black', -1)",
            "full_stop": "screen.level('black', 1)",
            "less_than_sign": "screen.level('white', -1)",
            "greater_than_sign": "screen.level('white', 1)",
        },
        "preview",
    ),
    Key(
        "i",
        "Dots",
        "quarter blocks, half blocks, characters or sixels",
        {"i": "screen.dots"},
        "preview",
    ),
    Key("z", "Box", "put the target box, whose SNR is told", {"z": "screen.box"}, "preview", True),
    Key("*", "Crosshair", "lines through the frame's middle", {"asterisk": "screen.crosshair"}, "preview"),
    Key(
        "B",
        "Blink",
        "the stack by turns with the reference, then the last sub, then not",
        {"B": "screen.blink"},
        "preview",
    ),
    Key(
        "1 2 3 4 5",
        "Pane",
        "choose a pane; the same again fills the screen with it, esc goes back, tab goes on",
        {
            "1": "screen.pane('camera')",
            "2": "screen.pane('frames')",
            "3": "screen.pane('preview')",
            "4": "screen.pane('noise')",
            "5": "screen.pane('histogram')",
            "tab": "screen.next_pane(1)",
            "shift+tab": "screen.next_pane(-1)",
            "escape": "screen.all_panes",
        },
    ),
    Key("L", "Log", "what happened, by the clock", {"L": "open('log')"}),
    Key("m", "Note", "write a line into the log", {"m": "screen.note"}, engine=True),
    Key("a", "Alert seen", "take the alert off the screen once you have read it", {"a": "acknowledge"}),
    Key("r", "Red", "night red, then dimmer, then off", {"r": "night_red"}),
    Key("^t", "Theme", "dark, high contrast, night red", {"ctrl+t": "theme"}),
    Key("w", "Save", "write the stack to disk now", {"w": "screen.order('save')"}, engine=True),
    Key(
        "S",
        "Stop",
        "end the series after this sub and save the stack; asks",
        {"S": "screen.order('stop')"},
        engine=True,
    ),
    Key(
        "X",
        "Abort",
        "end this exposure now, without its sub; asks",
        {"X": "screen.order('abort')"},
        engine=True,
    ),
    Key(
        "R",
        "Restack",
        "begin the stacks anew from all lights; asks",
        {"R": "screen.order('restack')"},
        engine=True,
    ),
    *(Key(w.key, w.word, w.meaning, {w.key: f"open('{w.name}')"}, engine=True) for w in WIZARDS),
    _setting("e", "Exposure", "how long a sub is exposed, from the next sub on; asks"),
    _setting("g", "Gain", "the camera's gain, from the next sub on; asks"),
    _setting("o", "Offset", "the camera's offset, from the next sub on; asks"),
    _setting("b", "Bin", "so many by so many pixels into one, from the next sub on; asks"),
    _setting("t", "Temperature", "what to cool to; asks"),
    _setting("c", "Cooler", "on or off; asks"),
    _setting("d", "Dew", "the dew heater, at once"),
    _setting("f", "Filter", "the filter in the light's way, from the next sub on; asks"),
    Key("^r", "Redraw", "draw the screen again, should the terminal have garbled it", {"ctrl+r": "redraw"}),
    Key(
        "Q",
        "End",
        "end the engine: abort, finish the files, warm up; asks",
        {"Q": "screen.order('quit')"},
        engine=True,
    ),
    Key(":", "Palette", "every key by its name; also ^p", {"colon,ctrl+p": "open('palette')"}),
    Key("?", "Help", "this page", {"question_mark": "open('help')"}),
    Key("q", "Quit", "end the demo", {"q,ctrl+c,ctrl+q": "leave"}),
)
"""In order of importance, but that Help and Quit, the last two, are always in the footer."""


def table(*, engine: bool, own: Mapping[str, str] | None = None) -> tuple[Key, ...]:
    """The keys of an engine's screen or of the demo's, with the user's own instead: word to key.

    A key is a letter, a digit, or another in Textual's words, such as ctrl+t or f5. Raises PlanError for a
    word that is in no table or has several keys, and for a key taken twice.
    """
    keys = [key for key in KEYS if engine or not key.engine]
    if engine:
        keys[-1] = keys[-1]._replace(word="Leave", meaning="leave the screen; the engine goes on")
    for word, key in (own or {}).items():
        keys = _with(keys, word, key)
    return tuple(keys)


def _with(keys: list[Key], word: str, key: str) -> list[Key]:
    """The table with another key for this word."""
    single = [k.word.lower() for k in KEYS if len(k.bindings) == 1]
    if word.lower() not in single:
        raise PlanError(f"[screen.keys] knows no '{word}'; known are {', '.join(sorted(single))}.")
    others = [k for k in keys if k.word.lower() != word.lower()]
    if taken := [k.word for k in others for names in k.bindings if key in names.split(",")]:
        raise PlanError(f"[screen.keys] gives '{key}' to {word}, but it is {taken[0]}'s: give that another.")
    return [
        k._replace(shown=key, bindings={key: next(iter(k.bindings.values()))}) if k not in others else k
        for k in keys
    ]


def footer(keys: Iterable[Key], width: int, pane: str = "") -> list[Key]:
    """The keys whose footer entries (` x Reject `) fit into `width` columns, the chosen pane's first."""
    *first, help_key, last = keys
    room = width - entry_width(help_key) - entry_width(last)
    fitting = []
    for key in [k for k in first if pane and k.pane == pane] + [
        k for k in first if not pane or k.pane != pane
    ]:
        room -= entry_width(key)
        if room < 0:
            break
        fitting.append(key)
    return [*fitting, help_key, last]


def entry_width(key: Key) -> int:
    """Columns of one entry of the footer."""
    return len(key.shown) + len(key.word) + 3
