"""What becomes of a task before it is begun: last time's settings, its folder; and what was left undone."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera
from starwell.camera.simulated import SimulatedCamera
from starwell.config import Remembered, Settings, write_whole
from starwell.errors import PlanError
from starwell.frame import Kind
from starwell.session.engine_night import plan_of
from starwell.session.plan import Cooling, Plan, Resume, Series, Target
from starwell.session.wishes import Task


def as_last_time(plan: Plan, camera: Camera, remembered: Remembered) -> tuple[Plan, str]:
    """The plan with last time's settings of camera and target where it says none, and which, in words.

    A bin of 0 stands for last time's. PlanError where nobody ever said how long to expose.
    """
    if isinstance(camera, FileCamera):
        return plan, ""
    told: dict[str, None] = {}
    targets = []
    for target in plan.targets:
        last = remembered.of(camera.facts.uid, target.name or None)
        series = tuple(_filled(one, last, told) for one in target.series)
        targets.append(msgspec.structs.replace(target, series=series))
    cooling = plan.cooling
    last = remembered.of(camera.facts.uid, plan.targets[0].name or None) if plan.targets else Settings()
    if cooling is None and not plan.file and last.celsius is not None and camera.facts.cooled:
        cooling = Cooling(celsius=last.celsius)
        told[f"temperature {last.celsius:g} °C"] = None
    filled = msgspec.structs.replace(plan, targets=tuple(targets), cooling=cooling)
    return filled, ", ".join(told)


def _filled(series: Series, last: Settings, told: dict[str, None]) -> Series:
    seconds, bin_ = series.exposure_s, series.bin or last.bin or 1
    if seconds is None and series.kind in (Kind.LIGHT, Kind.DARK):
        seconds = last.seconds
        if seconds is None:
            raise PlanError("Say how long to expose: --exposure S, in seconds.")
        told[f"exposure {seconds:g} s"] = None
    values = {}
    for name, given, known in (("gain", series.gain, last.gain), ("offset", series.offset, last.offset)):
        values[name] = known if given is None else given
        if given is None and known is not None:
            told[f"{name} {known:g}"] = None
    return msgspec.structs.replace(series, exposure_s=seconds, bin=bin_, **values)


def of_files(plan: Plan) -> Plan:
    """The plan of a camera made of files: they are what they are, and come in one series."""
    count = plan.targets[0].series[0].count if plan.targets and plan.targets[0].series else None
    name = plan.targets[0].name if plan.targets else ""
    return msgspec.structs.replace(
        plan, targets=(Target(series=(Series(count=count),), name=name),), after=(), dither=None
    )


def target_of(plan: Plan, camera: Camera | None) -> str | None:
    """What the night is called after: the plan's target, or as the files or the simulated sky say."""
    named = next((target.name for target in plan.targets if target.name), None)
    if named is not None:
        return named
    if isinstance(camera, FileCamera):
        return camera.target or camera.folder.resolve().name
    return camera.target if isinstance(camera, SimulatedCamera) else None


class Unfinished:
    """Which night was not brought to its end, in the state folder: a power loss leaves it there."""

    def __init__(self, state: Path) -> None:
        self._path = state / "unfinished.json"

    def note(self, folder: Path) -> None:
        """This night is begun; StorageError where that cannot be written."""
        write_whole(self._path, msgspec.json.encode(str(folder.absolute())))

    def clear(self) -> None:
        """It came to its end."""
        with contextlib.suppress(OSError):
            self._path.unlink(missing_ok=True)

    @property
    def folder(self) -> Path | None:
        """The night; None where none is left, or its folder is not there (any more)."""
        try:
            folder = Path(msgspec.json.decode(self._path.read_bytes(), type=str))
        except (OSError, msgspec.DecodeError):
            return None
        return folder if folder.is_dir() else None

    def task(self) -> Task | None:
        """What a service's engine has to go on with; at once only where the plan says `resume = "auto"`."""
        folder = self.folder
        if folder is None:
            return None
        plan = plan_of(folder)
        return Task(plan=plan, folder=folder, resume=True, paused=plan.resume is not Resume.AUTO)
