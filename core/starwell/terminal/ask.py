"""What a terminal says of itself when asked: on request only, for late answers arrive as keystrokes."""

from __future__ import annotations

import os
import re
import select
import termios
import time
import tty
from dataclasses import dataclass

_QUESTION = b"\x1b[16t\x1b[c"
_ATTRIBUTES = re.compile(rb"\x1b\[\?([\d;]+)c")
_CELL = re.compile(rb"\x1b\[6;(\d+);(\d+)t")
_SIXEL = b"4"


@dataclass(frozen=True, slots=True)
class Answer:
    """sixel: whether it draws pictures in sixels; cell_px: height and width of a character, where told."""

    sixel: bool
    cell_px: tuple[int, int] | None
    seconds: float


def ask(source: int, sink: int, patience_s: float = 1.5) -> Answer | None:
    """Ask through these descriptors of a terminal; None when it does not answer in time.

    Every terminal answers the last question (DA1), which therefore ends the wait. What it sent is drained.
    """
    before = termios.tcgetattr(source)
    begun = time.monotonic()
    heard = b""
    try:
        tty.setcbreak(source)
        os.write(sink, _QUESTION)
        while not (attributes := _ATTRIBUTES.search(heard)):
            left = patience_s - (time.monotonic() - begun)
            if left <= 0 or not select.select([source], [], [], left)[0]:
                return None
            heard += os.read(source, 1024)
    finally:
        termios.tcsetattr(source, termios.TCSAFLUSH, before)
    cell = _CELL.search(heard)
    size = (int(cell[1]), int(cell[2])) if cell else None
    return Answer(_SIXEL in attributes[1].split(b";"), size, time.monotonic() - begun)
