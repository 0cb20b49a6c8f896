"""One FITS header: blocks of bytes in, plain values and comments out, however untidy they are."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from starwell.errors import FileDamaged

BLOCK = 2880
_CARD = 80
_MOST_BLOCKS = 2000
_TEXT = ("COMMENT", "HISTORY")
_CLEAN = bytes(byte if 32 <= byte < 127 else ord(" ") if byte < 32 else ord("?") for byte in range(256))

Card = tuple[str, Any, str]
"""Keyword, value and comment."""

_PLAIN = re.compile(
    r"(?P<keyword>[A-Z0-9_ -]{8})= +"
    r"(?:'(?P<text>(?:[^'&:]|''|:(?! ))*)'|(?P<truth>[TF])|(?P<whole>[+-]?\d{1,18})"
    r"|(?P<number>[+-]?(?:\d+\.\d*|\.\d+|\d+(?=E))(?:E[+-]?\d+)?)) *(?:/ *(?P<comment>.*))?"
)

NUL_PADDED = "header padded with NUL bytes"
NOT_ASCII = "header holds characters that are not ASCII"


@dataclass(frozen=True, slots=True)
class Header:
    """Values and comments by keyword (the first of duplicates), COMMENT and HISTORY as one text each."""

    values: Mapping[str, Any]
    comments: Mapping[str, str]
    flags: tuple[str, ...] = ()

    def count(self, keyword: str, default: int = 0) -> int:
        """A whole number the file's structure depends on; raises ValueError when it is anything else."""
        value = self.values.get(keyword, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise ValueError(f"{keyword} = {value!r} is not a whole number")
        return int(value)

    def over(self, other: Header) -> Header:
        """This header, with the other's keywords where this one has none."""
        return Header(
            {**other.values, **self.values},
            {**other.comments, **self.comments},
            tuple(dict.fromkeys(other.flags + self.flags)),
        )


def read_header(stream: BinaryIO, source: str) -> Header | None:
    """The header that begins where the stream stands, which is left at the data; None at the end of the file.

    Raises FileDamaged where there is no END card.
    """
    blocks: list[bytes] = []
    while len(blocks) < _MOST_BLOCKS:
        block = stream.read(BLOCK)
        if not blocks and not block.strip(b"\0 "):
            return None
        blocks.append(block)
        for start in range(0, len(block), _CARD):
            if block[start : start + _CARD].rstrip(b"\0 ") == b"END":
                blocks[-1] = block[:start]
                return parse(b"".join(blocks))
        if len(block) < BLOCK:
            break
    raise FileDamaged(f"{source}: the header has no end: the file is cut off, or not FITS. Copy it again.")


def parse(raw: bytes) -> Header:
    """The cards in raw (80 bytes each, no END)."""
    flags = [NUL_PADDED] if b"\0" in raw else []
    if not raw.isascii():
        flags.append(NOT_ASCII)
    clean = raw.translate(_CLEAN).decode("ascii")
    lines = [_indicated(clean[start : start + _CARD].ljust(_CARD)) for start in range(0, len(clean), _CARD)]
    cards = _plain(lines)
    return _collect(_by_astropy(lines, flags) if cards is None else cards, flags)


def _indicated(line: str) -> str:
    """The card as astropy takes it: a blank behind the equals sign, nothing where no value is indicated."""
    name, equals = line[:8].rstrip(), line.find("=")
    if name in (*_TEXT, "CONTINUE") or (name == "HIERARCH" and "= " in line):
        return line
    if not 0 < equals <= 8:
        return " " * _CARD
    return line if line[equals + 1] == " " else f"{line[:equals]}= {line[equals + 1 : _CARD - 1]}"


def _plain(lines: list[str]) -> list[Card] | None:
    """The cards, where all are written as the standard has them; None leaves them to astropy."""
    cards: list[Card] = []
    for line in lines:
        name = line[:8].rstrip()
        if name in _TEXT:
            cards.append((name, line[8:].rstrip(), ""))
            continue
        if not line.strip():
            continue
        found = _PLAIN.fullmatch(line)
        if found is None or found["keyword"].rstrip() != name:
            return None
        text, said = found["text"], (found["comment"] or "").rstrip()
        if text is not None:
            cards.append((name, text.replace("''", "'").rstrip(), said))
        elif (whole := found["whole"]) is not None:
            cards.append((name, int(whole), said))
        elif (number := found["number"]) is not None:
            cards.append((name, float(number), said))
        else:
            cards.append((name, found["truth"] == "T", said))
    return cards


def _by_astropy(lines: list[str], flags: list[str]) -> Iterator[Card]:
    """The same of any cards."""
    # needs a tenth of a second and 27 MB, which headers of today's programs are not worth
    from astropy.io import fits
    from astropy.io.fits.verify import VerifyError

    for card in fits.Header.fromstring("".join(lines)).cards:
        keyword = card.keyword
        try:
            value, comment = card.value, card.comment
        except VerifyError:
            flags.append(f"keyword {keyword} is not written as FITS wants it")
            value, comment = _salvaged(keyword, lines), ""
        if keyword and not isinstance(value, fits.card.Undefined):
            yield keyword, value, comment


def _collect(cards: Iterable[Card], flags: list[str]) -> Header:
    values: dict[str, Any] = {}
    comments: dict[str, str] = {}
    for keyword, value, comment in cards:
        if keyword in _TEXT:
            values[keyword] = f"{values[keyword]}\n{value}" if keyword in values else str(value)
        elif keyword in values:
            if values[keyword] != value:
                flags.append(f"keyword {keyword} stands twice: the first is used")
        else:
            values[keyword] = value
            comments[keyword] = comment
    return Header(values, comments, tuple(dict.fromkeys(flags)))


def _salvaged(keyword: str, lines: list[str]) -> str:
    """The text between the equals sign and the comment of a card that breaks the rules."""
    parts = (line.partition("=") for line in lines)
    text = next((text for name, _, text in parts if name.strip().upper() == keyword), "")
    return text.partition(" /")[0].strip(" '")
