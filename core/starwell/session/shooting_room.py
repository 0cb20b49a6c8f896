"""What the capture thread's walk works with, and what it shows of itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from starwell.frame import Exposure, Frame
from starwell.session.engine_night import OpenNight
from starwell.session.events import State
from starwell.session.guide import Guide
from starwell.session.kept_camera import KeptCamera
from starwell.session.plan import Plan
from starwell.session.plan_ends import Endings
from starwell.session.plan_walk import Step
from starwell.session.tasks import LastTime
from starwell.session.telling import Telling
from starwell.session.wheel import Wheel
from starwell.session.wishes import Wishes


class SeriesOver(Exception):
    """The walk ends before the plan does; finished: because somebody said it is enough."""

    def __init__(self, why: str, *, finished: bool) -> None:
        super().__init__(why)
        self.finished = finished


@dataclass(slots=True)
class Seen:
    """What the walk tells of itself, for the status.

    shot: as asked for, then as read back. mode: focus, or nothing.
    """

    step: Step | None = None
    shot: Exposure | None = None
    target: str | None = None
    number: int = 0
    seconds: float | None = None
    exposed_s: float | None = None
    mode: str = ""


@dataclass(frozen=True, slots=True)
class Room:
    """What the walk works with.

    enter: told each state and why. first_light: the first of each target. ready: it waits for a start.
    """

    plan: Plan
    kept: KeptCamera
    night: OpenNight
    wishes: Wishes
    telling: Telling
    endings: Endings
    guide: Guide
    wheel: Wheel
    last_time: LastTime
    enter: Callable[[State, str], None]
    first_light: Callable[[Frame, Exposure], None]
    now: Callable[[], datetime]
    keywords: dict[str, Any] = field(default_factory=dict)
    ready: bool = False
