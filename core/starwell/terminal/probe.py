"""What the terminal can show, from its environment alone: asking it would eat keystrokes on a slow link."""

from __future__ import annotations

import re
from collections.abc import Mapping

from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode

_CONSOLE = re.compile(r"linux|vt\d|ansi|cons25")
_TRUE_COLOUR = frozenset({"truecolor", "24bit"})


def colour_depth(env: Mapping[str, str]) -> ColourDepth:
    """256 colours unless the environment clearly says more or less.

    A bare TERM=xterm means 256 (the default of xterm and PuTTY). NO_COLOR and TERM=dumb mean none.
    """
    term = env.get("TERM", "")
    if env.get("NO_COLOR") or term == "dumb":
        return ColourDepth.MONO
    if env.get("COLORTERM", "").lower() in _TRUE_COLOUR and env.get("TERM_PROGRAM") != "Apple_Terminal":
        return ColourDepth.TRUE
    return ColourDepth.SIXTEEN if _CONSOLE.match(term) else ColourDepth.INDEXED


def mode(env: Mapping[str, str]) -> Mode:
    """Quarter blocks, or plain characters on consoles, dumb terminals and where the locale is not UTF-8."""
    term = env.get("TERM", "")
    locale = env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or ""
    if term == "dumb" or _CONSOLE.match(term) or locale in ("C", "POSIX") or _other_charset(locale):
        return Mode.ASCII
    return Mode.QUAD


def _other_charset(locale: str) -> bool:
    """Whether a locale names a character set that is not UTF-8."""
    _, dot, charset = locale.partition(".")
    return bool(dot) and charset.lower().replace("-", "").partition("@")[0] != "utf8"
