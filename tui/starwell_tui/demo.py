"""`starwell demo` with its screen: a simulated night, calibrated and stacked before your eyes."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from types import FrameType

from starwell.cli.demo import night_of, parser
from starwell.errors import PlanError, StarwellError
from starwell.terminal.colours import ColourDepth
from starwell.terminal.probe import colour_depth, mode

COLOUR_SYSTEMS = {
    ColourDepth.TRUE: "truecolor",
    ColourDepth.INDEXED: "256",
    ColourDepth.SIXTEEN: "standard",
    ColourDepth.MONO: "standard",
}
"""What Textual calls them."""
CALM = {"TEXTUAL_ANIMATIONS": "none", "TEXTUAL_SMOOTH_SCROLL": "0", "TEXTUAL_FPS": "15"}
"""Textual's settings for a terminal at the other end of a slow line."""


def main(words: Sequence[str]) -> int:
    """Run the demo until it is left; returns the exit code."""
    options = parser().parse_args(words)
    depth = ColourDepth(options.colour) if options.colour else colour_depth(os.environ)
    os.environ.update({**CALM, "TEXTUAL_COLOR_SYSTEM": COLOUR_SYSTEMS[depth]})
    try:
        return _show(options, depth)
    except StarwellError as error:
        sys.stderr.write(f"starwell: {error}\n")
        return 2 if isinstance(error, PlanError) else 1


def _show(options: argparse.Namespace, depth: ColourDepth) -> int:
    # Imported here because Textual reads its environment when it is imported.
    from starwell_tui.app import StarwellApp

    night = night_of(options)
    app = StarwellApp(night, planned=options.subs, depth=depth, mode=mode(os.environ), red=options.red)

    def hung_up(number: int, _frame: FrameType | None) -> None:
        # There is nothing left to draw on, and Textual would spin on the closed input.
        night.close()
        os._exit(128 + number)

    before = signal.signal(signal.SIGHUP, hung_up)
    try:
        app.run()
    finally:
        signal.signal(signal.SIGHUP, before)
        night.close()
    if app.failure:
        raise app.failure
    sys.stdout.writelines(f"{line}\n" for line in night.truth_lines)
    return app.return_code or 0
