"""`starwell sensor`: what flats, biases and darks tell of a camera's sensor; kept for every stack to come."""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from starwell.cli.outputs import STDOUT, check_files, check_report, write_json, write_report
from starwell.cli.sensor_shoot import add_shooting, shot
from starwell.errors import PlanError
from starwell.frame import Facts, Roi
from starwell.sensor.report import Subject, as_markdown, as_text
from starwell.sensor.report_plots import draw
from starwell.sensor.store import Known, SensorStore, known_of
from starwell.session.sensor_analysis import Analysed, analyse_files, as_contract
from starwell.session.sensor_shooting import sets_in

NAME = "sensor"
_EPILOG = """\
starwell sensor shoot --camera zwo --gain 100 -o DIR    shoots all sets, asks for cover and panel; analyses
starwell sensor --folder DIR                            the same sets again
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `starwell sensor`."""
    parser.epilog = _EPILOG
    parser.add_argument("part", nargs="?", choices=["shoot"], help="shoot the sets first")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="the sets that shoot left in DIR")
    parser.add_argument(
        "--bias", nargs="+", type=Path, default=[], metavar="P", help="biases: a folder, or files"
    )
    for kind, help_text in (
        ("flat", "flats of one light level, raw; give one --flat for each level, best 10 from dark to full"),
        ("dark", "darks of one exposure; give one --dark for each exposure"),
    ):
        parser.add_argument(
            f"--{kind}", nargs="+", type=Path, action="append", default=[], metavar="P", help=help_text
        )
    parser.add_argument(
        "--roi", type=_window, metavar="X,Y,W,H", help="the window to look at (the middle, to 1024 px a side)"
    )
    parser.add_argument("--any-type", action="store_true", help="take the frames for what is asked")
    parser.add_argument("--no-store", action="store_true", help="do not keep the figures for later stacks")
    parser.add_argument("--list", action="store_true", help="show what is kept, and do nothing else")
    parser.add_argument("--json", type=Path, metavar="R.json", help="write the figures (- for stdout)")
    parser.add_argument(
        "--report", type=Path, metavar="DIR", help="write Markdown and plots (needs starwell[report])"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    add_shooting(parser.add_argument_group("shoot"))


def run(args: argparse.Namespace) -> int:
    """Analyse, keep, report; 0, or a StarwellError that says what does not fit."""
    if args.list:
        print("\n".join(_listed(SensorStore().all())))
        return 0
    _check_targets(args)
    bias, flat, dark = _sets(args)
    found = analyse_files(bias, flat, dark, roi=args.roi, any_type=args.any_type)
    to_stdout = args.json == STDOUT
    kept = "" if args.no_store else _keep(found)
    if not to_stdout:
        print("\n".join([*as_text(_subject(found), found.analysis), *([kept] if kept else [])]))
    for warning in found.analysis.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    write_json(as_contract(found.analysis), args.json, overwrite=args.overwrite)
    if args.report is not None:
        print(f"Wrote {_write_report(found, args.report)}", file=sys.stderr if to_stdout else sys.stdout)
    return 0


def _sets(args: argparse.Namespace) -> tuple[list[Path], list[list[Path]], list[list[Path]]]:
    """The sets as they were given, or those of a folder, shot first where that was asked for."""
    folder: Path | None = shot(args) if args.part else args.folder
    if folder is None:
        return args.bias, args.flat, args.dark
    if args.bias or args.flat or args.dark:
        raise PlanError("Either a folder of all sets, or --bias, --flat and --dark: not both.")
    if not folder.is_dir():
        raise PlanError(f"There is no folder {folder}.")
    return sets_in(folder)


def _check_targets(args: argparse.Namespace) -> None:
    """PlanError or StorageError for what cannot be written, before anything is read."""
    check_files(args.json, overwrite=args.overwrite)
    if args.report is not None:
        check_report(args.report, overwrite=args.overwrite)


def _keep(found: Analysed) -> str:
    known = known_of(found.analysis, found.facts)
    if known is not None:
        store = SensorStore()
        store.keep(known)
        return f"\nKept in {store.path}: stacks of this camera at this gain use it from now on."
    if not (found.facts.camera or "").strip():
        return "\nNot kept for later stacks: the frames do not name their camera."
    return "\nNot kept for later stacks: it takes e-/ADU to 5 % and a trusted read noise."


def _write_report(found: Analysed, folder: Path) -> Path:
    plots = draw(found.analysis, folder)
    return write_report(folder, as_markdown(_subject(found), found.analysis, plots))


def _subject(found: Analysed) -> Subject:
    roi = found.roi
    levels = [f"{_times(count, 'flat')}{_at(seconds)}" for seconds, count in found.flats]
    darks = [f"{_times(count, 'dark')}{_at(seconds)}" for seconds, count in found.darks]
    shown = [_times(found.biases, "bias", "biases")] if found.biases else []
    shown += levels if len(levels) <= 3 else [f"{len(levels)} light levels"]
    shown += [f"flats through filter {found.filter}"] if found.filter else []
    shown += darks if len(darks) <= 3 else [f"{len(darks)} dark exposures"]
    window = f"window {roi.width}×{roi.height} px at ({roi.x}, {roi.y})"
    camera = (found.facts.camera or "unknown camera").strip()
    return Subject(camera, setting_said(found.facts), window, ", ".join(shown))


def setting_said(facts: Facts) -> str:
    """Gain, offset, temperature, filter and binning in words; what is not known is left out."""
    exposure = facts.exposure
    parts = [
        f"gain {exposure.gain:g}" if exposure.gain is not None else "no gain setting",
        f"offset {exposure.offset:g}" if exposure.offset is not None else "",
        f"bin {exposure.bin}",
        f"{facts.sensor_celsius:.1f} °C" if facts.sensor_celsius is not None else "",
    ]
    return ", ".join(part for part in parts if part)


def _listed(kept: list[Known]) -> list[str]:
    if not kept:
        return ["No sensor analysis is kept yet: starwell sensor --bias DIR --flat DIR."]
    lines = [f"{'camera':<32}{'gain':>6}{'bin':>5}{'e-/ADU':>10}{'RN e-':>8}{'FW e-':>9}  measured"]
    for one in kept:
        setting = one.setting
        gain = "-" if setting.gain is None else f"{setting.gain:g}"
        well = "-" if one.full_well_e is None else f"{one.full_well_e:,.0f}"
        date = "" if one.measured is None else f"{one.measured:%Y-%m-%d}"
        lines.append(
            f"{setting.camera[:31]:<32}{gain:>6}{setting.bin:>5}{one.egain:>10.4g}{one.read_noise_e:>8.3g}"
            f"{well:>9}  {date}"
        )
    return lines


def _window(text: str) -> Roi:
    numbers = re.fullmatch(r"(\d+),(\d+),(\d+),(\d+)", text)
    if numbers is None:
        raise argparse.ArgumentTypeError(f"{text} is not X,Y,W,H in pixels")
    return Roi(*map(int, numbers.groups()))


def _times(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"


def _at(seconds: float | None) -> str:
    return "" if seconds is None else f" of {seconds:g} s"
