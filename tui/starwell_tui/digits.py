"""Numbers large enough to be read from the telescope: five rows of blocks to a digit."""

from __future__ import annotations

HEIGHT = 5
_GLYPHS = {
    "0": "███|█ █|█ █|█ █|███",
    "1": "  █|  █|  █|  █|  █",
    "2": "███|  █|███|█  |███",
    "3": "███|  █|███|  █|███",
    "4": "█ █|█ █|███|  █|  █",
    "5": "███|█  |███|  █|███",
    "6": "███|█  |███|█ █|███",
    "7": "███|  █|  █|  █|  █",
    "8": "███|█ █|███|█ █|███",
    "9": "███|█ █|███|  █|███",
    ".": " | | | |█",
    "-": "   |   |███|   |   ",
    " ": "   |   |   |   |   ",
}


def large(text: str, scale: int = 1) -> list[str]:
    """Five rows times `scale`; digits, point, minus and blanks, each block twice as wide as it is high."""
    rows = [" ".join(_GLYPHS[sign].split("|")[row] for sign in text) for row in range(HEIGHT)]
    wide = ["".join(dot * 2 * scale for dot in row) for row in rows]
    return [row for row in wide for _ in range(scale)]
