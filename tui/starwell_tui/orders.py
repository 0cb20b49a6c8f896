"""What keys ask of the engine: commands, their questions, and what is said of the replies."""

from __future__ import annotations

from typing import NamedTuple

from starwell.remote.messages import Abort, AnyCommand, Pause, Quit, Restack, Save, Set, Start, Stop
from starwell_tui.night import Night
from starwell_tui.settings import SETTINGS, Setting, read, value


class Order(NamedTuple):
    """A command, and what to ask before it is given; nothing where it may be given at once."""

    command: AnyCommand
    question: str = ""


ORDERS = {
    "start": Order(Start()),
    "pause": Order(Pause()),
    "save": Order(Save()),
    "stop": Order(Stop(), "End the series after this sub, and save the stack?"),
    "abort": Order(Abort(), "End this exposure now, without its sub?"),
    "restack": Order(Restack(), "Begin the stacks anew from all lights on disk?"),
    "quit": Order(Quit(), "End the engine: abort, finish the files, warm the camera up?"),
}


def setting_of(word: str) -> Setting:
    """The setting of a key."""
    return next(setting for setting in SETTINGS if setting.word == word)


def change(setting: Setting, text: str, night: Night) -> Order | None:
    """The order that what was typed amounts to; None where it changes nothing. PlanError says why not."""
    wanted = read(setting, text, night)
    if wanted == value(setting, night):
        return None
    command = Set(setting.name, wanted)
    if not setting.consequence:
        return Order(command)
    words = wanted if isinstance(wanted, str) else f"{wanted:g} {setting.unit}".rstrip()
    if setting.switch:
        words = "on" if wanted else "off"
    when = "" if setting.switch else " from the next sub on"
    return Order(command, f"{setting.label} {words}{when}: {setting.consequence}. Do it?")
