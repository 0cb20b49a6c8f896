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
from starwell_tui import terminal


def main(words: Sequence[str]) -> int:
    """Run the demo until it is left; returns the exit code."""
    options = parser().parse_args(words)
    seen = terminal.of_environment(options.colour, None)
    seen.prepare()
    try:
        return _show(options, seen)
    except StarwellError as error:
        sys.stderr.write(f"starwell: {error}\n")
        return 2 if isinstance(error, PlanError) else 1


def _show(options: argparse.Namespace, seen: terminal.Terminal) -> int:
    # Imported here because Textual reads its environment when it is imported.
    from starwell_tui import late_answers
    from starwell_tui.guided import GuidedApp
    from starwell_tui.nearby import Nearby

    night = night_of(options)
    link = Nearby(night)
    app = GuidedApp(
        link,
        tour=not options.no_tour,
        planned=options.subs,
        depth=seen.depth,
        dots=seen.dots,
        sixels=seen.sixels,
        red=options.red,
    )

    def hung_up(number: int, _frame: FrameType | None) -> None:
        # There is nothing left to draw on, and Textual would spin on the closed input.
        night.close()
        os._exit(128 + number)

    late_answers.ignore()
    terminal.drain()
    before = signal.signal(signal.SIGHUP, hung_up)
    try:
        app.run()
    finally:
        signal.signal(signal.SIGHUP, before)
        link.close()
        night.close()
    if app.failure:
        raise app.failure
    sys.stdout.writelines(f"{line}\n" for line in night.truth_lines)
    return app.return_code or 0
