"""How a simulated sensor is read out: the chip at a gain, offset and temperature; window and binning."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from starwell.camera.chip import Chip, Flaw
from starwell.errors import ControlRefused
from starwell.frame import Exposure, Frame, Pixels, Roi

DOUBLING_K = 6.0
"""Dark current doubles with every so many K."""

_READ_NOISE_BEHIND_AMPLIFIER = 0.6
"""Share of the read noise that falls with gain; the other 0.8 (in quadrature) does not."""


@dataclass(frozen=True, slots=True)
class Readout:
    """One exposure as it is really made: settings as taken, the sensor's temperature, the window."""

    exposure: Exposure
    seconds: float
    celsius: float
    setpoint_celsius: float | None
    roi: Roi


def chip_at(chip: Chip, gain: float | None, offset: float | None, celsius: float) -> Chip:
    """The same chip at another gain (0.1 dB each), offset and temperature.

    egain falls by the gain law 10**(-gain/200); read noise² = amplifier's² + (converter's · egain)².
    """
    gain = chip.gain if gain is None else gain
    offset = chip.offset_setting if offset is None else offset
    fall = 10 ** ((chip.gain - gain) / 200)
    share = _READ_NOISE_BEHIND_AMPLIFIER
    warmth = 2 ** ((celsius - chip.celsius) / DOUBLING_K)

    def warmer(flaws: tuple[Flaw, ...]) -> tuple[Flaw, ...]:
        return tuple(Flaw(flaw.count, flaw.level * warmth) for flaw in flaws)

    return replace(
        chip,
        egain=chip.egain * fall,
        read_noise_e=chip.read_noise_e * math.sqrt(1 - share**2 + (share * fall) ** 2),
        offset_adu=chip.offset_adu * offset / chip.offset_setting,
        dark_e_s=chip.dark_e_s * warmth,
        hot=warmer(chip.hot),
        warm=warmer(chip.warm),
        gain=gain,
        offset_setting=offset,
        celsius=celsius,
    )


def window(asked: Roi | None, size: tuple[int, int], binning: int, step: tuple[int, int]) -> Roi:
    """The window a camera takes: of sizes its step allows, beginning at even pixels; binned px.

    ControlRefused for one that does not lie on the sensor.
    """
    height, width = size[0] // binning, size[1] // binning
    roi = asked or Roi(0, 0, width, height)
    roi = Roi(roi.x // 2 * 2, roi.y // 2 * 2, roi.width // step[0] * step[0], roi.height // step[1] * step[1])
    if min(roi.width, roi.height) < 1 or min(roi.x, roi.y) < 0:
        raise ControlRefused(f"A window of {_said(asked)} has no pixels on this sensor.")
    if roi.x + roi.width > width or roi.y + roi.height > height:
        raise ControlRefused(
            f"A window of {_said(asked)} reaches over the sensor's edge: it has {width}×{height} px."
        )
    return roi


def binned(frame: Frame, readout: Readout) -> Frame:
    """The window of the frame, binned in software: the mean of k×k pixels, whose egain is k² times theirs."""
    k, roi, facts = readout.exposure.bin, readout.roi, frame.facts
    cut = frame.pixels[k * roi.y : k * (roi.y + roi.height), k * roi.x : k * (roi.x + roi.width)]
    pixels = np.ascontiguousarray(cut)
    bayer = facts.bayer.shifted(roi.x, roi.y) if facts.bayer else None
    if k > 1:
        cells = cut.reshape(roi.height, k, roi.width, k).astype(np.uint32)
        pixels = ((cells.sum(axis=(1, 3)) + k * k // 2) // (k * k)).astype(np.uint16)
        bayer = None
    lost = int(math.log2(k * k)) if k in (2, 4) else 16 if k > 1 else 0
    read_back = replace(readout.exposure, roi=roi, filter=facts.exposure.filter)
    facts = replace(
        facts,
        shape=pixels.shape,
        exposure=read_back,
        bayer=bayer,
        adu_shift=max(0, facts.adu_shift - lost),
        egain=None if facts.egain is None else facts.egain * k * k,
        pixel_um=None if facts.pixel_um is None else facts.pixel_um * k,
        sensor_celsius=readout.celsius,
        setpoint_celsius=readout.setpoint_celsius,
    )
    return Frame(facts, pixels)


def cut_off(pixels: Pixels) -> Pixels:
    """The frame as it comes when the transfer breaks down: its last third is missing."""
    broken = pixels.copy()
    broken[2 * len(broken) // 3 :] = 0
    return broken


def _said(roi: Roi | None) -> str:
    return "the whole sensor" if roi is None else f"{roi.width}×{roi.height} px at ({roi.x}, {roi.y})"
