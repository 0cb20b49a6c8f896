"""When a target or a night is over, and when the sequence has to wait: decided at frame boundaries."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from zoneinfo import ZoneInfo

from starwell.frame import Kind
from starwell.session.plan import (
    AtClock,
    AtDawn,
    BeforeMeridian,
    Dawn,
    End,
    Plan,
    SkyAbove,
    SkyUnit,
    Target,
)
from starwell.session.plan_walk import Step
from starwell.session.sun import Twilight, dawn, noon_before, transit

_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_MERIDIAN = re.compile(r"meridian(?:\s*-\s*(\d+(?:\.\d+)?)\s*m(?:in)?)?")
_SKY = re.compile(r"sky\s*>\s*(\d+(?:\.\d+)?)\s*(adu|e-?/s)")
_BRIGHT_SUBS = 3
"""So many subs in a row have to be too bright: one may have caught a car's headlights."""

ENDS_EXPECTED = '"dawn", "nautical-dawn", "05:30", "meridian-10m", "sky>20000adu" or "sky>12e/s"'

_TWILIGHTS = {
    Dawn.ASTRONOMICAL: Twilight.ASTRONOMICAL,
    Dawn.NAUTICAL: Twilight.NAUTICAL,
    Dawn.CIVIL: Twilight.CIVIL,
    Dawn.SUNRISE: Twilight.SUN,
}


class Scope(StrEnum):
    """What is over."""

    TARGET = "target"
    NIGHT = "night"


@dataclass(frozen=True, slots=True)
class Ended:
    """No more lights of this target, or of this night; and why, in words."""

    scope: Scope
    why: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until then, or until the mount has flipped and the sub matches again."""

    why: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the sky and the mount say at a frame boundary.

    target_began: when the first sub of the step's target was begun, None where it is yet to come. sky_adu,
    sky_e_s: of the last subs, newest last. past_meridian: the mount has flipped, or needs not.
    """

    target_began: datetime | None = None
    sky_adu: tuple[float, ...] = ()
    sky_e_s: tuple[float, ...] = ()
    past_meridian: bool = False


def parse_end(text: str) -> End:
    """The end that a plan writes as one word; ValueError at anything else."""
    word = text.strip().lower()
    if word in list(Dawn):
        return AtDawn(dawn=Dawn(word))
    if match := _CLOCK.fullmatch(word):
        return AtClock(hour=int(match[1]), minute=int(match[2]))
    if match := _MERIDIAN.fullmatch(word):
        return BeforeMeridian(minutes=float(match[1] or 0))
    if match := _SKY.fullmatch(word):
        unit = SkyUnit.ADU if match[2] == "adu" else SkyUnit.ELECTRONS
        return SkyAbove(level=float(match[1]), unit=unit)
    raise ValueError(text)


class Endings:
    """The ends of one plan in one night.

    began: when the night began; after a crash that of the journal, so that what was over stays over. The
    site's latitude and longitude are the rig's, where the plan does not name its own. zone: of clock times;
    the plan's, or this computer's when None. An end that needs a site is passed by where there is none, and
    named in `unknown`.
    """

    def __init__(
        self,
        plan: Plan,
        began: datetime,
        *,
        latitude_deg: float | None = None,
        longitude_deg: float | None = None,
        zone: tzinfo | None = None,
    ) -> None:
        self.began = began
        self._zone = ZoneInfo(plan.timezone) if plan.timezone else zone
        self._site = _site(plan, latitude_deg, longitude_deg)
        self._plan = plan
        named = {end for target in plan.targets for end in target.ends} | set(plan.ends)
        self._fixed = {end: self._moment(end) for end in named if isinstance(end, AtClock | AtDawn)}

    @property
    def zone(self) -> tzinfo | None:
        """Of clock times; None: this computer's."""
        return self._zone

    @property
    def unknown(self) -> tuple[str, ...]:
        """The ends that can never come, for people: no site, or a Sun that does not rise."""
        return tuple(sorted(str(end) for end, moment in self._fixed.items() if moment is None))

    def ended(self, step: Step, now: datetime, conditions: Conditions) -> Ended | Hold | None:
        """Whether the step may be begun: None, or what is over, or how long to wait.

        An exposure that could not finish before the end is not begun. What follows the lights never ends.
        """
        if step.target is None or step.after:
            return None
        done = now + timedelta(seconds=step.exposure.seconds or 0.0)
        for scope, ends in ((Scope.NIGHT, self._plan.ends), (Scope.TARGET, step.target.ends)):
            for end in ends:
                why = self._reached(end, step, done, conditions, now)
                if why is not None:
                    return Ended(scope, why)
        return self._hold(step.target, now, done, conditions)

    def moment(self, end: End, target: Target, began: datetime) -> datetime | None:
        """When an end comes for a target begun then; None for the sky's brightness and what never comes."""
        if isinstance(end, BeforeMeridian):
            crossing = self.meridian(target, began)
            return crossing - timedelta(minutes=end.minutes) if crossing is not None else None
        return None if isinstance(end, SkyAbove) else self._fixed.get(end)

    def meridian(self, target: Target, began: datetime) -> datetime | None:
        """When a target begun then crosses the meridian this night; None where it is past it, or unknown."""
        if self._site is None or target.ra_deg is None or target.dec_deg is None:
            return None
        longitude = self._site[1]
        crossing = transit(began, target.ra_deg, target.dec_deg, longitude)
        return crossing if crossing < noon_before(began, longitude) + timedelta(days=1) else None

    def _reached(
        self, end: End, step: Step, done: datetime, conditions: Conditions, now: datetime
    ) -> str | None:
        if isinstance(end, SkyAbove):
            return _too_bright(end, conditions) if step.exposure.kind is Kind.LIGHT else None
        assert step.target is not None
        moment = self.moment(end, step.target, conditions.target_began or now)
        if moment is None or done <= moment:
            return None
        return f"{end} ({moment.astimezone(self._zone):%H:%M})"

    def _hold(self, target: Target, now: datetime, done: datetime, conditions: Conditions) -> Hold | None:
        if target.hold is None or conditions.past_meridian:
            return None
        # The crossing to wait for may be minutes ago.
        since = now - timedelta(minutes=target.hold.after_min)
        crossing = self.meridian(target, max(since, conditions.target_began or now))
        if crossing is None:
            return None
        until = crossing + timedelta(minutes=target.hold.after_min)
        if done <= crossing - timedelta(minutes=target.hold.before_min) or now >= until:
            return None
        return Hold(f"{target.name or 'the target'} crosses the meridian", until)

    def _moment(self, end: AtClock | AtDawn) -> datetime | None:
        if isinstance(end, AtClock):
            return _next_clock(end, self.began.astimezone(self._zone))
        if self._site is None:
            return None
        # Where the night does not get as dark as asked for, the next brighter twilight stands in.
        depths = list(_TWILIGHTS.values())
        for twilight in depths[depths.index(_TWILIGHTS[end.dawn]) :]:
            moment = dawn(self.began, *self._site, twilight)
            if moment is not None:
                return moment
        return None


def _next_clock(end: AtClock, began: datetime) -> datetime:
    moment = began.replace(hour=end.hour, minute=end.minute, second=0, microsecond=0)
    return moment if moment > began else moment + timedelta(days=1)


def _site(plan: Plan, latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    if plan.site is not None:
        return plan.site.latitude_deg, plan.site.longitude_deg
    return None if latitude is None or longitude is None else (latitude, longitude)


def _too_bright(end: SkyAbove, conditions: Conditions) -> str | None:
    skies = conditions.sky_adu if end.unit is SkyUnit.ADU else conditions.sky_e_s
    last = skies[-_BRIGHT_SUBS:]
    if len(last) < _BRIGHT_SUBS or min(last) <= end.level:
        return None
    unit = "ADU" if end.unit is SkyUnit.ADU else "e-/s"
    return f"the sky reached {min(last):.4g} {unit}, over the limit of {end.level:g}"
