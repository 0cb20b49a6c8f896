"""`starwell run`: an engine in the foreground, for a plan or for one series of frames."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from starwell.camera.drivers import KNOWN
from starwell.cli.foreground import engine_here, setup
from starwell.errors import PlanError
from starwell.frame import Colour, Kind, Roi
from starwell.session.engine_night import plan_of
from starwell.session.plan import Cooling, MasterPaths, Part, Plan, Series, Target
from starwell.session.plan_file import read_plan
from starwell.session.setup import Setup
from starwell.session.tasks import Unfinished
from starwell.session.wishes import Task

P = TypeVar("P", bound=Part)

_KINDS = {
    "light": Kind.LIGHT,
    "dark": Kind.DARK,
    "flat": Kind.FLAT,
    "bias": Kind.BIAS,
    "dark-flat": Kind.DARK_FLAT,
}
_EPILOG = f"""\
CAMERA is {KNOWN};
simulated:speed=60,size=640x480,colour,3=hang makes other simulated cameras.
What is not given is as it was last time with this camera and target.
A folder is replayed and ends; a watched one is waited for. Both stay as they are.

A terminal that is closed ends nothing: `starwell status` and `starwell stop` reach it.
A second Ctrl-C does not wait for the sensor to be warmed up.

exit codes: 0 all frames taken; 1 it ended early, and why; 2 the call was wrong;
130 and 143 ended by Ctrl-C and SIGTERM: what was exposed until then is whole
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `starwell run`."""
    parser.epilog = _EPILOG
    parser.add_argument("plan", nargs="?", type=Path, metavar="PLAN.toml", help="a night as a file")
    what = parser.add_argument_group("what to take (wins over the plan)").add_argument
    what("--camera", metavar="CAMERA", help="default: the rig's")
    what("--kind", choices=tuple(_KINDS), help="default light")
    what("--exposure", type=_seconds, metavar="S", help="seconds of each frame")
    what("--frames", type=_count, metavar="N", help="default: until Ctrl-C")
    what("--gain", type=float, metavar="G", help="the camera's gain setting")
    what("--offset", type=float, metavar="O", help="the camera's offset setting")
    what("--bin", type=_count, metavar="B", help="B×B pixels into one")
    what("--roi", type=_roi, metavar="X,Y,W,H", help="a window of the sensor, in binned pixels")
    what("--temperature", type=float, metavar="C", help="cool to this, °C")
    what("--filter", metavar="NAME", help="the filter in the light's way")
    what("--target", metavar="NAME", help="what the telescope points at")
    what("--seed", type=int, default=1, metavar="N", help="of the simulated sky (1)")
    add_masters(parser)
    add_output(parser)
    out = parser.add_argument_group("the night").add_argument
    out("--no-stack", action="store_true", help="take the frames, stack nothing")
    out("--super-pixel", action="store_true", help="stack colour at half size: a third of the memory")
    out("--resume", action="store_true", help="go on where NIGHT, or the last night, was broken off")


def add_masters(parser: argparse.ArgumentParser) -> None:
    """The masters of a live stack."""
    masters = parser.add_argument_group("calibration of the stack").add_argument
    masters("--bias", metavar="P", help="bias: master, folder, a level in ADU, or auto (the library)")
    masters("--dark", metavar="P", help="dark: master, folder, or auto")
    masters("--flat", metavar="P", help="flat: master, folder, or auto")
    masters("--dark-flat", metavar="P", help="darks of the flats: master, folder, or auto")
    masters("--low-light", metavar="M.fits", help="low-light map (starwell master low-light), or auto")


def add_output(parser: argparse.ArgumentParser) -> None:
    """Where a night goes, and how it is told."""
    out = parser.add_argument_group("output").add_argument
    out("--folder", type=Path, metavar="NIGHT", help="default: DATA/date of the noon before/TARGET")
    out("--json", action="store_true", help="one event a line on stdout")


def run(arguments: argparse.Namespace) -> int:
    """Take the frames; an exit code, or the StarwellError that ended it."""
    made = setup(seed=arguments.seed)
    return engine_here(made, task_of(arguments, made), json=arguments.json)


def task_of(arguments: argparse.Namespace, made: Setup) -> Task:
    """What the call asks for: a plan's, a night's that is resumed, or its own, and flags win over both."""
    if arguments.plan is not None:
        plan = plan_at(arguments.plan, made)
    elif arguments.resume:
        folder = arguments.folder or Unfinished(made.state).folder
        if folder is None:
            raise PlanError("No night was left unfinished: say which with --folder NIGHT, or name a plan.")
        return Task(plan=overridden(plan_of(folder), arguments), folder=folder, resume=True)
    else:
        plan = Plan(targets=(Target(series=(Series(bin=0),)),), camera=made.config.rig.camera)
    plan = overridden(plan, arguments)
    if plan.camera is None and made.config.rig.camera is None:
        raise PlanError(f"Say which camera: --camera {KNOWN}.")
    return Task(plan=plan, folder=arguments.folder, resume=arguments.resume)


def plan_at(path: Path, made: Setup) -> Plan:
    """The plan in this file; PlanError names all its mistakes."""
    site, filters = made.config.site, made.config.rig.filters
    known = site.latitude is not None and site.longitude is not None
    return read_plan(path, site_known=known, filters=filters)


def overridden(plan: Plan, given: argparse.Namespace) -> Plan:
    """The plan with what the call says instead."""
    series = {
        "kind": _KINDS[given.kind] if given.kind else None,
        "exposure_s": 0.0 if given.kind == "bias" and given.exposure is None else given.exposure,
        "count": given.frames,
        "filter": given.filter,
        "gain": given.gain,
        "offset": given.offset,
        "bin": given.bin,
        "roi": given.roi,
    }
    targets = tuple(
        _changed(target, name=given.target, series=tuple(_changed(one, **series) for one in target.series))
        for target in plan.targets
    )
    cooling = plan.cooling
    if given.temperature is not None:
        base = cooling or Cooling(celsius=given.temperature)
        cooling = _changed(base, celsius=given.temperature)
    options = {
        "live": False if given.no_stack else None,
        "colour": Colour.SUPER.value if given.super_pixel else None,
    }
    return _changed(
        plan,
        targets=targets,
        cooling=cooling,
        camera=given.camera,
        folder=str(given.folder) if given.folder else None,
        masters=masters_of(given, plan.masters),
        stack=_changed(plan.stack, **options),
    )


def masters_of(given: argparse.Namespace, others: MasterPaths) -> MasterPaths:
    """The masters named in the call, where they are now; PlanError for one that is not there."""
    named = {name: _there(getattr(given, name)) for name in MasterPaths.__struct_fields__}
    return _changed(others, **named)


def _there(path: str | None) -> str | None:
    if path is None or path == "auto" or _is_number(path):
        return path
    found = Path(path).expanduser().absolute()
    if not found.exists():
        raise PlanError(f"There is no master or folder {path}.")
    return str(found)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return not Path(text).exists()


def _changed(part: P, **changes: Any) -> P:
    """The part with those of the changes that are not None."""
    return msgspec.structs.replace(part, **{k: v for k, v in changes.items() if v is not None})


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 7200:
        raise argparse.ArgumentTypeError(f"{text} is not 0 to 7200 seconds")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _roi(text: str) -> Roi:
    parts = text.split(",")
    if len(parts) != 4:
        raise argparse.ArgumentTypeError(f"{text} is not X,Y,W,H")
    return Roi(*(int(part) for part in parts))
