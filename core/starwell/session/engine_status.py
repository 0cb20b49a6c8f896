"""How a night stands, gathered from whoever knows; from any thread, at any moment."""

from __future__ import annotations

import shutil
from datetime import datetime
from pathlib import Path
from typing import Any

from starwell.calibration.master import NAMES, Master, Masters
from starwell.camera.protocol import Camera, Telemetry
from starwell.frame import Kind
from starwell.session.events import State
from starwell.session.face import Status
from starwell.session.kept_camera import arcsec_per_px
from starwell.session.night_run import NightRun
from starwell.session.plan import MasterPaths, Plan
from starwell.session.resume import Tally
from starwell.session.setup import Setup
from starwell.session.shooting_room import Seen


def status_of(run: NightRun | None, state: State, why: str, setup: Setup) -> Status:
    """The status of an engine whose last task this is; None: it had none yet."""
    if run is None:
        return _nothing_yet(state, why, setup)
    seen = run.shooting.seen if run.shooting is not None else Seen()
    tally = run.night.tally if run.night is not None else Tally()
    folder = run.night.night.folder if run.night is not None else None
    return Status(
        state=state,
        frame=seen.number,
        frames=_planned(run.shooting.plan if run.shooting is not None else run.plan),
        stacked=tally.stacked,
        rejected=tally.rejected,
        livetime_s=tally.livetime_s,
        folder=str(folder or ""),
        target=seen.target,
        seconds=seen.seconds if seen.number or seen.shot is None else seen.shot.seconds,
        exposed_s=seen.exposed_s if state is State.EXPOSING else None,
        free_bytes=_free_bytes(folder),
        guide_rms_arcsec=run.guide.rms_arcsec if run.guide is not None else None,
        why=why,
        ends=run.ends,
        masters=_masters(run, setup.now()),
        mode=seen.mode,
        filters=run.plan.rig.filters or setup.config.rig.filters,
        **_of_camera(run),
        **_of_shot(run, seen, setup),
    )


def _nothing_yet(state: State, why: str, setup: Setup) -> Status:
    return Status(
        state=state,
        frame=0,
        frames=None,
        stacked=0,
        rejected=0,
        livetime_s=None,
        folder="",
        camera="",
        sensor_celsius=None,
        why=why,
        filters=setup.config.rig.filters,
    )


def _of_camera(run: NightRun) -> dict[str, Any]:
    camera = run.kept.camera if run.kept is not None else None
    cooler = run.kept.cooler if run.kept is not None else None
    now = cooler.now if cooler is not None else Telemetry()
    return {
        "camera": camera.facts.name if camera is not None else "",
        "sensor_celsius": now.sensor_celsius,
        "setpoint_celsius": cooler.goal_celsius if cooler is not None else None,
        "cooler_percent": now.cooler_percent,
        "cooler_on": now.cooler_on,
        "pixel_um": camera.facts.pixel_um if camera is not None else None,
    }


def _of_shot(run: NightRun, seen: Seen, setup: Setup) -> dict[str, Any]:
    """How frames are shot, and what a pixel of them is."""
    shot, camera = seen.shot, run.kept.camera if run.kept is not None else None
    if shot is None or camera is None:
        return {}
    bin_ = shot.bin or 1
    focal_mm = run.plan.rig.focal_mm or setup.config.rig.focal_mm
    width, height = _size(camera, bin_)
    return {
        "filter": shot.filter,
        "kind": shot.kind,
        "gain": shot.gain,
        "offset": shot.offset,
        "bin": bin_,
        "width": shot.roi.width if shot.roi is not None else width,
        "height": shot.roi.height if shot.roi is not None else height,
        "arcsec_per_px": arcsec_per_px(camera.facts.pixel_um, focal_mm, bin_),
    }


def _size(camera: Camera, bin_: int) -> tuple[int | None, int | None]:
    """Width and height; unknown before the first of some files."""
    return (camera.facts.width // bin_ or None), (camera.facts.height // bin_ or None)


def _masters(run: NightRun, now: datetime) -> str:
    """What the stack at hand is calibrated with; before the first sub, what it is to be."""
    stacking = run.night.stacking if run.night is not None else None
    if stacking is None:
        return ""
    paths, masters = stacking.masters
    asked = paths or run.plan.masters
    if masters is None:
        return _named(asked)
    auto = "auto" in (asked.bias, asked.dark, asked.flat, asked.dark_flat)
    return ("auto: " if auto else "") + _described(masters, now, every=auto)


def _named(paths: MasterPaths) -> str:
    names = {"bias": paths.bias, "dark": paths.dark, "flat": paths.flat, "dark flat": paths.dark_flat}
    auto = "auto: " if "auto" in names.values() else ""
    return auto + "+".join(name for name, path in names.items() if path is not None)


def _described(masters: Masters, now: datetime, *, every: bool) -> str:
    """As `dark+flat`, or with every one's frames and age."""
    shown = [m for m in masters.all() if m.kind is not Kind.DARK_FLAT or masters.flat is None]
    if every:
        return ", ".join(_aged(master, now) for master in shown)
    low_light = ["low light"] if masters.low_light is not None else []
    return "+".join([*(NAMES[master.kind] for master in shown), *low_light])


def _aged(master: Master, now: datetime) -> str:
    frames = f" {master.combined} frames" if master.combined else ""
    if master.facts.started is None:
        return f"{NAMES[master.kind]}{frames}"
    days = max(0, (now - master.facts.started).days)
    age = "today" if days == 0 else "1 day old" if days == 1 else f"{days} days old"
    return f"{NAMES[master.kind]}{frames}{',' if frames else ''} {age}"


def _planned(plan: Plan) -> int | None:
    """How many frames a plan asks for; None where an end decides."""
    counts = [series.count for target in plan.targets for series in target.series]
    return None if None in counts else sum(count or 0 for count in counts)


def _free_bytes(folder: Path | None) -> int | None:
    try:
        return shutil.disk_usage(folder).free if folder is not None else None
    except OSError:
        return None
