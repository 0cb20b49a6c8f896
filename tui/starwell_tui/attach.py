"""`starwell`: the screen of the running engine; leaving it ends nothing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from starwell import config
from starwell.errors import PlanError, StarwellError
from starwell.remote.live import LiveClient
from starwell.terminal.colours import ColourDepth
from starwell_tui import terminal
from starwell_tui.keys import table
from starwell_tui.night import Night


def parser() -> argparse.ArgumentParser:
    """The options of `starwell` without a command."""
    words = argparse.ArgumentParser(prog="starwell", description=__doc__)
    words.add_argument("--colour", choices=tuple(ColourDepth), help="what the terminal shows")
    words.add_argument("--preview", choices=terminal.DOTS, help="what pictures are drawn in")
    words.add_argument("--red", action="store_true", default=None, help="night red")
    return words


def main(words: Sequence[str]) -> int:
    """Show the engine until the screen is left; returns the exit code."""
    options = parser().parse_args(words)
    try:
        return _show(options)
    except StarwellError as error:
        sys.stderr.write(f"starwell: {error}\n")
        return 2 if isinstance(error, PlanError) else 1


def _show(options: argparse.Namespace) -> int:
    home = config.home()
    looks = config.load(home.config).screen
    seen = terminal.of_environment(
        options.colour or looks.colour, options.preview or looks.preview, os.environ
    )
    seen.prepare()
    # Imported here because Textual reads its environment when it is imported.
    from starwell_tui.app import StarwellApp

    chosen = options.red if options.red is not None else looks.red
    app = StarwellApp(
        LiveClient(),
        keys=table(engine=True, own=looks.keys),
        depth=seen.depth,
        dots=seen.dots,
        sixels=seen.sixels,
        red=terminal.remembered(home).red if chosen is None else chosen,
    )
    app.run()
    terminal.remember(home, terminal.Memory(app.red))
    if app.failure:
        raise app.failure
    sys.stdout.write(f"{app.farewell or how_to_come_back(app.night)}\n")
    return app.return_code or 0


def how_to_come_back(night: Night) -> str:
    """What goes on without the screen."""
    status = night.status
    if status is None or night.gone:
        return "No engine answers. `starwell run …` starts one, `starwell` shows it."
    of = f" of {status.frames}" if status.frames else ""
    return (
        f"The engine goes on ({status.state}, frame {status.frame}{of}, {status.stacked} stacked): "
        "`starwell` brings the screen back, `starwell stop` ends the series."
    )
