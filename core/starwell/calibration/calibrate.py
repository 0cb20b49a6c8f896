"""Takes dark, bias, flat and defects out of a sub, in one pass over bands of rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

from starwell.calibration.defects import Defects, Points, Repair, from_pixels
from starwell.calibration.low_light_matching import check_low_light
from starwell.calibration.low_light_restore import Restore
from starwell.calibration.master import Master, Masters
from starwell.calibration.matching import adu_scale, check, same_exposure, window
from starwell.calibration.stepped import Correction, bands, inverse_steps, offset_steps
from starwell.errors import MasterMismatch
from starwell.frame import Facts, Float32, Frame, sampled
from starwell.threads import Job

FLAT_BLOCK = 16
"""Pixels per side of one cell of the coarse flat map."""
GLOW = 0.5
"""A dark whose corners or edges exceed its median by this part of it (and 3 ADU) shows amp glow."""


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """A sub without its offset, dark and flat.

    pixels: float32 H×W mosaic or 3×H×W, in file ADU; negative values are kept. defects_xy: repaired
    sensor pixels that should carry nearly no weight. flat: coarse map of the flat a(x), one cell per
    16×16 pixels, None without a flat. dark_adu: median dark charge. saturation_adu: a pixel at or above
    this was saturated in the file.
    """

    facts: Facts
    pixels: Float32
    defects_xy: Points
    flat: Float32 | None
    dark_adu: float
    saturation_adu: float


class Calibrator:
    """Calibrates the subs of one set of facts; masters are cut to the lights' window and rounded once.

    MasterMismatch when a master does not fit the lights; what fits but not quite is in warnings.
    """

    def __init__(self, masters: Masters, facts: Facts, *, scale_dark: bool = False) -> None:
        self.warnings: tuple[str, ...] = (
            *check(masters, facts, scale_dark=scale_dark),
            *check_low_light(masters, facts),
        )
        self.facts = facts
        bias = None if masters.bias is None else cut(masters.bias, facts)
        flat = None if masters.flat is None else cut(masters.flat, facts)
        inverse = None if flat is None else Job(partial(inverse_steps, flat))
        offset = _offset(masters, facts, bias)
        # another one where low light lowers it
        steps = None if masters.low_light is not None else Job(partial(offset_steps, offset))
        self.flat = None if flat is None else coarse(flat)
        self.dark_adu = _dark_level(masters, offset, bias)
        self.defects = _defects(masters, facts, offset, bias, flat)
        step = 2 if facts.bayer is not None and len(facts.shape) == 2 else 1
        self._repair = Repair(self.defects, step)
        self.saturation_adu = _saturation(facts, offset, flat)
        self._level = None if offset is None else float(np.median(sampled(offset)))
        self._restore = None
        if masters.low_light is not None:
            self._restore = Restore(masters.low_light, facts, self.defects)
            offset = self._restore.lowered(masters.low_light, offset, flat)
        rounded = offset_steps(offset) if steps is None else steps.made()
        self._correction = Correction(rounded, None if inverse is None else inverse.made())

    def calibrate(self, frame: Frame, out: Float32 | None = None) -> Calibrated:
        """The calibrated sub, written to out (float32, the frame's shape, contiguous) when it is given.

        The frame's pixels may be the last bytes of out: they are then overwritten.
        MasterMismatch when the frame has another size than the lights this was made for.
        """
        if frame.pixels.shape != self.facts.shape:
            raise MasterMismatch(
                f"This sub is {frame.facts.size[1]}×{frame.facts.size[0]} pixels, the masters serve "
                f"{self.facts.size[1]}×{self.facts.size[0]}: it needs masters of its own."
            )
        self._check_scale(frame)
        pixels = np.empty(frame.pixels.shape, np.float32) if out is None else out
        self._correction.apply(frame.pixels, pixels)
        repair, defects_xy = self._repair, self.defects.xy
        if self._restore is not None:
            repair, defects_xy = self._restore.add(pixels)
        repair.apply(pixels)
        return Calibrated(frame.facts, pixels, defects_xy, self.flat, self.dark_adu, self.saturation_adu)

    def _check_scale(self, frame: Frame) -> None:
        if (level := self._level) is None:
            return
        some = sampled(frame.pixels)[..., ::5, ::5]
        some = some[np.isfinite(some)]
        sky = float(np.median(some)) if some.size else 0.0
        # a constant sub is a failed readout: the gates have a word for it
        if 0 < sky < 0.8 * level:
            raise MasterMismatch(
                f"The masters stand at {level:.0f} ADU and this sub at {sky:.0f} ADU, below them: "
                "another offset, gain or bit depth (12-bit beside 16-bit values). Use masters of one program."
            )


def coarse(flat: Float32) -> Float32:
    """Means of a flat over 16×16 pixels, ceil(H/16)×ceil(W/16); colour planes are averaged."""
    height, width = flat.shape[-2:]
    cells = np.empty((-(-height // FLAT_BLOCK), -(-width // FLAT_BLOCK)), np.float32)
    for band in bands(height):
        mono = flat[band] if flat.ndim == 2 else flat[:, band].mean(axis=0)
        below, beside = -len(mono) % FLAT_BLOCK, -width % FLAT_BLOCK
        padded = cv2.copyMakeBorder(mono, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        first = band.start // FLAT_BLOCK
        rows = cells[first : first + len(padded) // FLAT_BLOCK]
        cv2.resize(padded, rows.shape[::-1], dst=rows, interpolation=cv2.INTER_AREA)
    return cells


def shows_glow(dark_adu: Float32) -> bool:
    """Whether a dark above its bias is uneven on the large scale, as an amplifier's glow makes it."""
    plane = dark_adu if dark_adu.ndim == 2 else dark_adu.mean(axis=0)
    rows, columns = (max(n // 16, 1) for n in plane.shape)
    blocks = [
        float(np.median(plane[y : y + rows : 2, x : x + columns : 2]))
        for y in range(0, plane.shape[0] - rows + 1, rows)
        for x in range(0, plane.shape[1] - columns + 1, columns)
    ]
    middle = float(np.median(blocks))
    return max(blocks) - middle > max(GLOW * abs(middle), 3.0)


def cut(master: Master, facts: Facts) -> Float32:
    """The lights' window of a master, in the lights' ADU; a constant bias stays one pixel.

    The master's own pixels where they are asked for as they are.
    """
    if master.constant_adu is not None:
        return master.pixels
    x, y = window(master, facts)
    height, width = facts.size
    pixels = master.pixels[..., y : y + height, x : x + width]
    scale = adu_scale(master, facts)
    return pixels if scale == 1 else pixels * np.float32(scale)


def _offset(masters: Masters, facts: Facts, bias: Float32 | None) -> Float32 | None:
    """What every sub is lowered by: the dark, which holds its bias, or the bias, or a stated pedestal."""
    if masters.dark is None:
        if masters.bias is None or bias is None:
            stated = pedestal(facts)
            return np.full((1, 1), stated, np.float32) if stated else None
        return bias if masters.bias.constant_adu is not None else _above(bias, masters.bias, facts)
    dark = _above(cut(masters.dark, facts), masters.dark, facts)
    mine, theirs = masters.dark.facts.exposure.seconds, facts.exposure.seconds
    if mine is None or theirs is None or same_exposure(mine, theirs) or bias is None:
        return dark
    charge = dark - bias
    if mine <= 0 or shows_glow(charge):
        raise MasterMismatch(
            f"{masters.dark.name} ({mine:g} s) cannot be scaled to {theirs:g} s: it shows amp glow, which "
            f"does not grow as dark current does. Use darks of {theirs:g} s."
        )
    return bias + charge * np.float32(theirs / mine)


def pedestal(facts: Facts) -> float:
    """ADU a program added to keep a frame positive (PEDESTAL, which MaxIm and SBIG write negative)."""
    stated = facts.header.get("PEDESTAL")
    return abs(float(stated)) if isinstance(stated, int | float) else 0.0


def _above(pixels: Float32, master: Master, facts: Facts) -> Float32:
    """A master's pixels on the lights' pedestal."""
    gap = pedestal(facts) - pedestal(master.facts)
    return pixels if gap == 0 else pixels + np.float32(gap)


def _dark_level(masters: Masters, offset: Float32 | None, bias: Float32 | None) -> float:
    if masters.dark is None or offset is None:
        return 0.0
    if bias is None:
        return masters.dark.learnt.get("dark_adu", 0.0)
    return float(np.median(sampled(offset) - sampled(bias)))


def _defects(
    masters: Masters, facts: Facts, offset: Float32 | None, bias: Float32 | None, flat: Float32 | None
) -> Defects:
    given = masters.defects
    if given is not None:
        roi = facts.exposure.roi
        return given if given.size == facts.size or roi is None else given.window(*roi)
    found = from_pixels(
        None if masters.dark is None else offset,
        flat,
        facts,
        bias_adu=bias if bias is not None and bias.size > 1 else None,
        egain=masters.learnt("egain") or facts.egain,
        read_noise_adu=masters.learnt("read_noise_adu"),
    )
    noisy = None if masters.dark is None else masters.dark.noisy_xy
    if masters.dark is None or noisy is None:
        return found
    listed = Defects(noisy, masters.dark.facts.size, {"noisy": len(noisy)})
    return found.joined(listed.window(*window(masters.dark, facts), *reversed(facts.size)))


def _saturation(facts: Facts, offset: Float32 | None, flat: Float32 | None) -> float:
    """The lowest value a saturated pixel can have after calibration, hot and blind pixels aside."""
    level = 0.0 if offset is None else float(np.median(sampled(offset)))
    brightest = 1.0 if flat is None else float(np.percentile(sampled(flat), 99.9))
    return (facts.saturation_adu - level) / max(brightest, 1.0)
