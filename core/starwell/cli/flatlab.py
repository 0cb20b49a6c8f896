"""`starwell flatlab`: do this camera's cold pixels lose sensitivity at low light, and which flats mend it?"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from starwell.calibration.low_light_file import write_low_light
from starwell.cli.flatlab_capture import capture
from starwell.cli.outputs import STDOUT, check_files, check_report, write_json, write_report
from starwell.errors import PlanError
from starwell.flatlab import schedule
from starwell.flatlab.analysis import Analysis
from starwell.flatlab.conclude import conclude
from starwell.flatlab.experiment import open_sets
from starwell.flatlab.findings import Findings, read
from starwell.flatlab.offsets import offsets_of, overlap
from starwell.flatlab.report import as_markdown, as_text
from starwell.flatlab.report_plots import draw
from starwell.flatlab.results import Results
from starwell.flatlab.shooting import frames_in

NAME = "flatlab"

_EPILOG = """\
plan prints what to shoot and what it finds; --json writes it for capture.
capture shoots it: a folder for each set, in turn, going on where it was broken off.
analyse reads the sets (or a folder that capture filled) and judges; report tells it again.

exit codes: 0 judged, `inconclusive` too; 1 the gate refuses, or the sets do not fit, and why;
2 the call was wrong
"""
_SETS = {
    "dark": "darks at the lights' settings, panel off",
    "bright": "bright flats, about half full, at low gain",
    "bright-dark": "darks of the bright flats",
    "same-charge": "dim flats of the same charge in a fifth of the time, five times the light",
    "same-charge-dark": "darks of these",
    "other-gain": "dim flats of the same charge at another gain",
    "other-gain-dark": "darks of these",
    "panel-off": "film on, panel off: does light leak in?",
}
_NEEDED = ("dark", "bright", "bright-dark")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare plan, capture, analyse and report."""
    parser.epilog = _EPILOG
    parts = parser.add_subparsers(dest="part", required=True, metavar="plan|capture|analyse|report")
    _add_plan(parts.add_parser("plan", help="what to shoot, how long it takes, what it finds"))
    _add_capture(parts.add_parser("capture", help="shoot a schedule"))
    _add_analyse(parts.add_parser("analyse", help="judge the sets"))
    told = parts.add_parser("report", help="tell the findings of an analysis again")
    told.add_argument("findings", type=Path, metavar="R.json")
    told.add_argument(
        "--report", type=Path, metavar="DIR", help="write Markdown and plots (starwell[report])"
    )
    told.add_argument("--overwrite", action="store_true", help="replace files that exist")
    told.set_defaults(act=_report)


def run(args: argparse.Namespace) -> int:
    """Do the part asked for; an exit code."""
    act: Callable[[argparse.Namespace], int] = args.act
    return act(args)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--egain", type=float, required=True, metavar="K", help="e-/ADU of the files at the lights' gain")
    add("--read-noise", type=float, required=True, metavar="E", help="e- at the lights' gain")
    add("--sky", type=float, required=True, metavar="E", help="sky of a sub, e-/px: the light level to test")
    add("--exposure", type=float, required=True, metavar="S", help="of a sub, s")
    add("--gain", type=float, required=True, metavar="G", help="of the subs, 0.1 dB")
    add("--offset", type=float, metavar="O", help="the camera's offset setting")
    add("--bright-gain", type=float, default=0.0, metavar="G", help="of the bright flats (0)")
    add(
        "--other-gain",
        type=float,
        metavar="G",
        help="to tell offsets of the converter (60 below the lights')",
    )
    add("--full-well", type=float, default=20_000.0, metavar="E", help="e- (20000)")
    add("--adc-bits", type=int, default=12, metavar="N", help="of the converter (12)")
    add("--shift", type=int, default=4, metavar="N", help="bits the files are moved up by (4)")
    add("--frames", type=int, default=150, metavar="N", help="of each dim set; twice as many of L0 (150)")
    add("--darks", type=int, default=300, metavar="N", help="at the lights' settings (300)")
    add("--rounds", type=int, default=4, metavar="N", help="parts each set is shot in, in turn (4)")
    add("--temperature", type=float, metavar="C", help="cool to this, °C")
    add("--minimal", action="store_true", help="only whether pixels go cold, not why")
    add("--json", type=Path, metavar="SCHEDULE.json", help="write the schedule for capture (- for stdout)")
    add("--overwrite", action="store_true", help="replace a file that exists")
    parser.set_defaults(act=_plan)


def _add_capture(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("schedule", type=Path, metavar="SCHEDULE.json")
    add("--camera", required=True, metavar="CAMERA", help="simulated[:truth=leak,…] or zwo[:SERIAL]")
    add("-o", "--output", type=Path, required=True, metavar="DIR", help="a folder for each set goes in here")
    add("--yes", action="store_true", help="do not ask for panel and film (simulated cameras)")
    parser.set_defaults(act=capture)


def _add_analyse(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--folder", type=Path, metavar="DIR", help="what capture filled; sets given by themselves win")
    for name, said in _SETS.items():
        add(f"--{name}", nargs="+", type=Path, default=[], metavar="P", help=said)
    add(
        "--low",
        type=Path,
        action="append",
        default=[],
        metavar="P",
        help="dim flats; one --low for each level",
    )
    add(
        "--held-out",
        type=Path,
        action="append",
        default=[],
        metavar="P",
        help="dim flats to judge on: one or two",
    )
    add("--offsets", type=Path, metavar="R.json", help="a stack's report: N* with the night's real offsets")
    add("--json", type=Path, metavar="R.json", help="write the findings (- for stdout)")
    add("--report", type=Path, metavar="DIR", help="write Markdown and plots (needs starwell[report])")
    add("--save-map", type=Path, metavar="OUT.fits", help="write the low-light map")
    add("--overwrite", action="store_true", help="replace files that exist")
    parser.set_defaults(act=_analyse)


def _plan(args: argparse.Namespace) -> int:
    wish = schedule.Wish(
        egain=args.egain,
        read_noise_e=args.read_noise,
        sky_e=args.sky,
        seconds=args.exposure,
        gain=args.gain,
        offset=args.offset,
        bright_gain=args.bright_gain,
        other_gain=args.other_gain,
        full_well_e=args.full_well,
        adc_bits=args.adc_bits,
        shift=args.shift,
        frames=args.frames,
        darks=args.darks,
        celsius=args.temperature,
        rounds=args.rounds,
        minimal=args.minimal,
    )
    planned = wish.schedule()
    if args.json != STDOUT:
        print("\n".join(schedule.as_text(wish, planned)))
    for warning in schedule.warnings(wish):
        _say(f"warning: {warning}")
    write_json(planned, args.json, overwrite=args.overwrite)
    return 0


def _analyse(args: argparse.Namespace) -> int:
    paths = {name: list(getattr(args, name.replace("-", "_"))) for name in _SETS}
    lows, held_out = list(args.low), list(args.held_out)
    if args.folder is not None:
        lows, held_out = _from_folder(args.folder, paths, lows, held_out)
    lacking = [f"--{name}" for name in _NEEDED if not paths[name]]
    lacking += [name for name, given in (("--low", lows), ("--held-out", held_out)) if not given]
    if lacking:
        raise PlanError(
            f"The flat lab cannot do without {', '.join(lacking)}: `starwell flatlab plan` tells why."
        )
    if len(held_out) > 2:
        raise PlanError(f"{len(held_out)} --held-out folders: give one, or two that make two halves.")
    _check_targets(args)
    offsets = overlap(offsets_of(args.offsets)) if args.offsets is not None else None
    results = Analysis(open_sets(paths, lows, held_out), _say, offsets=offsets).run()
    found = conclude(results)
    write_json(found, args.json, overwrite=args.overwrite)
    if args.json != STDOUT:
        print("\n".join(as_text(found)))
    for warning in found.warnings:
        _say(f"warning: {warning}")
    if args.report is not None:
        _say(f"Wrote {_write_report(found, args.report)}")
    if args.save_map is not None:
        _save_map(results, args.save_map, overwrite=args.overwrite)
    if found.gate.passed:
        return 0
    _say(f"starwell: the gate refuses: {'; '.join(found.gate.reasons)}. {found.gate.advice}")
    return 1


def _from_folder(
    folder: Path, paths: dict[str, list[Path]], lows: list[Path], held_out: list[Path]
) -> tuple[list[Path], list[Path]]:
    """What capture left in a folder, where the call names nothing else."""
    if not folder.is_dir():
        raise PlanError(f"There is no folder {folder}.")
    for name, given in paths.items():
        if not given and frames_in(folder / name):
            given.append(folder / name)

    def all_of(name: str) -> list[Path]:
        return [one for one in sorted(folder.glob(f"{name}*")) if frames_in(one)]

    return lows or all_of("low"), held_out or all_of("held-out")


def _report(args: argparse.Namespace) -> int:
    found = read(args.findings)
    if args.report is not None:
        check_report(args.report, overwrite=args.overwrite)
    print("\n".join(as_text(found)))
    if args.report is not None:
        print(f"Wrote {_write_report(found, args.report)}")
    return 0


def _check_targets(args: argparse.Namespace) -> None:
    """PlanError or StorageError for what cannot be written, before anything is read."""
    check_files(args.json, args.save_map, overwrite=args.overwrite)
    if args.report is not None:
        check_report(args.report, overwrite=args.overwrite)


def _write_report(found: Findings, folder: Path) -> Path:
    return write_report(folder, as_markdown(found, draw(found, folder)))


def _save_map(results: Results, path: Path, *, overwrite: bool) -> None:
    write_low_light(results.low_light, path, overwrite=overwrite)
    _say(f"Wrote {path}: use it with the bright flat, for lights of this gain, exposure and temperature.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
