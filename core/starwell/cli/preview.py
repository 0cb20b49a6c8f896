"""`starwell preview`: a frame or a stack as a picture, in the terminal or as PNG."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from pathlib import Path

import numpy as np

from starwell.errors import PlanError
from starwell.files import pictures
from starwell.files.frames import open_frame
from starwell.frame import Facts, Frame, Kind, Pixels, Roi
from starwell.picture import colour, debayer
from starwell.picture.preview import Picture, preview
from starwell.picture.stretch import Stretch
from starwell.terminal import probe
from starwell.terminal.cells import fitted, to_ansi
from starwell.terminal.colours import ColourDepth
from starwell.terminal.draw import Mode, draw

NAME = "preview"
HELP = "show a frame or a stack, stretched, in the terminal or as PNG"

_PX_PER_COLUMN = 4
"""Picture pixels a column is drawn from: enough for star peaks to be told from the sky's noise."""

_WIDEST = 400
_MOST_TIMES = 32


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `starwell preview`."""
    parser.add_argument(
        "file", type=Path, metavar="FILE", help="FITS, TIFF or PNG: a sub, a master or a stack"
    )
    parser.add_argument("--width", type=_width, metavar="N", help="columns to use (the terminal's)")
    parser.add_argument(
        "--mode", choices=[m.value for m in Mode], help="quarter blocks, half blocks, characters"
    )
    parser.add_argument(
        "--colour",
        "--color",
        choices=[d.value for d in ColourDepth],
        help="the terminal's colours (found out)",
    )
    parser.add_argument("--stretch", choices=[s.value for s in Stretch], default=Stretch.AUTO.value)
    parser.add_argument(
        "--gradient", action="store_true", help="leave the sky's gradient in (of masters it always stays)"
    )
    parser.add_argument("--red", action="store_true", help="red only, for dark-adapted eyes")
    parser.add_argument(
        "--crop", type=_rectangle, metavar="X,Y,W,H", help="only this part, in px of the picture as shown"
    )
    parser.add_argument(
        "--enlarge", type=_times, default=1, metavar="N", help="each px of the PNG N times as wide (1)"
    )
    parser.add_argument(
        "-o", dest="output", type=Path, metavar="OUT.png", help="write a PNG instead, of full size"
    )
    parser.add_argument(
        "--px", type=int, metavar="N", help="a PNG of at most N px a side, star peaks kept (full size)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT.png if it exists")


def run(args: argparse.Namespace) -> int:
    """Show or write the picture; 0, or a StarwellError that names the file and its fault."""
    if args.output is not None:
        _check_output(args.output, args.overwrite)
    frame = open_frame(args.file)
    if args.output is not None:
        whole = upright(frame.facts, _seen(frame, args, args.px))
        pictures.write_png(
            args.output, enlarged(cropped(whole, args.crop), args.enlarge), overwrite=args.overwrite
        )
        print(f"Wrote {args.output}")
        return 0
    columns, rows = _room(args.width)
    width = None if args.crop else columns * _PX_PER_COLUMN
    picture = cropped(upright(frame.facts, _seen(frame, args, width)), args.crop)
    columns, rows = fitted(picture.shape, columns, rows)
    depth = ColourDepth(args.colour) if args.colour else _depth()
    mode = Mode(args.mode) if args.mode else probe.mode(os.environ)
    print(to_ansi(draw(picture, columns, rows, depth, mode=mode, night=args.red), depth), end="")
    print(_caption(args.file, frame.facts))
    return 0


def upright(facts: Facts, picture: Picture) -> Picture:
    """The picture with its top row first; files that count rows from the bottom are turned over."""
    return picture if facts.top_down else np.ascontiguousarray(picture[::-1])


def cropped(picture: Picture, part: Roi | None) -> Picture:
    """This part of the picture, stretched as the whole is; PlanError where it does not lie within."""
    if part is None:
        return picture
    rows, columns = picture.shape[:2]
    if part.x + part.width > columns or part.y + part.height > rows:
        raise PlanError(f"--crop {','.join(map(str, part))} does not lie within {columns}×{rows} px.")
    return np.ascontiguousarray(picture[part.y : part.y + part.height, part.x : part.x + part.width])


def enlarged(picture: Picture, times: int) -> Picture:
    """Each pixel as a square of so many."""
    return picture if times == 1 else picture.repeat(times, axis=0).repeat(times, axis=1)


def _seen(frame: Frame, args: argparse.Namespace, width: int | None) -> Picture:
    """The frame's picture, in the array's orientation; at full size, or reduced to a width in px."""
    facts = frame.facts
    return preview(
        _linear(frame, full_size=width is None),
        max_px=None if width is None else (width, width),
        stretch=args.stretch,
        # The unevenness of a master is what it is for.
        background=facts.exposure.kind is Kind.LIGHT and not args.gradient,
        neutral=colour.suits(facts.exposure.filter),
        white_adu=facts.saturation_adu,
    )


def _linear(frame: Frame, *, full_size: bool) -> Pixels:
    """Pixels in the channels they show: a Bayer sub in colour."""
    bayer = frame.facts.bayer
    if bayer is None or frame.pixels.ndim != 2:
        return frame.pixels
    return debayer.bilinear(frame.pixels, bayer) if full_size else debayer.super_pixel(frame.pixels, bayer)


def _rectangle(text: str) -> Roi:
    """X,Y,W,H in whole px."""
    numbers = text.split(",")
    if len(numbers) != 4 or not all(number.strip().isdigit() for number in numbers):
        raise argparse.ArgumentTypeError(f"{text} is not X,Y,W,H in whole px, such as 400,300,200,150")
    part = Roi(*(int(number) for number in numbers))
    if not part.width or not part.height:
        raise argparse.ArgumentTypeError(f"{text} is empty: width and height are at least 1 px")
    return part


def _times(text: str) -> int:
    """How often a pixel is repeated."""
    if not text.isdigit() or not 1 <= int(text) <= _MOST_TIMES:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to {_MOST_TIMES}")
    return int(text)


def _width(text: str) -> int:
    """A number of columns."""
    columns = int(text)
    if not 1 <= columns <= _WIDEST:
        raise argparse.ArgumentTypeError(f"{text} is not a number of columns from 1 to {_WIDEST}")
    return columns


def _room(width: int | None) -> tuple[int, int]:
    """Columns and rows to draw in; with a width given, as many rows as it takes."""
    terminal = shutil.get_terminal_size()
    if width is not None:
        return width, 10 * width
    return min(terminal.columns, _WIDEST), max(terminal.lines - 2, 1)


def _depth() -> ColourDepth:
    """The colours of this terminal; none into a file or a pipe."""
    return probe.colour_depth(os.environ) if sys.stdout.isatty() else ColourDepth.MONO


def _check_output(path: Path, overwrite: bool) -> None:
    """Refuse what would not become a PNG, and an existing file unless told otherwise."""
    if path.suffix.lower() != ".png":
        raise PlanError(f"{path} would be written as PNG: give it a name that ends in .png.")
    if path.exists() and not overwrite:
        raise PlanError(f"{path} exists already: choose another name, or replace it with --overwrite.")


def _caption(path: Path, facts: Facts) -> str:
    """One line about what is shown."""
    exposure = facts.exposure
    height, width = facts.size
    parts = [
        path.name,
        facts.target,
        exposure.filter,
        exposure.kind.value,
        None if exposure.seconds is None else f"{exposure.seconds:g} s",
        None if exposure.gain is None else f"gain {exposure.gain:g}",
        f"{width}x{height}",
        facts.bayer.value if facts.bayer else None,
    ]
    return "  ".join(part for part in parts if part)
