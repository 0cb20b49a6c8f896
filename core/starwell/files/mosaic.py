"""Which colour sits at array position [0,0], from BAYERPAT, ROWORDER and the offsets; and back.

The convention is Siril's default (header first, top-down where the header is silent), which is what capture
programs mean by what they write:

* ROWORDER TOP-DOWN, or no ROWORDER: the pattern counts from the first row of the file, which is array row 0.
* ROWORDER BOTTOM-UP: the pattern counts from the top of the picture, which is the last row of the file. Array
  row r is then row H-1-r of the pattern: its rows are swapped where the height H is even, kept where odd.
* X/YBAYROFF: the array begins that many columns and rows into the pattern.

Arrays are never flipped. For the display alone, no ROWORDER means BOTTOM-UP, as the FITS standard has it.
"""

from __future__ import annotations

from typing import Any

from starwell.files.header import Header
from starwell.frame import Bayer, Facts

_PATTERNS = ("BAYERPAT", "COLORTYP", "CFAPAT", "CFA-PAT", "BAYRPAT")
_X_OFFSETS = ("XBAYROFF", "BAYOFFX", "BAYEROFX")
_Y_OFFSETS = ("YBAYROFF", "BAYOFFY", "BAYEROFY")
_BAYER = frozenset(pattern.value for pattern in Bayer)
_NO_PATTERN = {"", "NONE", "MONO", "MONOCHROME", "UNKNOWN", "0", "1", "2", "FALSE", "F"}


def bayer_of(
    header: Header, shape: tuple[int, ...], binning: int
) -> tuple[Bayer | None, bool, tuple[str, ...]]:
    """The pattern at [0,0] (None: no mosaic), whether row 0 is the top, and what is worth a remark."""
    values = header.values
    order = str(values.get("ROWORDER", "")).strip().upper().replace("_", "-")
    top_down = order == "TOP-DOWN"
    flags = () if order in {"", "TOP-DOWN", "BOTTOM-UP"} else (f"ROWORDER {order} is not known",)
    names = (str(values[keyword]).strip().upper() for keyword in _PATTERNS if keyword in values)
    name = next((name for name in names if name not in _NO_PATTERN), None)
    if name is None or len(shape) != 2:
        return None, top_down, flags
    if name not in _BAYER:
        return None, top_down, (*flags, f"Bayer pattern {name} is not known: read as mono")
    # Many programs bin colours together and leave the pattern in the header; starwell never does.
    ours = str(values.get("SWCREATE", "")).startswith("starwell")
    if binning > 1 and not ours:
        return None, top_down, (*flags, f"Bayer pattern {name} is not used: binned {binning}×{binning}")
    rows_up = shape[0] - 1 if order == "BOTTOM-UP" else 0
    pattern = Bayer(name).shifted(_offset(values, _X_OFFSETS), _offset(values, _Y_OFFSETS) + rows_up)
    return pattern, top_down, flags


def bayer_keywords(facts: Facts) -> dict[str, Any]:
    """ROWORDER always; for a mosaic BAYERPAT and its offsets, so that bayer_of gives the same again."""
    written: dict[str, Any] = {"ROWORDER": "TOP-DOWN" if facts.top_down else "BOTTOM-UP"}
    if facts.bayer is not None:
        rows_up = 0 if facts.top_down else facts.shape[-2] - 1
        written["BAYERPAT"] = facts.bayer.shifted(0, rows_up).value
        written |= {"XBAYROFF": 0, "YBAYROFF": 0}
    return written


def _offset(values: Any, keywords: tuple[str, ...]) -> int:
    found = next((values[keyword] for keyword in keywords if keyword in values), 0)
    try:
        return int(float(found))
    except (ValueError, OverflowError):
        return 0
