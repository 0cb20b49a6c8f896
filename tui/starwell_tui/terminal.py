"""The terminal a screen is about to be drawn on: its colours, its dots, what Textual is told, and red."""

from __future__ import annotations

import os
import sys
import termios
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

import msgspec

from starwell import config
from starwell.errors import StorageError
from starwell.terminal import sixel
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode
from starwell.terminal.probe import colour_depth, mode

COLOUR_SYSTEMS = {
    ColourDepth.TRUE: "truecolor",
    ColourDepth.INDEXED: "256",
    ColourDepth.SIXTEEN: "standard",
    ColourDepth.MONO: "standard",
}
"""What Textual calls them."""
CALM = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0", "TEXTUAL_FPS": "30"}
"""Textual's settings for a terminal at the other end of a slow line."""


class Terminal(NamedTuple):
    """sixels: whether the key may come to them: never in tmux or screen, nor where no size is told."""

    depth: ColourDepth
    dots: str
    sixels: bool

    def prepare(self) -> None:
        """Tell Textual, which reads its environment when it is imported."""
        os.environ.update({**CALM, "TEXTUAL_COLOR_SYSTEM": COLOUR_SYSTEMS[self.depth]})


def of_environment(colour: str | None, dots: str | None, env: Mapping[str, str] = os.environ) -> Terminal:
    """The terminal as options or configuration say, else as its environment does."""
    depth = ColourDepth(colour) if colour else colour_depth(env)
    inside = env.get("TMUX") or env.get("STY")
    sized = sys.__stdin__ is not None and sixel.cell_px(sys.__stdin__.fileno()) is not None
    return Terminal(depth, dots or mode(env), dots == "sixel" or (not inside and sized))


def drain() -> None:
    """Throw away what the terminal sent so far: late answers to questions are keys that nobody pressed."""
    if sys.__stdin__ is not None and sys.__stdin__.isatty():
        with suppress(termios.error):
            termios.tcflush(sys.__stdin__.fileno(), termios.TCIFLUSH)


class Memory(msgspec.Struct):
    """What the next screen begins with. goals: the SNR that is enough, by target."""

    red: bool = False
    theme: str = ""
    goals: dict[str, float] = {}


def remembered(home: config.Home) -> Memory:
    """As the last screen ended."""
    try:
        return msgspec.json.decode((home.state / "screen.json").read_bytes(), type=Memory)
    except (OSError, msgspec.DecodeError):
        return Memory()


def remember(home: config.Home, memory: Memory) -> None:
    """For the next screen; a state folder that takes nothing is not worth an error."""
    if memory != remembered(home):
        with suppress(StorageError):
            config.write_whole(home.state / "screen.json", msgspec.json.encode(memory))


DOTS = (*Mode, "sixel")
"""What --preview takes."""
