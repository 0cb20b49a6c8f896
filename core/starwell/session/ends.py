"""What ends a sequence, and when, in a few words for a status line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime

from starwell.session.plan import Plan
from starwell.session.plan_ends import Endings
from starwell.session.plan_outlook import Outlook, outlook

_KEPT_S = 30.0
_SHARE = 0.01
"""Looking ahead takes at most this part of the time: a night of short subs has thousands of steps."""


class Ends:
    """Looks ahead when the plan changed, and now and then; safe from any thread.

    pace: seconds of the camera to one of ours.
    """

    def __init__(self, endings: Endings, pace: float = 1.0) -> None:
        self._endings = endings
        self._pace = pace
        self._known: tuple[Plan, float, str] | None = None

    def text(self, plan: Plan, done: Mapping[str, int], now: datetime) -> str:
        """As `60 of 60 at 03:12` or `dawn 05:41`; empty where nothing but the sky or a person ends it."""
        known, began = self._known, time.monotonic()
        if known is None or known[0] is not plan or began > known[1]:
            said = self._said(plan, outlook(plan, self._endings, done=done, now=now), now)
            spent_s = time.monotonic() - began
            known = self._known = plan, began + max(_KEPT_S, spent_s / _SHARE), said
        return known[2]

    def _said(self, plan: Plan, seen: Outlook, now: datetime) -> str:
        if seen.lights_end is None:
            return ""
        if seen.lights_ended_by is not None:
            end, _, hour = seen.lights_ended_by.rstrip(")").partition(" (")
            return end if hour in ("", end) else f"{end} {hour}"
        counts = [series.count or 0 for target in plan.targets for series in target.series]
        at = now + (seen.lights_end - now) / self._pace
        return f"{sum(counts)} of {sum(counts)} at {at.astimezone(self._endings.zone):%H:%M}"
