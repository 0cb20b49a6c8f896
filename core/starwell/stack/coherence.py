"""How much of a pattern on the sensor odd and even subs still share, once each was laid on the stack.

A sub moved by a whole number of pixels and a phase carries the pattern through the kernel's response at that
phase, turned by the move. Frequency by frequency the halves' mean responses are multiplied; that says what
interpolation, drift and dithering leave of the pattern in the band a mask looks at (methods, sections 7, 9).
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from starwell.frame import Float64
from starwell.stack.kernels import Kernel
from starwell.stack.strips import PHASES, taps

SCALES = (1, 2)
"""Samples that are averaged before the mask [1 -2 1]×[1 -2 1] is laid over them."""

_COUNT = 32
# unevenly spaced, or moves by the inverse of the spacing would look like none
_FREQUENCIES = (np.arange(_COUNT) + np.random.default_rng(0).random(_COUNT)) / (2 * _COUNT)

Complex = NDArray[np.complex128]


class Shared(NamedTuple):
    """In the band of one scale: what of a pattern's variance the halves share, and what the kernel leaves of
    white noise; of 1."""

    kept: float
    smoothed: float


class Coherence(NamedTuple):
    """At each scale, and of all of a pattern's power with a perfect kernel."""

    scales: tuple[Shared, ...]
    white: float


class Moves(NamedTuple):
    """Half the subs: by how much points of the stack moved on the sensor, (subs, points, 2) samples; the
    quarter turns the subs are turned by; their weights."""

    shift: Float64
    turns: NDArray[np.int64]
    weight: Float64


def coherence(odd: Moves, even: Moves, kernel: Kernel) -> Coherence:
    """What odd and even subs share. Subs that are turned against each other share nothing."""
    whole = _shared(odd, even, None)
    through = _shared(odd, even, kernel)
    white = np.full((_COUNT, _COUNT), 1 / _COUNT**2)
    bands = [np.outer(power, power) for power in map(band_power, SCALES)]
    response = np.abs(_table(kernel)) ** 2
    smoothed = [_over_subs((odd, even), response @ power) for power in map(band_power, SCALES)]
    kept = [float((through * band).sum()) for band in bands]
    return Coherence(
        tuple(Shared(k, s) for k, s in zip(kept, smoothed, strict=True)), float((whole * white).sum())
    )


def block_share(odd: Moves, even: Moves, kernel: Kernel, block: int) -> float:
    """What a kernel leaves of the variance of means of block×block samples; the rest crosses their edges."""
    box = np.ones(block)
    through = [np.convolve(box, weights).astype(np.float64) for weights in taps(kernel).weights]
    return _over_subs((odd, even), np.array([np.square(each).sum() / block for each in through]))


def band_power(scale: int) -> Float64:
    """What averaging over so many samples and the mask leave of white noise, along one axis; sums to 1."""
    box = np.cos(np.pi * _FREQUENCIES) ** 2 if scale == 2 else np.ones(_COUNT)
    power: Float64 = box * np.sin(np.pi * scale * _FREQUENCIES) ** 4
    power /= power.sum()
    return power


def star_power(scale: int, fwhm: float) -> float:
    """What they leave of the power of faint stars of this FWHM (samples), relative to white noise."""
    sigma = max(fwhm, 1.0) / 2.3548
    stars = np.exp(-((2 * np.pi * sigma * _FREQUENCIES) ** 2))
    return float((band_power(scale) * stars).sum()) ** 2


def _shared(odd: Moves, even: Moves, kernel: Kernel | None) -> Float64:
    """The halves' common power by frequency along x and y, both signs of y averaged."""
    power = np.zeros((_COUNT, _COUNT))
    for turn in np.intersect1d(odd.turns, even.turns):
        halves = [_responses(half, half.turns == turn, kernel) for half in (odd, even)]
        for mirrored in (False, True):
            # einsum stays on its own thread, where the products of BLAS would wake all of them
            a, b = (np.einsum("spf,spg->pfg", x, y.conj() if mirrored else y) for x, y in halves)
            power += (a * b.conj()).real.sum(axis=0) / 2
    power /= odd.weight.sum() * even.weight.sum() * odd.shift.shape[1]
    return power


def _responses(half: Moves, some: NDArray[np.bool_], kernel: Kernel | None) -> tuple[Complex, Complex]:
    """Along x, times the weights, and along y; (subs, points, frequencies)."""
    shift = half.shift[some]
    if kernel is None:
        turned = np.exp(2j * np.pi * shift[..., None] * _FREQUENCIES)
    else:
        whole, phase = _whole_and_phase(shift)
        turned = np.exp(2j * np.pi * whole[..., None] * _FREQUENCIES) * _table(kernel)[phase]
    return turned[:, :, 0] * half.weight[some][:, None, None], turned[:, :, 1]


def _over_subs(halves: tuple[Moves, Moves], left: Float64) -> float:
    """What is left of white noise along both axes, on average over the subs; left: by phase."""
    both = [left[_whole_and_phase(half.shift)[1]].prod(axis=-1).mean(axis=-1) for half in halves]
    weights = [np.square(half.weight) for half in halves]
    total = sum(float((v * w).sum()) for v, w in zip(both, weights, strict=True))
    return total / sum(float(w.sum()) for w in weights)


def _whole_and_phase(shift: Float64) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    steps = np.round(shift * PHASES).astype(np.int64)
    return np.divmod(steps, PHASES)


@cache
def _table(kernel: Kernel) -> Complex:
    """The kernel's response at each phase, (phases, frequencies)."""
    of = taps(kernel)
    offsets = np.arange(of.weights.shape[1]) - of.before
    response: Complex = of.weights.astype(np.float64) @ np.exp(2j * np.pi * offsets[:, None] * _FREQUENCIES)
    return response
