"""What becomes of a task before it is begun: last time's settings, its folder; and what was left undone."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import msgspec

from starwell.camera.folder import FileCamera
from starwell.camera.protocol import Camera
from starwell.camera.simulated import SimulatedCamera
from starwell.config import Remembered, Settings, write_whole
from starwell.errors import PlanError
from starwell.frame import Exposure, Kind
from starwell.session.engine_night import plan_of
from starwell.session.plan import Cooling, Plan, Resume, Series, Target
from starwell.session.wishes import Task


class LastTime:
    """The settings that camera and target were last used with, for what a plan does not say."""

    def __init__(self, plan: Plan, camera: Camera, remembered: Remembered) -> None:
        self._of: dict[str, Settings] = {}
        self._files = isinstance(camera, FileCamera)
        if not self._files:
            names = {target.name for target in plan.targets} | {""}
            self._of = {name: remembered.of(camera.facts.uid, name or None) for name in names}

    def fill(self, asked: Exposure, target: str = "") -> Exposure:
        """The exposure to be made; a bin of 0 stands for last time's.

        PlanError where nobody ever said how long lights or darks are exposed.
        """
        if self._files:
            return asked
        last = self._of.get(target, self._of[""])
        seconds = asked.seconds
        if seconds is None and asked.kind in (Kind.LIGHT, Kind.DARK):
            seconds = last.seconds
            if seconds is None:
                raise PlanError("Say how long to expose: --exposure S, in seconds.")
        return replace(
            asked,
            seconds=seconds,
            gain=last.gain if asked.gain is None else asked.gain,
            offset=last.offset if asked.offset is None else asked.offset,
            bin=asked.bin or last.bin or 1,
        )

    def cooling(self, plan: Plan) -> Cooling | None:
        """The plan's; last time's for what is no plan from a file."""
        last = self._of.get(_first_name(plan), Settings())
        if plan.cooling is not None or plan.file or last.celsius is None:
            return plan.cooling
        return Cooling(celsius=last.celsius)

    def told(self, plan: Plan) -> str:
        """What of last time is used, in words; empty for nothing. PlanError as `fill` raises it."""
        words: dict[str, None] = {}
        for target in plan.targets:
            for series in target.series:
                asked = series.exposure
                filled = self.fill(asked, target.name)
                for name, unit in (("seconds", " s"), ("gain", ""), ("offset", "")):
                    value = getattr(filled, name)
                    if getattr(asked, name) is None and value is not None:
                        words[f"{'exposure' if name == 'seconds' else name} {value:g}{unit}"] = None
        cooling = self.cooling(plan)
        if plan.cooling is None and cooling is not None:
            words[f"temperature {cooling.celsius:g} °C"] = None
        return ", ".join(words)


def _first_name(plan: Plan) -> str:
    return plan.targets[0].name if plan.targets else ""


def of_files(plan: Plan) -> Plan:
    """The plan of a camera made of files: they are what they are, and come in one series."""
    count = plan.targets[0].series[0].count if plan.targets and plan.targets[0].series else None
    name = plan.targets[0].name if plan.targets else ""
    return msgspec.structs.replace(
        plan, targets=(Target(series=(Series(count=count),), name=name),), after=(), dither=None, guiding=None
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
        """The night, whose disk may not be mounted; None where none was left."""
        try:
            return Path(msgspec.json.decode(self._path.read_bytes(), type=str))
        except (OSError, msgspec.DecodeError):
            return None

    def task(self) -> Task | None:
        """What a service's engine has to go on with; at once only where the plan says `resume = "auto"`.

        PlanError for a night that is not there (any more).
        """
        folder = self.folder
        if folder is None:
            return None
        if not folder.is_dir():
            raise PlanError(
                f"The night in {folder} was broken off, and that folder is not there: mount its disk, then "
                "`starwell start`; or begin another night with `starwell start PLAN.toml`."
            )
        plan = plan_of(folder)
        return Task(plan=plan, folder=folder, resume=True, paused=plan.resume is not Resume.AUTO)
