"""`starwell master`: many darks, biases or flats become one, and tell what they know of the camera."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from starwell.calibration.learnt import HOT_ADU
from starwell.calibration.library import open_master
from starwell.calibration.master import NAMES, Master
from starwell.calibration.masters import build
from starwell.calibration.stored import export16, write
from starwell.cli import master_low_light as low_light
from starwell.cli.outputs import STDOUT, check_files, write_json
from starwell.errors import PlanError
from starwell.frame import Kind

NAME = "master"
HELP = "combine darks, biases or flats into a master, or dim flats into a low-light map"

_KINDS = {"bias": Kind.BIAS, "dark": Kind.DARK, "flat": Kind.FLAT, "dark-flat": Kind.DARK_FLAT}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `starwell master`."""
    parser.add_argument(
        "kind", choices=(*_KINDS, low_light.NAME), help="what the frames are; low-light: dim flats"
    )
    parser.add_argument(
        "frames", nargs="+", type=Path, metavar="FILES|DIR", help="raw frames, or folders of them"
    )
    parser.add_argument("-o", dest="output", type=Path, required=True, metavar="OUT.fits", help="the master")
    parser.add_argument(
        "--bias", metavar="P|LEVEL", help="bias of the flats or darks: master, folder, or a level in ADU"
    )
    parser.add_argument("--dark", metavar="P", help="darks of the flats' exposure: master or folder")
    parser.add_argument("--flat", metavar="P", help="bright flats of a low-light map: master or folder")
    parser.add_argument("--dark-flat", metavar="P", help="dark flats: master or folder")
    parser.add_argument("--uncalibrated", action="store_true", help="combine flats with their bias in them")
    parser.add_argument(
        "--any-type", action="store_true", help="take the frames for what is asked, whatever IMAGETYP says"
    )
    parser.add_argument(
        "--hot",
        type=float,
        default=HOT_ADU,
        metavar="ADU",
        help="count pixels above this in 60 s (%(default)g)",
    )
    parser.add_argument(
        "--export16", type=Path, metavar="OUT16", help="also write 16 bits for other programs: .fits or .png"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace files that exist")
    parser.add_argument(
        "--json", type=Path, metavar="R.json", help="write what was learnt for machines (- for stdout)"
    )


def run(args: argparse.Namespace) -> int:
    """Build, write and describe the master; 0, or a StarwellError that says what does not fit."""
    if args.kind == low_light.NAME:
        return low_light.run(args)
    kind = _KINDS[args.kind]
    _check_call(args, kind)
    bias = None if args.bias is None else open_master(args.bias, Kind.BIAS)
    dark = None if args.dark is None else open_master(args.dark, Kind.DARK, bias=bias)
    dark_flat = None if args.dark_flat is None else open_master(args.dark_flat, Kind.DARK_FLAT)
    master = build(
        kind,
        args.frames,
        bias=bias,
        dark=dark,
        dark_flat=dark_flat,
        uncalibrated=args.uncalibrated,
        any_type=args.any_type,
        hot_adu=args.hot,
    )
    master = write(master, args.output, overwrite=args.overwrite)
    if args.export16 is not None:
        export16(master, args.export16, overwrite=args.overwrite)
    if args.json != STDOUT:
        print("\n".join([*described(master), *_written(args)]))
    write_json(_report(master, args), args.json, overwrite=args.overwrite)
    for warning in master.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return 0


def _check_call(args: argparse.Namespace, kind: Kind) -> None:
    """PlanError for options that do not go together; StorageError for a target that cannot be written."""
    if args.flat is not None:
        raise PlanError("--flat is the bright flat of a low-light map: say `starwell master low-light`.")
    flats_only = [
        option
        for option, given in (
            ("--dark", args.dark),
            ("--dark-flat", args.dark_flat),
            ("--uncalibrated", args.uncalibrated),
        )
        if given
    ]
    if kind is not Kind.FLAT and flats_only:
        raise PlanError(
            f"{' and '.join(flats_only)} belong to flats: a master {NAMES[kind]} is built without."
        )
    if kind is Kind.BIAS and args.bias is not None:
        raise PlanError("A master bias is built without --bias.")
    check_files(args.output, args.export16, args.json, overwrite=args.overwrite)


def described(master: Master) -> list[str]:
    """What the frames told, line by line, for people."""
    learnt, kept = master.learnt, master.keywords
    calibrated = master.kind is Kind.FLAT and kept.get("CALFRAME") != "NONE"
    above = " above the bias" if calibrated else ""
    clipped = 100 * float(kept["CLIPFRAC"])
    lines = [
        f"Master {NAMES[master.kind]} of {master.combined} frames, {_settings(master)}",
        f"  level        {master.level_adu:,.1f} ADU{above}",
        f"  noise        {learnt['noise_adu']:.2f} ADU in one frame, by pairs",
        f"  clipped      {clipped:.4f} % of the samples, beyond {kept['CLIPSIG']:g} sigma",
    ]
    return lines + _transfer_lines(master) + _dark_lines(master)


def _settings(master: Master) -> str:
    facts, exposure = master.facts, master.facts.exposure
    parts = [
        f"{facts.size[1]}×{facts.size[0]}",
        f"{exposure.seconds:g} s" if exposure.seconds is not None else "",
        f"gain {exposure.gain:g}" if exposure.gain is not None else "",
        f"offset {exposure.offset:g}" if exposure.offset is not None else "",
        f"{facts.sensor_celsius:.1f} °C" if facts.sensor_celsius is not None else "",
        exposure.filter or "" if master.kind is Kind.FLAT else "",
        f"bin {exposure.bin}" if exposure.bin > 1 else "",
        facts.camera or "",
    ]
    return ", ".join(part for part in parts if part)


def _transfer_lines(master: Master) -> list[str]:
    learnt = master.learnt
    if "egain" not in learnt:
        if master.kind is Kind.BIAS:
            return [
                f"  read noise   {learnt['read_noise_adu']:.2f} ADU, by pairs (in e- with flats: master flat)"
            ]
        if master.kind is Kind.FLAT:
            return ["  gain         unknown: it takes a --bias made of frames, by pairs"]
        return []
    egain = learnt["egain"]
    lines = [
        f"  gain         {egain:.3f} ± {learnt['egain_error']:.3f} e-/ADU, by pairs of flats",
        f"  read noise   {learnt['read_noise_e']:.2f} e-, by pairs",
    ]
    header = master.facts.egain
    if header is not None and abs(header / egain - 1) > 0.03:
        lines.append(
            f"  note         the header says {header:g} e-/ADU, {100 * (header / egain - 1):+.0f} %: "
            "the measured gain is written"
        )
    return lines


def _dark_lines(master: Master) -> list[str]:
    learnt, seconds = master.learnt, master.facts.exposure.seconds
    if "hot_pixels" not in learnt:
        return []
    lines = []
    per = f" in {seconds:g} s" if seconds else ""
    if "dark_adu" in learnt:
        rate = ""
        egain = master.facts.egain
        if egain and seconds:
            rate = f" ({learnt['dark_adu'] * egain / seconds:.3f} e-/s with the header's {egain:g} e-/ADU)"
        lines.append(f"  dark         {learnt['dark_adu']:.1f} ADU{per}{rate}")
    against = "the bias" if "dark_adu" in learnt else "the dark's median"
    lines.append(
        f"  hot pixels   {learnt['hot_pixels']:,.0f} more than {learnt['hot_adu']:g} ADU{per} above {against}"
    )
    if master.noisy_xy is not None:
        lines.append(f"  noisy pixels {len(master.noisy_xy):,} over 4× noisier than others of their level")
    return lines


def _written(args: argparse.Namespace) -> list[str]:
    return [f"Wrote {path}" for path in (args.output, args.export16, args.json) if path is not None]


def _report(master: Master, args: argparse.Namespace) -> dict[str, Any]:
    exposure = master.facts.exposure
    return {
        "kind": NAMES[master.kind],
        "file": str(args.output),
        "combined": master.combined,
        "seconds": exposure.seconds,
        "gain": exposure.gain,
        "offset": exposure.offset,
        "filter": exposure.filter,
        "sensor_celsius": master.facts.sensor_celsius,
        "level_adu": master.level_adu,
        "learnt": dict(master.learnt),
        "header_egain": master.facts.egain,
        "clipped_fraction": master.keywords["CLIPFRAC"],
        "sources_sha256": master.keywords["SRCSHA"],
        "sha256": master.sha256,
        "warnings": list(master.warnings),
    }
