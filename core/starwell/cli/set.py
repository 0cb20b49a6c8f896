"""`starwell set NAME VALUE`: give a setting of the camera a value, from the next frame on."""

from __future__ import annotations

import argparse
import math

from starwell.cli.remote_command import told
from starwell.errors import PlanError
from starwell.remote.messages import Set


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `starwell set`."""
    parser.add_argument(
        "name",
        metavar="NAME",
        help="gain, offset, exposure, bin, filter, frames, target, target_celsius, dew_heater …",
    )
    parser.add_argument("value", metavar="VALUE", help="a number, or a word such as on or off")


def run(args: argparse.Namespace) -> int:
    """Ask the engine; 0, or an EngineError that says why it does not."""
    return told(Set(args.name, _value(args.value)))


def _value(text: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        raise PlanError(f"'{text}' is no value that a camera takes.")
    return number
