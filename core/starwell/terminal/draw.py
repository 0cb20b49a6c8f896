"""One door to the ways a picture becomes text."""

from __future__ import annotations

from enum import StrEnum

from starwell.terminal import ascii as plain
from starwell.terminal import half, quad
from starwell.terminal.cells import Row
from starwell.terminal.colours import ColourDepth, Picture


class Mode(StrEnum):
    """How cells show a picture, best first."""

    QUAD = "quad"
    HALF = "half"
    ASCII = "ascii"


_RENDER = {Mode.QUAD: quad.render, Mode.HALF: half.render, Mode.ASCII: plain.render}


def draw(
    picture: Picture,
    columns: int,
    rows: int,
    colours: ColourDepth,
    *,
    mode: Mode = Mode.QUAD,
    night: bool = False,
) -> list[Row]:
    """Exactly so many rows of so many columns, the uint8 H×W or H×W×3 picture fitted and centred in them."""
    return _RENDER[mode](picture, columns, rows, colours, night=night)
