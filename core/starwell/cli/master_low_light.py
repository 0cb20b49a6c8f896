"""`starwell master low-light`: what pixels lose at low light, from dim flats of one or more levels."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from starwell.calibration.library import open_master
from starwell.calibration.low_light import LowLight
from starwell.calibration.low_light_build import build
from starwell.calibration.low_light_file import write_low_light
from starwell.cli.outputs import STDOUT, check_files, write_json
from starwell.errors import PlanError
from starwell.frame import Kind

NAME = "low-light"


def run(args: argparse.Namespace) -> int:
    """Build, write and describe the map; 0, or a StarwellError that says what does not fit."""
    _check_call(args)
    dark = open_master(args.dark, Kind.DARK)
    bias = None if args.bias is None else open_master(args.bias, Kind.BIAS)
    dark_flat = None if args.dark_flat is None else open_master(args.dark_flat, Kind.DARK_FLAT)
    flat = open_master(args.flat, Kind.FLAT, bias=bias, dark_flat=dark_flat)
    dark, flat = (
        replace(master, file=master.file or Path(source))
        for master, source in ((dark, args.dark), (flat, args.flat))
    )
    found = build(levels_of(args.frames), flat=flat, dark=dark, any_type=args.any_type)
    found = write_low_light(found, args.output, overwrite=args.overwrite)
    if args.json != STDOUT:
        print("\n".join([*described(found), f"Wrote {args.output}"]))
    write_json(_report(found), args.json, overwrite=args.overwrite)
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def levels_of(frames: Iterable[Path]) -> list[list[Path]]:
    """Each folder is a level of its own; files named one by one are one level together."""
    folders = [[path] for path in frames if path.is_dir()]
    files = [path for path in frames if not path.is_dir()]
    return folders + ([files] if files else [])


def _check_call(args: argparse.Namespace) -> None:
    if args.dark is None or args.flat is None:
        raise PlanError(
            "A low-light map takes three things: dim flats at the lights' exposure, gain and offset (one "
            "folder for each level of the panel), --dark with darks of that setting, a bright --flat."
        )
    if args.uncalibrated or args.export16 is not None:
        raise PlanError("--uncalibrated and --export16 do not go with a low-light map.")
    check_files(args.output, args.json, overwrite=args.overwrite)


def described(low: LowLight) -> list[str]:
    """What the dim flats told, line by line, for people."""
    cold = int(np.count_nonzero(low.cold))
    lines = [f"Low-light map of {low.deficit_e.shape[1]}×{low.deficit_e.shape[0]} pixels"]
    for level, frames, ratios in zip(low.levels_e, low.frames, low.ratios, strict=True):
        lines.append(f"  level        {level:.2f} e- in {frames} frames")
        lines.append(
            f"    divided out: ±{100 * ratios.large:.2f} % against the bright flat on the large scale, "
            f"{100 * ratios.rows:.2f} % by rows, {100 * ratios.columns:.2f} % by columns"
        )
    lines.append(f"  error        {low.noise_e:.3f} e- of a pixel's deficit, before it is shrunk")
    lost = f", {float(np.median(low.deficit_e[low.cold])):.2f} e- each (median)" if cold else ""
    lines.append(f"  cold pixels  {cold:,} lose charge{lost}: {100 * cold / low.deficit_e.size:.3f} %")
    tau = float(np.mean([mix.width**2 - 1 for mix in low.found])) ** 0.5 * low.noise_e
    lines.append(f"  all others   scatter by {tau:.3f} e- beyond their error")
    if low.threshold_e is None:
        lines.append(
            "  one level    deficits are added as they are at any sky; a second level tells how they grow"
        )
    return lines


def _report(low: LowLight) -> dict[str, Any]:
    return {
        "kind": "low light",
        "file": str(low.file),
        "levels_e": low.levels_e,
        "frames": low.frames,
        "egain": low.egain,
        "noise_e": low.noise_e,
        "cold_pixels": int(np.count_nonzero(low.cold)),
        "cold_share": [mix.share for mix in low.found],
        "scatter": [mix.width for mix in low.found],
        "ratios": [{"large": r.large, "rows": r.rows, "columns": r.columns} for r in low.ratios],
        "made_of": {k: v for k, v in low.keywords.items() if k != "HISTORY"},
        "sha256": low.sha256,
        "warnings": low.warnings,
    }
