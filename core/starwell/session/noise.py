"""The noise reached against what physics allows, as an event for the noise pane."""

from __future__ import annotations

import math

import numpy as np

from starwell.frame import Planes
from starwell.session.events import StackMeasured
from starwell.session.intake import Intake
from starwell.session.members import Members
from starwell.stack.halves import BLOCKS
from starwell.stack.running import RunningStack

_EFFICIENCY_BLOCK = 8
"""Samples of a plane along a block's side: finer blocks are flattered by interpolation."""


def efficiency_block_px(planes: Planes) -> int:
    """The block of stack px on which interpolation tells no lies: 8 samples of the coarsest plane wide."""
    return _EFFICIENCY_BLOCK * max(1, max(plane.step for plane in planes.planes) // planes.output_step)


def stack_noise(stack: RunningStack, members: Members, intake: Intake) -> StackMeasured | None:
    """Half-stack noise in e- beside the ideal; None before the halves can be compared.

    Ideal: the reference's own noise over the square root of the sum of the weights, which count
    transparency, sky and exposure (methods, section 9), and of the samples a colour plane has per pixel of
    the stack. Green channel in colour.
    """
    placed = [m.placed.weight for _, m in members.stacked() if m.placed is not None]
    if len(placed) < 2:
        return None
    channel = len(placed[0]) // 2
    weights = np.array([w[channel] for w in placed])
    reference = members.reference_sigma_adu
    reached = stack.sums.noise(channel)
    if reference is None or not reached:
        return None
    egain = intake.model.egain
    ideal = reference / math.sqrt(float(weights.sum()) * intake.planes.density(channel))
    figures = tuple(reached.get(block, math.nan) * egain for block in BLOCKS)
    block = efficiency_block_px(intake.planes)
    at_block = reached.get(block, math.nan)
    return StackMeasured(
        stacked=len(placed),
        effective_subs=members.effective(),
        livetime_s=members.livetime_s(),
        sub_sigma_e=reference * egain,
        ideal_e=ideal * egain,
        reached_e=figures,
        efficiency_percent=100 * ideal / at_block if at_block > 0 else None,
        efficiency_block_px=block,
        egain=egain,
        read_noise_e=intake.model.read_noise_e,
        sky_e=None if members.reference_sky_adu is None else members.reference_sky_adu * egain,
        origin=intake.model.origin.value,
    )
