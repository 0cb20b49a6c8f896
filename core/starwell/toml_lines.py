"""On which line of a TOML text each key stands: what tomllib does not tell."""

from __future__ import annotations

import re

KeyPath = tuple[str | int, ...]
"""Table names and keys from the outside in; an int where a table is one of an array, from 0."""

_KEY = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")
_TOKEN = re.compile(r'"""|\'\'\'|"(?:[^"\\]|\\.)*"|\'[^\']*\'|#.*|[\[\]{}]|\\.|.')


class KeyLines:
    """The lines of a TOML text that tomllib has taken; keys inside a value have the value's line."""

    def __init__(self, text: str) -> None:
        self._lines: dict[KeyPath, int] = {(): 1}
        self._tables: dict[KeyPath, int] = {}
        self._prefix: KeyPath = ()
        value = _Value()
        for number, line in enumerate(text.splitlines(), 1):
            rest = line if value.open else self._head(line, number)
            value.read(rest)

    def line(self, path: KeyPath) -> int:
        """The line, from 1, of this key, or of the innermost table or key around it that has one."""
        while path not in self._lines:
            path = path[:-1]
        return self._lines[path]

    def __contains__(self, path: KeyPath) -> bool:
        return path in self._lines

    def _head(self, line: str, number: int) -> str:
        """Take a header or a key from the head of a line, and return what is its value."""
        stripped = line.strip()
        if stripped.startswith("[["):
            *outer, name = _names(stripped[2:])[0]
            table = (*self._inside(tuple(outer)), name)
            index = self._tables[table] = self._tables.get(table, -1) + 1
            self._lines.setdefault(table, number)
            self._prefix = (*table, index)
            self._lines[self._prefix] = number
        elif stripped.startswith("["):
            self._prefix = self._inside(tuple(_names(stripped[1:])[0]))
            self._note(self._prefix, number)
        elif stripped and not stripped.startswith("#"):
            names, rest = _names(line)
            self._note((*self._prefix, *names), number)
            return rest.removeprefix("=")
        return ""

    def _note(self, path: KeyPath, number: int) -> None:
        for depth in range(1, len(path) + 1):
            self._lines.setdefault(path[:depth], number)

    def _inside(self, names: tuple[str, ...]) -> KeyPath:
        """The path that a header's names mean: the last table of every array on the way."""
        path: KeyPath = ()
        for name in names:
            path = (*path, name)
            if path in self._tables:
                path = (*path, self._tables[path])
        return path


class _Value:
    """Whether a value goes on in the next line: brackets still open, or a text in three quotes."""

    def __init__(self) -> None:
        self._depth = 0
        self._quotes = ""

    @property
    def open(self) -> bool:
        return self._depth > 0 or bool(self._quotes)

    def read(self, text: str) -> None:
        place = 0
        while place < len(text):
            if self._quotes:
                place = self._read_quoted(text, place)
                continue
            match = _TOKEN.match(text, place)
            assert match is not None
            piece, place = match.group(), match.end()
            if piece in ('"""', "'''"):
                self._quotes = piece
            else:
                self._depth += (piece in "[{") - (piece in "]}")

    def _read_quoted(self, text: str, place: int) -> int:
        escapes = self._quotes == '"""'
        while place < len(text):
            if escapes and text[place] == "\\":
                place += 2
            elif text.startswith(self._quotes, place):
                place += 3
                # Up to two quotes may stand right before the closing three.
                while place < len(text) and text[place] == self._quotes[0]:
                    place += 1
                self._quotes = ""
                return place
            else:
                place += 1
        return place


def _names(text: str) -> tuple[list[str], str]:
    """The parts of a dotted key, and what follows it."""
    names = []
    while match := _KEY.match(text):
        quoted, literal, bare = match.groups()
        names.append(quoted if quoted is not None else literal if literal is not None else bare)
        text = text[match.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    return names, text
