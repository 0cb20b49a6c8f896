"""What the pipeline lets in, keeps out, and how it finds its reference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from starwell.calibration.master import Masters
from starwell.camera.sky import Cloud, Defocus, Mount, Scene, Shake, Sky, SkyPlan, Turn, Weather
from starwell.frame import Frame
from starwell.session.events import StackStarted, SubMeasured, SubRejected, SubStacked

Make = Callable[..., Any]
PLAN = SkyPlan(
    size=(200, 256),
    subs=20,
    seconds=20.0,
    scene=Scene(stars=60, faintest_e=3000.0, brightest_e=80_000.0),
    mount=Mount(drift_px=(0.2, 0.1), dither_px=6.0),
)


def refused(done: Any) -> dict[int, str]:
    return {e.number: e.reason for e in done.told(SubRejected)}


def weather(**how: Any) -> SkyPlan:
    return replace(PLAN, weather=Weather(**how))


def mount(**how: Any) -> SkyPlan:
    return replace(PLAN, mount=replace(PLAN.mount, **how))


def blank(value: float) -> Callable[[int, Frame], Frame]:
    """Puts a constant frame in place of sub 3."""

    def change(number: int, frame: Frame) -> Frame:
        if number != 3:
            return frame
        return Frame(frame.facts, np.full(frame.pixels.shape, value, frame.pixels.dtype))

    return change


FAINT = Scene(stars=40, faintest_e=1500.0, brightest_e=12_000.0)
"""Stars whose own light does not raise the noise of the sky."""


def test_thin_clouds_weigh_less_by_transparency_squared_over_variance(night: Make) -> None:
    plan = replace(PLAN, scene=FAINT, weather=Weather(clouds=(Cloud((8, 9), 0.5, 1.5),)))
    done = night(plan).live(12)
    events = {e.number: e for e in done.told(SubStacked)}
    assert refused(done) == {}
    for number in (9, 10):
        assert events[number].transparency == pytest.approx(0.5, abs=0.03)
        noise = (60 * 1.5 + 2.25) / (60 + 2.25)
        assert events[number].weight == pytest.approx(events[number].transparency ** 2 / noise, rel=0.05)
    assert events[11].weight == pytest.approx(1.0, rel=0.05)


def test_thick_clouds_are_kept_out_and_counted_in_an_alarm(night: Make) -> None:
    plan = weather(clouds=(Cloud((8, 9, 10), 0.1, 3.0),))
    done = night(plan).live(12)
    assert set(refused(done).values()) <= {"clouds", "too few stars", "no match"}
    assert list(refused(done)) == [9, 10, 11]
    assert [e.alarm for e in done.told(SubRejected)] == [False, False, True]
    assert done.pipeline.admission.gates.alarm is None  # sub 12 was good again
    assert done.pipeline.members.count() == 9


def test_a_shaken_sub_is_kept_out_as_trailed(night: Make) -> None:
    done = night(mount(shakes=(Shake((8,), 9.0),))).live(12)
    assert list(refused(done)) == [9]
    assert refused(done)[9] in {"trailed", "out of focus"}  # a line of 9 px is both


def test_a_defocused_sub_is_kept_out(night: Make) -> None:
    plan = replace(PLAN, optics=replace(PLAN.optics, defocused=(Defocus((8,), 14.0),)))
    assert refused(night(plan).live(12)) == {9: "out of focus"}


def test_a_shaken_first_sub_is_never_the_reference(night: Make) -> None:
    done = night(mount(shakes=(Shake((0,), 7.0),))).live(12)
    assert done.pipeline.reference.number != 1
    assert done.truth().corner_px[1] < 0.15


@pytest.mark.parametrize(("value", "reason"), [(500, "black"), (65535, "saturated")])
def test_a_failed_readout_is_named_for_what_it_is(value: int, reason: str, night: Make) -> None:
    done = night(PLAN, change=blank(value)).live(8)
    assert refused(done) == {3: reason}
    assert done.pipeline.members.count() == 7


def test_a_first_sub_without_stars_waits_for_a_better_one(night: Make) -> None:
    def cap_on(number: int, frame: Frame) -> Frame:
        if number > 2:
            return frame
        noise = np.random.default_rng(number).normal(740, 30, frame.pixels.shape)
        return Frame(frame.facts, noise.astype(np.uint16))

    done = night(PLAN, change=cap_on).live(6)
    assert refused(done) == {1: "too few stars", 2: "too few stars"}
    assert [n for n, _ in done.pipeline.members.stacked()] == [3, 4, 5, 6]


def test_a_sub_of_another_size_is_named_and_leaves_the_night_alone(night: Make) -> None:
    def cropped(number: int, frame: Frame) -> Frame:
        if number != 4:
            return frame
        return Frame(replace(frame.facts, shape=(100, 256)), frame.pixels[:100].copy())

    done = night(PLAN, change=cropped).live(8)
    assert refused(done) == {4: "different size"}
    assert "256×100 px among subs of 256×200" in done.told(SubRejected)[0].detail


def test_an_unsettled_mount_costs_the_first_subs_not_the_night(night: Make) -> None:
    done = night(PLAN, change=elsewhere(1)).live(10)
    assert [n for n, _ in done.pipeline.members.stacked()] == list(range(2, 11))
    assert done.pipeline.members[1].reason == "no match"
    assert any("another field" in e.why for e in done.told(StackStarted))
    assert done.truth().corner_px[1] < 0.15
    stacked = [e.number for e in done.told(SubStacked)]
    assert stacked == [1, *range(2, 11)]  # 2 to 4 as soon as the fourth gave it away


def test_a_rejected_sub_of_the_wrong_field_stays_out(night: Make) -> None:
    done = night(PLAN, change=elsewhere(1)).feed([1])
    list(done.pipeline.reject(1))
    done.feed(range(2, 9)).finish()
    assert [n for n, _ in done.pipeline.members.stacked()] == list(range(2, 9))
    assert done.pipeline.stack.sums.count.max() == 7


def elsewhere(until: int) -> Callable[[int, Frame], Frame]:
    """The first subs show another field."""
    other = Sky(replace(PLAN, seed=99))

    def change(number: int, frame: Frame) -> Frame:
        return Frame(frame.facts, other.light(number).pixels) if number <= until else frame

    return change


def test_clouds_never_change_the_reference(night: Make) -> None:
    plan = weather(clouds=(Cloud((1, 2, 3, 4), 0.02, 4.0),))
    done = night(plan).live(9)
    assert 1 in [n for n, _ in done.pipeline.members.stacked()]
    assert not any("another field" in e.why for e in done.told(StackStarted))
    assert list(refused(done)) == [2, 3, 4, 5]


def test_the_reference_is_the_sharpest_of_the_first_seven_and_stays(night: Make) -> None:
    done = night(weather(seeing_scatter=0.12, correlation=0.0)).live(12)
    sharp = {n: m.figures["fwhm_px"] for n, m in done.pipeline.members.by_number.items()}
    best = min(range(1, 8), key=sharp.__getitem__)
    assert done.pipeline.reference.number == best
    assert [e.reference for e in done.told(StackStarted)][-1] == best
    widths = [done.sky.truth(n - 1).fwhm_px for n in range(1, 8)]
    assert widths[best - 1] <= min(widths) * 1.05


def test_haze_does_not_make_a_reference_however_sharp(night: Make) -> None:
    plan = weather(clouds=(Cloud((2,), 0.15, 1.0),))
    done = night(plan).live(8)
    assert done.pipeline.reference.number != 3


def test_a_new_dither_position_late_begins_the_stack_once_more(night: Make) -> None:
    done = night(replace(PLAN, mount=Mount(dither_px=25.0, dither_every=3))).live(14)
    begins = [(e.why, e.reference) for e in done.told(StackStarted)]
    assert [why for why, _ in begins].count("enough dither positions to tell hot pixels from stars") == 1
    assert len({reference for _, reference in begins[2:]}) == 1
    assert done.pipeline.members.count() == done.pipeline.stack.stacked == 14


def test_members_of_a_long_night_keep_no_star_lists(night: Make) -> None:
    done = night(PLAN).live(16)
    assert done.pipeline.members[12].candidate is None
    assert done.pipeline.members[12].placed.alignment.pairs.size == 0
    assert done.pipeline.members[12].figures["stars"] > 10


def test_a_flip_and_a_turned_camera_go_on_in_the_same_stack(night: Make) -> None:
    done = night(mount(flip_at=8, turns=(Turn(12, 45.0),))).live(16)
    assert refused(done) == {}
    angles = [round(abs(e.angle_deg)) for e in done.told(SubStacked)]
    assert angles == [0] * 8 + [180] * 4 + [135] * 4


def test_what_a_sub_measures_is_what_the_sky_was(night: Make) -> None:
    done = night(replace(PLAN, scene=FAINT)).live(3)
    for event in done.told(SubMeasured):
        sky_e = done.sky.truth(event.number - 1).sky_e[0]
        assert event.sky_e == pytest.approx(sky_e, rel=0.02)
        assert event.sigma_e == pytest.approx(np.sqrt(sky_e + 2.25), rel=0.04)
        assert event.sensor_sigma_e == pytest.approx(event.sigma_e, rel=0.04)


def test_without_masters_the_night_is_stacked_and_nothing_invented(night: Make) -> None:
    done = night(replace(PLAN, chip=replace(PLAN.chip, prnu=0.0)), masters=Masters()).live(8)
    assert done.pipeline.members.count() == 8
    assert all(e.sky_e is None and e.sensor_sigma_e is None for e in done.told(SubMeasured))


@pytest.mark.parametrize("share", [0.001, 0.2])
def test_pixels_that_are_no_number_are_mended_or_named(share: float, night: Make) -> None:
    def torn(number: int, frame: Frame) -> Frame:
        pixels = frame.pixels.astype(np.float32)
        if number == 4:
            holes = np.random.default_rng(1).random(pixels.shape) < share
            pixels[holes] = np.nan
        return Frame(frame.facts, pixels)

    done = night(PLAN, change=torn).live(8)
    assert refused(done) == ({} if share < 0.01 else {4: "not a number"})
    assert np.isfinite(done.pipeline.stack.mean()).all()
