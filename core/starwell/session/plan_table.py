"""One table of a plan's TOML, read key by key; every mistake is noted with its line, none stops it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from starwell.toml_lines import KeyLines, KeyPath

T = TypeVar("T")
E = TypeVar("E", bound=str)


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """What is wrong in a plan: file, line from 1, key as it would be written, and what was expected."""

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.key}: {self.message}"


class Notes:
    """The mistakes found so far in one file."""

    def __init__(self, file: str, lines: KeyLines) -> None:
        self._file = file
        self._lines = lines
        self._found: set[Mistake] = set()
        self._paths: set[KeyPath] = set()

    def add(self, path: KeyPath, message: str) -> None:
        """Note a mistake at this key."""
        self._paths.add(path)
        self._found.add(Mistake(self._file, self._lines.line(path), _written(path), message))

    def at(self, path: KeyPath) -> bool:
        """Whether a mistake is noted at this very key."""
        return path in self._paths

    @property
    def mistakes(self) -> tuple[Mistake, ...]:
        """All of them, in the order of the file."""
        return tuple(sorted(self._found))


class Table:
    """A TOML table. Its methods return the default where the key is not there or is a mistake."""

    def __init__(self, fields: Mapping[str, Any], path: KeyPath, notes: Notes) -> None:
        self.path = path
        self.notes = notes
        self._fields = fields
        self._asked: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._fields

    def fault(self, key: str, message: str) -> None:
        """Note a mistake at a key of this table, or at the table where key is empty."""
        self.notes.add((*self.path, key) if key else self.path, message)

    def take(self, key: str, expected: str, convert: Callable[[Any], T], default: T) -> T:
        """What convert makes of the value; it raises ValueError or TypeError at what is not `expected`."""
        self._asked[key] = None
        if key not in self._fields:
            return default
        value = self._fields[key]
        try:
            return convert(value)
        except (ValueError, TypeError) as refused:
            note = (
                str(refused)
                if type(refused) is PlainRefusal
                else f"expected {expected}, found {_shown(value)}"
            )
            self.fault(key, note)
            return default

    def missing(self, key: str, expected: str) -> bool:
        """Whether a key that must be there is not; noted at the head of the table."""
        if key in self._fields:
            return False
        self.notes.add((*self.path, key), f"is missing; expected {expected}")
        return True

    @overload
    def number(
        self,
        key: str,
        default: float,
        *,
        low: float = ...,
        high: float = ...,
        above: float = ...,
        unit: str = ...,
    ) -> float: ...
    @overload
    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        low: float = ...,
        high: float = ...,
        above: float = ...,
        unit: str = ...,
    ) -> float | None: ...
    def number(
        self,
        key: str,
        default: float | None = None,
        *,
        low: float = -math.inf,
        high: float = math.inf,
        above: float = -math.inf,
        unit: str = "",
    ) -> float | None:
        """A finite number from low to high, and above a limit."""

        def convert(value: Any) -> float:
            number = _number(value)
            if not low <= number <= high or number <= above:
                raise ValueError
            return number

        return self.take(key, f"a number{_range(low, high, above, unit)}", convert, default)

    @overload
    def whole(self, key: str, default: int, *, low: int = ..., high: float = ...) -> int: ...
    @overload
    def whole(
        self, key: str, default: int | None = None, *, low: int = ..., high: float = ...
    ) -> int | None: ...
    def whole(
        self, key: str, default: int | None = None, *, low: int = 0, high: float = math.inf
    ) -> int | None:
        """A whole number from low to high."""

        def convert(value: Any) -> int:
            number = _number(value)
            if number != int(number) or not low <= number <= high:
                raise ValueError
            return int(number)

        return self.take(key, f"a whole number{_range(low, high, -math.inf, '')}", convert, default)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""

        def convert(value: Any) -> bool:
            if not isinstance(value, bool):
                raise TypeError
            return value

        return self.take(key, "true or false", convert, default)

    @overload
    def text(self, key: str, default: str, expected: str = ...) -> str: ...
    @overload
    def text(self, key: str, default: str | None = None, expected: str = ...) -> str | None: ...
    def text(self, key: str, default: str | None = None, expected: str = "a text") -> str | None:
        """A text that is not empty."""
        return self.take(key, expected, _text, default)

    def choice(self, key: str, choices: Iterable[E], default: E) -> E:
        """One of a few words."""
        words = {str(c): c for c in choices}

        def convert(value: Any) -> E:
            if value in words:
                return words[value]
            raise PlainRefusal(f"expected {listed(words)}, found {_shown(value)}{did_you_mean(value, words)}")

        return self.take(key, listed(words), convert, default)

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of texts, or one."""

        def convert(value: Any) -> tuple[str, ...]:
            return tuple(_text(v) for v in (value if isinstance(value, list) else [value]))

        return self.take(key, "a list of texts", convert, ())

    def table(self, key: str) -> Table | None:
        """A table inside this one; None where there is none."""

        def convert(value: Any) -> Table:
            if not isinstance(value, dict):
                raise TypeError
            return Table(value, (*self.path, key), self.notes)

        return self.take(key, f"a table [{_written((*self.path, key))}]", convert, None)

    def tables(self, key: str) -> list[Table]:
        """An array of tables inside this one."""
        head = f"tables headed [[{'.'.join(str(p) for p in (*self.path, key) if isinstance(p, str))}]]"

        def convert(value: Any) -> list[Table]:
            if not isinstance(value, list) or not all(isinstance(v, dict) for v in value):
                raise TypeError
            return [Table(v, (*self.path, key, i), self.notes) for i, v in enumerate(value)]

        return self.take(key, head, convert, [])

    def names(self) -> list[str]:
        """Every key there is, for tables whose keys are the user's own."""
        return list(self._fields)

    def finish(self, also: Iterable[str] = ()) -> None:
        """Note every key that nothing asked for; `also` could have been asked for."""
        known = list(dict.fromkeys((*self._asked, *also)))
        for key in self._fields:
            if key not in self._asked:
                near = did_you_mean(key, known)
                self.fault(key, f"is not known here{near or '; expected ' + listed(known)}")


class PlainRefusal(ValueError):
    """A refusal that says everything itself."""


def did_you_mean(word: Any, known: Iterable[str]) -> str:
    """A question after the nearest known word, or nothing."""
    near = difflib.get_close_matches(str(word).lower().replace(" ", "_"), list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]}?" if near else ""


def listed(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *others, last = words
    return f"{', '.join(others)} or {last}" if others else last


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    if not math.isfinite(value):
        raise ValueError
    return float(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    if not value.strip():
        raise ValueError
    return value


def _range(low: float, high: float, above: float, unit: str) -> str:
    of = f" of {unit}" if unit else ""
    if above > -math.inf:
        return f"{of} above {above:g}" + (f" and up to {high:g}" if high < math.inf else "")
    if low > -math.inf and high < math.inf:
        return f"{of} from {low:g} to {high:g}"
    return f"{of}, {low:g} or more" if low > -math.inf else of


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    text = "a table" if isinstance(value, dict) else str(value)
    return text if len(text) <= 40 else text[:37] + "..."


def _written(path: KeyPath) -> str:
    """`target[2].exposure`: places in an array are counted from 1."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the plan"
