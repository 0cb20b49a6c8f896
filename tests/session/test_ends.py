"""What ends a sequence, in a few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from starwell.session.ends import Ends
from starwell.session.plan import AtClock, AtDawn, End, Plan, Series, SkyAbove, SkyUnit, Target
from starwell.session.plan_ends import Endings

DUSK = datetime(2026, 11, 20, 22, tzinfo=UTC)


def plan(count: int | None, *ends: End, seconds: float = 60.0) -> Plan:
    return Plan(
        targets=(Target(name="M51", series=(Series(exposure_s=seconds, count=count),)),),
        ends=ends,
        timezone="UTC",
    )


def ends_of(night: Plan, pace: float = 1.0) -> Ends:
    return Ends(Endings(night, DUSK, latitude_deg=50.0, longitude_deg=8.0), pace)


@pytest.mark.parametrize(
    ("count", "ends", "said"),
    [
        (60, (), "60 of 60 at 23:01"),
        (60, (AtDawn(),), "60 of 60 at 23:01"),
        (900, (AtDawn(),), "dawn 04:55"),
        (None, (AtDawn(),), "dawn 04:55"),
        (None, (AtClock(hour=2, minute=30),), "02:30"),
        (None, (SkyAbove(level=9e3, unit=SkyUnit.ADU),), ""),
        (None, (), ""),
    ],
)
def test_what_comes_first_is_told(count: int | None, ends: tuple[End, ...], said: str) -> None:
    night = plan(count, *ends)
    assert ends_of(night).text(night, {}, DUSK) == said


def test_what_is_done_is_done_and_a_hurried_camera_is_sooner() -> None:
    night = plan(60)
    later = DUSK + timedelta(hours=1)
    assert ends_of(night).text(night, {"M51/Light/60s/bin1": 30}, later) == "60 of 60 at 23:30"
    assert ends_of(night, pace=61.0).text(night, {}, DUSK) == "60 of 60 at 22:01"


def test_it_looks_ahead_again_when_the_plan_changed_and_not_for_every_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    night, clock = plan(60), [100.0]
    monkeypatch.setattr("starwell.session.ends.time.monotonic", lambda: clock[0])
    ends = ends_of(night)
    first = ends.text(night, {}, DUSK)
    assert ends.text(night, {}, DUSK + timedelta(hours=1)) == first
    assert ends.text(plan(61), {}, DUSK) == "61 of 61 at 23:02"
    clock[0] += 40
    assert ends.text(night, {}, DUSK + timedelta(hours=1)) == "60 of 60 at 00:01"
