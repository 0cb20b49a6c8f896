"""What a stack takes of memory, part by part, from the facts of its frames alone.

The parts are what the code holds: see RunningStack and Accumulators for the sums, the pipeline for the subs.
`bench/memory.py` holds the peaks against measured ones.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace

from starwell.frame import Colour
from starwell.session.turns import MOST_HELD_BYTES
from starwell.stack.contribution import band_rows
from starwell.stack.halves import EVERY, MOST_PX

MB = 1_000_000

_PROGRAM_LIVE, _PROGRAM_EXACT = 95 * MB, 100 * MB
"""Python with its libraries, the journal and members of a night."""

_RAW, _SINGLE, _STEPS = 2, 4, 2
_MASTER = 2
"""Sixteen bits of the dark, into which a low-light map goes, and of the flat."""

_SUMS = {"sums": 8, "weights": 4, "counts": 2}
_MASKED, _STARS = 1, 0.5
"""Counts of rejected pixels, and the map of stars, per output pixel and channel: only after the warm-up."""

_HALVES = 12
_WAITING = 2
"""Raw frames that wait for their turn."""

_SCRATCH = 5
"""Buffers of a band that every thread keeps, float32."""

_MOST_AT_ONCE = 3
_PICTURE_PX = (1080, 1920)
_PER_SHOWN, _PER_DRAWN, _PER_DRAWN_CHANNEL = 10.2, 24, 4
"""Bytes that drawing takes: per sample of what is drawn, per pixel of the picture, and per channel of it."""

_MASKS = 1.5
"""Indices of rejected and repaired pixels while a sub is added, per output pixel and channel."""

_CHILD = 70 * MB
_CAMERA_FRAMES = 2
"""In the camera's own process: one on its way through USB, and one that is handed over."""


@dataclass(frozen=True, slots=True)
class Need:
    """What is to be stacked. size: height and width of a frame as it comes, binned and cut.

    mosaic: whether it is a Bayer colour sensor's. exact: `starwell stack`; else live. camera: whether a
    camera in a process of its own is the source, or files. stacks: how many of them a night has, one for each
    filter and exposure; 0 takes frames only. threads: all cores when None.
    """

    size: tuple[int, int]
    mosaic: bool = False
    colour: Colour = Colour.FULL
    dark: bool = True
    flat: bool = True
    low_light: bool = False
    exact: bool = False
    rejects: bool = True
    camera: bool = False
    stacks: int = 1
    threads: int | None = None

    @property
    def channels(self) -> int:
        """Of the stack."""
        return 3 if self.mosaic and self.colour is not Colour.MONO else 1

    @property
    def step(self) -> int:
        """Sensor pixels to one of the stack's, along an axis."""
        return 2 if self.mosaic and self.colour is Colour.SUPER else 1

    @property
    def pixels(self) -> int:
        """Of a frame."""
        return self.size[0] * self.size[1]

    @property
    def samples(self) -> int:
        """Pixels of the stack in all channels."""
        return self.channels * (self.size[0] // self.step) * (self.size[1] // self.step)

    @property
    def workers(self) -> int:
        """Threads of the stack."""
        return self.threads or os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Part:
    """Something that takes memory, in bytes."""

    name: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Budget:
    """held: what is there all the time; at_times: what comes and goes, never two of them at once."""

    held: tuple[Part, ...]
    at_times: tuple[Part, ...]

    @property
    def peak_bytes(self) -> int:
        """The most that is in use at a time."""
        return sum(part.bytes for part in self.held) + max(part.bytes for part in self.at_times)

    def lines(self) -> Iterator[str]:
        """The parts, largest first, and the peak."""
        worst = max(self.at_times, key=lambda part: part.bytes)
        for part in (*sorted(self.held, key=lambda part: -part.bytes), worst):
            yield f"{part.bytes / MB:6,.0f} MB {part.name}"
        yield f"{self.peak_bytes / MB:6,.0f} MB at its peak"


def budget(need: Need) -> Budget:
    """The memory of this stack."""
    n, s = need.pixels, need.samples
    width = need.size[1] // need.step
    work = need.workers * band_rows(width) * width * _SINGLE * _SCRATCH
    each = [
        Part("masters", n * _MASTER * ((need.dark or need.low_light) + need.flat)),
        *(Part(f"the stack's {name}", each * s) for name, each in _SUMS.items()),
        Part("bands in work", work),
        Part("calibrated subs", (2 if need.exact else 1) * n * _SINGLE),
    ]
    held = [Part(part.name, need.stacks * part.bytes) for part in each]
    if need.exact:
        held.append(Part("the program", _PROGRAM_EXACT))
        return Budget(tuple(held), tuple(_exact_times(need)))
    held.append(Part("the program", _PROGRAM_LIVE))
    held.append(Part("frames that wait", _waiting(need)))
    if need.camera:
        held.append(Part("the camera's own process", _CHILD + n * _RAW * _CAMERA_FRAMES))
    return Budget(tuple(held), tuple(_live_times(need)))


def _waiting(need: Need) -> int:
    """Beside a stack the newest at least, which is on its way to the disk."""
    frame, least = _RAW * need.pixels, min(need.stacks, 1)
    return frame * max(least, min(_WAITING, MOST_HELD_BYTES // max(frame, 1)))


def _live_times(need: Need) -> Iterator[Part]:
    frame = _RAW * need.pixels
    if need.stacks == 0:
        yield Part("the newest frame", frame)
        return
    yield Part("the warm-up ring: its median, two frames", _median(need) + 2 * frame)
    grown = need.stacks * _grown(need)
    yield Part("adding a sub: its frame, masks", grown + round(_MASKS * need.samples) + frame)
    yield Part("drawing the picture on disk", grown + _drawing(need))
    yield Part("saving: the variance", grown + _SINGLE * need.samples // need.channels)


def _median(need: Need) -> int:
    """Of the first subs: nothing where it fits into the room that the last of them was calibrated in."""
    median = _STEPS * need.samples
    return 0 if median <= _SINGLE * need.pixels else median


def _drawing(need: Need) -> int:
    height, width = (n // need.step for n in need.size)
    step = max(1, height // _PICTURE_PX[0], width // _PICTURE_PX[1])
    shown = (height // step) * (width // step)
    drawn = height * width * min(1.0, _PICTURE_PX[0] / height, _PICTURE_PX[1] / width) ** 2
    per_drawn = _PER_DRAWN + need.channels * _PER_DRAWN_CHANNEL
    return round(_PER_SHOWN * need.channels * shown + per_drawn * drawn)


def _exact_times(need: Need) -> Iterator[Part]:
    yield Part("the warm-up ring: its median", _median(need))
    grown = _grown(need)
    # its fixed mean is where the weights will be
    masks = round(_MASKS * need.samples) + need.samples // need.channels if need.rejects else 0
    yield Part("the second pass: masks", grown + masks)
    yield Part("saving: the variance", grown + _SINGLE * need.samples // need.channels)


def _grown(need: Need) -> int:
    """Counts of rejections, the map of stars, and the half-stacks that tell the noise."""
    return round((_MASKED + _STARS) * need.samples) + _halves(need)


def _halves(need: Need) -> int:
    every = max(EVERY, round(math.sqrt(need.samples / need.channels / MOST_PX)))
    return _HALVES * need.samples // every**2


@dataclass(frozen=True, slots=True)
class Offer:
    """Another way that takes less: what to type, and its need."""

    words: str
    need: Need


def offers(need: Need) -> Iterator[Offer]:
    """What takes less than this, what costs least first."""
    if need.channels == 3 and need.step == 1:
        yield Offer("--super-pixel", replace(need, colour=Colour.SUPER))
    if not need.exact:
        height, width = need.size
        yield Offer("--bin 2", replace(need, size=(height // 2, width // 2)))
        yield Offer("--no-stack", replace(need, stacks=0))


def offered(need: Need) -> str:
    """The same in words: `--super-pixel takes 1.6 GB, --no-stack 0.6 GB`; empty where there is none."""
    return ", ".join(f"{offer.words} takes {gb(budget(offer.need).peak_bytes)}" for offer in offers(need))


def gb(size: int) -> str:
    """As `1.3 GB`."""
    return f"{size / 1e9:.1f} GB"
