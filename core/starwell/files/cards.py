"""Keywords out: one header as bytes, every value made safe for FITS."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np

from starwell.files import dates
from starwell.files.header import BLOCK
from starwell.files.keywords import COMMENTS

_LONGEST_BESIDE_COMMENT = 60
_CARD = 80
_NAME = re.compile(r"[A-Z0-9_-]{1,8}")
_FIELD = re.compile(r": +[-+]?\.?\d")
_TEXT = ("COMMENT", "HISTORY")


def header_bytes(keywords: Mapping[str, Any], comments: Mapping[str, str]) -> bytes:
    """The header, padded to whole blocks; None, NaN and inf are left out, lists make several cards."""
    cards = sorted(_cards(keywords, comments), key=lambda card: card[0] in _TEXT)
    names = [name for name, _, _ in cards if name not in _TEXT]
    images = [_image(*card) for card in cards]
    if len(set(names)) < len(names) or None in images:
        return _by_astropy(cards)
    text = "".join(f"{image:80}" for image in [*images, "END"])
    return text.encode("ascii").ljust(-(-len(text) // BLOCK) * BLOCK)


def _cards(keywords: Mapping[str, Any], comments: Mapping[str, str]) -> Iterator[tuple[str, Any, str]]:
    """Keyword, value and comment of each card."""
    for keyword, value in keywords.items():
        name = keyword.upper() if len(keyword) <= 8 else f"HIERARCH {keyword}"
        if name in _TEXT:
            for line in [value] if isinstance(value, str) else value or ():
                yield name, ascii_of(line), ""
            continue
        stored = plain(value)
        if stored is not None:
            yield name, stored, _fitting(stored, comments.get(keyword, COMMENTS.get(name, "")))


def _image(name: str, value: Any, comment: str) -> str | None:
    """The card, where it is a plain one; None for what astropy knows how to spell."""
    if name in _TEXT:
        return f"{name:8}{value}" if 0 < len(value) <= _CARD - 8 else None
    if isinstance(value, str):
        quoted = value.replace("'", "''")
        written = f"'{quoted:8}'".ljust(20) if value else "''"
        # the sign of a text that goes on, and a value with a field of its own
        special = "&" in value or _FIELD.search(value) is not None
    else:
        written = ("T" if value else "F") if isinstance(value, bool) else repr(value).replace("e", "E")
        written = f"{written:>20}"
        special = len(written) > 20
    image = f"{name:8}= {written}" + (f" / {comment}" if comment else "")
    return None if special or len(image) > _CARD or not _NAME.fullmatch(name) else image


def _by_astropy(cards: Iterable[tuple[str, Any, str]]) -> bytes:
    # needs a tenth of a second and 27 MB, which most headers are not worth
    from astropy.io import fits

    header = fits.Header()
    for name, value, comment in cards:
        if name in _TEXT:
            header.add_history(value) if name == "HISTORY" else header.add_comment(value)
        else:
            header[name] = (value, comment)
    return header.tostring().encode("ascii")  # type: ignore[no-any-return]


def plain(value: Any) -> bool | int | float | str | None:
    """The value as FITS can hold it; None for what it cannot say."""
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return dates.written(value)
    if isinstance(value, PurePath):
        value = value.name
    if isinstance(value, Iterable) and not isinstance(value, str):
        value = ", ".join(str(part) for part in value)
    return ascii_of(str(value))


def ascii_of(text: str) -> str:
    """The text in the letters FITS knows: accents dropped, what has no likeness a question mark."""
    spelt = unicodedata.normalize("NFKD", text.replace("µ", "u").replace("°", "deg"))
    bare = "".join(letter for letter in spelt if not unicodedata.combining(letter))
    return "".join(
        letter if 32 <= ord(letter) < 127 else "?" if ord(letter) > 126 else " " for letter in bare
    )


def _fitting(value: Any, comment: str) -> str:
    """The comment, or as much as one card has room for; none beside a long string."""
    room = 47 if not isinstance(value, str) else max(0, _LONGEST_BESIDE_COMMENT - max(len(value), 18))
    return ascii_of(comment)[:room]
