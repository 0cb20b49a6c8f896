"""`starwell`: the screen of the engine, which is started where there is none; leaving it ends nothing."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from functools import partial

from starwell import config
from starwell.errors import PlanError, StarwellError
from starwell.remote.live import LiveClient
from starwell.remote.place import Place
from starwell.terminal.colours import ColourDepth
from starwell_tui import starting, terminal
from starwell_tui.keys import table
from starwell_tui.night import Night


def parser() -> argparse.ArgumentParser:
    """The options of `starwell` without a command."""
    words = argparse.ArgumentParser(prog="starwell", description=__doc__)
    words.add_argument("--colour", choices=tuple(ColourDepth), help="what the terminal shows")
    words.add_argument("--preview", choices=terminal.DOTS, help="what pictures are drawn in")
    words.add_argument(
        "--no-engine",
        action="store_true",
        help="look for a running engine, but start none where there is none",
    )
    words.add_argument("--red", action="store_true", default=None, help="night red")
    return words


def main(words: Sequence[str]) -> int:
    """Show the engine until the screen is left; returns the exit code."""
    options = parser().parse_args(words)
    try:
        if not options.no_engine and not (config.home().config / "config.toml").exists():
            _ask_first(words)
        if not options.no_engine:
            _engine()
        return _show(options)
    except StarwellError as error:
        sys.stderr.write(f"starwell: {error}\n")
        return 2 if isinstance(error, PlanError) else 1


def _ask_first(words: Sequence[str]) -> None:
    """The first run's questions; with their answers the program begins anew."""
    terminal.Terminal(ColourDepth.TRUE, "quad", sixels=False).prepare()
    # Imported here because Textual reads its environment when it is imported.
    from starwell_tui import late_answers
    from starwell_tui.screens.first_run import ask

    late_answers.ignore()
    terminal.drain()
    if ask(config.home().data) is not None:
        os.execv(sys.executable, [sys.executable, "-m", "starwell_tui", *words])  # noqa: S606, this very program


def _engine() -> None:
    """One that answers, started where there is none; says where its words go."""
    place = Place()
    if not starting.answers(place):
        sys.stderr.write("starwell: no engine is running; starting one …\n")
        pid = starting.start(place)
        sys.stderr.write(f"starwell: engine {pid} answers; its log is {starting.log_of(place)}\n")


def _show(options: argparse.Namespace) -> int:
    home = config.home()
    looks = config.load(home.config).screen
    seen = terminal.of_environment(
        options.colour or looks.colour, options.preview or looks.preview, os.environ
    )
    seen.prepare()
    # Imported here because Textual reads its environment when it is imported.
    from starwell_tui import late_answers
    from starwell_tui.attached import AttachedApp

    chosen = options.red if options.red is not None else looks.red
    kept = terminal.remembered(home)
    app = AttachedApp(
        LiveClient(),
        keys=table(engine=True, own=looks.keys),
        depth=seen.depth,
        dots=seen.dots,
        sixels=seen.sixels,
        red=kept.red if chosen is None else chosen,
        theme=looks.theme or kept.theme,
        memory=kept,
        keep=partial(terminal.remember, home),
    )
    late_answers.ignore()
    terminal.drain()
    app.run()
    app.remember()
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
