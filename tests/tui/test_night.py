"""What the screen remembers of the events."""

from __future__ import annotations

from starwell.frame import Kind
from starwell.session import events as ev
from starwell_tui.night import Night, Standing


def seen(*events: ev.Event) -> Night:
    night = Night(planned=12)
    for event in events:
        night.see(event)
    return night


def stacked(number: int, of: int = 1) -> ev.SubStacked:
    return ev.SubStacked(
        number=number,
        weight=1.0,
        transparency=1.0,
        matched=300,
        rms_px=0.1,
        dx_px=0.0,
        dy_px=0.0,
        angle_deg=0.0,
        stacked=of,
        livetime_s=60.0 * of,
    )


def noise(subs: int) -> ev.StackMeasured:
    return ev.StackMeasured(
        stacked=subs,
        effective_subs=float(subs),
        livetime_s=60.0 * subs,
        sub_sigma_e=15.8,
        ideal_e=15.8 / subs**0.5,
        reached_e=(15.0 / subs**0.5,) * 5,
        efficiency_percent=96.0,
        egain=0.8,
        read_noise_e=1.5,
        sky_e=246.0,
        origin="camera",
    )


def clouds(number: int, *, by_hand: bool = False, alarm: bool = False) -> ev.SubRejected:
    return ev.SubRejected(number=number, reason="clouds", by_hand=by_hand, alarm=alarm)


def test_a_sub_goes_from_exposing_to_stacked():
    night = Night()
    standings = []
    for event in (ev.ExposureStarted(number=1, seconds=60.0), ev.FrameTaken(number=1), stacked(1)):
        night.see(event)
        standings.append(night.subs[1].standing)
    assert standings == [Standing.EXPOSING, Standing.MEASURING, Standing.STACKED]
    assert night.livetime_s == 60.0


def test_darks_are_no_subs():
    dark = ev.ExposureStarted(number=1, seconds=60.0, kind=Kind.DARK)
    night = seen(dark)
    assert not night.subs
    assert night.calibrating == dark
    night.see(ev.ExposureStarted(number=1, seconds=60.0))
    assert night.calibrating is None


def test_a_restored_sub_has_no_reason_left():
    night = seen(stacked(1), clouds(1), stacked(1))
    assert night.subs[1].standing is Standing.STACKED
    assert night.subs[1].rejected is None


def test_rejections_in_a_row_are_those_since_the_last_stacked_sub_and_not_by_hand():
    assert seen(stacked(1), clouds(2), clouds(3), clouds(4)).rejected_in_a_row == 3
    assert seen(clouds(1), clouds(2), stacked(3)).rejected_in_a_row == 0
    assert seen(stacked(1), clouds(2), clouds(3, by_hand=True)).rejected_in_a_row == 0
    assert seen(clouds(1), ev.ExposureStarted(number=2, seconds=60.0)).rejected_in_a_row == 1


def test_the_curve_ends_at_the_present_stack():
    night = seen(noise(2), noise(3), noise(4), noise(3))
    assert sorted(night.noise) == [2, 3]
    assert night.latest_noise == noise(3)


def test_truth_belongs_to_the_last_measure_of_the_stack():
    told = ev.QualityAdvice(subject="truth", advice="flux 0.998\nposition 0.02 px")
    assert seen(noise(2), told).truth == ("flux 0.998", "position 0.02 px")
    assert seen(noise(2), told, noise(3)).truth == ()
    assert seen(told).alert is None


def test_advice_does_not_cover_a_serious_alert_until_it_is_acknowledged():
    night = seen(
        ev.CameraFault(message="does not answer", recovered=False),
        ev.QualityAdvice(subject="focus", advice="FWHM grew by 20 %"),
    )
    assert night.alert == ("camera: does not answer", True)
    night.acknowledge()
    night.see(ev.QualityAdvice(subject="focus", advice="FWHM grew by 20 %"))
    assert night.alert == ("focus: FWHM grew by 20 %", False)


def test_a_rejection_that_rings_is_an_alert():
    assert seen(clouds(4, alarm=True)).alert == ("sub 4: clouds", True)
    assert seen(clouds(4)).alert is None


def test_a_night_of_any_length_takes_no_more_than_a_long_one():
    night = seen(*(event for n in range(1, 3001) for event in (stacked(n, n), noise(n))))
    assert list(night.subs) == list(range(2001, 3001))
    assert len(night.noise) <= 400
    assert min(night.noise) == 1
    assert list(night.noise)[-200:] == list(range(2801, 3001))
