"""Walking a plan, ending it, and telling in advance how it goes."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starwell.frame import Exposure, Kind, Roi
from starwell.session.plan import (
    After,
    AtClock,
    AtDawn,
    BeforeMeridian,
    Cooling,
    Darks,
    Dawn,
    Dither,
    Flats,
    MeridianHold,
    Plan,
    Series,
    Settle,
    Site,
    SkyAbove,
    SkyUnit,
    Target,
)
from starwell.session.plan_ends import Conditions, Ended, Endings, Hold, Scope
from starwell.session.plan_outlook import Outlook, frame_bytes, outlook
from starwell.session.plan_walk import Step, steps
from starwell.session.sun import Twilight, dawn, transit

MUNICH = Site(latitude_deg=48.1, longitude_deg=11.6)
M51 = {"ra_deg": 202.4696, "dec_deg": 47.1952}
DUSK = datetime(2026, 3, 20, 19, 0, tzinfo=UTC)
NOW = Conditions()


def light(filter_: str | None = None, count: int | None = 3, seconds: float = 60.0, **more: Any) -> Series:
    return Series(filter=filter_, count=count, exposure_s=seconds, gain=100.0, **more)


def night(*series: Series, pattern: str = "", after: tuple[After, ...] = (), **of_plan: Any) -> Plan:
    of_target = {k: of_plan.pop(k) for k in ("ends", "hold") if k in of_plan}
    night_ends = of_plan.pop("night_ends", ())
    target = Target(name="M51", series=series, pattern=tuple(pattern), **M51, **of_target)
    return Plan(targets=(target,), after=after, ends=night_ends, **of_plan)


def filters(plan: Plan, done: dict[str, int] | None = None, **how: Any) -> str:
    return "".join(step.exposure.filter or "-" for step in steps(plan, done, **how))


LRGB = night(light("L", 4), light("R", 2), light("G", 2), light("B", 1), pattern="LLRGB")


def test_filters_take_turns_as_the_pattern_says_and_empty_ones_are_passed_by():
    assert filters(LRGB) == "LLRGBLLRG"


def test_without_a_pattern_one_series_follows_the_other():
    assert filters(night(light("L", 2), light("R", 1), light("L", 1))) == "LLRL"


def test_two_series_of_one_filter_share_its_turns_one_after_the_other():
    plan = night(light("L", 1, 5.0), light("L", 2, 60.0), light("R", 2), pattern="LR")
    assert [(s.exposure.filter, s.exposure.seconds) for s in steps(plan)] == [
        ("L", 5.0),
        ("R", 60.0),
        ("L", 60.0),
        ("R", 60.0),
        ("L", 60.0),
    ]


def test_equal_series_have_names_of_their_own():
    names = [step.series for step in steps(night(light("L", 1), light("R", 1), light("L", 1)))]
    assert names == ["M51/Light/L/60s/g100/bin1", "M51/Light/R/60s/g100/bin1", "M51/Light/L/60s/g100/bin1#2"]


def test_series_of_a_window_and_a_binning_are_told_apart():
    one = light("L", 1, bin=2, roi=Roi(0, 8, 640, 480))
    (step,) = steps(night(one))
    assert step.series == "M51/Light/L/60s/g100/bin2/roi0,8,640,480"
    assert step.exposure == Exposure(Kind.LIGHT, 60.0, 100.0, None, 2, Roi(0, 8, 640, 480), "L")


@given(st.integers(0, 30))
def test_a_night_resumed_anywhere_makes_the_very_exposures_that_were_left(at: int):
    plan = night(
        light("L", 7),
        light("R", 3),
        light("G", 2),
        pattern="LRLG",
        after=(After.FLATS, After.DARKS),
        flats=Flats(count=2),
    )
    whole = list(steps(plan))
    done = Counter(step.series for step in whole[:at])
    assert list(steps(plan, done)) == whole[at:]


def test_a_raised_count_goes_on_where_the_night_was():
    done = {"M51/Light/L/60s/g100/bin1": 2}
    assert [step.index for step in steps(night(light("L", 4)), done)] == [2, 3]


def test_an_endless_series_goes_on_for_ever_between_finite_ones():
    plan = night(light("L", None), light("R", 1), pattern="LR")
    assert "".join(s.exposure.filter or "" for s in islice(steps(plan), 6)) == "LRLLLL"


def test_a_target_that_is_over_gives_way_to_the_next_and_a_night_that_is_over_to_what_follows():
    first, second = Target(name="A", series=(light("L", 2),)), Target(name="B", series=(light("R", 1),))
    plan = Plan(targets=(first, second), after=(After.BIASES,), biases=LRGB.biases)
    assert filters(plan, over={"A"}).startswith("R")
    left = list(steps(plan, night_over=True))
    assert {step.exposure.kind for step in left} == {Kind.BIAS}
    assert all(step.after for step in left)


def test_flats_follow_each_filter_with_their_dark_flats_at_once():
    plan = night(light("L", 1), light("R", 1), after=(After.FLATS,), flats=Flats(count=2))
    kinds = [(s.exposure.kind, s.exposure.filter, s.exposure.seconds) for s in steps(plan, night_over=True)]
    flat, dark = Kind.FLAT, Kind.DARK_FLAT
    assert kinds == [(k, f, None) for f in "LR" for k in (flat, flat, dark, dark)]


def test_dark_flats_of_a_set_exposure_are_shot_once_for_all_filters():
    plan = night(light("L", 1), light("R", 1), after=(After.FLATS,), flats=Flats(count=1, exposure_s=2.0))
    kinds = [s.exposure.kind for s in steps(plan, night_over=True)]
    assert kinds == [Kind.FLAT, Kind.DARK_FLAT, Kind.FLAT]


def test_darks_are_shot_once_for_each_way_the_lights_were():
    plan = night(
        light("L", 1), light("R", 1), light("G", 1, 120.0), after=(After.DARKS,), darks=Darks(count=1)
    )
    assert [
        (s.exposure.seconds, s.exposure.gain, s.exposure.filter) for s in steps(plan, night_over=True)
    ] == [
        (60.0, 100.0, None),
        (120.0, 100.0, None),
    ]


def first(plan: Plan) -> Step:
    return next(steps(plan))


def endings(plan: Plan, began: datetime = DUSK, **site: Any) -> Endings:
    where = {"latitude_deg": 48.1, "longitude_deg": 11.6} | site
    return Endings(plan, began, zone=UTC, **where)


def test_a_clock_time_ends_the_night_at_its_next_coming_and_no_exposure_runs_past_it():
    plan = night(light("L"), night_ends=(AtClock(hour=5, minute=30),))
    ends, at = endings(plan), datetime(2026, 3, 21, 5, 30, tzinfo=UTC)
    assert ends.ended(first(plan), DUSK, NOW) is None
    assert ends.ended(first(plan), at - timedelta(seconds=60), NOW) is None
    assert ends.ended(first(plan), at - timedelta(seconds=59), NOW) == Ended(Scope.NIGHT, "05:30 (05:30)")


def test_a_clock_time_is_read_in_the_plan_s_time_zone():
    plan = night(light("L"), night_ends=(AtClock(hour=5, minute=30),), timezone="America/New_York")
    at = datetime(2026, 3, 21, 9, 30, tzinfo=UTC)
    assert endings(plan).ended(first(plan), at - timedelta(seconds=61), NOW) is None
    assert endings(plan).ended(first(plan), at, NOW) is not None


def test_dawn_ends_the_night_and_stays_reached_after_a_restart():
    plan = night(light("L"), night_ends=(AtDawn(),))
    morning = dawn(DUSK, 48.1, 11.6)
    assert morning is not None
    assert endings(plan).ended(first(plan), morning - timedelta(seconds=61), NOW) is None
    assert isinstance(endings(plan).ended(first(plan), morning, NOW), Ended)
    later = morning + timedelta(hours=2)
    assert isinstance(endings(plan, began=later).ended(first(plan), later, NOW), Ended)


def test_a_night_that_never_gets_dark_ends_at_the_next_brighter_twilight():
    june = datetime(2026, 6, 21, 20, 0, tzinfo=UTC)
    plan = night(light("L"), night_ends=(AtDawn(),))
    at_53 = endings(plan, june, latitude_deg=53.5)
    assert at_53.moment(AtDawn(), plan.targets[0], june) == dawn(june, 53.5, 11.6, Twilight.NAUTICAL)
    assert at_53.unknown == ()


def test_ends_that_cannot_come_are_named():
    plan = night(light("L"), night_ends=(AtDawn(dawn=Dawn.CIVIL), AtClock(hour=5, minute=0)))
    assert endings(plan, latitude_deg=None).unknown == ("civil-dawn",)
    assert endings(plan, datetime(2026, 6, 21, 20, tzinfo=UTC), latitude_deg=70.0).unknown == ("civil-dawn",)


def test_the_plan_s_own_site_wins():
    plan = night(light("L"), night_ends=(AtDawn(),), site=MUNICH)
    found = endings(plan, latitude_deg=-33.0, longitude_deg=151.0).moment(AtDawn(), plan.targets[0], DUSK)
    assert found == dawn(DUSK, 48.1, 11.6)


def test_a_target_ends_ten_minutes_before_its_meridian():
    plan = night(light("L"), ends=(BeforeMeridian(minutes=10),))
    crossing = transit(DUSK, M51["ra_deg"], M51["dec_deg"], 11.6)
    began = Conditions(target_began=DUSK)
    ends = endings(plan)
    assert ends.ended(first(plan), crossing - timedelta(minutes=11, seconds=1), began) is None
    over = ends.ended(first(plan), crossing - timedelta(minutes=10), began)
    assert isinstance(over, Ended)
    assert over.scope is Scope.TARGET
    # A restart after the crossing knows from the journal when the target was begun.
    assert isinstance(ends.ended(first(plan), crossing + timedelta(minutes=5), began), Ended)


def test_a_target_that_begins_past_the_meridian_does_not_end_there():
    plan = night(light("L"), ends=(BeforeMeridian(minutes=10),))
    crossing = transit(DUSK, M51["ra_deg"], M51["dec_deg"], 11.6)
    assert endings(plan).ended(first(plan), crossing + timedelta(minutes=5), NOW) is None


def test_one_bright_sub_ends_nothing_but_three_in_a_row_do():
    plan = night(light("L"), ends=(SkyAbove(level=20_000, unit=SkyUnit.ADU),))
    ends = endings(plan)
    assert ends.ended(first(plan), DUSK, Conditions(sky_adu=(9e3, 9e3, 9e4))) is None
    assert ends.ended(first(plan), DUSK, Conditions(sky_adu=(9e4, 9e3, 9e4, 9e4))) is None
    assert ends.ended(first(plan), DUSK, Conditions(sky_e_s=(9e4, 9e4, 9e4))) is None
    assert ends.ended(first(plan), DUSK, Conditions(sky_adu=(9e3, 3e4, 3e4, 3e4))) == Ended(
        Scope.TARGET, "the sky reached 3e+04 ADU, over the limit of 20000"
    )


def test_the_sequence_holds_around_the_meridian_until_the_mount_has_flipped():
    plan = night(light("L"), hold=MeridianHold(before_min=2, after_min=5))
    crossing = transit(DUSK, M51["ra_deg"], M51["dec_deg"], 11.6)
    began, ends = Conditions(target_began=DUSK), endings(plan)
    waits = Hold("M51 crosses the meridian", crossing + timedelta(minutes=5))

    def at(minutes: float, conditions: Conditions = began) -> Ended | Hold | None:
        decision = ends.ended(first(plan), crossing + timedelta(minutes=minutes), conditions)
        if isinstance(decision, Hold):
            assert abs(decision.until - waits.until) < timedelta(seconds=1)
        return decision

    assert at(-3.1) is None
    assert isinstance(at(-2.5), Hold)
    assert isinstance(at(4.9), Hold)
    assert at(5.1) is None
    assert at(-2.5, Conditions(target_began=DUSK, past_meridian=True)) is None
    assert at(1, Conditions(target_began=crossing + timedelta(seconds=1))) is None


def test_what_follows_the_lights_is_never_ended():
    plan = night(light("L", 1), after=(After.DARKS,), night_ends=(AtClock(hour=5, minute=30),))
    step = next(steps(plan, night_over=True))
    assert endings(plan).ended(step, DUSK + timedelta(hours=14), NOW) is None


def look(plan: Plan, began: datetime = DUSK, **how: Any) -> Outlook:
    return outlook(plan, endings(plan, began), overhead_s=2.0, **how)


def test_a_counted_night_knows_how_long_it_takes():
    seen = look(night(light("L", 10), light("R", 5, 120.0)))
    assert (seen.ends - seen.began).total_seconds() == 10 * 62 + 5 * 122
    assert seen.cut == ()
    assert [span.fits for span in seen.spans] == [10, 5]


def test_cooling_dithers_flats_and_warming_up_take_their_time():
    plan = night(
        light("L", 5),
        cooling=Cooling(celsius=-10.0, ramp_c_per_min=2.0),
        dither=Dither(every=2, settle=Settle(seconds=8.0)),
        after=(After.FLATS, After.WARM_UP),
        flats=Flats(count=10, exposure_s=1.0, dark_flats=False),
    )
    seen = look(plan, ambient_celsius=20.0)
    ramp, dithers = 15 * 60, 2 * 13
    assert (seen.ends - seen.began).total_seconds() == ramp + 5 * 62 + dithers + 10 * 3 + ramp
    assert seen.lights_end == DUSK + timedelta(seconds=ramp + 5 * 62 + dithers)


def test_dawn_cuts_what_does_not_fit_and_says_so():
    morning = dawn(DUSK, 48.1, 11.6)
    assert morning is not None
    hour_before = morning - timedelta(hours=1)
    plan = night(
        light("L", 40),
        light("R", 40),
        pattern="LR",
        night_ends=(AtDawn(),),
        after=(After.DARKS,),
        darks=Darks(count=2),
    )
    seen = look(plan, hour_before)
    assert seen.lights_end is not None
    assert morning - timedelta(seconds=62) < seen.lights_end <= morning + timedelta(seconds=2)
    assert [(s.fits, s.planned) for s in seen.cut] == [(29, 40), (29, 40)]
    assert list(seen.sentences(UTC))[1] == (
        f"dawn ({morning:%H:%M}) leaves 29 of 40 frames of M51/Light/L/60s/g100/bin1."
    )
    assert seen.spans[-1].fits == 2


def test_what_is_done_already_is_neither_planned_nor_cut():
    name = "M51/Light/L/60s/g100/bin1"
    seen = look(night(light("L", 10)), done={name: 7})
    assert (seen.spans[0].planned, seen.spans[0].fits) == (3, 3)
    assert (seen.ends - seen.began).total_seconds() == 3 * 62


def test_a_meridian_hold_and_a_meridian_end_move_the_night():
    crossing = transit(DUSK, M51["ra_deg"], M51["dec_deg"], 11.6)
    start = crossing - timedelta(minutes=5)
    held = look(night(light("L", 5), hold=MeridianHold(before_min=1, after_min=5)), start)
    assert held.ends is not None
    assert timedelta(minutes=4) < held.ends - start - timedelta(seconds=5 * 62) < timedelta(minutes=8)
    ended = look(night(light("L", 5), ends=(BeforeMeridian(minutes=2),)), start)
    assert [(s.fits, s.planned) for s in ended.cut] == [(2, 5)]


def test_a_target_that_ends_leaves_its_time_to_the_next():
    crossing = transit(DUSK, M51["ra_deg"], M51["dec_deg"], 11.6)
    one = Target(name="M51", series=(light("L", None),), ends=(BeforeMeridian(),), **M51)
    two = Target(name="M3", series=(light("R", 4),))
    seen = look(Plan(targets=(one, two)), crossing - timedelta(minutes=10))
    assert [span.fits for span in seen.spans] == [9, 4]


def test_a_night_that_only_the_sky_ends_has_no_end_in_advance():
    seen = look(night(light("L", None, 600.0), ends=(SkyAbove(level=1e4, unit=SkyUnit.ADU),)))
    assert seen.ends is None


def test_the_disk_need_is_that_of_the_files():
    assert frame_bytes(Exposure(), 100, 72) == 2 * 2880 + 14400
    assert frame_bytes(Exposure(bin=2), 100, 72) == 2 * 2880 + 2 * 2880
    assert frame_bytes(Exposure(roi=Roi(0, 0, 10, 10)), 100, 72) == 3 * 2880
    seen = look(night(light("L", 3), light("R", 2, bin=2)))
    assert seen.disk_bytes(100, 72) == 3 * (2 * 2880 + 14400) + 2 * 4 * 2880


@pytest.mark.parametrize("hours", [0, 5, 11])
def test_the_outlook_is_what_the_night_then_does(hours: int):
    """An engine that walks the same plan with the same clock shoots exactly what was foretold."""
    plan = night(
        light("L", 300),
        light("R", 100),
        pattern="LLR",
        night_ends=(AtDawn(),),
        ends=(BeforeMeridian(minutes=10),),
    )
    began = DUSK + timedelta(hours=hours)
    ends, shot, now, over = endings(plan, began), Counter[str](), began, set[str]()
    while (step := next(steps(plan, shot, over=over), None)) is not None:
        conditions = Conditions(target_began=began if shot else None)
        decision = ends.ended(step, now, conditions)
        if isinstance(decision, Ended):
            over.add("M51")
            continue
        shot[step.series] += 1
        now += timedelta(seconds=62)
    assert {s.series: s.fits for s in look(plan, began).spans if s.fits} == dict(shot)
