"""A terminal's answers that come late are no keys: Textual would press each of their characters.

Over a slow line what another program asked (its attributes, the size of its characters, its colours) arrives
while the screen is open, and `c` is the cooler's key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver
from textual.message import Message

_ANSWER = re.compile(
    r"\x1b\[\?[\d;]*c"  # attributes
    r"|\x1b\[[>=][\d;]*c"
    r"|\x1b\[[468];\d+;\d+t"  # sizes
    r"|\x1b\[\d+n"
    r"|\x1b[P_][^\x1b]*\x1b\\"  # name and version, graphics
    r"|\x1b\]\d+;[^\x1b\x07]*(?:\x07|\x1b\\)"  # colours
)
_BEGUN = re.compile(r"\x1b(?:\[[?>=]?[\d;]+|[P_][^\x1b]+\x1b?|\]\d+;[^\x1b\x07]*\x1b?)\Z")

_MOST_WAITS = 3
"""What is not whole after so many pieces was typed."""


class Deaf(XTermParser):
    """Leaves answers out; the rest of one that is cut is waited for, but not for ever."""

    _held = ""
    _waits = 0

    def feed(self, data: str) -> Iterable[Message]:
        """The messages of what was typed."""
        if not data:
            return super().feed(data)
        held, self._held = self._held, ""
        text = _ANSWER.sub("", held + data)
        begun = _BEGUN.search(text)
        if begun is not None:
            same = bool(held) and begun.group().startswith(held)
            self._waits = self._waits + 1 if same else 0
            if self._waits < _MOST_WAITS:
                self._held, text = begun.group(), text[: begun.start()]
        return super().feed(text) if text else ()


def ignore() -> None:
    """From now on, for every app of this process."""
    vars(linux_driver)["XTermParser"] = Deaf
