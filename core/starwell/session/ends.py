"""What ends a sequence, and when, in a few words for a status line."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from starwell.session.plan import Plan
from starwell.session.plan_ends import Endings
from starwell.session.plan_outlook import Outlook, outlook

_KEPT = timedelta(seconds=30)


class Ends:
    """Looks ahead when something changed, and every half minute; safe from any thread.

    pace: seconds of the camera to one of ours.
    """

    def __init__(self, endings: Endings, pace: float = 1.0) -> None:
        self._endings = endings
        self._pace = pace
        self._known: tuple[Plan, int, datetime, str] | None = None

    def text(self, plan: Plan, done: Mapping[str, int], now: datetime) -> str:
        """As `60 of 60 at 03:12` or `dawn 05:41`; empty where nothing but the sky or a person ends it."""
        known, frames = self._known, sum(done.values())
        if known is None or known[0] is not plan or known[1] != frames or not now < known[2] + _KEPT:
            seen = outlook(plan, self._endings, done=done, now=now)
            known = self._known = plan, frames, now, self._said(plan, seen, now)
        return known[3]

    def _said(self, plan: Plan, seen: Outlook, now: datetime) -> str:
        if seen.lights_end is None:
            return ""
        if seen.lights_ended_by is not None:
            return seen.lights_ended_by.replace("(", "").replace(")", "")
        counts = [series.count or 0 for target in plan.targets for series in target.series]
        at = now + (seen.lights_end - now) / self._pace
        return f"{sum(counts)} of {sum(counts)} at {at.astimezone(self._endings.zone):%H:%M}"
