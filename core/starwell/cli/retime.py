"""`starwell retime NIGHT`: put the times of a night's frames right after a clock that was wrong."""

from __future__ import annotations

import argparse
from pathlib import Path

from starwell.errors import PlanError
from starwell.files import dates
from starwell.session.night_files import Night
from starwell.session.retime import Correction, correct, corrections


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell retime`."""
    add = parser.add_argument
    add("night", type=Path, metavar="NIGHT", help="the folder of a night, with its journal")
    add("--by", type=float, metavar="SECONDS", help="how far the clock was behind, for all frames alike")
    add("--write", action="store_true", help="do it; without this it is only told")
    parser.epilog = (
        "Without --by the jumps of the clock that the journal tells of are used.\n"
        "DATE-OBS is changed, and kept as it was in DATE-ORG; no pixel is touched."
    )


def run(args: argparse.Namespace) -> int:
    """Tell what would be corrected, or correct it; PlanError where nothing tells by how much."""
    if not args.night.is_dir():
        raise PlanError(f"There is no folder {args.night}.")
    night = Night(args.night)
    wanted = corrections(night, args.by)
    for one in wanted:
        print(_line(night, one))
    frames = "1 frame" if len(wanted) == 1 else f"{len(wanted)} frames"
    if not wanted:
        print("All times are right already.")
    elif args.write:
        correct(night, wanted)
        print(f"{frames} corrected; the times before are in DATE-ORG.")
    else:
        print(f"{frames} to correct; nothing was written. --write does it.")
    return 0


def _line(night: Night, one: Correction) -> str:
    file = one.path.relative_to(night.folder)
    return f"{file}: {dates.written(one.before)} -> {dates.written(one.after)}"
