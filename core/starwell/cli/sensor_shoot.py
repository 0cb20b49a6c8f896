"""`starwell sensor shoot`: takes the sets of an analysis, and asks for cover and panel."""

from __future__ import annotations

import argparse
from pathlib import Path

from starwell.cli.guided_rig import guided, say
from starwell.errors import PlanError
from starwell.session.sensor_shooting import Wish, shoot


def add_shooting(group: argparse._ArgumentGroup) -> None:
    """Declare what `shoot` takes."""
    add = group.add_argument
    add("--camera", metavar="CAMERA", help="zwo[:SERIAL] or simulated[:truth=leak,…]")
    add("-o", "--output", type=Path, metavar="DIR", help="a folder for each set goes in here")
    add("--gain", type=float, metavar="G", help="the gain to be analysed")
    add("--offset", type=float, metavar="O", help="the camera's offset setting")
    add("--levels", type=int, default=12, metavar="N", help="light levels, 3 to 97 %% of saturation (12)")
    add("--frames", type=int, default=4, metavar="N", help="of each light level and dark exposure (4)")
    add("--biases", type=int, default=16, metavar="N", help="biases (16)")
    add("--longest-dark", type=float, default=60.0, metavar="S", help="of five dark exposures (60 s)")
    add("--temperature", type=float, metavar="C", help="cool to this, °C")
    add("--yes", action="store_true", help="do not ask for cover and panel")


def shot(args: argparse.Namespace) -> Path:
    """Shoot what the folder still lacks; the folder."""
    if args.camera is None or args.output is None or args.gain is None:
        raise PlanError("`starwell sensor shoot` takes --camera, --gain and -o DIR.")
    wish = Wish(args.gain, args.offset, args.levels, args.frames, args.biases, args.longest_dark)
    wish.check()
    folder: Path = args.output
    with guided(args.camera, folder, celsius=args.temperature, yes=args.yes) as rig:
        say(f"{shoot(wish, folder, rig, say)} frames taken into {folder}")
    return folder
