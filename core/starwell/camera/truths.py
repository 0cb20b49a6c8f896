"""Sensors with one fault each, all alike at first sight: pixels that go cold at low light."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum

from starwell.camera.chip import ASI1600, Chip, Flaw, Response

WARMER_K = 6.0
"""How much warmer than the flats the darks of DARK_MISMATCH are: twice the dark current."""

FLAWED = 0.005
"""Share of the pixels that have the fault."""

_PART = 0.25
"""Of a fault's pixels, at each of four strengths."""


class Truth(StrEnum):
    """What is true of a sensor; values as the flat lab's verdicts."""

    LINEAR = "linear"
    LOW_QE = "low_qe"
    CHARGE_THRESHOLD = "charge_threshold"
    LEAK = "leak"
    ADU_OFFSET = "adu_offset"
    CLIPPED = "clipped"
    DARK_MISMATCH = "dark_mismatch"


def chip_of(truth: Truth, size: tuple[int, int], response: Response = Response.EXPONENTIAL) -> Chip:
    """A 12-bit sensor of this size with this fault, at gain 139 (1 e-/ADU).

    Strengths are those of about 8 e- in 10 s at gain 300, as flats at the lights' own settings have them.
    """
    chip = replace(ASI1600, dark_e_s=0.002, response=response)
    count = round(_PART * FLAWED * size[0] * size[1])

    def some(*levels: float) -> tuple[Flaw, ...]:
        return tuple(Flaw(count, level) for level in levels)

    match truth:
        case Truth.LOW_QE:
            return replace(chip, weak=some(0.6, 0.7, 0.75, 0.8))
        case Truth.CHARGE_THRESHOLD:
            return replace(chip, cold=some(1.5, 2.0, 3.0, 4.0))
        case Truth.LEAK:
            return replace(chip, leaky=some(0.15, 0.2, 0.3, 0.4))
        case Truth.ADU_OFFSET:
            return replace(chip, sunk=some(12.0, 16.0, 20.0, 24.0))
        case Truth.CLIPPED:
            return replace(chip, offset_adu=5.0)
        case Truth.DARK_MISMATCH:
            return replace(chip, warm=some(0.25, 0.35), hot=some(0.3, 0.4))
        case Truth.LINEAR:
            return chip
