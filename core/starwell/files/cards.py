"""Keywords out: one header as bytes, every value made safe for FITS."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import Enum
from pathlib import PurePath
from typing import Any

import numpy as np
from astropy.io import fits

from starwell.files import dates
from starwell.files.keywords import COMMENTS

_LONGEST_BESIDE_COMMENT = 60
_TEXT = ("COMMENT", "HISTORY")


def header_bytes(keywords: Mapping[str, Any], comments: Mapping[str, str]) -> bytes:
    """The header, padded to whole blocks; None, NaN and inf are left out, lists make several cards."""
    header = fits.Header()
    for keyword, value in keywords.items():
        name = keyword.upper() if len(keyword) <= 8 else f"HIERARCH {keyword}"
        if name in _TEXT:
            for line in [value] if isinstance(value, str) else value or ():
                header.add_history(ascii_of(line)) if name == "HISTORY" else header.add_comment(
                    ascii_of(line)
                )
            continue
        stored = plain(value)
        if stored is not None:
            header[name] = (stored, _fitting(stored, comments.get(keyword, COMMENTS.get(name, ""))))
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
