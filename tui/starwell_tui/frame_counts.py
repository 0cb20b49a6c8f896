"""How many darks and flats a night's stack needs, and the reason: the noise that masters add to it."""

from __future__ import annotations

import math
from typing import NamedTuple

from starwell.session.events import StackMeasured

MOST = 0.05
"""How much noisier than without the masters' own noise a stack may be."""
AUTHORS = 300
"""Same-condition flats that the inventor of the method takes."""
FEWEST_DARKS, USUAL_DARKS, USUAL_FLATS = 20, 50, 25


class Need(NamedTuple):
    """frames: for a master; why: in a sentence or two."""

    frames: int
    why: str


def allowed() -> float:
    """The share of its variance by which a stack may grow."""
    return (1 + MOST) ** 2 - 1


def added(lights: int, frames: int, share: float, positions: int) -> float:
    """How much noisier a stack is for its master, as a fraction.

    share: variance of one of the master's frames over that of a light, both as the stack sees them.
    positions: of the dither, all of which see another pixel of the master.
    """
    return math.sqrt(1 + lights * share / (frames * max(positions, 1))) - 1


def darks(noise: StackMeasured | None, lights: int, positions: int = 1) -> Need:
    """Darks so that their master adds MOST at most: a dark has the read noise, a light the sky's as well."""
    if noise is None or noise.read_noise_e <= 0:
        why = f"{USUAL_DARKS} are usual: the noise of tonight's subs is not measured yet."
        return Need(USUAL_DARKS, why)
    read = noise.read_noise_e**2
    # From the noise, for without a dark nobody knows how much of the level is the sky's.
    sky_e = max(noise.sub_sigma_e**2 - read, 0.0)
    share = read / (sky_e + read)
    needed = math.ceil(lights * share / (allowed() * max(positions, 1)))
    count = max(math.ceil(needed / 10) * 10, FEWEST_DARKS)
    percent = 100 * added(lights, count, share, positions)
    return Need(
        count,
        f"{count} darks add {percent:.1f} % to the noise of {lights} {_spread(positions)} "
        f"(read {noise.read_noise_e:.1f} e-, sky {sky_e:.0f} e-); {100 * MOST:.0f} % needs {needed}.",
    )


def same_condition_flats(lights: int, positions: int = 1) -> Need:
    """N_flat >= 9.8·N_light: a flat of the sub's own light is as noisy as the sub itself."""
    needed = math.ceil(lights / (allowed() * max(positions, 1)))
    percent = 100 * added(lights, AUTHORS, 1.0, positions)
    return Need(
        AUTHORS,
        f"{AUTHORS} is the author's figure; yours needs {needed:,} for {100 * MOST:.0f} % more noise in "
        f"{lights} {_spread(positions)}: {AUTHORS} as a divisor make that {percent:.0f} %.",
    )


def _spread(positions: int) -> str:
    return "undithered subs" if positions <= 1 else f"subs at {positions} dither positions"
