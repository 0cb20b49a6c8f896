"""The arithmetic of ZWO readouts: windows, the scale of the values, and what the pixels themselves say."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import numpy as np

from starwell.camera.zwo_sdk import RAW8, RAW16, Listed, Readout
from starwell.errors import ControlRefused
from starwell.frame import Exposure, Pixels, Roi

_USB2_AREA = 1024
_ROWS_APART = 16
_FEWEST_LEVELS = 8
_MOST_BLACK = 0.01
_ONLY_8_BIT = re.compile(r"ASI1[23]0M[MC]$")  # the first USB2 models: 16 bits do not work


def readout_for(exposure: Exposure, camera: Listed) -> Readout:
    """The window nearest to the one asked that the camera can read; ControlRefused where there is none.

    Widths are multiples of 8, heights of 2, corners even (the Bayer pattern keeps its phase); on USB2 cameras
    of the 120 series width × height is a multiple of 1024.
    """
    if exposure.bin not in camera.bins:
        raise ControlRefused(f"{camera.name} bins {_spoken(camera.bins)}, not {exposure.bin}")
    whole = Roi(0, 0, camera.width // exposure.bin, camera.height // exposure.bin)
    asked = exposure.roi or whole
    x, y = asked.x - asked.x % 2, asked.y - asked.y % 2
    width = asked.width - asked.width % 8
    height = asked.height - asked.height % _height_step(camera, width)
    fits = 0 <= x <= whole.width - width and 0 <= y <= whole.height - height
    if width < 8 or height < 2 or not fits:
        raise ControlRefused(
            f"the window {asked.width}×{asked.height} at {asked.x},{asked.y} does not fit the sensor's"
            f" {whole.width}×{whole.height} pixels at bin {exposure.bin}"
        )
    eight_bit = _ONLY_8_BIT.search(camera.name) or RAW16 not in camera.formats
    return Readout(Roi(x, y, width, height), exposure.bin, RAW8 if eight_bit else RAW16)


def roi_step(camera: Listed) -> tuple[int, int]:
    """Width and height of a window are multiples of these."""
    return (8, 2) if not _is_small_usb2(camera) else (64, 16)


def _height_step(camera: Listed, width: int) -> int:
    if not _is_small_usb2(camera) or width == 0:
        return 2
    return math.lcm(2, _USB2_AREA // math.gcd(width, _USB2_AREA))


def _is_small_usb2(camera: Listed) -> bool:
    return not camera.usb3 and "ASI120" in camera.name


def _spoken(bins: tuple[int, ...]) -> str:
    return ", ".join(map(str, bins))


class Scale(NamedTuple):
    """shift: low bits that should carry nothing; egain: e- per ADU of the pixels delivered."""

    shift: int
    saturation_adu: float
    egain: float


def scale_of(camera: Listed, readout: Readout) -> Scale:
    """The scale of the pixels: 16-bit values are the converter's, moved up to the top.

    camera.egain counts for the converter's own ADU. Software binning averages bin² pixels: one ADU stands for
    bin² as many electrons, and the mean has log2(bin²) bits more.
    """
    averaged = readout.bin**2
    if readout.format == RAW8:
        return Scale(0, 255.0, camera.egain * 2.0 ** (camera.bits - 8) * averaged)
    up = 16 - camera.bits
    finer = averaged.bit_length() - 1 if averaged & (averaged - 1) == 0 else up
    top = ((1 << camera.bits) - 1) << up
    return Scale(max(0, up - finer), float(top), camera.egain / (1 << up) * averaged)


def shift_seen(pixels: Pixels) -> int | None:
    """How many low bits are 0 in all of a sample of rows; None where the frame is too even to tell."""
    sample = pixels[_ROWS_APART // 2 :: _ROWS_APART]
    top = np.iinfo(pixels.dtype).max
    if pixels.dtype.itemsize < 2 or len(np.unique(sample[:2])) < _FEWEST_LEVELS:
        return None
    bits = int(np.bitwise_or.reduce(sample, axis=None, where=sample != top))
    return (bits & -bits).bit_length() - 1 if bits else None


def is_torn(pixels: Pixels) -> bool:
    """Whether the end of the frame never arrived: black to the last pixel, below rows that are not."""
    if pixels[-1].any():
        return False
    above = pixels[: len(pixels) // 4 + 1 : _ROWS_APART // 2]
    return bool(np.mean(above == 0) < _MOST_BLACK)
