"""The noise reached against what physics allows, as an event for the noise pane."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from starwell.calibration.noise_share import masters_variance_e2
from starwell.frame import Float64, Planes
from starwell.session.events import StackMeasured
from starwell.session.intake import Intake
from starwell.session.members import Member, Members
from starwell.session.records import NoiseRecord
from starwell.stack.coherence import Coherence, Moves, block_share, coherence
from starwell.stack.halves import BLOCKS, Reached
from starwell.stack.pattern import Pattern, common, pattern
from starwell.stack.running import RunningStack

_EFFICIENCY_BLOCK = 8
"""Samples of a plane along a block's side: finer blocks are flattered by interpolation."""
_MOST_SUBS = 64
"""Of each half so many subs, drawn by chance, tell how far the subs moved."""
_ALIKE_PX = 0.02
"""Where the whole frame moved alike up to this, one point tells it."""
_SURE = 3.0
"""A fixed pattern counts from so many of its errors on; below, twice the error bounds it."""
_TELLING = 0.5
"""A fixed pattern whose error is larger than this part of the noise, in variance, is not told at all."""


class Outlook(NamedTuple):
    """Fixed pattern in the stack (unit of the noise), subs until it outweighs the noise, and what as many
    subs again would take off the noise, %; None what cannot be told."""

    fixed: float | None
    n_star: float | None
    gain_percent: float | None


def efficiency_block_px(planes: Planes) -> int:
    """The block of stack px on which interpolation tells no lies: 8 samples of the coarsest plane wide."""
    return _EFFICIENCY_BLOCK * _sample_px(planes)


def stack_noise(stack: RunningStack, members: Members, intake: Intake) -> StackMeasured | None:
    """Half-stack noise in e- beside the ideal; None before the halves can be compared.

    Ideal: the reference's own noise over the square root of the sum of the weights, which count
    transparency, sky and exposure (methods, section 9), and of the samples a colour plane has per pixel of
    the stack. Green channel in colour.
    """
    placed = [(n, m) for n, m in members.stacked() if m.placed is not None]
    reference = members.reference_sigma_adu
    if len(placed) < 2 or reference is None:
        return None
    reached = stack.sums.noise(intake.planes.channels // 2)
    return _measured(stack, members, intake, placed, reference, reached) if reached else None


def _measured(
    stack: RunningStack,
    members: Members,
    intake: Intake,
    placed: list[tuple[int, Member]],
    reference: float,
    reached: dict[int, Reached],
) -> StackMeasured:
    """reference: its noise, ADU. reached: by the side of a block."""
    weights = np.array([m.placed.weight[len(m.placed.weight) // 2] for _, m in placed if m.placed])
    channel = intake.planes.channels // 2
    egain, density = intake.model.egain, intake.planes.density(channel)
    ideal = reference / math.sqrt(float(weights.sum()) * density)
    block = efficiency_block_px(intake.planes)
    effective = members.effective()
    halves = _moves(placed, weights, stack)
    shared = None if halves is None else coherence(*halves, stack.kernel)
    if block in reached and halves is not None and _sample_px(stack.planes) == 1:
        reached[block] = _freed(reached[block], block_share(*halves, stack.kernel, block))
    at_block, error = reached.get(block, Reached(math.nan, math.nan))
    seen = _outlook(stack, channel, at_block, shared, effective)
    masters = _masters_variance_e2(members, intake, shared, effective)
    return StackMeasured(
        stacked=len(placed),
        effective_subs=effective,
        livetime_s=members.livetime_s(),
        sub_sigma_e=reference * egain,
        ideal_e=ideal * egain,
        reached_e=tuple(reached[b].sigma * egain if b in reached else math.nan for b in BLOCKS),
        efficiency_percent=100 * ideal / at_block if at_block > 0 else None,
        efficiency_block_px=block,
        egain=egain,
        read_noise_e=intake.model.read_noise_e,
        sky_e=None if members.reference_sky_adu is None else members.reference_sky_adu * egain,
        origin=intake.model.origin.value,
        fixed_e=None if seen.fixed is None else seen.fixed * egain,
        n_star=seen.n_star,
        gain_percent=seen.gain_percent,
        masters_e=None if masters is None else math.sqrt(masters / density),
        efficiency_error_percent=100 * ideal / at_block * error if at_block > 0 else None,
    )


def _masters_variance_e2(
    members: Members, intake: Intake, shared: Coherence | None, effective: float
) -> float | None:
    """The masters' variance in the stack: where subs moved over the sensor, what they share of it."""
    variance = masters_variance_e2(intake.masters, intake.model, _sky_adu(members, intake))
    if variance is None or shared is None:
        return variance
    return variance * max(shared.white + (1 - shared.white) / effective, 0.0)


def outlook(found: Pattern, temporal: float, effective: float) -> Outlook:
    """What a fixed pattern means beside the temporal noise, in any unit.

    sigma²(N) = sigma_1²/N + sigma_F²: N* = sigma_1²/sigma_F². A pattern that is not seen is taken for the
    largest that could hide when it is asked what more subs would gain.
    """
    ratio, error = found.ratio, found.error
    if not error < _TELLING * max(1.0, ratio):
        return Outlook(None, None, None)
    sure = found.told and ratio > _SURE * error
    floor = ratio if sure else max(ratio, 0.0) + 2 * error
    gain = 100 * (1 - math.sqrt((0.5 + floor) / (1 + floor)))
    if not sure:
        return Outlook(None, None, gain)
    return Outlook(math.sqrt(ratio) * temporal, effective / ratio, gain)


def total_e(noise: StackMeasured) -> float | None:
    """Noise and fixed pattern together, at the block where interpolation tells no lies; None unless known."""
    reached = dict(zip(BLOCKS, noise.reached_e, strict=True)).get(noise.efficiency_block_px)
    if reached is None or noise.gain_percent is None or not math.isfinite(reached):
        return None
    return math.hypot(reached, noise.fixed_e or 0.0)


def noise_record(noise: StackMeasured) -> NoiseRecord:
    """The same for the report."""
    return NoiseRecord(
        sub_e=noise.sub_sigma_e,
        effective_subs=noise.effective_subs,
        ideal_e=noise.ideal_e,
        reached_e={b: e for b, e in zip(BLOCKS, noise.reached_e, strict=True) if math.isfinite(e)},
        efficiency_percent=noise.efficiency_percent,
        efficiency_block_px=noise.efficiency_block_px,
        fixed_e=noise.fixed_e,
        total_e=total_e(noise),
        n_star=noise.n_star,
        gain_percent=noise.gain_percent,
        masters_e=noise.masters_e,
        efficiency_error_percent=noise.efficiency_error_percent,
    )


def noise_lines(noise: StackMeasured) -> list[str]:
    """In words: measured beside ideal noise, fixed pattern, masters, and what more subs would gain."""
    block = noise.efficiency_block_px
    reached = noise.reached_e[BLOCKS.index(block)]
    efficient = "" if noise.efficiency_percent is None else f": {noise.efficiency} efficient"
    blocks = ", ".join(f"{e:.3g}" for e in noise.reached_e)
    lines = [
        f"noise {reached:.3g} e- per pixel ({block} px blocks), ideal {noise.ideal_e:.3g} e- "
        f"from {noise.effective_subs:.1f} effective subs{efficient}",
        f"at blocks of {', '.join(map(str, BLOCKS))} px: {blocks} e-",
    ]
    if noise.fixed_e is not None and noise.n_star is not None:
        lines.append(
            f"fixed pattern {noise.fixed_e:.3g} e- beside it, which outweighs the noise "
            f"from {noise.n_star:.0f} subs on"
        )
    elif noise.gain_percent is not None:
        lines.append("no fixed pattern to be seen beside it")
    if noise.masters_e is not None:
        lines.append(f"the masters' own noise puts in {noise.masters_e:.2g} e-")
    if noise.gain_percent is not None:
        lines.append(f"as many subs again would leave {noise.gain_percent:.0f} % less noise")
    return lines


def _outlook(
    stack: RunningStack, channel: int, at_block: float, shared: Coherence | None, effective: float
) -> Outlook:
    step = _sample_px(stack.planes)
    sums = stack.sums
    measured = common(sums.halves, channel, sums.sum[channel], sums.weight[channel], step)
    if measured is None or shared is None or not at_block > 0:
        return Outlook(None, None, None)
    found = pattern(measured, shared, at_block**2, stack.fwhm_px / step, coarse=step > 1)
    return outlook(found, at_block, effective)


def _freed(reading: Reached, share: float) -> Reached:
    """A reading freed of what interpolation takes over the blocks' edges: kernels read alike."""
    return reading._replace(sigma=reading.sigma / math.sqrt(share))


def _moves(
    placed: list[tuple[int, Member]], weights: Float64, stack: RunningStack
) -> tuple[Moves, Moves] | None:
    """How far odd and even subs moved against each other, in samples of a colour plane.

    Looked up at three points of the frame, for a field may turn.
    """
    height, width = placed[0][1].facts.size
    points = np.rint(np.array([(0.5, 0.5), (0.2, 0.2), (0.8, 0.8)]) * (width, height) / 2) * 2
    sample = max(plane.step for plane in stack.planes.planes)
    draw = np.random.default_rng(len(placed))
    halves = []
    for parity in (1, 0):
        mine = np.array([i for i, (number, _) in enumerate(placed) if number % 2 == parity])
        if not mine.size:
            return None
        if mine.size > _MOST_SUBS:
            mine = np.sort(draw.choice(mine, _MOST_SUBS, replace=False))
        poses = [p.transform for i in mine if (p := placed[i][1].placed)]
        shift = np.array([pose.inverse().apply(points) - points for pose in poses]) / sample
        turns = np.array([round(pose.angle_deg / 90) % 4 for pose in poses])
        halves.append(Moves(shift, turns, weights[mine]))
    if all(np.ptp(half.shift, axis=1).max() < _ALIKE_PX for half in halves):
        halves = [half._replace(shift=half.shift[:, :1]) for half in halves]
    return halves[0], halves[1]


def _sky_adu(members: Members, intake: Intake) -> float:
    sky = members.reference_sky_adu
    return sky if sky is not None and intake.pedestal_is_off else 0.0


def _sample_px(planes: Planes) -> int:
    """Stack px between samples of the coarsest plane."""
    return max(1, max(plane.step for plane in planes.planes) // planes.output_step)
