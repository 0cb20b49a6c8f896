"""`starwell library need` and `starwell library audit`: what lights lack, and what would spoil the night."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from starwell.calibration.library_find import days
from starwell.calibration.library_kept import Kept
from starwell.calibration.library_need import Need, needs
from starwell.calibration.library_noise import Planned
from starwell.calibration.library_shelf import Library
from starwell.calibration.library_survey import Remark
from starwell.calibration.master import NAMES
from starwell.errors import PlanError
from starwell.frame import Exposure, Facts, Roi
from starwell.sensor.store import SensorStore, plain_name
from starwell.sensor.sub_exposure import Exposed
from starwell.session.advice_audit import Audit
from starwell.session.automatic import at_hand
from starwell.session.library_audit import LightsAudit, audit_lights, audit_masters
from starwell.session.sets import lights_and_others


def add_need(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell library need`."""
    add = parser.add_argument
    add("lights", nargs="*", type=Path, metavar="LIGHT", help="subs, or folders of them")
    asked = parser.add_argument_group("lights that are to be shot").add_argument
    asked("--camera", metavar="NAME")
    asked("--exposure", type=float, metavar="S", help="seconds of each sub")
    asked("--gain", type=float, metavar="G")
    asked("--offset", type=float, metavar="O")
    asked("--temperature", type=float, metavar="C", help="of the cooled sensor, °C")
    asked("--bin", type=int, default=1, metavar="B")
    asked("--roi", type=_roi, metavar="X,Y,W,H", help="a window of the sensor")
    asked("--filter", metavar="NAME")
    asked("--sky", type=float, metavar="E", help="sky, e-/s per pixel: tells the noise masters add")
    _add_plan(parser)


def add_audit(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell library audit`."""
    parser.add_argument("lights", nargs="*", type=Path, metavar="LIGHT", help="subs, or folders of them")
    _add_plan(parser)


def _add_plan(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--subs", type=int, metavar="N", help="subs planned (as many as there are, else 100)")
    parser.add_argument("--dithered", type=int, default=1, metavar="N", help="dither positions (1: none)")
    parser.add_argument("--json", action="store_true", help="for machines")


def need(library: Library, arguments: argparse.Namespace) -> int:
    """Say which masters lights have and lack; 0."""
    _check(arguments)
    if arguments.lights:
        groups = _groups(library, arguments)
        listed = [one for group in groups for one in group.needs]
    else:
        if arguments.exposure is None:
            raise PlanError("Say which lights: files or folders of them, or --exposure and --gain.")
        kept = library.kept()
        facts = _asked(arguments, kept)
        listed = needs(facts, kept, _planned(arguments, facts, kept))
    if arguments.json:
        _print_json([one.listed() for one in listed])
        return 0
    for one in listed:
        print("\n".join(_need_lines(one)))
    return 0


def audit(library: Library, arguments: argparse.Namespace) -> int:
    """Look at the library, and at lights with their masters; 1 where something serious was found."""
    _check(arguments)
    groups = _groups(library, arguments) if arguments.lights else []
    kept = library.kept() if not arguments.lights else _at_hand(library, arguments)
    remarks = audit_masters(kept)
    every = [*remarks, *(remark for group in groups for remark in group.remarks)]
    if arguments.json:
        _print_json(
            {
                "masters": [one.listed() for one in kept],
                "remarks": [_remark(remark) for remark in remarks],
                "lights": [_group(group) for group in groups],
            }
        )
    else:
        print(f"{len(kept)} masters at hand, the library is {library.folder}")
        print("\n".join(_remark_line(remark) for remark in remarks) or "  nothing to remark on them")
        for group in groups:
            print(f"\n{group.label}: {group.count} light{'s' if group.count > 1 else ''}")
            for line in (*map(_remark_line, group.remarks), *(_residual(group.residual))):
                print(line)
            for one in group.needs:
                print("\n".join(_need_lines(one)))
    return 1 if any(remark.serious for remark in every) else 0


def _check(arguments: argparse.Namespace) -> None:
    if arguments.dithered < 1 or (arguments.subs is not None and arguments.subs < 1):
        raise PlanError("--subs and --dithered are 1 or more.")


def _groups(library: Library, arguments: argparse.Namespace) -> list[LightsAudit]:
    given = lights_and_others(arguments.lights)
    files = [file for lights in given.sets for file in lights.files]
    if not files:
        raise PlanError("There are no lights among the files given.")
    among = at_hand(files, given.others, library)
    audits = (
        audit_lights(lights, among, subs=arguments.subs, positions=arguments.dithered)
        for lights in given.sets
    )
    return [group for groups in audits for group in groups]


def _at_hand(library: Library, arguments: argparse.Namespace) -> list[Kept]:
    """The masters at hand of the lights' own cameras."""
    given = lights_and_others(arguments.lights)
    cameras = {plain_name(facts.camera or "") for lights in given.sets for facts in lights.every}
    kept = at_hand([file for lights in given.sets for file in lights.files], given.others, library)
    return [one for one in kept if plain_name(one.camera or "") in cameras | {""}]


def _asked(arguments: argparse.Namespace, kept: Sequence[Kept]) -> Facts:
    """The facts of lights that are to be shot; their size is that of the camera's masters."""
    roi: Roi | None = arguments.roi
    alike = [
        k
        for k in kept
        if k.bin == arguments.bin
        and (not arguments.camera or not k.camera or plain_name(k.camera) == plain_name(arguments.camera))
    ]
    shape = alike[-1].shape if alike else (0, 0)
    if roi is not None:
        shape = (*shape[:-2], roi.height, roi.width)
    exposure = Exposure(
        seconds=arguments.exposure,
        gain=arguments.gain,
        offset=arguments.offset,
        bin=arguments.bin,
        roi=roi,
        filter=arguments.filter,
    )
    return Facts(
        shape,
        exposure,
        camera=arguments.camera,
        sensor_celsius=arguments.temperature,
        setpoint_celsius=arguments.temperature,
    )


def _planned(arguments: argparse.Namespace, facts: Facts, kept: Sequence[Kept]) -> Planned | None:
    """The stack of lights that are to be shot; None where their sky, or the read noise, is not known."""
    known = SensorStore().known(facts)
    of_masters = [k for k in kept if k.read_noise_e is not None and k.gain == arguments.gain]
    read_noise = known.read_noise_e if known else of_masters[-1].read_noise_e if of_masters else None
    if arguments.sky is None or read_noise is None:
        return None
    egain = next((k.egain for k in of_masters if k.egain is not None), None)
    full = (known.full_well_e if known else None) or (65535 * egain if egain else 20_000.0)
    sub = Exposed(arguments.exposure, arguments.sky, 0.0, read_noise, full)
    return Planned(sub, arguments.subs or 100, arguments.dithered)


def _need_lines(need: Need) -> list[str]:
    kind = NAMES[need.kind]
    if need.found is None:
        return [f"  {kind:<10} missing: {need.missing}"]
    age = need.found.kept.age_days()
    old = "" if age is None else f", {days(age)} old"
    adds = "" if need.share is None else f", adds {need.share.adds_e:.3g} e-, {need.share.adds_percent:.2g} %"
    lines = [f"  {kind:<10} {need.found.explained.partition(': ')[2]}{old}{adds}"]
    few = need.share is not None and need.found.kept.frames < need.advised
    lines += [f"             {need.advised} frames keep the masters' noise within 5 %"] if few else []
    return lines + [f"             {warning}" for warning in need.found.warnings]


def _remark_line(remark: Remark) -> str:
    return f"  {'!' if remark.serious else '-'} {remark.subject}: {remark.words}"


def _residual(residual: Audit | None) -> list[str]:
    if residual is None:
        return []
    parts = [
        f"{name} {trace.left:+.0%} ± {trace.error:.0%}"
        for name, trace in (
            ("dark", residual.dark),
            ("dust", residual.dust),
            ("vignetting", residual.vignetting),
        )
        if trace is not None
    ]
    return [f"  left in a sub: {', '.join(parts)}"] if parts else []


def _group(group: LightsAudit) -> dict[str, Any]:
    return {
        "label": group.label,
        "count": group.count,
        "needs": [one.listed() for one in group.needs],
        "residual": None if group.residual is None else msgspec.to_builtins(group.residual),
        "remarks": [_remark(remark) for remark in group.remarks],
    }


def _remark(remark: Remark) -> dict[str, object]:
    return {"subject": remark.subject, "words": remark.words, "serious": remark.serious}


def _print_json(value: object) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _roi(text: str) -> Roi:
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdigit() for part in parts):
        raise argparse.ArgumentTypeError(f"{text} is not X,Y,W,H")
    return Roi(*(int(part) for part in parts))
