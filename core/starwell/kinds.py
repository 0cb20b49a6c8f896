"""What a frame can be shot for, apart from the pixels: whoever only reads events loads no numpy."""

from __future__ import annotations

from enum import StrEnum


class Kind(StrEnum):
    """What a frame was shot for; values as the IMAGETYP keyword spells them."""

    LIGHT = "Light"
    DARK = "Dark"
    FLAT = "Flat"
    BIAS = "Bias"
    DARK_FLAT = "DarkFlat"
