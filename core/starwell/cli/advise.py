"""`starwell advise`: from one sub, how long subs should be, what limits them, and what masters they take."""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from starwell.calibration.library_need import needs
from starwell.calibration.library_noise import Planned
from starwell.calibration.library_shelf import Library
from starwell.cli.outputs import STDOUT, write_json
from starwell.errors import PlanError
from starwell.frame import Kind
from starwell.sensor.sub_exposure import (
    ENOUGH_STARS,
    EXCESSES,
    USUAL_EXCESS,
    Exposed,
    MastersNeeded,
    dynamic_range,
    excess_noise,
    least_seconds,
    masters_needed,
    recommended,
)
from starwell.session.sub_advice import Advised, advise

NAME = "advise"
_FLAT_LEVEL = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of `starwell advise`."""
    parser.add_argument("sub", type=Path, metavar="SUB", help="a raw sub of the sky to be shot")
    parser.add_argument("--dark", metavar="P", help="its dark: a master, a folder of darks, or auto")
    parser.add_argument("--bias", metavar="P|LEVEL", help="its bias: a master, a folder, a level, or auto")
    parser.add_argument(
        "--egain", type=_positive, metavar="K", help="e- per ADU of the file, if it is known better"
    )
    parser.add_argument("--read-noise", type=_positive, metavar="E", help="read noise in e-")
    parser.add_argument("--dark-rate", type=float, metavar="E", help="dark current in e-/s")
    parser.add_argument(
        "--hours", type=_positive, default=4.0, metavar="H", help="exposure planned in all (%(default)g)"
    )
    parser.add_argument("--subs", type=int, metavar="N", help="subs planned, of the length of this one")
    parser.add_argument(
        "--overhead",
        type=float,
        default=0.0,
        metavar="S",
        help="pause between subs: read-out, download, dither, in s (%(default)g)",
    )
    parser.add_argument(
        "--dithered", type=int, default=1, metavar="N", help="dither positions (%(default)d: none)"
    )
    parser.add_argument("--json", type=Path, metavar="R.json", help="write the figures (- for stdout)")
    parser.add_argument("--overwrite", action="store_true", help="replace R.json if it exists")


def run(args: argparse.Namespace) -> int:
    """Advise; 0, or a StarwellError that says what is missing."""
    if args.overhead < 0 or args.dithered < 1 or (args.subs is not None and args.subs < 1):
        raise PlanError("--overhead is 0 or more, --subs and --dithered are 1 or more.")
    found = advise(
        args.sub,
        dark=args.dark,
        bias=args.bias,
        egain=args.egain,
        read_noise_e=args.read_noise,
        dark_e_s=args.dark_rate,
    )
    if found.sub.rate_e_s <= 0:
        raise PlanError(
            f"{args.sub.name} is no brighter than its dark: is the --dark (or --bias) of this gain, "
            "offset and exposure?"
        )
    if args.json != STDOUT:
        print("\n".join(_lines(found, args)))
    for warning in found.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    write_json(_figures(found, args), args.json, overwrite=args.overwrite)
    return 0


def _lines(found: Advised, args: argparse.Namespace) -> list[str]:
    sub, advice = found.sub, recommended(found.sub, overhead_s=args.overhead)
    rates = ", ".join(f"{name} {one.sky_e_s:.3g}".strip() for name, one in found.channels.items())
    subs, seconds = _planned(advice.seconds, args)
    needed = _masters(sub, subs, seconds, args.dithered)
    above = excess_noise(sub.rate_e_s, sub.read_noise_e, sub.seconds)
    shares = sum(sub.variances_e2.values())
    parts = ", ".join(f"{cause} {100 * value / shares:.0f} %" for cause, value in sub.variances_e2.items())
    return [
        f"{args.sub.name}: {sub.seconds:g} s, {found.source}",
        f"  sky rate       {rates} e-/s/px",
        f"  dark current   {sub.dark_e_s:.3g} e-/s/px ({found.dark_from})",
        f"  noise          {sub.dominant} dominates: {parts} of the variance",
        f"  swamp factor   {sub.swamp:.2g} (light over read noise²; 10 is a usual aim): "
        f"{sub.verdict}, {_percent(above)} above the ideal",
        f"  headroom       {sub.headroom:,.0f}× the sky up to saturation at {sub.full_e:,.0f} e-",
        f"  dynamic range  {_stops(dynamic_range(sub.full_e, sub.read_noise_e))} in a sub, "
        f"{_stops(dynamic_range(sub.full_e, sub.read_noise_e, subs))} in {subs:,} subs",
        *_stars(sub),
        "",
        f"  expose         {_seconds(advice.seconds)}: {_why(advice.saturates, args.overhead)}",
        f"  masters        {needed.darks:,} darks and {needed.flats:,} flats keep {subs:,} subs of "
        f"{_seconds(seconds)} within {_percent(USUAL_EXCESS)}"
        + ("" if args.dithered > 1 else "; dithering makes do with fewer (--dithered N)"),
        *_at_hand(found, subs, seconds, args.dithered),
        "",
        *_table(found),
    ]


def _at_hand(found: Advised, subs: int, seconds: float, positions: int) -> list[str]:
    """What the library's masters for subs like this one add to a stack of as much light."""
    as_many = max(1, round(subs * seconds / found.sub.seconds))
    planned = Planned(found.sub, as_many, positions)
    known = needs(found.facts, Library.here().kept(), planned, kinds=(Kind.DARK, Kind.FLAT))
    return [
        f"  library        {need.found.explained}: adds {_percent(need.share.adds_percent / 100)} to "
        f"{as_many:,} such subs"
        for need in known
        if need.found is not None and need.share is not None
    ]


def _stars(sub: Exposed) -> list[str]:
    if sub.most_seconds is None:
        return []
    longest = _seconds(sub.most_seconds)
    told = f"{sub.saturated_stars} saturate here; more than {ENOUGH_STARS} do beyond {longest}"
    if sub.saturated_stars > ENOUGH_STARS:
        told = f"{sub.saturated_stars} saturate here: nearly every bright one. Lower the gain"
    return [f"  stars          {told}"]


def _why(saturates: bool, overhead_s: float) -> str:
    if saturates:
        return "longer ones saturate too many stars, though read noise asks for more; a lower gain has room"
    pauses = f" and pauses of {overhead_s:g} s cost" if overhead_s else " costs"
    return f"read noise{pauses} {_percent(USUAL_EXCESS)} there; longer gains little"


def _table(found: Advised) -> list[str]:
    """Least exposure by excess noise, for this sub and for every analysed gain."""
    head = "".join(f"{_percent(excess):>9}" for excess in EXCESSES)
    lines = [f"  least exposure for {head}   excess noise"]
    lines.append(f"  {'this sub':<18} {_row(found.sub)}")
    for other in found.others:
        gain = "no gain setting" if other.gain is None else f"gain {other.gain:g}"
        sub = other.sub
        lines.append(
            f"  {gain:<18} {_row(sub)}   RN {sub.read_noise_e:.2f} e-, full {sub.full_e:,.0f} e-, "
            f"{_stops(dynamic_range(sub.full_e, sub.read_noise_e))}"
        )
    return lines


def _row(sub: Exposed) -> str:
    return "".join(
        f"{_seconds(least_seconds(sub.rate_e_s, sub.read_noise_e, excess)):>9}" for excess in EXCESSES
    )


def _figures(found: Advised, args: argparse.Namespace) -> dict[str, object]:
    sub, advice = found.sub, recommended(found.sub, overhead_s=args.overhead)
    subs, seconds = _planned(advice.seconds, args)
    needed = _masters(sub, subs, seconds, args.dithered)
    return {
        "sky_e_per_s": {name or "L": one.sky_e_s for name, one in found.channels.items()},
        "dark_e_per_s": sub.dark_e_s,
        "egain_e_per_adu": found.model.egain,
        "read_noise_e": sub.read_noise_e,
        "dominant": sub.dominant,
        "swamp_factor": sub.swamp,
        "excess_noise": excess_noise(sub.rate_e_s, sub.read_noise_e, sub.seconds),
        "least_seconds": {
            f"{100 * excess:g}%": least_seconds(sub.rate_e_s, sub.read_noise_e, excess) for excess in EXCESSES
        },
        "recommended_seconds": advice.seconds,
        "most_seconds": advice.most_s,
        "headroom": sub.headroom if math.isfinite(sub.headroom) else None,
        "dynamic_range": dynamic_range(sub.full_e, sub.read_noise_e),
        "saturated_stars": sub.saturated_stars,
        "subs": subs,
        "darks": needed.darks,
        "flats": needed.flats,
        "warnings": list(found.warnings),
    }


def _planned(advised_s: float, args: argparse.Namespace) -> tuple[int, float]:
    """How many subs of which length: as long as advised over the hours, or the number that was asked for."""
    if args.subs is not None:
        return args.subs, advised_s
    return max(1, math.ceil(3600 * args.hours / advised_s)), advised_s


def _masters(sub: Exposed, subs: int, seconds: float, positions: int) -> MastersNeeded:
    return masters_needed(sub, subs, seconds=seconds, flat_e=_FLAT_LEVEL * sub.full_e, positions=positions)


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"


def _seconds(value: float) -> str:
    if value >= 600:
        return f"{value / 60:.0f} min"
    return f"{value:.3g} s" if value < 10 else f"{value:.0f} s"


def _stops(ratio: float) -> str:
    return f"{math.log2(ratio):.1f} stops" if ratio > 0 and math.isfinite(ratio) else "unlimited"


def _positive(text: str) -> float:
    value = float(text)
    if not value > 0 or not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"{text} is not a number above 0")
    return value
