"""`starwell COMMAND …`: finds the command, runs it, and turns errors into a sentence and an exit code.

Exit codes: 0 done; 1 it could not be done, and why; 2 the call was wrong; 130 interrupted.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from starwell import __version__
from starwell.errors import PlanError, StarwellError

COMMANDS = {
    "demo": "a simulated night, shot, calibrated and stacked before your eyes",
    "run": "take frames with a camera into tonight's folder, and stack them as they come",
    "watch": "stack what another program captures, as it arrives",
    "plan": "what a plan takes, and every mistake in it, before anything is begun",
    "engine": "wait for plans in the background, as a service",
    "stack": "stack subs that are on disk, exactly, and write FITS, TIFF or PNG",
    "master": "build a master bias, dark, flat or dark flat, or a low-light map",
    "library": "the masters that are kept, what lights still need, and whether they fit",
    "sensor": "measure a camera: e-/ADU, read noise, full well, dark current, from flats, biases and darks",
    "flatlab": "do cold pixels lose sensitivity at low light, and which flats mend it: an experiment",
    "advise": "how long subs should be, what limits them, and how many darks and flats they take",
    "preview": "show a frame or a stack in the terminal",
    "cameras": "what cameras are connected, and their controls",
    "bench": "what this machine keeps up with: seconds to a sub, disk and memory, per camera",
    "doctor": "what would spoil the night, and what to type to mend it",
    "status": "how the night of the running engine stands",
    "start": "begin a plan, or go on with what was paused",
    "pause": "expose nothing more after this frame, until `starwell start`",
    "stop": "end the series after this frame, and save the stack",
    "abort": "end this exposure now, without its frame, and pause",
    "set": "give a setting of the camera a value, from the next frame on",
    "reject": "take a sub out of the stack",
    "restore": "put a rejected sub back into the stack",
    "merge": "undo the newest split of a stack",
    "save": "write the stack to disk now",
    "retime": "put the times of a night's frames right after a wrong clock",
}
"""Every command and its line of help; the code is in starwell.cli.COMMAND."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        try:
            return _answer(words)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing to say, and nobody to say it to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _answer(words: Sequence[str]) -> int:
    if not words or words[0] in {"-h", "--help", "help"}:
        print(overview())
        return 0
    if words[0] in {"-V", "--version"}:
        print(f"starwell {__version__}")
        return 0
    if words[0] not in COMMANDS:
        return _say(f"there is no command '{words[0]}'; `starwell --help` lists them.", 2)
    return _run(words[0], words[1:])


def overview() -> str:
    """What `starwell --help` prints."""
    width = max(map(len, COMMANDS))
    screen = {"": "the screen on the running engine"}
    lines = [f"  starwell {name:<{width}}  {line}" for name, line in {**screen, **COMMANDS}.items()]
    return "\n".join(
        [
            "starwell: capture deep-sky subs and live-stack them, in a terminal.",
            "",
            *lines,
            "",
            "`starwell COMMAND --help` explains one of them; `starwell --version` prints the version.",
        ]
    )


def _run(name: str, words: Sequence[str]) -> int:
    command = importlib.import_module(f"starwell.cli.{name}")
    parser = argparse.ArgumentParser(
        prog=f"starwell {name}", description=COMMANDS[name], formatter_class=argparse.RawTextHelpFormatter
    )
    command.add_arguments(parser)
    try:
        arguments = parser.parse_args(words)
        return int(command.run(arguments))
    except PlanError as error:
        return _say(str(error), 2)
    except StarwellError as error:
        return _say(str(error), 1)
    except PermissionError as error:
        # A folder may be closed even to the question whether a file is there.
        return _say(f"{error.filename} is closed to this user: {error.strerror}.", 1)
    except KeyboardInterrupt:
        return _say("interrupted; nothing half-written was left behind.", 130)


def _say(message: str, code: int) -> int:
    print(f"starwell: {message}", file=sys.stderr)
    return code
