"""How a night stands, gathered from whoever knows; from any thread, at any moment."""

from __future__ import annotations

import shutil
from pathlib import Path

from starwell.camera.protocol import Telemetry
from starwell.session.events import State
from starwell.session.face import Status
from starwell.session.night_run import NightRun
from starwell.session.resume import Tally
from starwell.session.shooting_room import Seen


def status_of(run: NightRun | None, state: State, why: str) -> Status:
    """The status of an engine whose last task this is; None: it had none yet."""
    if run is None:
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
        )
    seen = run.shooting.seen if run.shooting is not None else Seen()
    tally = run.night.tally if run.night is not None else Tally()
    folder = run.night.night.folder if run.night is not None else None
    camera = run.kept.camera if run.kept is not None else None
    cooler = run.kept.cooler if run.kept is not None else None
    now = cooler.now if cooler is not None else Telemetry()
    target = seen.step.target if seen.step is not None else None
    return Status(
        state=state,
        frame=seen.number,
        frames=_planned(run),
        stacked=tally.stacked,
        rejected=tally.rejected,
        livetime_s=tally.livetime_s,
        folder=str(folder or ""),
        camera=camera.facts.name if camera is not None else "",
        sensor_celsius=now.sensor_celsius,
        setpoint_celsius=now.target_celsius if now.cooler_on else None,
        cooler_percent=now.cooler_percent,
        target=(target.name or None) if target is not None else None,
        filter=seen.step.exposure.filter if seen.step is not None else None,
        seconds=seen.seconds,
        exposed_s=seen.exposed_s if state is State.EXPOSING else None,
        free_bytes=_free_bytes(folder),
        guide_rms_arcsec=run.guide.rms_arcsec if run.guide is not None else None,
        why=why,
    )


def _planned(run: NightRun) -> int | None:
    """How many frames the plan asks for; None where an end decides."""
    counts = [series.count for target in run.plan.targets for series in target.series]
    return None if None in counts else sum(count or 0 for count in counts)


def _free_bytes(folder: Path | None) -> int | None:
    try:
        return shutil.disk_usage(folder).free if folder is not None else None
    except OSError:
        return None
