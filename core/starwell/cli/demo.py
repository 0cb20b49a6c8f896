"""`starwell demo --headless`: a simulated night as text, with a picture before and after."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from starwell.calibration.stored import check_target
from starwell.files.pictures import write_png
from starwell.frame import Kind
from starwell.session.demo import DemoNight
from starwell.session.events import (
    Event,
    ExposureStarted,
    PreviewReady,
    QualityAdvice,
    SeriesFinished,
    StackMeasured,
    StackStarted,
    SubMeasured,
    SubRejected,
    SubStacked,
)
from starwell.session.low_light_night import LowLightNight, night_lines, night_picture
from starwell.terminal import probe
from starwell.terminal.cells import fitted, to_ansi
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import draw

_WIDEST = 100
_SIZE = (1200, 800)
_LOW_LIGHT_SIZE = (768, 512)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell demo`, with and without a screen."""
    add = parser.add_argument
    add("--headless", action="store_true", help="text instead of the screen; so it is without a terminal")
    add("--subs", type=_at_least(1), default=24, metavar="N", help="how many subs (24)")
    add("--size", type=_size, metavar="WxH", help="the sensor, px (1200x800; 768x512 with --low-light)")
    add("--osc", action="store_true", help="a one-shot colour camera instead of a mono one")
    add("--seed", type=_at_least(0), default=1, metavar="N", help="another seed is another night (1)")
    add("--pace", type=float, default=0.0, metavar="S", help="seconds that each sub takes at least (0)")
    add("--folder", type=Path, metavar="DIR", help="keep the night's frames here (default: throw them away)")
    add("--colour", choices=tuple(ColourDepth), type=ColourDepth, help="what the terminal shows")
    add("--no-tour", action="store_true", help="the screen without its tour")
    add("--red", action="store_true", help="night red")
    add(
        "--low-light",
        type=Path,
        metavar="OUT.png",
        help="another night: cold pixels at low light, stacked with and without a low-light map; the picture",
    )


def night_of(arguments: argparse.Namespace) -> DemoNight:
    """The night these options ask for."""
    width, height = arguments.size or _SIZE
    return DemoNight(
        subs=arguments.subs,
        size=(height, width),
        seed=arguments.seed,
        pace_s=arguments.pace,
        colour=arguments.osc,
        folder=arguments.folder,
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the night to its end, telling what happens."""
    if arguments.low_light is not None:
        return _low_light(arguments)
    night = night_of(arguments)
    narrator = _Narrator(arguments)
    try:
        for event in night.events():
            narrator.tell(event)
            if isinstance(event, SeriesFinished):
                break
        before = night.before()
        if before is not None:
            narrator.show("one sub, as the camera gives it", before)
        if narrator.stack is not None:
            narrator.show("the stack", narrator.stack)
        narrator.end(night.truth_lines)
        if arguments.folder is not None:
            print(f"The night's frames and masters are in {night.folder}.")
    finally:
        night.close()
    return 0


def _low_light(arguments: argparse.Namespace) -> int:
    """Shoot and stack the night of the cold pixels three ways; the table, and the picture."""
    check_target(arguments.low_light, overwrite=False)
    width, height = arguments.size or _LOW_LIGHT_SIZE
    night = LowLightNight((height, width), seed=arguments.seed)
    ways = []
    for way in night.ways():
        _say(f"stacked: {way.name}")
        ways.append(way)
    _say("\n".join(night_lines(night, ways)))
    write_png(arguments.low_light, night_picture(night, ways))
    _say(f"Wrote {arguments.low_light}: the middle of the three stacks, all stretched alike")
    return 0


def parser() -> argparse.ArgumentParser:
    """The words of the command, for the screen as well."""
    words = argparse.ArgumentParser(prog="starwell demo", description=__doc__)
    add_arguments(words)
    return words


class _Narrator:
    """Turns events into lines of text."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        shown = probe.colour_depth(os.environ) if sys.stdout.isatty() else ColourDepth.MONO
        self.stack: PreviewReady | None = None
        self._depth: ColourDepth = arguments.colour or shown
        self._red: bool = arguments.red
        self._measured: SubMeasured | None = None
        self._stacked: SubStacked | None = None
        self._calibrating: Kind | None = None
        self._finished: SeriesFinished | None = None

    def tell(self, event: Event) -> None:
        """Say what happened, where it is worth a line."""
        match event:
            case ExposureStarted(kind=kind) if kind is not Kind.LIGHT and kind is not self._calibrating:
                self._calibrating = kind
                _say(f"shooting and combining {_PLURAL[kind]}")
            case SubMeasured():
                self._measured = event
            case StackStarted(reference=reference, why=why) if why != "first subs":
                _say(f"       stack begun anew about sub {reference}: {why}")
            case SubStacked():
                self._stacked = event
                if event.stacked == 1:
                    _say(self._sub_line(event))
            case StackMeasured() if self._stacked is not None:
                _say(f"{self._sub_line(self._stacked)}   {_noise(event)}")
                self._stacked = None
            case SubRejected():
                _say(f"{event.number:4d}   kept out: {event.reason} ({event.detail})")
            case QualityAdvice(subject=subject, advice=advice) if subject != "truth":
                _say(advice)
            case PreviewReady(of="stack"):
                self.stack = event
            case SeriesFinished():
                self._finished = event
            case _:
                pass

    def show(self, title: str, picture: PreviewReady) -> None:
        """Draw a picture in the terminal."""
        pixels = np.frombuffer(picture.pixels, np.uint8)
        shape = (picture.rows, picture.columns, picture.channels)
        array = pixels.reshape(shape if picture.channels == 3 else shape[:2])
        terminal = shutil.get_terminal_size()
        columns, rows = fitted(array.shape, min(terminal.columns, _WIDEST), max(terminal.lines - 4, 12))
        mode = probe.mode(os.environ)
        _say(f"\n{title}:")
        print(
            to_ansi(draw(array, columns, rows, self._depth, mode=mode, night=self._red), self._depth), end=""
        )

    def end(self, truth: list[str]) -> None:
        """How it ended, and how far that is from the truth."""
        done = self._finished
        if done is None:
            return
        light = f", {done.livetime_s / 60:.0f} minutes of light" if done.livetime_s else ""
        _say(f"\n{done.stacked} subs stacked, {done.rejected} kept out{light}. Against the simulated truth:")
        for line in truth:
            _say(f"  {line}")

    def _sub_line(self, stacked: SubStacked) -> str:
        seen = self._measured
        stars = f"FWHM {seen.fwhm_px:.2f} px, {seen.stars:3d} stars, " if seen and seen.fwhm_px else ""
        return f"{stacked.number:4d}   stacked: {stars}weight {stacked.weight:.2f}"


_PLURAL = {Kind.DARK: "darks", Kind.FLAT: "flats", Kind.DARK_FLAT: "dark flats", Kind.BIAS: "biases"}


def _noise(event: StackMeasured) -> str:
    reached, ideal = event.reached_e[3], event.ideal_e
    return f"noise {reached:.2f} e-, physics allows {ideal:.2f}"


def _say(line: str) -> None:
    print(line, flush=True)


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()) or min(int(width), int(height)) < 128:
        raise argparse.ArgumentTypeError(f"'{text}' is not WIDTHxHEIGHT of at least 128 px, like 1200x800")
    return int(width), int(height)


def _at_least(least: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < least:
            raise argparse.ArgumentTypeError(f"at least {least}")
        return value

    return number
