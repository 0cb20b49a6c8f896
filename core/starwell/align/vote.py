"""Offset voting: where the rotation is nearly known, every pair of stars votes for a shift."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from starwell.align.fit import Complex, Similarity

STEP_DEG = 0.3
"""Trial rotations lie this far apart."""

_MARGIN_PX = 4.0


def turns(centre_deg: float, reach_deg: float) -> Complex:
    """Unit complex numbers every STEP_DEG from the centre, nearest first."""
    count = round(reach_deg / STEP_DEG)
    steps = np.array(sorted(range(-count, count + 1), key=abs)) * STEP_DEG
    return np.exp(1j * np.radians(centre_deg + steps))


def cell_px(size: tuple[int, int]) -> float:
    """Cell of the vote: what half a step of rotation moves the corners apart, and a margin."""
    return _MARGIN_PX + math.hypot(*size) * math.radians(STEP_DEG / 2)


def hypotheses(
    stars: Complex, reference: Complex, trials: Complex, size: tuple[int, int], count: int
) -> Iterator[Similarity]:
    """The `count` most voted similarities z -> a·z + b over all trial values of a, best first.

    Positions are taken about the frame's centre, so that a small error of rotation hardly moves the peak.
    Two grids half a cell apart are voted in, lest a border splits the peak.
    """
    centre = (size[1] - 1) / 2 + 1j * (size[0] - 1) / 2
    cell = cell_px(size)
    turned = (trials[:, None] * (stars - centre) / cell).astype(np.complex64)
    targets = ((reference - centre) / cell).astype(np.complex64)
    offset = (targets[None, :, None] - turned[:, None, :]).reshape(len(trials), -1)
    peaks: list[tuple[int, int, complex]] = []
    for grid in (0.0, 0.5):
        column = np.floor(offset.real + np.float32(grid)).astype(np.int64)
        row = np.floor(offset.imag + np.float32(grid)).astype(np.int64)
        column, row = column - column.min(), row - row.min()
        width, height = int(column.max()) + 1, int(row.max()) + 1
        place = (np.arange(len(trials))[:, None] * height + row) * width + column
        for votes, tall in _tallest(place.ravel(), count):
            trial = tall // (height * width)
            peaks.append((votes, trial, complex(offset[trial][place[trial] == tall].mean())))
    peaks.sort(key=lambda peak: (-peak[0], peak[1]))
    for _, trial, shift in peaks[:count]:
        a = complex(trials[trial])
        yield Similarity(a, centre + cell * shift - a * centre)


def _tallest(place: NDArray[np.int64], count: int) -> list[tuple[int, int]]:
    """Votes and place of the `count` places with most votes, at least two."""
    ordered = np.sort(place)
    bounds = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1], [True]]))
    votes = bounds[1:] - bounds[:-1]
    least = np.sort(votes)[-count:][0]
    tall = np.flatnonzero(votes >= max(least, 2))
    best = tall[np.argsort(-votes[tall], kind="stable")][:count]
    return [(int(votes[k]), int(ordered[bounds[k]])) for k in best]
