"""How far the light in a box of the stack stands out of its noise."""

from __future__ import annotations

import math

import numpy as np

from starwell.session.events import BoxMeasured, StackMeasured
from starwell.session.face import Box
from starwell.session.stacks import Stack
from starwell.session.views import cut_mean
from starwell.stack.halves import BLOCKS

_FRAME_SHARE = 0.5
_FRAME_PX = 8


def measured_box(stack: Stack, box: Box, noise: StackMeasured | None) -> BoxMeasured | None:
    """The box, in pixels of the upright stack; None before there is a stack.

    signal_e: the mean of the box above the median of a frame around it, e- per pixel and sub. noise_e: that
    of one pixel: what the half-stacks differ by where there is only sky (the ideal before they can be
    compared), and the photon noise of the signal itself. Green channel in colour. snr: signal over noise.
    """
    running = stack.pipeline.stack
    if running is None:
        return None
    found = _signal_adu(stack, box)
    egain = stack.pipeline.intake.model.egain
    signal = None if found is None else found * egain
    sigma = None if noise is None or signal is None else _noise_e(stack, noise, signal)
    return BoxMeasured(
        x=box.x,
        y=box.y,
        width=box.width,
        height=box.height,
        snr=signal / sigma if signal is not None and sigma else None,
        signal_e=signal,
        noise_e=sigma,
        stacked=stack.pipeline.members.count(),
        stack=stack.label,
    )


def _signal_adu(stack: Stack, box: Box) -> float | None:
    running = stack.pipeline.stack
    assert running is not None
    height, width = running.size
    room = max(_FRAME_PX, round(_FRAME_SHARE * max(box.width, box.height)))
    x0, x1 = max(0, box.x - room), min(width, box.x + box.width + room)
    y0, y1 = max(0, box.y - room), min(height, box.y + box.height + room)
    left, top = max(0, box.x), max(0, box.y)
    right, bottom = min(width, box.x + box.width), min(height, box.y + box.height)
    if left >= right or top >= bottom:
        return None
    rows = (y0, y1) if stack.pipeline.intake.facts.top_down else (height - y1, height - y0)
    channel = len(running.channels) // 2
    light = cut_mean(running, channel, (x0, rows[0], x1 - x0, rows[1] - rows[0]))
    if not stack.pipeline.intake.facts.top_down:
        light = light[::-1]
    inside = np.zeros(light.shape, bool)
    inside[top - y0 : bottom - y0, left - x0 : right - x0] = True
    covered = light != 0
    sky, target = light[~inside & covered], light[inside & covered]
    if not sky.size or not target.size:
        return None
    return float(target.mean(dtype=np.float64) - np.median(sky))


def _noise_e(stack: Stack, noise: StackMeasured, signal_e: float) -> float:
    by_block = dict(zip(BLOCKS, noise.reached_e, strict=True))
    sky = by_block.get(noise.efficiency_block_px, math.nan)
    if not math.isfinite(sky) or sky <= 0:
        sky = noise.ideal_e
    planes = stack.pipeline.intake.planes
    density = planes.density(planes.channels // 2)
    photons = max(signal_e, 0.0) / max(noise.effective_subs * density, 1.0)
    return math.sqrt(sky**2 + photons)
