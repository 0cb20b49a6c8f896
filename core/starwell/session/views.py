"""What can be looked at: stacks, subs, earlier stacks and maps, whole and small, or a part pixel by pixel.

Boxes are x, y, width, height in array pixels; who shows a picture turns it upright.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from starwell.frame import Facts, Float32, Pixels
from starwell.picture import colour, debayer
from starwell.picture.preview import Development, Picture, developed
from starwell.picture.stretch import Stretch, StretchLock
from starwell.stack.running import RunningStack

Box = tuple[int, int, int, int]
Size = tuple[int, int]

_BAND_ROWS = 64
_MARGIN_PX = 2


class Style(NamedTuple):
    """How pictures are stretched; points: black and white, as `developed` takes them."""

    stretch: Stretch = Stretch.AUTO
    points: tuple[float, float] = (0.0, 0.0)


class View(Protocol):
    """One thing to look at; size: height and width of all of it."""

    @property
    def size(self) -> Size:
        """Height and width at one pixel to a pixel."""

    def whole(self, px: Size) -> Picture:
        """All of it, to fit into this height and width."""

    def part(self, box: Box) -> Picture:
        """A part, pixel by pixel."""


@dataclass(slots=True)
class Linear:
    """Linear pixels. reduced: about this size or larger; cut: a part; lock: keeps the curves still.

    shown: what was last reduced.
    """

    size: Size
    facts: Facts
    style: Style
    reduced: Callable[[Size], Pixels]
    cut: Callable[[Box], Pixels]
    white_adu: float
    fit_px: Size
    lock: StretchLock = field(default_factory=StretchLock)
    shown: Pixels | None = None
    _development: Development | None = None

    @property
    def ends_adu(self) -> tuple[float, float] | tuple[None, None]:
        """What is drawn black and what white in the first channel; nothing before something was drawn."""
        if self._development is None:
            return None, None
        curve = self._development.curves[0]
        return curve.black_adu, curve.white_adu

    def whole(self, px: Size) -> Picture:
        """All of it, to fit into this height and width."""
        self.shown = self.reduced(px)
        drawn, self._development = developed(
            self.shown,
            max_px=px,
            stretch=self.style.stretch,
            points=self.style.points,
            neutral=colour.suits(self.facts.exposure.filter),
            white_adu=self.white_adu,
            lock=self.lock,
        )
        return drawn

    def part(self, box: Box) -> Picture:
        """A part, drawn as the whole of the usual size is."""
        if self._development is None:
            self.whole(self.fit_px)
        assert self._development is not None
        return self._development.part(self.cut(box), self.size, box[:2])


@dataclass(frozen=True, slots=True)
class Counts:
    """A map of counts, channels×H×W; the highest of all channels is shown, white where it is highest."""

    counts: NDArray[np.generic]
    rare: bool

    @property
    def size(self) -> Size:
        """Height and width."""
        return self.counts.shape[-2], self.counts.shape[-1]

    def whole(self, px: Size) -> Picture:
        """The highest (rare) or the mean count of each block."""
        step = max(1, -(-self.size[0] // px[0]), -(-self.size[1] // px[1]))
        height, width = (n // step for n in self.size)
        rows = range(0, height * step, step)
        drawn = np.stack([self._row(y, step, width) for y in rows])
        return self._shaded(drawn)

    def part(self, box: Box) -> Picture:
        """Every pixel's count."""
        x, y, width, height = box
        return self._shaded(self.counts[:, y : y + height, x : x + width].max(axis=0).astype(np.float32))

    def _row(self, y: int, step: int, width: int) -> Float32:
        band = self.counts[:, y : y + step, : width * step].max(axis=0)
        if self.rare:
            highest: Float32 = band.max(axis=0).reshape(width, step).max(axis=1).astype(np.float32)
            return highest
        mean: Float32 = cv2.resize(band.astype(np.float32), (width, 1), interpolation=cv2.INTER_AREA)[0]
        return mean

    def _shaded(self, counts: Float32) -> Picture:
        """A single rejection is to be seen beside pixels that are rejected always."""
        share = counts / max(1.0, float(self.counts.max()))
        drawn: Picture = np.rint(255 * (np.sqrt(share) if self.rare else share)).astype(np.uint8)
        return drawn


def cut_mean(stack: RunningStack, channel: int, box: Box) -> Float32:
    """The mean of a part in ADU, 0 where there is none; only its rows are read."""
    x, y, width, height = box
    out = np.empty((height, width), np.float32)
    for top in range(0, height, _BAND_ROWS):
        rows = min(_BAND_ROWS, height - top)
        band = stack.sums.mean_rows(channel, 1, y + top, y + top + rows, stack.scratch)
        out[top : top + rows] = band[:, x : x + width]
    return out


def of_stack(stack: RunningStack, facts: Facts, style: Style, lock: StretchLock, fit_px: Size) -> Linear:
    """The mean of a running stack; read where it is asked for, band by band.

    The view does not keep the stack alive: when one is begun anew, there is to be room for one only.
    """
    size, seen = stack.size, weakref.ref(stack)

    def running() -> RunningStack:
        found = seen()
        if found is None:
            raise LookupError("this stack was begun anew")
        return found

    def reduced(px: Size) -> Pixels:
        return running().mean(step=max(1, size[0] // px[0], size[1] // px[1]))

    def cut(box: Box) -> Pixels:
        now = running()
        return np.stack([cut_mean(now, channel, box) for channel in now.channels])

    return Linear(size, facts, style, reduced, cut, facts.saturation_adu, fit_px, lock)


def of_frame(pixels: Pixels, facts: Facts, style: Style, white_adu: float, fit_px: Size) -> Linear:
    """A frame as it is, or calibrated; a mosaic in colour."""
    bayer = facts.bayer if pixels.ndim == 2 and min(pixels.shape) >= 2 else None

    def reduced(_: Size) -> Pixels:
        return pixels if bayer is None else debayer.super_pixel(pixels, bayer)

    def cut(box: Box) -> Pixels:
        x, y, width, height = box
        if bayer is None:
            return pixels[..., y : y + height, x : x + width]
        left, top = max(0, x - _MARGIN_PX), max(0, y - _MARGIN_PX)
        around = pixels[top : y + height + _MARGIN_PX, left : x + width + _MARGIN_PX]
        shown = debayer.bilinear(around, bayer.shifted(left, top))
        return shown[:, y - top :, x - left :][:, :height, :width]

    size = pixels.shape[-2], pixels.shape[-1]
    return Linear(size, facts, style, reduced, cut, white_adu, fit_px)
